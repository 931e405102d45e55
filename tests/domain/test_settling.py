"""A CDR is settled when its station has been there for a window: what is queued still counts."""

from typing import Any

import pytest

from domain import releasing
from domain.answering import Policy
from schemas.records import CdrReleased, ConnectionClosed, TransactionClosed
from tests.domain.log import NOW, SECOND, Log, Worker, start, stop, working

WINDOW, DAY = 900 * SECOND, 86_400 * SECOND
MINUTE = 60 * SECOND


class Site:
    def __init__(self, window: int = WINDOW) -> None:
        policy = Policy(accept_unknown_tokens=True, settle_us=window)
        self.log, self.worker = working(policy)
        self.connection = "c1"

    def at(self, minutes: float) -> "Site":
        """Let time pass to so long after the beginning, and look at each moment that is due."""
        until = NOW + round(minutes * MINUTE)
        while (due := self.worker.owner.next_due()) is not None and due <= until:
            self.log.now = max(self.log.now, due)
            self.worker.settle()
        self.log.now = until
        self.worker.settle()
        return self

    def calls(self, action: str, payload: Any) -> Any:
        self.log.calls(action, payload, connection=self.connection)
        self.worker.settle()
        return self.worker.frames()[-1][2]

    def leaves(self) -> None:
        self.log.append(
            ConnectionClosed(
                tenant="default",
                station="CP1",
                recorded_at=self.log.now,
                connection=self.connection,
                code=1006,
                reason="",
            )
        )
        self.worker.settle()

    def returns(self) -> None:
        self.connection += "+"
        self.log.opens(self.connection)
        self.worker.settle()

    def charges(self) -> int:
        begun: int = self.calls("StartTransaction", start())["transactionId"]
        self.calls("StopTransaction", stop(begun))
        return begun

    def records(self, kind: type) -> list[float]:
        """When such records were made, in minutes after the beginning."""
        return times_of(self.log, kind)


def times_of(log: Log, kind: type) -> list[float]:
    found = (record for record in map(log.read, range(len(log.values))) if isinstance(record, kind))
    return [(record.recorded_at - NOW) / MINUTE for record in found]


def test_a_station_that_stays_is_waited_for_a_window() -> None:
    site = Site()
    site.charges()
    site.at(60)
    assert site.records(CdrReleased) == [15]


def test_one_that_is_away_is_waited_for_until_it_was_back_for_a_window() -> None:
    site = Site()
    site.charges()
    site.at(10).leaves()
    site.at(70).returns()
    assert site.records(CdrReleased) == []

    site.at(200)
    assert site.records(CdrReleased) == [85]


def test_what_it_had_in_its_queue_counts() -> None:
    site = Site()
    begun = site.charges()
    site.at(10).leaves()
    site.at(70).returns()
    site.calls("StopTransaction", stop(begun, 9500))

    site.at(3 * 24 * 60)
    assert site.records(CdrReleased) == []
    assert "CONFLICTING_STOP" in site.worker.station.transactions.known[str(begun)].flags


@pytest.mark.parametrize("flaps", [False, True])
def test_it_is_not_waited_for_for_ever(flaps: bool) -> None:
    site = Site()
    site.charges()
    site.at(10).leaves()
    for minute in range(12, 40 * 60, 10) if flaps else ():
        site.at(minute).returns()
        site.at(minute + 1).leaves()

    site.at(48 * 60)
    assert site.records(CdrReleased) == [24 * 60 + 15]


def test_one_whose_node_was_lost_is_not_waited_for_for_ever() -> None:
    site = Site()
    site.charges()
    site.at(10)
    lost = site.worker.owner.lost(lambda _node: True, site.log.now)
    site.log.append(*lost, writer=site.worker.name)
    site.worker.settle()

    site.at(48 * 60)
    assert site.records(CdrReleased) == [24 * 60 + 15]


def test_without_a_window_nothing_is_waited_for() -> None:
    site = Site(window=0)
    begun = site.calls("StartTransaction", start())["transactionId"]
    site.log.calls("StopTransaction", stop(begun))
    site.leaves()
    assert site.records(CdrReleased) == [0]


def test_a_new_owner_waits_as_long() -> None:
    site = Site()
    site.charges()
    site.at(10).leaves()
    policy = Policy(accept_unknown_tokens=True, settle_us=WINDOW)
    site.worker = Worker(site.log, "w2", policy)
    site.worker.claim()
    site.at(70).returns()
    site.at(200)
    assert site.records(CdrReleased) == [85]


@pytest.mark.parametrize("is_told", [True, False])
def test_the_next_start_closes_the_one_before_when_its_stop_has_had_its_time(
    is_told: bool,
) -> None:
    site = Site()
    first = site.calls("StartTransaction", start())["transactionId"]
    site.at(30)
    site.calls("StartTransaction", start(9000, "2026-11-23T10:30:00Z", idTag="NEXT"))
    site.at(40)
    assert site.records(TransactionClosed) == []
    if is_told:
        site.calls("StopTransaction", stop(first, at="2026-11-23T10:29:00Z"))

    site.at(120)
    assert site.records(TransactionClosed) == ([] if is_told else [45])


def test_a_held_cdr_is_looked_at_once_whatever_else_the_station_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[str] = []
    release = releasing.release

    def looks(deciding: Any, transaction: Any) -> Any:
        looked_at.append(transaction.transaction_id)
        return release(deciding, transaction)

    monkeypatch.setattr(releasing, "release", looks)
    site = Site(window=0)
    held = []
    for number in range(3):
        told = start(at=f"2026-11-23T08:0{number}:00Z")
        begun = site.calls("StartTransaction", told)["transactionId"]
        site.calls("StopTransaction", stop(begun, meter_stop=1))
        held.append(str(begun))
    assert looked_at == held

    released = str(site.charges())
    site.at(60)
    assert looked_at == [*held, released]
    assert len(site.records(CdrReleased)) == 1
