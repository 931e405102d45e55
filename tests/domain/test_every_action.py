"""Every action that a station may send, in every version, is answered validly and folds."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.facts import Fact, StationBooted
from domain.meanings import MEANINGS
from domain.routes import ROUTES, SENDS
from domain.station import dump
from domain.told import Meaning, Told
from ingress import rpc
from schemas import payloads
from schemas.records import CALL, CALLRESULT, SEND, MessageReceived
from tests import payload_strategies
from tests.domain.log import Log, Worker, parse, working

ROUTED = [(version, action) for version, routes in ROUTES.items() for action in sorted(routes)]
EXAMPLES = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SENT_ONLY_BY_STATIONS = {
    "1.6": {
        "Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification",
        "FirmwareStatusNotification", "Heartbeat", "LogStatusNotification", "MeterValues",
        "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification",
        "StartTransaction", "StatusNotification", "StopTransaction",
    },
    "2.0.1": {
        "Authorize", "BootNotification", "ClearedChargingLimit", "DataTransfer",
        "FirmwareStatusNotification", "Get15118EVCertificate", "GetCertificateStatus",
        "Heartbeat", "LogStatusNotification", "MeterValues", "NotifyChargingLimit",
        "NotifyCustomerInformation", "NotifyDisplayMessages", "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule", "NotifyEvent", "NotifyMonitoringReport", "NotifyReport",
        "PublishFirmwareStatusNotification", "ReportChargingProfiles", "ReservationStatusUpdate",
        "SecurityEventNotification", "SignCertificate", "StatusNotification", "TransactionEvent",
    },
}  # fmt: skip
SENT_ONLY_BY_STATIONS["2.1"] = SENT_ONLY_BY_STATIONS["2.0.1"] | {
    "BatterySwap", "ClosePeriodicEventStream", "GetCertificateChainStatus", "NotifyDERAlarm",
    "NotifyDERStartStop", "NotifyPriorityCharging", "NotifySettlement", "NotifyWebPaymentStarted",
    "OpenPeriodicEventStream", "PullDynamicScheduleUpdate", "ReportDERControl",
    "VatNumberValidation",
}  # fmt: skip


def tells(log: Log, version: str, action: str, payload: Any, message_type: int = CALL) -> rpc.Frame:
    """The station's frame as the edge reads it and puts it into the log."""
    text = msgspec.json.encode([message_type, "m1", action, payload]).decode()
    frame = rpc.read(version, text)
    log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection="c1",
            number=1,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            action=frame.action,
            error=frame.error,
            violations=frame.violations,
            protocol=version,
        )
    )
    return frame


def assert_folds_the_same(log: Log, worker: Worker) -> None:
    assert worker.owner.poisoned == {}
    again = Worker(log, "again")
    again.read()
    assert dump(again.station) == dump(worker.station)


def assert_valid(version: str, action: str, answer: Any) -> None:
    assert payloads.violations(version, action, answer, response=True) == ()


@pytest.mark.parametrize("version", ROUTES)
def test_the_table_has_what_stations_send_and_nothing_else(version: str) -> None:
    assert ROUTES[version].keys() == SENT_ONLY_BY_STATIONS[version]
    assert MEANINGS[version].keys() <= ROUTES[version].keys() | SENDS[version]
    assert ROUTES[version].keys() | SENDS[version] <= payloads.actions(version)


@pytest.mark.parametrize(("version", "action"), ROUTED)
@EXAMPLES
@given(st.data())
def test_a_valid_call_gets_a_valid_result(version: str, action: str, data: st.DataObject) -> None:
    payload = data.draw(payload_strategies.valid(version, action))
    log, worker = working(protocol=version)

    frame = tells(log, version, action, payload)
    worker.settle()

    assert (frame.error, frame.violations) == ("", ())
    [(message_type, message_id, answer)] = worker.frames()
    assert (message_type, message_id) == (CALLRESULT, "m1")
    assert_valid(version, action, answer)
    assert_folds_the_same(log, worker)


@pytest.mark.parametrize(("version", "action"), ROUTED)
@EXAMPLES
@given(st.data())
def test_a_broken_call_gets_one_answer_in_its_versions_words(
    version: str, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payload_strategies.broken(version, action))
    log, worker = working(protocol=version)

    frame = tells(log, version, action, payload)
    worker.settle()

    [(message_type, message_id, *answer)] = worker.frames()
    assert message_id == "m1"
    if message_type == CALLRESULT:
        assert_valid(version, action, answer[0])
    else:
        assert answer[0] == frame.error
    assert_folds_the_same(log, worker)


@pytest.mark.parametrize("version", ROUTES)
def test_what_only_we_send_is_not_supported_from_a_station(version: str) -> None:
    for action in payloads.actions(version) - ROUTES[version].keys() - SENDS[version]:
        log, worker = working(protocol=version)
        log.calls(action, {})
        worker.settle()

        assert worker.frames()[0][:3] == [4, "m1", "NotSupported"]


@pytest.mark.parametrize("version", ["2.1"])
@EXAMPLES
@given(st.data())
def test_a_send_is_kept_and_never_answered(version: str, data: st.DataObject) -> None:
    for action in SENDS[version]:
        payload = data.draw(
            payload_strategies.valid(version, action) | payload_strategies.broken(version, action)
        )
        log, worker = working(protocol=version)

        tells(log, version, action, payload, SEND)
        worker.settle()

        assert worker.frames() == []
        assert worker.station.open_calls == {}
        assert_folds_the_same(log, worker)


def test_what_is_to_be_sent_may_be_called() -> None:
    log, worker = working(protocol="2.1")
    values = [{"t": 0, "v": "7"}]
    payload = {"id": 1, "pending": 0, "basetime": "2026-11-23T10:00:00Z", "data": values}
    frame = tells(log, "2.1", "NotifyPeriodicEventStream", payload)
    worker.settle()

    assert frame.error == ""
    assert worker.frames() == [[CALLRESULT, "m1", {}]]
    assert worker.station.held is not None
    assert worker.station.held.kept("event-streams", "1") is not None
    assert_folds_the_same(log, worker)


def test_a_late_call_is_answered_as_the_version_of_its_own_connection_says() -> None:
    log, worker = working(protocol="2.0.1")
    log.opens("c2", protocol="1.6")
    log.calls("Authorize", {"idToken": {"idToken": "TAG", "type": "Central"}}, connection="c1")
    log.calls("Authorize", {"idTag": "TAG"}, connection="c2")
    worker.settle()

    assert [parse(sent.frame)[2] for _, sent in worker.dispatched] == [
        {"idTokenInfo": {"status": "Accepted"}},
        {"idTagInfo": {"status": "Accepted"}},
    ]


@pytest.mark.parametrize(("error", "told"), [("", [1]), ("FormatViolation", [])])
def test_a_send_means_what_the_table_says_where_it_stands_in_the_log(
    error: str, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def streamed(told: Told) -> tuple[Fact, ...]:
        assert told.answer is None
        return (
            StationBooted(
                offset=told.offset,
                recorded_at=told.recorded_at,
                vendor="stream",
                model=str(told.payload["id"]),
            ),
        )

    monkeypatch.setitem(MEANINGS["2.1"], "NotifyPeriodicEventStream", Meaning(streamed))
    log, worker = working(protocol="2.1")
    log.says([SEND, "s1", "NotifyPeriodicEventStream", {"id": 1}], error=error)
    worker.settle()

    identity = worker.station.identity
    assert ([int(identity.model)] if identity is not None else []) == told
    assert worker.frames() == []
