"""What becomes of a session: starts, samples and stops as real stations tell them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.answering import Policy
from domain.cdr import cdr_of
from domain.registry import Registry
from domain.station import dump
from schemas.cdr import Cdr, canonical
from schemas.records import CdrCorrected, CdrReleased, IdTokenPut, MessageReceived, OwnerRecord
from tests.domain.log import KEY, NOW, SECOND, Log, Worker, start, stop, working


def cdrs(worker: Worker) -> list[Cdr]:
    known = worker.station.transactions.known.values()
    return [cdr_of(*KEY, 1, transaction) for transaction in known]


def begin(log: Log, worker: Worker, **fields: Any) -> int:
    log.calls("StartTransaction", start(**fields))
    worker.settle()
    transaction_id = worker.frames()[-1][2]["transactionId"]
    assert isinstance(transaction_id, int)
    return transaction_id


def meter_values(transaction_id: int | None, *readings: tuple[str, str]) -> dict[str, Any]:
    values = [
        {"timestamp": at, "sampledValue": [{"value": value, "unit": "Wh"}]}
        for at, value in readings
    ]
    payload: dict[str, Any] = {"connectorId": 1, "meterValue": values}
    return payload if transaction_id is None else {**payload, "transactionId": transaction_id}


def test_the_energy_is_the_difference_of_the_two_registers() -> None:
    log, worker = working()
    transaction_id = begin(log, worker, meter_start=1000)
    log.calls("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000")))
    log.calls("StopTransaction", stop(transaction_id, 9000))
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh, cdr.flags) == ("FINAL", 8000, ("LATE_DELIVERY",))
    assert cdr.started_at == "2026-11-23T09:00:00Z"
    ends = {"start", "start_answer", "stop", "stop_answer"}
    assert set(cdr.positions) == {*ends, "readings"}
    told = log.read(int(cdr.positions["readings"].split(":")[1]))
    assert isinstance(told, MessageReceived)
    assert told.action == "MeterValues"


def test_a_start_told_again_gets_the_first_answer_even_after_the_stop() -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()
    assert begin(log, worker) == transaction_id
    assert len(cdrs(worker)) == 1


def test_a_start_told_again_after_hundreds_of_others_gets_the_first_id() -> None:
    log, worker = working()
    first = begin(log, worker, at="2026-11-22T00:00:00Z")
    log.calls("StopTransaction", stop(first))
    worker.settle()
    for minute in range(59):
        at = f"2026-11-23T09:{minute:02}:00Z"
        log.calls("StopTransaction", stop(begin(log, worker, at=at)))
        worker.settle()
    assert str(first) not in worker.station.transactions.known
    assert begin(log, worker, at="2026-11-22T00:00:00Z") == first
    log.calls("StopTransaction", stop(first))
    worker.settle()
    assert worker.frames()[-1][0] == 3


@pytest.mark.parametrize(
    ("meter_stop", "flag", "bounds"),
    [(-1, "METER_STOP_INVALID", (4000, None)), (500, "METER_REGRESSION", (4000, None))],
)
def test_a_contradictory_register_holds_the_cdr_with_bounds_and_no_number(
    meter_stop: int, flag: str, bounds: tuple[int, int | None]
) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, meter_start=1000)
    log.calls("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000")))
    log.calls("StopTransaction", stop(transaction_id, meter_stop))
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh, cdr.energy_bounds_wh) == ("HELD", None, bounds)
    assert flag in cdr.flags


def test_a_stop_whose_register_is_missing_is_answered_and_held() -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    payload = stop(transaction_id)
    del payload["meterStop"]
    log.calls("StopTransaction", payload, error="OccurenceConstraintViolation")
    worker.settle()
    assert worker.frames()[-1][0] == 3
    assert cdrs(worker)[0].state == "HELD"
    assert "METER_STOP_MISSING" in cdrs(worker)[0].flags


def test_a_register_written_as_text_is_read_and_flagged() -> None:
    log, worker = working()
    payload = start() | {"meterStart": "1000"}
    log.calls("StartTransaction", payload, error="TypeConstraintViolation")
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.meter_start_wh, cdr.flags) == (1000, ("LATE_DELIVERY", "SCHEMA_DEVIATION"))


def test_a_start_that_cannot_be_read_gets_the_versions_error() -> None:
    log, worker = working()
    log.calls("StartTransaction", {"connectorId": 1}, error="OccurenceConstraintViolation")
    worker.settle()
    assert worker.frames()[-1][:1] + worker.frames()[-1][2:3] == [
        4,
        "OccurenceConstraintViolation",
    ]
    assert cdrs(worker) == []


def test_two_stops_that_differ_hold_the_cdr() -> None:
    log, worker = working(Policy(accept_unknown_tokens=True, settle_us=900 * SECOND))
    transaction_id = begin(log, worker)
    log.calls("StopTransaction", stop(transaction_id, 9000))
    log.calls("StopTransaction", stop(transaction_id, 9500))
    worker.settle()
    log.now += 1000 * SECOND
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh) == ("HELD", 8000)
    assert "CONFLICTING_STOP" in cdr.flags


def test_a_start_on_an_occupied_connector_bounds_the_earlier_one_until_its_stop_comes() -> None:
    log, worker = working()
    first = begin(log, worker, meter_start=1000)
    begin(log, worker, meter_start=4000, at="2026-11-23T09:30:00Z")
    held, running = cdrs(worker)
    assert (held.state, held.energy_bounds_wh) == ("HELD", (0, 3000))
    assert running.state == "OPEN"
    log.calls("StopTransaction", stop(first, 3900, "2026-11-23T09:29:00Z"))
    worker.settle()
    assert (cdrs(worker)[0].state, cdrs(worker)[0].energy_wh) == ("FINAL", 2900)


def test_meter_values_without_an_id_belong_to_the_one_open_session_of_the_connector() -> None:
    log, worker = working()
    begin(log, worker, meter_start=1000)
    log.calls("MeterValues", meter_values(None, ("2026-11-23T09:30:00Z", "2500")))
    worker.settle()
    [transaction] = worker.station.transactions.known.values()
    assert transaction.last_register_wh == 2500


@pytest.mark.parametrize(
    ("told", "is_read"),
    [
        ("999999999999999999", True),
        ("-999999999999999999.5", True),
        ("1000000000000000000", False),
        ("9223372036854775807", False),
        ("9223372036854775808", False),
        ("-9223372036854775808", False),
        ("99999999999999999999.5", False),
        ("9223372036854775.5", True),
    ],
)
def test_a_reading_that_no_register_shows_is_left_in_its_frame(told: str, is_read: bool) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, meter_start=1000)
    log.calls("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", told)))
    worker.settle()

    [transaction] = worker.station.transactions.known.values()
    assert [str(wh) for _, wh in transaction.readings] == ([told] if is_read else [])


def test_a_stop_of_minus_one_ends_the_only_session_it_can_mean() -> None:
    log, worker = working()
    begin(log, worker)
    log.calls("StopTransaction", stop(-1))
    worker.settle()
    assert "TXID_MINUS_ONE_MATCHED" in cdrs(worker)[0].flags
    assert cdrs(worker)[0].state == "FINAL"


def test_a_stop_of_an_unknown_transaction_is_answered_and_touches_nothing() -> None:
    log, worker = working()
    begin(log, worker)
    log.calls("StopTransaction", stop(424242))
    worker.settle()
    assert worker.frames()[-1][0] == 3
    assert [cdr.state for cdr in cdrs(worker)] == ["OPEN"]


def test_no_station_can_end_anothers_transaction() -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    log.opens("x1", station="CP2")
    log.calls("StopTransaction", stop(transaction_id), station="CP2", connection="x1")
    worker.settle()
    assert [cdr.state for cdr in cdrs(worker)] == ["OPEN"]


def test_an_unknown_token_is_refused_and_its_energy_held() -> None:
    log, worker = working(Policy(settle_us=0))
    transaction_id = begin(log, worker)
    assert worker.frames()[-1][2]["idTagInfo"] == {"status": "Invalid"}
    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()
    assert cdrs(worker)[0].state == "HELD"
    assert "TOKEN_NOT_ACCEPTED" in cdrs(worker)[0].flags


def test_a_registered_token_answers_with_its_group_and_expiry_and_without_regard_to_case() -> None:
    registry = Registry()
    token = IdTokenPut(
        tenant="default",
        recorded_at=NOW,
        actor="a",
        uid="Tag",
        group="G",
        expires_at=NOW + SECOND,
    )
    registry.fold(0, token)
    log, worker = working(Policy(settle_us=0), registry)
    log.calls("Authorize", {"idTag": "TAG"})
    worker.settle()
    info = {"expiryDate": "2026-11-23T10:00:01Z", "parentIdTag": "G", "status": "Accepted"}
    assert worker.frames()[-1][2] == {"idTagInfo": info}
    assert worker.dispatched[-1][1].registry == 1
    log.now += 2 * SECOND
    log.calls("Authorize", {"idTag": "TAG"})
    worker.settle()
    assert worker.frames()[-1][2]["idTagInfo"]["status"] == "Expired"


def test_a_released_document_is_not_changed_by_what_comes_later() -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    log.calls("StopTransaction", stop(transaction_id, 9000))
    worker.settle()
    before = cdrs(worker)
    log.calls("StopTransaction", stop(transaction_id, 9999))
    log.calls("MeterValues", meter_values(transaction_id, ("2026-11-23T11:00:00Z", "9999")))
    worker.settle()
    decided = [r for r in map(log.read, range(len(log.values))) if isinstance(r, OwnerRecord)]
    assert not [r for r in decided if isinstance(r, CdrCorrected)]
    [released] = [r for r in decided if isinstance(r, CdrReleased)]
    assert bytes(released.document) == canonical(before[0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["start", "start2", "stop", "sample", "boot", "reconnect"]), max_size=14
    ),
    st.data(),
)
def test_repetition_of_a_sessions_messages_does_not_change_its_figures(
    noise: list[str], data: st.DataObject
) -> None:
    log, worker = working(Policy(accept_unknown_tokens=True, settle_us=900 * SECOND))
    transaction_id = begin(log, worker)
    messages = {
        "start": ("StartTransaction", start()),
        "start2": ("StartTransaction", start(at="2026-11-23T08:00:00Z") | {"connectorId": 2}),
        "sample": ("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000"))),
        "boot": ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
        "stop": ("StopTransaction", stop(transaction_id)),
    }
    connection = 1
    for name in [*noise, "stop"]:
        if name == "reconnect":
            connection += 1
            log.opens(f"c{connection}")
        else:
            log.calls(*messages[name], connection=f"c{data.draw(st.integers(1, connection))}")
        worker.settle()
    log.now += 1000 * SECOND
    worker.settle()
    mine = [cdr for cdr in cdrs(worker) if cdr.evse == 1]
    assert [(cdr.state, cdr.energy_wh) for cdr in mine] == [("FINAL", 8000)]
    again = Worker(log, "again")
    again.read()
    assert dump(again.station) == dump(worker.station)
