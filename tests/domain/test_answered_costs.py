"""TransactionEventResponse.totalCost: the running cost, then the CDR's, where a tariff is known."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.answered_costs import total_cost
from domain.answering import Context, Policy
from schemas.cdr import Cdr
from schemas.payloads import violations
from schemas.records import CdrReleased
from tests import payload_strategies
from tests.domain.events import TOKEN, ended, event, reading, started
from tests.domain.log import SECOND, Log, Worker, working
from tests.domain.registering import Registrar, document, energy_priced

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
MINUTE = "2026-11-23T09:{:02}:00Z"


def running(registrar: Registrar, version: str = "2.0.1") -> tuple[Log, Worker]:
    policy = Policy(accept_unknown_tokens=True)
    log, worker = working(policy, registrar.registry, protocol=version)
    assert "totalCost" not in told(log, worker, started())
    return log, worker


def told(log: Log, worker: Worker, payload: Any) -> dict[str, Any]:
    """Return the payload of the answer to this event."""
    log.now += SECOND
    log.calls("TransactionEvent", payload)
    worker.settle()
    answers = [frame[2] for frame in worker.frames() if frame[0] == 3]
    answer: dict[str, Any] = answers[-1]
    return answer


def sample(wh: int, seq_no: int, **more: Any) -> dict[str, Any]:
    values = [reading(wh, at=MINUTE.format(seq_no))]
    return event("Updated", seq_no, MINUTE.format(seq_no), meterValue=values, **more)


@VERSIONS
def test_an_update_is_answered_what_it_owes_with_that_update(version: str) -> None:
    log, worker = running(energy_priced(), version)
    costs = [told(log, worker, sample(1000 + 4000 * n, n)) for n in (1, 2)]

    assert costs == [{"totalCost": Decimal("1.10")}, {"totalCost": Decimal("2.20")}]
    assert not any(violations(version, "TransactionEvent", c, response=True) for c in costs)


@VERSIONS
def test_the_end_is_answered_what_its_cdr_says(version: str) -> None:
    log, worker = running(energy_priced(), version)
    told(log, worker, sample(5000, 1))
    final = told(log, worker, ended())

    log.now += 3600 * SECOND
    worker.settle()
    [cdr] = [
        msgspec.json.decode(record.document, type=Cdr)
        for record in map(log.read, range(len(log.values)))
        if isinstance(record, CdrReleased)
    ]
    assert cdr.cost is not None
    assert final == {"totalCost": Decimal("2.20")}
    assert str(final["totalCost"]) == cdr.cost.rounded[1]


def test_an_update_that_waited_in_a_queue_is_answered_no_cost_and_the_end_is() -> None:
    log, worker = running(energy_priced())

    assert told(log, worker, sample(5000, 1, offline=True)) == {}
    assert told(log, worker, ended(offline=True)) == {"totalCost": Decimal("2.20")}


def test_a_free_session_is_told_so() -> None:
    log, worker = running(energy_priced("0"))

    assert told(log, worker, sample(5000, 1)) == {"totalCost": Decimal("0.00")}


def test_without_a_tariff_nothing_is_told() -> None:
    elsewhere = Registrar()
    elsewhere.tariff(document("K"))
    elsewhere.assigned("K", station="OTHER")
    for registrar in (Registrar(), elsewhere):
        log, worker = running(registrar)

        assert told(log, worker, sample(5000, 1)) == {}
        assert told(log, worker, ended()) == {}


def test_a_cost_stands_beside_the_token_s_standing() -> None:
    log, worker = running(energy_priced())
    answer = told(log, worker, sample(5000, 1, idToken=TOKEN))

    assert answer == {"idTokenInfo": {"status": "Accepted"}, "totalCost": Decimal("1.10")}


def test_the_longer_it_runs_the_fewer_updates_are_told_a_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("domain.answered_costs.OFTEN_UP_TO", 4)
    log, worker = running(energy_priced())
    answers = [told(log, worker, sample(1000 + 1000 * n, n)) for n in range(1, 11)]

    # The start told a reading, too.
    assert [n for n, answer in enumerate(answers, 1) if answer] == [1, 2, 3, 4, 6, 9]
    end = event("Ended", 11, MINUTE.format(30), meterValue=[reading(20_000, "Transaction.End")])
    assert told(log, worker, end) != {}


@pytest.mark.parametrize("more", [{}, {"idToken": TOKEN}])
def test_an_event_told_again_gets_what_it_got_first(more: dict[str, Any]) -> None:
    log, worker = running(energy_priced())
    first = told(log, worker, sample(5000, 1, **more))
    told(log, worker, sample(9000, 2))

    assert told(log, worker, sample(5000, 1, **more)) == first
    assert first["totalCost"] == Decimal("1.10")


def test_an_end_that_leaves_a_doubt_is_answered_no_cost() -> None:
    log, worker = running(energy_priced())
    without_register = ended(meterValue=[])

    assert told(log, worker, without_register) == {}


def test_the_end_of_a_session_that_is_held_for_its_token_is_answered_no_cost() -> None:
    log, worker = working(Policy(), energy_priced().registry, protocol="2.0.1")
    told(log, worker, started())

    assert told(log, worker, sample(5000, 1)) == {"totalCost": Decimal("1.10")}
    assert told(log, worker, ended()) == {}


def test_an_end_that_is_to_be_judged_by_its_signatures_is_answered_no_cost() -> None:
    registrar = energy_priced()
    registrar.station("CP1", eichrecht=True)
    log, worker = running(registrar)

    assert told(log, worker, ended()) == {}


def test_the_answer_is_decided_without_changing_what_is_known() -> None:
    log, worker = running(energy_priced())
    told(log, worker, sample(5000, 1))
    transaction = worker.station.transactions.known["T-1"]

    assert [wh for _, wh in transaction.readings] == [1000, 5000]
    assert transaction.flags == []
    assert transaction.costs_answered == {"1|Updated": "1.10"}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(payload_strategies.valid("2.1", "TransactionEvent"), st.sampled_from(["Updated", "Ended"]))
def test_no_event_breaks_the_figure(payload: Any, event_type: str) -> None:
    registrar = energy_priced()
    log, worker = running(registrar, "2.1")
    payload["transactionInfo"]["transactionId"] = "T-1"
    payload |= {"eventType": event_type, "timestamp": "2026-11-23T10:00:00Z", "offline": False}
    context = Context(
        worker.station, payload, log.now, registrar.registry, Policy(), lambda: 1, "2.1", log.now
    )

    cost = total_cost(context, "{}")

    assert cost == "" or Decimal(cost).is_finite()
