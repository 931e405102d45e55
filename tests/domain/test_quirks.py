"""What frames of real stations mean: read by the edge, folded, told by the CDR or the status."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.answering import Policy
from domain.cdr import cdr_of
from domain.meter_values_16 import read_samples
from domain.registry import Registry
from ingress import rpc
from schemas.cdr import Cdr
from schemas.records import IdTokenPut, MessageReceived, StationRegistered
from schemas.tolerance import REPEATED_MEMBER
from tests.domain.log import KEY, SECOND, Log, Worker, start, stop, working
from tests.quirks import QUIRKS


def says(log: Log, text: str, connection: str = "c1", version: str = "1.6") -> rpc.Frame:
    """The station's frame as the edge reads it and puts it into the log."""
    frame = rpc.read(version, text)
    log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection=connection,
            number=1,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            action=frame.action,
            error=frame.error,
            violations=frame.violations,
            protocol=frame.version or version,
        )
    )
    return frame


def quirk(number: int, **changes: Any) -> str:
    """Return the frame, with members of its payload changed."""
    frame = json.loads(QUIRKS[number].frame, strict=False)
    frame[3] |= changes
    return json.dumps(frame)


def cdrs(worker: Worker) -> list[Cdr]:
    known = worker.station.transactions.known.values()
    return [cdr_of(*KEY, 1, transaction) for transaction in known]


def begun(log: Log, worker: Worker, **more: Any) -> int:
    log.calls("StartTransaction", start(**more))
    worker.settle()
    number = worker.frames()[-1][2]["transactionId"]
    assert isinstance(number, int)
    return number


def test_one_object_where_an_array_is_due_is_read_with_its_energy() -> None:
    log, worker = working()
    number = begun(log, worker, meter_start=0)
    says(log, quirk(1, transactionId=number))
    worker.settle()
    [transaction] = worker.station.transactions.known.values()
    assert transaction.last_register_wh == 0


@pytest.mark.parametrize(("number", "unit"), [(11, "Celsius"), (12, "Celsius"), (32, "Hz")])
def test_units_that_are_spelled_otherwise_are_those_of_the_specification(
    number: int, unit: str
) -> None:
    frame = rpc.read("1.6", QUIRKS[number].frame)
    [sample] = read_samples(frame.payload["meterValue"])
    assert sample.unit == unit


def test_a_register_above_the_stop_of_the_session_before_belongs_to_nobody() -> None:
    log, worker = working()
    number = begun(log, worker, meter_start=2_250_000)
    says(log, quirk(14, transactionId=number, idTag="TAG", timestamp="2026-11-23T10:00:00Z"))
    later = {"timestamp": "2026-11-23T10:00:05Z", "sampledValue": [{"value": "2259992.1"}]}
    log.calls("MeterValues", {"connectorId": 1, "meterValue": [later]})
    worker.settle()
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh) == ("FINAL", 9_988)


def test_a_stop_with_control_bytes_or_a_long_tag_is_the_end_of_its_session() -> None:
    for quirky in (15, 16):
        log, worker = working()
        number = begun(log, worker, meter_start=1_000, at="2024-01-01T00:00:00Z")
        frame = QUIRKS[quirky].frame
        given = json.loads(frame, strict=False)[3]["transactionId"]
        read = says(log, frame.replace(str(given), str(number)))
        worker.settle()
        assert worker.frames()[-1][0] == 3
        [cdr] = cdrs(worker)
        assert cdr.energy_wh == read.payload["meterStop"] - 1_000
        assert "STOP_TAG_MISMATCH" in cdr.flags


@pytest.mark.parametrize("number", [17, 18, 65, 76])
def test_a_stop_without_an_id_ends_the_one_open_transaction(number: int) -> None:
    log, worker = working()
    begun(log, worker, meter_start=100, at="2021-01-01T00:00:00Z")
    says(log, QUIRKS[number].frame)
    worker.settle()
    [cdr] = cdrs(worker)
    assert cdr.ended_at is not None
    assert "TXID_MINUS_ONE_MATCHED" in cdr.flags


def test_a_start_told_four_times_under_one_id_is_one_transaction() -> None:
    log, worker = working()
    for _ in range(4):
        says(log, QUIRKS[20].frame)
    worker.settle()
    answers = [frame[2] for frame in worker.frames()]
    assert len(answers) == 4
    assert answers == answers[:1] * 4
    assert len(cdrs(worker)) == 1


def test_a_start_under_another_id_is_the_same_and_gets_the_first_answer() -> None:
    log, worker = working()
    says(log, QUIRKS[21].frame.replace('"1000006"', '"1000005"'))
    says(log, QUIRKS[21].frame)
    worker.settle()
    first, second = worker.frames()
    assert (first[1], second[1]) == ("1000005", "1000006")
    assert first[2] == second[2]
    assert first[2]["idTagInfo"]["status"] == "Accepted"


def test_an_empty_value_is_flagged_and_no_energy() -> None:
    log, worker = working()
    begun(log, worker)
    says(log, QUIRKS[23].frame)
    worker.settle()
    [cdr] = cdrs(worker)
    assert "BAD_SAMPLE" in cdr.flags


def test_a_register_that_ends_below_its_start_is_held_and_never_negative() -> None:
    log, worker = working()
    number = begun(log, worker, meter_start=5000, at="2023-11-06T09:00:00Z")
    says(log, quirk(33, transactionId=number))
    worker.settle()
    [cdr] = cdrs(worker)
    assert cdr.state == "HELD"
    assert "METER_REGRESSION" in cdr.flags
    assert cdr.energy_wh is None or cdr.energy_wh >= 0


def test_of_a_member_that_stands_twice_the_last_counts() -> None:
    log, worker = working()
    frame = says(log, QUIRKS[34].frame)
    worker.settle()
    assert REPEATED_MEMBER.flag in frame.violations
    [cdr] = cdrs(worker)
    assert cdr.id_token == "TAG2"
    assert "AMBIGUOUS_VALUE" in cdr.flags


def test_names_of_a_draft_name_the_transaction() -> None:
    log, worker = working(protocol="2.0.1")
    frame = says(log, QUIRKS[35].frame, version="2.0.1")
    worker.settle()
    assert worker.frames()[-1][0] == 3
    assert list(worker.station.transactions.known) == ["1"]
    assert frame.violations


def test_a_late_event_after_the_end_is_answered_and_changes_no_figure() -> None:
    log, worker = working(protocol="2.0.1")
    info = {"transactionId": "T1"}
    for seq_no, kind in ((0, "Started"), (4, "Ended")):
        event: dict[str, Any] = {"eventType": kind, "timestamp": f"2026-09-10T09:0{seq_no}:00Z"}
        event |= {"triggerReason": "CablePluggedIn", "seqNo": seq_no, "transactionInfo": info}
        log.calls("TransactionEvent", event)
    worker.settle()
    before = [(cdr.ended_at, cdr.energy_wh) for cdr in cdrs(worker)]
    says(log, QUIRKS[36].frame, version="2.0.1")
    worker.settle()
    assert worker.frames()[-1][0] == 3
    assert [(cdr.ended_at, cdr.energy_wh) for cdr in cdrs(worker)] == before


def status(minutes_ago: int, said: str, log: Log) -> str:
    at = log.now // 1_000_000 - 60 * minutes_ago
    told = datetime.fromtimestamp(at, UTC).isoformat()
    payload = {"connectorId": 1, "errorCode": "NoError", "status": said, "timestamp": told}
    return json.dumps([2, f"m{minutes_ago}{said}", "StatusNotification", payload])


def test_a_status_of_two_days_ago_does_not_overwrite_the_newer_one() -> None:
    log, worker = working()
    says(log, status(0, "Charging", log))
    says(log, status(2 * 24 * 60, "Faulted", log))
    worker.settle()
    assert [frame[0] for frame in worker.frames()] == [3, 3]
    assert worker.station.connectors[1, 1].status == "Charging"


@pytest.mark.parametrize("minutes", [60, 5 * 365 * 24 * 60])
def test_the_status_of_a_clock_that_was_set_or_never_set_counts(minutes: int) -> None:
    log, worker = working()
    says(log, status(0, "Charging", log))
    says(log, status(minutes, "Faulted", log))
    worker.settle()
    assert worker.station.connectors[1, 1].status == "Faulted"


def test_a_station_whose_clock_is_always_late_is_believed() -> None:
    log, worker = working()
    says(log, status(300, "Charging", log))
    log.now += 60 * SECOND
    says(log, status(300, "Available", log))
    worker.settle()
    assert worker.station.connectors[1, 1].status == "Available"


def test_a_status_that_was_ahead_of_time_does_not_bar_those_after_it() -> None:
    log, worker = working()
    says(log, status(-3 * 24 * 60, "Charging", log))
    says(log, status(200, "Available", log))
    worker.settle()
    assert worker.station.connectors[1, 1].status == "Available"


def token(uid: str) -> Registry:
    registry = Registry()
    registry.fold(0, IdTokenPut(tenant="default", recorded_at=1, actor="a", uid=uid))
    return registry


STRICT = Policy(accept_unknown_tokens=False)


def status_of_start(text: str, registry: Registry) -> str:
    log, worker = working(STRICT, registry)
    says(log, text)
    worker.settle()
    return str(worker.frames()[-1][2]["idTagInfo"]["status"])


def test_a_token_with_the_stations_own_tail_is_found_with_the_switch() -> None:
    registry = token("12345678")
    assert status_of_start(QUIRKS[50].frame, registry) == "Invalid"
    registry.fold(
        1,
        StationRegistered(
            tenant="default",
            station="CP1",
            recorded_at=1,
            actor="a",
            attributes={"switch_id_token_until": "_"},
        ),
    )
    assert status_of_start(QUIRKS[50].frame, registry) == "Accepted"
    assert status_of_start(QUIRKS[38].frame, registry) == "Invalid"


def test_a_token_with_control_bytes_is_the_one_without_them() -> None:
    tag = json.loads(QUIRKS[15].frame, strict=False)[3]["idTag"]
    text = json.dumps([2, "1", "StartTransaction", {**start(), "idTag": tag}])
    assert status_of_start(text, token("BA86I250X5G6MOD5DLKD")) == "Accepted"
    assert status_of_start(text, token("BA86I250")) == "Invalid"


def test_a_stations_own_number_is_a_token_like_another() -> None:
    assert status_of_start(QUIRKS[38].frame, token("ACE0177305")) == "Accepted"


def test_the_sum_of_all_connectors_belongs_to_no_transaction() -> None:
    log, worker = working()
    begun(log, worker)
    says(log, QUIRKS[51].frame)
    worker.settle()
    [transaction] = worker.station.transactions.known.values()
    assert transaction.last_register_wh is None


def test_the_id_of_queued_messages_comes_back_with_other_sessions() -> None:
    log, worker = working()
    says(log, QUIRKS[56].frame)
    log.opens("c2")
    says(log, quirk(56, timestamp="2024-08-26T22:09:00Z"), connection="c2")
    worker.settle()
    assert len({frame[2]["transactionId"] for frame in worker.frames()}) == 2


def test_values_for_a_transaction_of_long_ago_change_nothing() -> None:
    log, worker = working()
    number = begun(log, worker)
    log.calls("StopTransaction", stop(number))
    worker.settle()
    [before] = cdrs(worker)
    says(log, quirk(57, transactionId=number))
    worker.settle()
    assert worker.frames()[-1] == [3, "507", {}]
    assert [cdr.energy_wh for cdr in cdrs(worker)] == [before.energy_wh]


def test_a_stop_of_an_id_that_nobody_gave_out_touches_no_transaction() -> None:
    log, worker = working()
    begun(log, worker)
    says(log, QUIRKS[68].frame)
    worker.settle()
    assert worker.frames()[-1][0] == 3
    assert [cdr.ended_at for cdr in cdrs(worker)] == [None]


def test_a_boot_of_another_version_is_answered_as_of_that_version() -> None:
    log, worker = working()
    frame = says(log, QUIRKS[27].frame)
    worker.settle()
    assert frame.version == "2.0.1"
    assert worker.frames()[-1][2]["status"] == "Accepted"
    assert worker.station.identity is not None
    assert (worker.station.identity.vendor, worker.station.identity.model) == ("V", "M")


STATUS_OF = {
    "1.6": {"connectorId": 1, "errorCode": "NoError", "status": "Charging"},
    "2.0.1": {
        "timestamp": "2026-11-23T10:00:00Z",
        "connectorStatus": "Occupied",
        "evseId": 1,
        "connectorId": 1,
    },
}
ASKED_IN = {"1.6": {"idTag": "04A1"}, "2.0.1": {"idToken": {"idToken": "04A1", "type": "Central"}}}


@pytest.mark.parametrize(("connected", "spoken"), [("1.6", "2.0.1"), ("2.0.1", "1.6")])
def test_a_status_and_an_authorization_of_another_version_are_answered_as_of_that_version(
    connected: str, spoken: str
) -> None:
    log, worker = working(protocol=connected)
    for action, payload in (
        ("StatusNotification", STATUS_OF[spoken]),
        ("Authorize", ASKED_IN[spoken]),
    ):
        assert (
            says(log, json.dumps([2, action, action, payload]), version=connected).version == spoken
        )
    worker.settle()

    info = "idTagInfo" if spoken == "1.6" else "idTokenInfo"
    status, asked = worker.frames()[-2:]
    assert status == [3, "StatusNotification", {}]
    assert asked[2][info]["status"]
    assert worker.station.connectors[1, 1].status == ("Charging" if spoken == "1.6" else "Occupied")


def test_a_transaction_told_in_another_version_is_a_transaction() -> None:
    log, worker = working()
    event = json.loads(QUIRKS[36].frame)
    event[3] |= {"eventType": "Started", "seqNo": 0}
    says(log, json.dumps(event))
    worker.settle()
    assert worker.frames()[-1] == [3, "1", {}]
    assert list(worker.station.transactions.known) == ["T1"]
