"""StartTransactions (1.6) whose token or connector cannot be read: their energy is not lost."""

from typing import Any

import pytest

from tests.domain.edge import Edge
from tests.domain.log import start, stop


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: each for name, each in start(**more).items() if name not in names}


NO_TOKENS: list[Any] = [None, True, 5.5, [], {}, {"a": 1}]


@pytest.mark.parametrize(
    "payload", [without("idTag"), *(start(idTag=token) for token in NO_TOKENS)]
)
def test_a_start_without_a_token_is_held_for_want_of_one(payload: dict[str, Any]) -> None:
    edge = Edge()

    answer = edge.calls("StartTransaction", payload)

    assert (answer[0], answer[2]["idTagInfo"]) == (3, {"status": "Invalid"})
    edge.calls("StopTransaction", stop(answer[2]["transactionId"]))
    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh, cdr.id_token) == ("HELD", 8000, "")
    assert {"SCHEMA_DEVIATION", "TOKEN_NOT_ACCEPTED"} <= set(cdr.flags)


@pytest.mark.parametrize("again", [{"idTag": {"idToken": "TAG", "type": "ISO14443"}}, {}])
def test_a_token_told_as_2_x_has_it_is_that_token(again: dict[str, Any]) -> None:
    edge = Edge()
    payload = start(idTag={"idToken": "TAG", "type": "ISO14443"})

    answer = edge.calls("StartTransaction", payload)

    assert answer[2]["idTagInfo"] == {"status": "Accepted"}
    assert edge.calls("StartTransaction", start(**again))[2] == answer[2]
    edge.calls("StopTransaction", stop(answer[2]["transactionId"]))
    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh, cdr.id_token) == ("FINAL", 8000, "TAG")
    assert "SCHEMA_DEVIATION" in cdr.flags


@pytest.mark.parametrize("payload", [without("connectorId"), start(connectorId="A")])
def test_a_start_on_no_connector_is_held(payload: dict[str, Any]) -> None:
    edge = Edge()

    answer = edge.calls("StartTransaction", payload)

    edge.calls("StopTransaction", stop(answer[2]["transactionId"]))
    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("HELD", 8000)
    assert "CONNECTOR_INVALID" in cdr.flags


@pytest.mark.parametrize(
    "payload", [without("meterStart", "idTag"), without("meterStart", "connectorId"), {}]
)
def test_a_start_that_tells_too_little_gets_its_error(payload: dict[str, Any]) -> None:
    edge = Edge()

    assert edge.calls("StartTransaction", payload)[0] == 4
    assert edge.cdrs() == []
