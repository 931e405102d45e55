"""EVSEs and connectors by numbers that no station has: answered, and no place of its."""

import pytest

from tests.domain.edge import Edge
from tests.domain.events import ended, started
from tests.domain.log import start, stop

NO_PLACE = pytest.mark.parametrize("number", [-1, 65_536, 99_999_999_999, 2**31 - 1])


@NO_PLACE
def test_a_status_of_no_connector_of_1_6_is_no_state(number: int) -> None:
    edge = Edge()
    told = {"connectorId": number, "errorCode": "NoError", "status": "Faulted"}

    assert edge.calls("StatusNotification", told)[0] == 3
    assert edge.worker.station.connectors == {}


@NO_PLACE
@pytest.mark.parametrize("member", ["evseId", "connectorId"])
def test_a_status_of_no_connector_of_2_x_is_no_state(number: int, member: str) -> None:
    edge = Edge("2.0.1")
    told = {"timestamp": "2026-11-23T10:00:00Z", "connectorStatus": "Faulted"}

    assert edge.calls("StatusNotification", {**told, "evseId": 1, "connectorId": 1, member: number})
    assert edge.worker.frames()[-1][0] == 3
    assert edge.worker.station.connectors == {}


@NO_PLACE
def test_a_session_on_no_connector_of_1_6_is_held(number: int) -> None:
    edge = Edge()
    answer = edge.calls("StartTransaction", start(connectorId=number))
    edge.calls("StopTransaction", stop(answer[2]["transactionId"]))

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("HELD", 8000)
    assert "CONNECTOR_INVALID" in cdr.flags


@NO_PLACE
def test_a_session_on_no_evse_of_2_x_is_held(number: int) -> None:
    edge = Edge("2.0.1")
    edge.calls("TransactionEvent", started(evse={"id": number, "connectorId": 1}))
    edge.calls("TransactionEvent", ended())

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("HELD", 8000)
    assert "CONNECTOR_INVALID" in cdr.flags


@pytest.mark.parametrize("number", [0, 1, 1001, 65_535])
def test_any_other_number_is_a_connector(number: int) -> None:
    edge = Edge()
    told = {"connectorId": number, "errorCode": "NoError", "status": "Faulted"}
    edge.calls("StatusNotification", told)

    assert [evse for evse, _ in edge.worker.station.connectors] == [number]
