"""What is written otherwise than its schema says and has one reading is flagged on the CDR."""

from typing import Any

import pytest

from tests.domain.edge import Edge
from tests.domain.events import ended, started
from tests.domain.log import start, stop

DEVIATION = "SCHEMA_DEVIATION"


def session_16(**more: Any) -> Any:
    """The CDR of a session whose stop says this; `ID` in it is the transaction's."""
    edge = Edge()
    number = edge.calls("StartTransaction", start())[2]["transactionId"]
    told = {name: each.replace("ID", str(number)) if type(each) is str else each
            for name, each in more.items()}  # fmt: skip
    edge.calls("StopTransaction", {**stop(number), **told})
    [cdr] = edge.cdrs()
    return cdr


@pytest.mark.parametrize(
    "told",
    [
        {"transactionId": "ID"},
        {"transactionId": " ID "},
        {"transactionId": "ID.0"},
        {"reason": "Stopped by app"},
        {"reason": 5},
        {"reason": ["Local"]},
        {"transactionData": [{"sampledValue": [{"value": "8000"}]}]},
    ],
)
def test_a_stop_of_an_odd_form_is_flagged(told: dict[str, Any]) -> None:
    cdr = session_16(**told)

    assert (cdr.state, cdr.energy_wh) == ("FINAL", 8000)
    assert DEVIATION in cdr.flags


@pytest.mark.parametrize("told", [{}, {"reason": "EVDisconnected"}, {"reason": None}])
def test_a_stop_as_its_schema_has_it_is_not(told: dict[str, Any]) -> None:
    assert DEVIATION not in session_16(**told).flags


def timeless(event: dict[str, Any]) -> dict[str, Any]:
    [value] = event["meterValue"]
    return {**event, "meterValue": [{"sampledValue": value["sampledValue"]}]}


def without_number(event: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in event.items() if name != "seqNo"}


@pytest.mark.parametrize(
    "end",
    [
        without_number(ended()),
        ended(seqNo="two"),
        timeless(ended()),
        ended(info={"stoppedReason": "Stopped by app"}),
        ended(info={"stoppedReason": 5}),
    ],
)
def test_an_event_of_an_odd_form_is_flagged(end: dict[str, Any]) -> None:
    edge = Edge("2.0.1")
    for event in (started(), end):
        edge.calls("TransactionEvent", event)

    [cdr] = edge.cdrs()
    assert cdr.energy_wh == 8000
    assert DEVIATION in cdr.flags


@pytest.mark.parametrize("reason", ["Local", "EnergyLimitReached", "ReqEnergyTransferRejected"])
def test_an_event_as_its_schema_has_it_is_not(reason: str) -> None:
    edge = Edge("2.1")
    for event in (started(), ended(info={"stoppedReason": reason})):
        edge.calls("TransactionEvent", event)

    [cdr] = edge.cdrs()
    assert DEVIATION not in cdr.flags
