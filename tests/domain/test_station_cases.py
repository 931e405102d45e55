"""The cases O-03 to O-20 of stations, order and time; what needs sockets: infra's module."""

from typing import Any

import pytest

from domain.answering import Policy
from domain.cdr import cdr_of
from domain.registry import Registry
from schemas.cdr import Cdr
from schemas.records import CALL, ConnectionClosed, DeliveryFailed, IdTokenPut, StationRegistered
from tests.domain.log import KEY, SECOND, Log, Worker, start, stop, working
from tests.domain.test_commands import story

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
SETTLING = Policy(accept_unknown_tokens=True, settle_us=900 * SECOND)


def cdrs(worker: Worker) -> list[Cdr]:
    known = worker.station.transactions.known.values()
    return [cdr_of(*KEY, 1, transaction) for transaction in known]


def tell(log: Log, worker: Worker, action: str, payload: Any, **more: Any) -> Any:
    """Tell it, and return the answer."""
    log.calls(action, payload, **more)
    worker.settle()
    return worker.frames()[-1]


def begun(log: Log, worker: Worker, **more: Any) -> int:
    number = tell(log, worker, "StartTransaction", start(**more))[2]["transactionId"]
    assert isinstance(number, int)
    return number


def status(said: str, **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "errorCode": "NoError", "status": said, **more}


def event(kind: str, seq_no: int, **more: Any) -> dict[str, Any]:
    told = {"eventType": kind, "timestamp": f"2026-11-23T09:{seq_no:02}:00Z", "seqNo": seq_no}
    told |= {"triggerReason": "CablePluggedIn", "transactionInfo": {"transactionId": "T1"}}
    return told | more


def register(wh: int, context: str) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": "2026-11-23T09:00:00Z",
            "sampledValue": [{"value": wh, "context": context}],
        }
    ]


@pytest.mark.parametrize("reconnects", [False, True])
@pytest.mark.parametrize("message_id", ["m1", "another"])
def test_o_03_a_start_told_again_gets_the_same_id_and_accepted(
    message_id: str, reconnects: bool
) -> None:
    log, worker = working()
    first = tell(log, worker, "StartTransaction", start(), message_id="m1")
    if reconnects:
        log.opens("c2")
    connection = "c2" if reconnects else "c1"
    again = tell(
        log, worker, "StartTransaction", start(), message_id=message_id, connection=connection
    )
    assert again[2] == first[2]
    assert again[2]["idTagInfo"]["status"] == "Accepted"
    assert len(cdrs(worker)) == 1


def test_o_03_another_owner_gives_the_same_id() -> None:
    log, worker = working()
    first = begun(log, worker)
    other = Worker(log, "other", policy=worker.owner.policy)
    other.claim()
    log.calls("StartTransaction", start(), message_id="later")
    other.settle()
    assert other.frames()[-1][2]["transactionId"] == first


@pytest.mark.parametrize("number", [987_654, -1, 0])
def test_o_04_a_stop_that_fits_none_is_answered_and_no_energy_is_lost(number: int) -> None:
    log, worker = working()
    assert tell(log, worker, "StopTransaction", stop(number))[0] == 3
    real = begun(log, worker)
    assert tell(log, worker, "StopTransaction", stop(real))[0] == 3
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


def test_o_04_a_stop_told_twice_is_one_end() -> None:
    log, worker = working(SETTLING)
    number = begun(log, worker)
    first = tell(log, worker, "StopTransaction", stop(number))
    assert tell(log, worker, "StopTransaction", stop(number))[2] == first[2]
    [cdr] = cdrs(worker)
    assert cdr.energy_wh == 8000
    assert "DUPLICATE_STOP" in cdr.flags


def test_o_04_a_stop_before_its_start_is_decided_is_answered_in_turn() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    log.calls("StopTransaction", stop(-1))
    worker.settle()
    assert [frame[0] for frame in worker.frames()] == [3, 3]
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1, 1, 2, 0)])
@pytest.mark.parametrize("offline", [False, True])
def test_o_05_events_in_any_order_and_any_number_are_one_session(
    order: tuple[int, ...], offline: bool
) -> None:
    events = [
        event("Started", 0, meterValue=register(1000, "Transaction.Begin"), evse={"id": 1}),
        event("Updated", 1),
        event("Ended", 2, meterValue=register(9000, "Transaction.End")),
    ]
    log, worker = working(SETTLING, protocol="2.0.1")
    for number in order:
        told = events[number] | ({"offline": True} if offline else {})
        assert tell(log, worker, "TransactionEvent", told)[0] == 3
    [cdr] = cdrs(worker)
    assert cdr.energy_wh == 8000
    assert (cdr.started_at, cdr.ended_at) == ("2026-11-23T09:00:00Z", "2026-11-23T09:02:00Z")


def test_o_05_a_gap_and_an_update_after_the_end_change_no_energy() -> None:
    log, worker = working(SETTLING, protocol="2.0.1")
    begin = register(1000, "Transaction.Begin")
    for told in (
        event("Started", 0, meterValue=begin, evse={"id": 1}),
        event("Ended", 5, meterValue=register(9000, "Transaction.End")),
        event("Updated", 6),
    ):
        assert tell(log, worker, "TransactionEvent", told)[0] == 3
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


def test_o_06_a_free_connector_ends_no_session() -> None:
    log, worker = working()
    number = begun(log, worker)
    tell(log, worker, "StatusNotification", status("Available"))
    assert [cdr.ended_at for cdr in cdrs(worker)] == [None]
    tell(log, worker, "StopTransaction", stop(number))
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


def test_o_07_one_token_on_two_connectors_is_two_sessions() -> None:
    log, worker = working()
    first, second = begun(log, worker), begun(log, worker, connectorId=2)
    assert first != second
    assert begun(log, worker) == first
    assert len(cdrs(worker)) == 2


def test_o_07_two_tokens_on_one_connector_are_two_sessions() -> None:
    log, worker = working()
    first = begun(log, worker)
    second = begun(log, worker, at="2026-11-23T09:30:00Z", idTag="OTHER")
    assert first != second


def test_o_08_values_after_the_stop_and_of_no_transaction_are_kept_apart() -> None:
    log, worker = working()
    number = begun(log, worker)
    tell(log, worker, "StopTransaction", stop(number))
    late = {"timestamp": "2026-11-23T11:00:00Z", "sampledValue": [{"value": "99999"}]}
    payload = {"connectorId": 1, "meterValue": [late]}
    for more in ({}, {"transactionId": number}):
        assert tell(log, worker, "MeterValues", payload | more)[0] == 3
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


@pytest.mark.parametrize("policy", ["Pending", "Rejected"])
def test_o_09_who_is_not_accepted_is_told_so_and_its_energy_is_kept(policy: str) -> None:
    registry = Registry()
    attributes = {"boot_policy": policy}
    record = StationRegistered(
        tenant="default", station="CP1", recorded_at=1, actor="a", attributes=attributes
    )
    registry.fold(0, record)
    log, worker = working(registry=registry)
    assert tell(log, worker, "BootNotification", BOOT)[2]["status"] == policy
    assert tell(log, worker, "StatusNotification", status("Available"))[:3:2] == [
        4,
        "SecurityError",
    ]
    assert tell(log, worker, "StartTransaction", start())[0] == 3
    log.requests("TriggerMessage", {"requestedMessage": "StatusNotification"})
    worker.settle()
    triggered = tell(log, worker, "StatusNotification", status("Available"))
    assert triggered[0] == (3 if policy == "Pending" else 4)


def test_o_11_a_boot_inside_a_session_invents_no_energy() -> None:
    log, worker = working()
    number = begun(log, worker)
    tell(log, worker, "BootNotification", BOOT)
    [cdr] = cdrs(worker)
    assert (cdr.ended_at, cdr.energy_wh, cdr.state) == (None, None, "OPEN")
    tell(log, worker, "StopTransaction", stop(number))
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("1970-01-01T00:01:00Z", "1970-01-01T01:01:00Z"),
        ("2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"),
        ("2026-11-23T10:00:00Z", "2026-11-23T09:30:00Z"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:15:00+01:00"),
        ("2026-12-31T23:59:60Z", "2027-01-01T01:00:00Z"),
        ("1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z"),
        ("2106-02-07T06:28:15Z", "2026-11-23T10:00:00Z"),
    ],
)
def test_o_12_whatever_the_clock_says_the_energy_is_exact(began: str, ended: str) -> None:
    log, worker = working()
    number = begun(log, worker, at=began)
    assert tell(log, worker, "StopTransaction", stop(number, at=ended))[0] == 3
    [cdr] = cdrs(worker)
    assert (cdr.meter_start_wh, cdr.meter_stop_wh) == (1000, 9000)
    assert cdr.energy_wh == 8000


@pytest.mark.parametrize(
    ("began", "flag"),
    [
        ("2026-11-23T09:29:60Z", "SCHEMA_DEVIATION"),
        ("2026-11-22T24:00:00Z", "SCHEMA_DEVIATION"),
        ("2026-11-23t09:30:00z", "LATE_DELIVERY"),
    ],
)
def test_o_12_a_time_that_is_written_oddly_is_a_time(began: str, flag: str) -> None:
    log, worker = working()
    number = begun(log, worker, at=began)
    assert tell(log, worker, "StopTransaction", stop(number))[0] == 3
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh) == ("FINAL", 8000)
    assert cdr.started_at in ("2026-11-23T09:30:00Z", "2026-11-23T00:00:00Z")
    assert flag in cdr.flags
    assert "TIME_MISSING" not in cdr.flags


@pytest.mark.parametrize("hours", [-1, 1])
def test_o_13_our_clock_jumps_and_no_connection_or_session_ends(hours: int) -> None:
    log, worker = working()
    number = begun(log, worker)
    log.now += hours * 3600 * SECOND
    worker.settle()
    assert worker.station.connection is not None
    assert tell(log, worker, "StopTransaction", stop(number))[0] == 3
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [8000]


def test_o_15_after_a_restart_nobody_is_asked_anything_unasked() -> None:
    log, worker = working()
    tell(log, worker, "BootNotification", BOOT)
    again = Worker(log, "again", policy=worker.owner.policy)
    again.claim()
    log.opens("c2")
    again.settle()
    assert [sent for _, sent in again.dispatched if sent.message_type == CALL] == []


def test_o_16_a_remote_start_that_starts_nothing_shows_no_effect() -> None:
    log, worker = working()
    log.requests("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    worker.settle()
    log.says([3, "k1", {"status": "Accepted"}])
    log.now += 3600 * SECOND
    worker.settle()
    assert story(log)[-1] == "answered"


def test_o_16_two_remote_starts_are_one_effect_each_and_one_call_at_a_time() -> None:
    log, worker = working()
    for command_id in ("k1", "k2"):
        log.requests("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1}, command_id)
    worker.settle()
    assert [frame[1] for frame in worker.frames()] == ["k1"]
    log.says([3, "k1", {"status": "Accepted"}])
    worker.settle()
    log.says([3, "k2", {"status": "Rejected"}])
    worker.settle()
    begun(log, worker)
    assert story(log, "k1")[-1] == "answered effect"
    assert "effect" not in story(log, "k2")[-1]


def test_o_16_the_same_command_asked_twice_is_one() -> None:
    log, worker = working()
    for _ in range(2):
        log.requests("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    worker.settle()
    assert len(worker.frames()) == 1


def test_o_16_a_remote_stop_of_what_has_ended_is_the_stations_to_refuse() -> None:
    log, worker = working()
    number = begun(log, worker)
    tell(log, worker, "StopTransaction", stop(number))
    log.requests("RemoteStopTransaction", {"transactionId": number})
    worker.settle()
    log.says([3, "k1", {"status": "Rejected"}])
    worker.settle()
    assert story(log)[-1] == "answered"


def closes(log: Log, connection: str) -> None:
    record = ConnectionClosed(
        tenant="default", station="CP1", recorded_at=log.now, connection=connection, code=1006
    )
    log.append(record)


def test_o_17_a_command_to_who_is_away_is_delivered_once_when_it_is_back() -> None:
    log, worker = working()
    closes(log, "c1")
    log.requests("ClearCache", {})
    worker.settle()
    assert worker.frames() == []
    log.opens("c2", node="1/other")
    worker.settle()
    assert worker.frames() == [[2, "k1", "ClearCache", {}]]
    log.says([3, "k1", {"status": "Accepted"}], connection="c2")
    worker.settle()
    assert story(log)[-1] == "answered effect"


def test_o_17_a_command_to_who_stays_away_is_undeliverable() -> None:
    log, worker = working()
    closes(log, "c1")
    log.requests("ClearCache", {})
    log.now += 120 * SECOND
    worker.settle()
    assert story(log)[-1] == "undeliverable"
    log.opens("c2")
    worker.settle()
    assert worker.frames() == []


def test_o_17_a_command_that_was_not_written_goes_to_the_next_connection() -> None:
    log, worker = working()
    log.requests("ClearCache", {})
    worker.settle()
    [(offset, _)] = worker.dispatched
    log.append(
        DeliveryFailed(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection="c1",
            delivery=offset,
            reason="the connection is closing",
        )
    )
    log.opens("c2", node="1/other")
    worker.settle()
    assert [sent.connection for _, sent in worker.dispatched] == ["c1", "c2"]


@pytest.mark.parametrize(
    "train",
    [
        ("Downloading", "Downloaded", "Installing", "Installed"),
        ("Installed", "Downloading", "Idle", "Installing"),
    ],
)
def test_o_18_every_status_of_a_firmware_job_is_answered_in_any_order(
    train: tuple[str, ...],
) -> None:
    log, worker = working()
    for number, said in enumerate(train):
        if number == 3:
            log.opens("c2")
            assert tell(log, worker, "BootNotification", BOOT, connection="c2")[0] == 3
        connection = "c2" if number == 3 else "c1"
        told = {"status": said}
        answer = tell(log, worker, "FirmwareStatusNotification", told, connection=connection)
        assert answer[0] == 3
        assert answer[2] == {}


@pytest.mark.parametrize("said", ["Accepted", "Blocked", "Expired", "Invalid"])
def test_o_19_the_status_of_a_token_is_told_as_it_is_stored(said: str) -> None:
    registry = Registry()
    token = IdTokenPut(tenant="default", recorded_at=1, actor="a", uid="TAG", status=said)
    registry.fold(0, token)
    for version in ("2.0.1", "2.1"):
        log, worker = working(registry=registry, protocol=version)
        presented = {"idToken": {"idToken": "tag", "type": "Central"}}
        assert tell(log, worker, "Authorize", presented)[2] == {"idTokenInfo": {"status": said}}
    log, worker = working(registry=registry)
    assert tell(log, worker, "Authorize", {"idTag": "tag"})[2]["idTagInfo"]["status"] == said
    answer = tell(log, worker, "StartTransaction", start())
    assert answer[2]["idTagInfo"]["status"] == said
    assert answer[2]["transactionId"] > 0


def test_o_20_two_evses_with_a_connector_1_each_are_two() -> None:
    log, worker = working(protocol="2.0.1")
    for evse_id, said in ((1, "Occupied"), (2, "Available")):
        told = {"timestamp": "2026-11-23T10:00:00Z", "connectorStatus": said}
        tell(log, worker, "StatusNotification", told | {"evseId": evse_id, "connectorId": 1})
        info = {"transactionId": f"T{evse_id}"}
        evse = {"id": evse_id, "connectorId": 1}
        tell(log, worker, "TransactionEvent", event("Started", 0, transactionInfo=info, evse=evse))
    states = {place: each.status for place, each in worker.station.connectors.items()}
    assert states == {(1, 1): "Occupied", (2, 1): "Available"}
    assert [cdr.evse for cdr in cdrs(worker)] == [1, 2]
