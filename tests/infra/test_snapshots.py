"""Snapshots belong to one log; what another one left in the file is not read."""

from pathlib import Path

from domain.log_filter import LogFilter
from domain.station import Station
from infra.snapshots import PartitionSnapshot, Snapshots, take


def header(journal_id: str, position: int) -> PartitionSnapshot:
    return PartitionSnapshot(journal_id, position, LogFilter().dump(), 0)


def test_what_an_earlier_log_left_is_not_mixed_into_the_new_ones(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots.sqlite")
    old, new = Station("default", "CP1", 1, offset=90), Station("default", "CP2", 1, offset=7)
    snapshots.save(1, header("old", 100), [take(old)])
    assert snapshots.load(1, "new") is None
    snapshots.save(1, header("new", 10), [take(new)])
    loaded = snapshots.load(1, "new")
    assert loaded is not None
    position, stations = loaded[0].position, loaded[1]
    assert (position, [s.station for s in stations]) == (10, ["CP2"])
    snapshots.close()


def test_only_the_newest_of_a_station_is_read(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots.sqlite")
    for offset in (5, 9):
        station = Station("default", "CP1", 1, offset=offset, seen_at=offset)
        snapshots.save(1, header("log", offset + 1), [take(station)])
    snapshots.save(10, header("log", 3), [take(Station("default", "CP10", 10, offset=2))])
    loaded = snapshots.load(1, "log")
    assert loaded is not None
    assert [(s.station, s.seen_at) for s in loaded[1]] == [("CP1", 9)]
    snapshots.close()
