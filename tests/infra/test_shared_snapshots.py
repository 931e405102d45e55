"""Owners leave each other snapshots: a take-over by a newcomer folds the log's tail only."""

from pathlib import Path

import pytest

from domain.owner import Owner
from domain.registry import Registry
from domain.station import dump
from domain.transaction_ids import TransactionIds
from infra import shared_snapshots
from infra.recovery import owner_from
from infra.shared_snapshots import SharedSnapshots
from infra.snapshots import Snapshots, header_of, take
from tests.domain.log import POLICY, Log, Worker, start, stop, working


def keep(snapshots: Snapshots, owner: Owner) -> None:
    touched, owner.touched = owner.touched, set()
    snapshots.save(1, header_of(owner, "log"), [take(owner.stations[key]) for key in touched])


def from_snapshots(snapshots: Snapshots) -> Owner:
    ids, registry = TransactionIds(b"k" * 32), Registry()
    return owner_from(snapshots, 1, "log", name="w2", policy=POLICY, ids=ids, registry=registry)


def charged(log: Log, worker: Worker, station: str) -> None:
    connection = f"of-{station}"
    log.opens(connection, station=station)
    log.calls("StartTransaction", start(), connection=connection, station=station)
    worker.settle()
    transaction = next(reversed(worker.owner.stations["default", station].transactions.known))
    log.calls("StopTransaction", stop(int(transaction)), connection=connection, station=station)
    worker.settle()


def assert_the_same(found: Owner, expected: Owner) -> None:
    assert found.position == expected.position
    assert found.next_counter == expected.next_counter
    assert {key: dump(each) for key, each in found.stations.items()} == {
        key: dump(each) for key, each in expected.stations.items()
    }


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_snapshots, "SHARE_EVERY_S", 0.0)


@pytest.mark.usefixtures("always")
def test_a_newcomer_starts_where_another_owner_was_and_keeps_all_of_it(tmp_path: Path) -> None:
    log, worker = working()
    first = SharedSnapshots(tmp_path / "first.sqlite", tmp_path)
    charged(log, worker, "CP2")
    keep(first, worker.owner)
    charged(log, worker, "CP3")
    keep(first, worker.owner)

    second = SharedSnapshots(tmp_path / "second.sqlite", tmp_path)
    taken = from_snapshots(second)
    assert_the_same(taken, worker.owner)

    # It goes on, keeps what has changed, and starts again from its own.
    charged(log, worker, "CP2")
    for offset in range(taken.position, len(log.values)):
        taken.fold(offset, log.read(offset))
    keep(second, taken)
    for file in tmp_path.glob("*.snapshot"):
        file.unlink()
    assert_the_same(from_snapshots(second), worker.owner)


@pytest.mark.usefixtures("always")
def test_the_newer_of_both_counts(tmp_path: Path) -> None:
    log, worker = working()
    first = SharedSnapshots(tmp_path / "first.sqlite", tmp_path)
    keep(first, worker.owner)
    second = SharedSnapshots(tmp_path / "second.sqlite", tmp_path / "nowhere")
    charged(log, worker, "CP2")
    worker.owner.touched |= set(worker.owner.stations)
    keep(second, worker.owner)

    ahead = SharedSnapshots(tmp_path / "second.sqlite", tmp_path)
    assert_the_same(from_snapshots(ahead), worker.owner)
    behind = from_snapshots(first)
    assert behind.position < worker.owner.position


def test_it_is_not_written_each_time(tmp_path: Path) -> None:
    log, worker = working()
    first = SharedSnapshots(tmp_path / "first.sqlite", tmp_path)
    keep(first, worker.owner)
    early = worker.owner.position
    charged(log, worker, "CP2")
    keep(first, worker.owner)

    assert from_snapshots(SharedSnapshots(tmp_path / "b.sqlite", tmp_path)).position == early


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("content", [b"", b"\x92\x01", b"no snapshot"])
def test_what_is_no_snapshot_costs_time_only(tmp_path: Path, content: bytes) -> None:
    _, worker = working()
    keep(SharedSnapshots(tmp_path / "first.sqlite", tmp_path), worker.owner)
    (file,) = tmp_path.glob("*.snapshot")
    file.write_bytes(content)

    assert from_snapshots(SharedSnapshots(tmp_path / "b.sqlite", tmp_path)).position == 0
    assert from_snapshots(SharedSnapshots(tmp_path / "c.sqlite", tmp_path / "none")).position == 0
