"""What the log did not take is posted later, in order, and no station waits for another."""

import pytest

from ingress import owed
from ingress.owed import Owed
from schemas.journal import Unavailable
from schemas.records import ConnectionClosed, Record


class Log:
    """Takes what is of no station whose partition is closed."""

    def __init__(self, *closed: str) -> None:
        self.closed = set(closed)
        self.taken: list[tuple[str, int]] = []
        self.asked = 0

    def post(self, record: Record) -> None:
        self.asked += 1
        if record.station in self.closed:
            raise Unavailable("closed")
        self.taken.append((record.station, record.recorded_at))


def closed(station: str, number: int) -> ConnectionClosed:
    return ConnectionClosed(
        tenant="default",
        station=station,
        recorded_at=number,
        connection=f"c{number}",
        code=1006,
        reason="",
    )


def owing(log: Log, *records: ConnectionClosed) -> Owed:
    found = Owed(log.post)
    for record in records:
        found.put(record)
    return found


def test_a_closed_partition_holds_up_its_own_stations_alone() -> None:
    log = Log("CP1")
    owed_to = owing(log, closed("CP1", 1), closed("CP2", 2), closed("CP1", 3))

    assert log.taken == [("CP2", 2)]
    assert len(owed_to) == 2


def test_what_waited_is_posted_in_the_order_of_its_station() -> None:
    log = Log("CP1", "CP2")
    owed_to = owing(log, closed("CP1", 1), closed("CP2", 2), closed("CP1", 3), closed("CP2", 4))
    log.closed.discard("CP2")
    owed_to.settle()

    assert log.taken == [("CP2", 2), ("CP2", 4)]

    log.closed.clear()
    owed_to.put(closed("CP1", 5))
    owed_to.settle()

    assert log.taken[2:] == [("CP1", 1), ("CP1", 3), ("CP1", 5)]
    assert len(owed_to) == 0


def test_of_too_many_an_old_one_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 2)
    log = Log("CP1", "CP2")
    owed_to = owing(log, closed("CP1", 1), closed("CP2", 2), closed("CP2", 3))
    log.closed.clear()
    owed_to.settle()

    assert log.taken == [("CP2", 2), ("CP2", 3)]


def test_a_log_that_is_down_is_asked_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owed, "REFUSALS_MAX", 2)
    names = ["CP1", "CP2", "CP3"]
    log = Log(*names)
    owed_to = owing(log, *(closed(name, number) for number, name in enumerate(names)))
    log.asked = 0
    owed_to.settle()

    assert log.asked == 2

    log.closed = {"CP1", "CP2"}
    owed_to.settle()

    assert log.taken == [("CP3", 2)]
