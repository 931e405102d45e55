"""What stations tell that fits no rule at first sight: no time, no register, no id, no array."""

from typing import Any

import pytest

from domain.answering import Policy
from domain.cdr import cdr_of
from domain.conversation import fold
from domain.facts import MessageOrphaned
from domain.log_filter import LogFilter
from domain.station import Station
from schemas.cdr import Cdr
from schemas.records import CdrReleased, ConnectionClosed
from tests.domain.log import KEY, SECOND, Log, Worker, start, stop, working

SETTLING = Policy(accept_unknown_tokens=True, settle_us=900 * SECOND)


def cdrs(worker: Worker) -> list[Cdr]:
    known = worker.station.transactions.known.values()
    return [cdr_of(*KEY, 1, transaction) for transaction in known]


def begin(log: Log, worker: Worker, payload: dict[str, Any], **more: Any) -> int:
    log.calls("StartTransaction", payload, **more)
    worker.settle()
    transaction_id = worker.frames()[-1][2]["transactionId"]
    assert isinstance(transaction_id, int)
    return transaction_id


def orphans(log: Log) -> list[str]:
    """What a view is told of messages that belong to no transaction."""
    log_filter, station = LogFilter(), Station(*KEY, 1)
    told = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if log_filter.admit(offset, record) and record.station == "CP1":
            told += fold(station, offset, record)
    return [fact.reason for fact in told if isinstance(fact, MessageOrphaned)]


# A station without a clock.


@pytest.mark.parametrize("meter_start", [9000, 1000])
def test_sessions_of_a_station_that_tells_no_time_are_each_their_own(meter_start: int) -> None:
    log, worker = working()
    timeless = "PropertyConstraintViolation"
    first = begin(log, worker, start(1000, at="0000-00-00T00:00:00Z"), error=timeless)
    log.calls("StopTransaction", stop(first, 9000))
    worker.settle()
    second = begin(log, worker, start(meter_start, at="0000-00-00T00:00:00Z"), error=timeless)
    assert second != first
    log.calls("StopTransaction", stop(second, 12000))
    worker.settle()
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000, 12000 - meter_start]


def test_a_start_without_a_time_told_again_gets_the_first_answer_while_it_runs() -> None:
    log, worker = working()
    payload = start(at="0000-00-00T00:00:00Z")
    first = begin(log, worker, payload, error="PropertyConstraintViolation")
    assert begin(log, worker, payload, error="PropertyConstraintViolation") == first
    assert len(cdrs(worker)) == 1


def test_many_sessions_without_a_time_do_not_grow_the_state() -> None:
    log, worker = working()
    for _ in range(30):
        payload = start(at="0000-00-00T00:00:00Z")
        transaction_id = begin(log, worker, payload, error="PropertyConstraintViolation")
        log.calls("StopTransaction", stop(transaction_id))
        worker.settle()
    # They are held for want of a time; nothing of them may be lost, nor counted twice.
    book = worker.station.transactions
    assert len(book.known) == 30
    assert sorted(book.starts.values()) == sorted(book.known)


# Fields that cannot be read.


def test_a_start_without_a_readable_register_gets_an_id_and_its_cdr_is_held() -> None:
    log, worker = working()
    payload = start() | {"meterStart": "unknown"}
    transaction_id = begin(log, worker, payload, error="TypeConstraintViolation")
    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh, cdr.energy_bounds_wh) == ("HELD", None, (0, None))
    assert "METER_START_INVALID" in cdr.flags


def test_meter_values_that_are_no_array_are_answered_and_read() -> None:
    log, worker = working()
    transaction_id = begin(log, worker, start(1000))
    sampled = {"value": "2.5", "measurand": "Energy.Active.Import.Register", "unit": "kWh"}
    value = {"timestamp": "2026-11-23T09:30:00Z", "sampledValue": sampled}
    payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": value}
    log.calls("MeterValues", payload, error="TypeConstraintViolation")
    worker.settle()
    assert worker.frames()[-1][0] == 3
    [transaction] = worker.station.transactions.known.values()
    assert transaction.last_register_wh == 2500


# Messages that name no transaction.


def test_a_stop_of_minus_one_told_again_is_no_orphan() -> None:
    log, worker = working(SETTLING)
    begin(log, worker, start())
    for _ in range(2):
        log.calls("StopTransaction", stop(-1))
        worker.settle()
    [cdr] = cdrs(worker)
    assert orphans(log) == []
    assert "DUPLICATE_STOP" in cdr.flags
    assert (cdr.state, cdr.energy_wh) == ("OPEN", 8000)


def test_a_stop_of_minus_one_told_again_does_not_end_another_session() -> None:
    log, worker = working(SETTLING)
    begin(log, worker, start(1000))
    begin(log, worker, start(20_000, connectorId=2))
    log.calls("StopTransaction", stop(-1, 9000))
    worker.settle()
    begin(log, worker, start(500, connectorId=3))
    log.calls("StopTransaction", stop(-1, 9000))
    worker.settle()
    assert [cdr.ended_at is not None for cdr in cdrs(worker)] == [True, False, False]


def test_a_session_whose_stop_was_lost_does_not_hide_the_one_after_it() -> None:
    log, worker = working()
    begin(log, worker, start(1000))
    begin(log, worker, start(4000, at="2026-11-23T09:30:00Z"))
    value = {"timestamp": "2026-11-23T09:45:00Z", "sampledValue": [{"value": "5000"}]}
    log.calls("MeterValues", {"connectorId": 1, "meterValue": [value]})
    log.calls("StopTransaction", stop(-1, 9000))
    worker.settle()
    lost, running = worker.station.transactions.known.values()
    assert (lost.last_register_wh, running.last_register_wh) == (None, 5000)
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [None, 5000]


# Late samples.


def test_a_late_sample_that_clears_a_contradiction_lets_the_cdr_be_released() -> None:
    log, worker = working()
    transaction_id = begin(log, worker, start(1000))

    def samples(value: str, at: str) -> None:
        sampled = {"timestamp": at, "sampledValue": [{"value": value}]}
        payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [sampled]}
        log.calls("MeterValues", payload)
        worker.settle()

    samples("2000", "2026-11-23T09:30:00Z")
    samples("9500", "2026-11-23T09:59:58Z")
    log.calls("StopTransaction", stop(transaction_id, 9000))
    worker.settle()
    assert cdrs(worker)[0].state == "HELD"
    samples("9000", "2026-11-23T09:59:59Z")
    log.now += 60 * SECOND
    worker.settle()
    assert cdrs(worker)[0].state == "FINAL"
    assert isinstance(log.read(len(log.values) - 1), CdrReleased)


# What a connection said before it ended.


def test_what_the_newest_connection_said_counts_however_late_it_is_decided() -> None:
    log, worker = working()
    log.calls("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    told = {"connectorId": 1, "errorCode": "NoError", "status": "Faulted"}
    log.calls("StatusNotification", told)
    log.append(
        ConnectionClosed(
            tenant="default", station="CP1", recorded_at=log.now, connection="c1", code=1006
        )
    )
    log.opens("c2")
    log.calls("StatusNotification", {**told, "status": "Available"}, connection="c1")
    worker.settle()
    assert worker.station.identity is not None
    assert worker.station.connectors[1, 1].status == "Faulted"


# Reports that break their schema and can be read all the same; each was sent by a real make.


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        (
            "BootNotification",
            {
                "chargePointVendor": "Schneider Electric",
                "chargePointModel": "EVlink Smart Wallbox",
                "chargeBoxSerialNumber": "EVB1A22P2RI3N182341200100350795E5",
            },
        ),
        (
            "BootNotification",
            {"chargePointVendor": "V", "chargePointModel": "M", "iccid": 5, "imsi": 6},
        ),
        ("Authorize", {"idTag": "TAG", "timestamp": "2026-11-23T10:00:00Z"}),
        ("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "Error"}),
        (
            "StatusNotification",
            {
                "connectorId": 1,
                "status": "Available",
                "errorCode": "NoError",
                "timestamp": "2024-04-26T14:35:02+02",
            },
        ),
        ("Heartbeat", {"time": 5}),
    ],
)
def test_a_readable_report_that_breaks_its_schema_is_answered(
    action: str, payload: dict[str, Any]
) -> None:
    log, worker = working()
    log.calls(action, payload, error="PropertyConstraintViolation", violations=("$: odd",))
    worker.settle()
    [frame] = worker.frames()
    assert frame[0] == 3
    assert payload.get("status", "Available") == (
        worker.station.connectors[1, 1].status if action == "StatusNotification" else "Available"
    )


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("BootNotification", {"chargePointVendor": "V"}),
        ("Authorize", {"idTag": [5]}),
        ("Authorize", {"idTag": "T" * 51}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError"}),
        ("StatusNotification", {"status": "Available", "errorCode": "NoError"}),
        ("StatusNotification", {"connectorId": 1, "status": "S" * 51, "errorCode": "NoError"}),
        ("Heartbeat", "payload"),
        ("DataTransfer", {"data": "no vendor"}),
    ],
)
def test_a_report_that_cannot_be_read_gets_the_versions_error(action: str, payload: Any) -> None:
    log, worker = working()
    log.calls(action, payload, error="OccurenceConstraintViolation", violations=("$: odd",))
    worker.settle()
    assert [frame[:3:2] for frame in worker.frames()] == [[4, "OccurenceConstraintViolation"]]


def test_a_station_that_tells_of_connectors_without_end_does_not_grow_without_end() -> None:
    log, worker = working()
    for evse_id in range(300):
        told = {"connectorId": evse_id, "errorCode": "NoError", "status": "Available"}
        log.calls("StatusNotification", told)
    log.calls("StatusNotification", {"connectorId": 7, "errorCode": "NoError", "status": "Faulted"})
    worker.settle()
    assert len(worker.station.connectors) == 256
    assert worker.station.connectors[7, 1].status == "Faulted"
