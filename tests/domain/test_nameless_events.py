"""TransactionEvents (2.x) that name their transaction oddly, or none at all: nothing is lost."""

from typing import Any

import pytest

from tests.domain.edge import Edge
from tests.domain.events import ended, reading, started

BOTH = [reading(1000, "Transaction.Begin"), reading(9000, "Transaction.End")]


def without_name(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: each for name, each in event.items() if name != "transactionInfo"} | more


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_an_event_with_an_empty_id_is_an_orphan(version: str) -> None:
    edge = Edge(version)

    assert edge.calls("TransactionEvent", started(id=""))[0] == 3
    assert edge.calls("TransactionEvent", ended(id=""))[0] == 3

    assert edge.cdrs() == []
    first, second = edge.orphans()
    assert (first.reason, first.transaction_id) == ("STOP_UNKNOWN_TX", "")
    assert "energy_wh" not in first.detail
    assert first.detail["same_as"] != second.detail["same_as"]


def test_an_orphaned_event_that_tells_both_registers_has_energy() -> None:
    edge = Edge("2.1")
    for _ in range(2):
        edge.calls("TransactionEvent", ended(id="", meterValue=BOTH))

    first, again = edge.orphans()
    assert first.detail == again.detail
    assert first.detail["energy_wh"] == "8000"


def test_an_orphaned_event_whose_register_fell_has_no_energy() -> None:
    edge = Edge("2.1")
    told = [reading(9000, "Transaction.Begin"), reading(1000, "Transaction.End")]
    edge.calls("TransactionEvent", ended(id="", meterValue=told))

    [orphan] = edge.orphans()
    assert "energy_wh" not in orphan.detail


@pytest.mark.parametrize(
    "event",
    [
        without_name(ended()),
        without_name(ended(), transactionInfo=None),
        without_name(ended(), transactionInfo={"stoppedReason": "Local"}),
        ended(id="x" * 300),
    ],
)
def test_an_event_without_an_id_that_tells_a_register_is_an_orphan(event: dict[str, Any]) -> None:
    edge = Edge("2.1")

    assert edge.calls("TransactionEvent", event)[0] == 3
    assert [orphan.reason for orphan in edge.orphans()] == ["STOP_UNKNOWN_TX"]


def test_an_event_that_tells_of_nothing_gets_the_versions_error() -> None:
    edge = Edge("2.1")

    answer = edge.calls("TransactionEvent", without_name(ended(meterValue=[])))

    assert (answer[0], answer[2]) == (4, "OccurrenceConstraintViolation")


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"transactionId": "T-9"}, "T-9"),
        ({"transactionData": {"id": "T-9"}}, "T-9"),
        ({"transactionInfo": {"transactionId": 5}}, "5"),
        ({"transactionInfo": {"transactionId": 5.0}}, "5"),
    ],
)
def test_an_id_in_another_place_or_form_names_the_transaction_and_is_flagged(
    named: dict[str, Any], kept: str
) -> None:
    edge = Edge("2.1")
    edge.calls("TransactionEvent", without_name(started(), **named))
    edge.calls("TransactionEvent", without_name(ended(), **named))

    [cdr] = edge.cdrs()
    assert (cdr.transaction_id, cdr.state, cdr.energy_wh) == (kept, "FINAL", 8000)
    assert "SCHEMA_DEVIATION" in cdr.flags


def test_the_id_in_its_place_goes_before_one_elsewhere() -> None:
    edge = Edge("2.1")
    edge.calls("TransactionEvent", started(transactionId="T-9"))

    assert [cdr.transaction_id for cdr in edge.cdrs()] == ["T-1"]
