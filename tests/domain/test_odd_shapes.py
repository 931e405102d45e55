"""Money messages of an odd shape that have one reading: answered, folded, flagged."""

from typing import Any

import pytest

from domain.facts import TransactionEnded
from schemas.frames import pointed_at
from schemas.records import MessageReceived
from tests.domain.edge import Edge
from tests.domain.events import ended, started
from tests.domain.log import start, stop

SIGNED = {
    "timestamp": "2026-11-23T10:00:00Z",
    "sampledValue": [{"value": "OCMF|{}|{}", "format": "SignedData"}],
}


def in_capitals(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name.upper() if name in names else name: each for name, each in payload.items()}


@pytest.mark.parametrize(
    "shape",
    [
        lambda payload: [payload],
        lambda payload: in_capitals(payload, "transactionId"),
        lambda payload: in_capitals(payload, "meterStop", "timestamp", "idTag"),
    ],
)
def test_a_stop_in_an_array_or_with_names_in_another_case_ends_its_session(shape: Any) -> None:
    edge = Edge()
    number = edge.calls("StartTransaction", start())[2]["transactionId"]

    assert edge.calls("StopTransaction", shape(stop(number)))[0] == 3

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("FINAL", 8000)
    assert "SCHEMA_DEVIATION" in cdr.flags


def test_a_start_in_an_array_is_a_start() -> None:
    edge = Edge()

    answer = edge.calls("StartTransaction", [start()])

    assert answer[2]["idTagInfo"] == {"status": "Accepted"}
    assert edge.calls("StartTransaction", start())[2] == answer[2]


@pytest.mark.parametrize(
    "info",
    [
        lambda info: {"transactionInfo": [info]},
        lambda info: {"transactioninfo": info},
        lambda info: {"transactionInfo": in_capitals(info, "transactionId")},
        lambda info: {"TRANSACTIONINFO": [in_capitals(info, "transactionId")]},
    ],
)
def test_events_whose_objects_stand_so_are_a_session(info: Any) -> None:
    edge = Edge("2.1")
    for event in (started(), ended()):
        told = info(event.pop("transactionInfo"))
        assert edge.calls("TransactionEvent", [{**event, **told}])[0] == 3

    [cdr] = edge.cdrs()
    assert (cdr.transaction_id, cdr.state, cdr.energy_wh) == ("T-1", "FINAL", 8000)
    assert "SCHEMA_DEVIATION" in cdr.flags


@pytest.mark.parametrize("payload", [[], [start(), start()], [[]], [5], "x", 5])
def test_what_has_no_one_reading_gets_its_error(payload: Any) -> None:
    edge = Edge()

    assert edge.calls("StartTransaction", payload)[0] == 4
    assert edge.cdrs() == []


def test_of_two_members_for_one_neither_is_renamed() -> None:
    edge = Edge()
    number = edge.calls("StartTransaction", start())[2]["transactionId"]
    edge.calls("StopTransaction", stop(number, METERSTOP=7000))

    assert [cdr.energy_wh for cdr in edge.cdrs()] == [8000]


@pytest.mark.parametrize("shape", [lambda told: [told], lambda told: told])
def test_a_signed_value_is_found_where_its_frame_has_it(shape: Any) -> None:
    edge = Edge()
    number = edge.calls("StartTransaction", start())[2]["transactionId"]
    edge.calls("StopTransaction", shape(stop(number, transactionData=SIGNED)))

    [fact] = [fact for fact in edge.facts() if isinstance(fact, TransactionEnded)]
    [(path, text)] = fact.signed
    record = edge.log.read(fact.offset)
    assert isinstance(record, MessageReceived)
    assert pointed_at(record.frame, path) == text
