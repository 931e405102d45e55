"""CostUpdated: a running transaction's cost is told where that is switched on, not too often."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.answering import Policy
from domain.readings import read_time
from domain.telling_costs import ACTION
from schemas.attributes import COST_UPDATES_S
from schemas.cdr import Cdr
from schemas.payloads import violations
from schemas.records import CdrReleased
from tests.domain.events import ended, event, reading, started
from tests.domain.log import SECOND, Log, Worker, working
from tests.domain.registering import Registrar, energy_priced

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
EVERY_S = 60


def told_to(worker: Worker) -> list[dict[str, Any]]:
    return [frame[3] for frame in worker.frames() if frame[0] == 2 and frame[2] == ACTION]


def running(
    version: str = "2.0.1", every_s: Any = EVERY_S, registrar: Registrar | None = None
) -> tuple[Log, Worker]:
    registrar = registrar or energy_priced()
    registrar.station("CP1", **{COST_UPDATES_S: every_s})
    policy = Policy(accept_unknown_tokens=True, settle_us=0)
    log, worker = working(policy, registrar.registry, protocol=version)
    log.calls("TransactionEvent", started())
    worker.settle()
    return log, worker


def samples(log: Log, worker: Worker, wh: int, seq_no: int) -> None:
    values = [reading(wh, at=f"2026-11-23T09:{seq_no:02}:00Z")]
    log.calls("TransactionEvent", event("Updated", seq_no, meterValue=values))
    worker.settle()


def answers(log: Log, worker: Worker, payload: Any = None) -> None:
    sent = [frame for frame in worker.frames() if frame[0] == 2][-1]
    log.says([3, sent[1], payload or {}])
    worker.settle()


@VERSIONS
def test_what_it_owes_so_far_is_told_with_tax(version: str) -> None:
    log, worker = running(version)
    answers(log, worker)
    log.now += EVERY_S * SECOND
    samples(log, worker, 5000, 1)

    assert told_to(worker) == [
        {"totalCost": Decimal("0.00"), "transactionId": "T-1"},
        {"totalCost": Decimal("1.10"), "transactionId": "T-1"},
    ]
    assert all(not list(violations(version, ACTION, each)) for each in told_to(worker))


def test_it_is_told_not_too_often_and_no_figure_twice() -> None:
    log, worker = running()
    answers(log, worker)
    samples(log, worker, 5000, 1)
    too_soon = len(told_to(worker))
    log.now += EVERY_S * SECOND
    worker.settle()
    answers(log, worker)
    log.now += EVERY_S * SECOND
    samples(log, worker, 5000, 2)

    assert too_soon == 1
    assert [each["totalCost"] for each in told_to(worker)] == [Decimal("0.00"), Decimal("1.10")]


def test_one_is_in_flight_and_an_operator_s_command_goes_first() -> None:
    log, worker = running(every_s=10)
    log.now += 15 * SECOND
    samples(log, worker, 5000, 1)
    unanswered = len(told_to(worker))
    log.requests("Reset", {"type": "Immediate"}, version="2.0.1")
    worker.settle()
    answers(log, worker)
    sent = [frame[2] for frame in worker.frames() if frame[0] == 2]

    assert unanswered == 1
    assert sent == [ACTION, "Reset"]


def test_a_station_that_does_not_answer_is_told_again_later() -> None:
    log, worker = running()
    log.now += 2 * EVERY_S * SECOND
    samples(log, worker, 5000, 1)
    [first] = [each for each in worker.station.commands.values() if each.fate == "timed_out"]

    assert first.action == ACTION
    assert [each["totalCost"] for each in told_to(worker)] == [Decimal("0.00"), Decimal("1.10")]


@pytest.mark.parametrize("every_s", [0, -1, "60", None, True, 1.5])
def test_it_is_told_only_where_that_is_switched_on(every_s: Any) -> None:
    log, worker = running(every_s=every_s)
    log.now += EVERY_S * SECOND
    samples(log, worker, 5000, 1)

    assert told_to(worker) == []


def test_without_a_tariff_or_after_the_end_nothing_is_told() -> None:
    log, worker = running(registrar=Registrar())
    free = told_to(worker)
    log, worker = running()
    answers(log, worker)
    before = len(told_to(worker))
    log.calls("TransactionEvent", ended())
    worker.settle()
    log.now += EVERY_S * SECOND
    worker.settle()

    assert free == []
    assert len(told_to(worker)) == before


def test_an_owner_that_takes_over_tells_no_figure_again() -> None:
    registrar = energy_priced()
    log, worker = running(registrar=registrar)
    answers(log, worker)
    successor = Worker(log, "w2", worker.owner.policy, registrar.registry)
    successor.claim()
    log.now += EVERY_S * SECOND
    successor.settle()
    samples(log, successor, 5000, 1)

    assert [each["totalCost"] for each in told_to(successor)][-1] == Decimal("1.10")
    assert len([e for e in told_to(successor) if e["totalCost"] == Decimal("0.00")]) <= 1


@pytest.mark.parametrize(
    ("status", "cost", "flags"),
    [("Accepted", "5.10", {"TARIFF_CHANGED"}), ("NoCurrencyChange", "2.20", set())],
)
def test_a_tariff_is_changed_from_the_station_s_acceptance_on(
    status: str, cost: str, flags: set[str]
) -> None:
    log, worker = running("2.1", every_s=None)
    tariff = {"tariffId": "T2", "currency": "EUR", "energy": {"prices": [{"priceKwh": 1.0}]}}
    log.now = read_time("2026-11-23T09:30:00Z")[0] or 0
    log.requests(
        "ChangeTransactionTariff",
        {"transactionId": "T-1", "tariff": tariff},
        version="2.1",
        expires_at=log.now + 60 * SECOND,
    )
    worker.settle()
    answers(log, worker, {"status": status})
    values = [reading(5000, at="2026-11-23T09:30:00Z")]
    log.calls("TransactionEvent", event("Updated", 1, "2026-11-23T09:30:00Z", meterValue=values))
    log.now = read_time("2026-11-23T10:00:00Z")[0] or 0
    log.calls("TransactionEvent", ended())
    worker.settle()
    [released] = [
        msgspec.json.decode(record.document, type=Cdr)
        for record in map(log.read, range(len(log.values)))
        if isinstance(record, CdrReleased)
    ]

    assert released.cost is not None
    assert released.cost.rounded[1] == cost
    assert set(released.flags) - {"LATE_DELIVERY"} == flags


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_station_that_is_rejected_is_told_no_cost(status: str) -> None:
    registrar = energy_priced()
    log, worker = running(registrar=registrar)
    answers(log, worker)
    before = len(told_to(worker))
    registrar.station("CP1", **{COST_UPDATES_S: EVERY_S, "boot_policy": status})
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    log.calls("BootNotification", boot)
    log.now += EVERY_S * SECOND
    samples(log, worker, 5000, 1)

    assert len(told_to(worker)) - before == (status == "Pending")
