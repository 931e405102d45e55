"""How the effect of a command is seen later: of every way there is, in every version."""

from typing import Any

import pytest

from domain.command_effects import AHEAD_MAX, Parts
from domain.commands import Command, CommandMoved
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.station import Station
from tests.domain.log import KEY, SECOND, Log, Worker, start, working

BOOT_2 = {"reason": "RemoteReset", "chargingStation": {"model": "M", "vendorName": "V"}}
AT = "2026-11-23T10:00:00Z"
LATER = "2026-11-23T11:00:00Z"


def as_seen(log: Log, command_id: str = "k1") -> Command:
    """The command as a view has it in the end."""
    log_filter, station = LogFilter(), Station(*KEY, 1)
    last: Command | None = None
    for offset in range(len(log.values)):
        record = log.read(offset)
        if log_filter.admit(offset, record) and record.station == "CP1":
            for fact in fold(station, offset, record):
                if isinstance(fact, CommandMoved) and fact.command.command_id == command_id:
                    last = fact.command
    assert last is not None
    return last


def progress(log: Log) -> list[str]:
    log_filter, station = LogFilter(), Station(*KEY, 1)
    told = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if log_filter.admit(offset, record) and record.station == "CP1":
            for fact in fold(station, offset, record):
                if isinstance(fact, CommandMoved):
                    done = " effect" if fact.command.effect >= 0 else ""
                    told.append(f"{fact.command.progress}{done}")
    return [text for text in told if text]


def accepted(version: str, action: str, payload: Any, answer: Any = None) -> tuple[Log, Worker]:
    log, worker = working(protocol=version)
    log.requests(action, payload)
    worker.settle()
    log.says([3, "k1", {"status": "Accepted"} if answer is None else answer])
    worker.settle()
    return log, worker


def says(log: Log, worker: Worker, action: str, payload: Any) -> None:
    log.calls(action, payload)
    worker.settle()


def event(**more: Any) -> dict[str, Any]:
    info = {"transactionId": "t-1", **more.pop("info", {})}
    return {
        "eventType": "Started",
        "timestamp": AT,
        "triggerReason": "RemoteStart",
        "seqNo": 0,
        "transactionInfo": info,
        **more,
    }


def status(evse_id: int, connector_id: int, text: str) -> dict[str, Any]:
    return {
        "timestamp": AT,
        "connectorStatus": text,
        "evseId": evse_id,
        "connectorId": connector_id,
    }


Case = tuple[str, str, Any, tuple[str, Any], list[tuple[str, Any]]]
"""Version, action, payload; what shows the effect; what does not."""

CASES: dict[str, Case] = {
    "a start": (
        "2.0.1",
        "RequestStartTransaction",
        {"idToken": {"idToken": "T", "type": "Central"}, "remoteStartId": 9},
        ("TransactionEvent", event(info={"remoteStartId": 9})),
        [
            ("TransactionEvent", event(info={"remoteStartId": 8, "transactionId": "t-0"})),
            ("TransactionEvent", event(info={"transactionId": "t-2"})),
        ],
    ),
    "a start of a running transaction": (
        "2.1",
        "RequestStartTransaction",
        {"idToken": {"idToken": "T", "type": "Central"}, "remoteStartId": 9},
        ("TransactionEvent", event(eventType="Updated", info={"remoteStartId": 9})),
        [],
    ),
    "a stop": (
        "2.0.1",
        "RequestStopTransaction",
        {"transactionId": "t-1"},
        ("TransactionEvent", event(eventType="Ended", info={"stoppedReason": "Remote"})),
        [
            ("TransactionEvent", event(eventType="Updated")),
            ("TransactionEvent", event(eventType="Ended", info={"transactionId": "t-2"})),
        ],
    ),
    "a reset": (
        "2.0.1",
        "Reset",
        {"type": "Immediate"},
        ("BootNotification", BOOT_2),
        [("StatusNotification", status(1, 1, "Available"))],
    ),
    "a reset of an EVSE": (
        "2.0.1",
        "Reset",
        {"type": "Immediate", "evseId": 2},
        ("StatusNotification", status(2, 1, "Available")),
        [("StatusNotification", status(1, 1, "Available"))],
    ),
    "one connector out of service": (
        "2.0.1",
        "ChangeAvailability",
        {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}},
        ("StatusNotification", status(2, 1, "Unavailable")),
        [
            ("StatusNotification", status(2, 2, "Unavailable")),
            ("StatusNotification", status(1, 1, "Unavailable")),
            ("StatusNotification", status(2, 1, "Occupied")),
        ],
    ),
    "the station into service": (
        "2.1",
        "ChangeAvailability",
        {"operationalStatus": "Operative"},
        ("StatusNotification", status(2, 1, "Available")),
        [("StatusNotification", status(2, 1, "Unavailable"))],
    ),
    "a trigger": (
        "2.0.1",
        "TriggerMessage",
        {"requestedMessage": "StatusNotification", "evse": {"id": 2, "connectorId": 1}},
        ("StatusNotification", status(2, 1, "Available")),
        [("StatusNotification", status(1, 1, "Available")), ("Heartbeat", {})],
    ),
    "a trigger of one connector": (
        "1.6",
        "TriggerMessage",
        {"requestedMessage": "StatusNotification", "connectorId": 2},
        (
            "StatusNotification",
            {"connectorId": 2, "errorCode": "NoError", "status": "Available"},
        ),
        [
            (
                "StatusNotification",
                {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
            )
        ],
    ),
    "a request for a certificate": (
        "1.6",
        "ExtendedTriggerMessage",
        {"requestedMessage": "SignChargePointCertificate"},
        ("SignCertificate", {"csr": "PEM"}),
        [("Heartbeat", {})],
    ),
    "a request for a V2G certificate": (
        "2.1",
        "TriggerMessage",
        {"requestedMessage": "SignV2G20Certificate"},
        ("SignCertificate", {"csr": "PEM"}),
        [],
    ),
    "a trigger of signed firmware's status": (
        "1.6",
        "ExtendedTriggerMessage",
        {"requestedMessage": "FirmwareStatusNotification"},
        ("SignedFirmwareStatusNotification", {"status": "Idle"}),
        [],
    ),
    "a reservation used": (
        "1.6",
        "ReserveNow",
        {"connectorId": 1, "expiryDate": LATER, "idTag": "TAG", "reservationId": 7},
        ("StartTransaction", start(reservationId=7)),
        [("StartTransaction", start(meter_start=5, reservationId=8))],
    ),
    "a reservation used in 2.x": (
        "2.0.1",
        "ReserveNow",
        {"id": 7, "expiryDateTime": LATER, "idToken": {"idToken": "T", "type": "Central"}},
        ("TransactionEvent", event(reservationId=7)),
        [("TransactionEvent", event(reservationId=6, info={"transactionId": "t-2"}))],
    ),
    "a reservation expired": (
        "2.0.1",
        "ReserveNow",
        {"id": 7, "expiryDateTime": LATER, "idToken": {"idToken": "T", "type": "Central"}},
        (
            "ReservationStatusUpdate",
            {"reservationId": 7, "reservationUpdateStatus": "Expired"},
        ),
        [
            (
                "ReservationStatusUpdate",
                {"reservationId": 8, "reservationUpdateStatus": "Expired"},
            )
        ],
    ),
    "a log": (
        "2.0.1",
        "GetLog",
        {"logType": "SecurityLog", "requestId": 4, "log": {"remoteLocation": "https://a/b"}},
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 4}),
        [
            ("LogStatusNotification", {"status": "Uploading", "requestId": 4}),
            ("LogStatusNotification", {"status": "Uploaded", "requestId": 5}),
            ("LogStatusNotification", {"status": "Idle"}),
        ],
    ),
    "diagnostics": (
        "1.6",
        "GetDiagnostics",
        {"location": "https://a/b"},
        ("DiagnosticsStatusNotification", {"status": "Uploaded"}),
        [
            ("DiagnosticsStatusNotification", {"status": "Idle"}),
            ("DiagnosticsStatusNotification", {"status": "Uploading"}),
        ],
    ),
    "firmware of 1.6": (
        "1.6",
        "UpdateFirmware",
        {"location": "https://a/b", "retrieveDate": AT},
        ("FirmwareStatusNotification", {"status": "Installed"}),
        [("FirmwareStatusNotification", {"status": "Downloading"})],
    ),
    "signed firmware of 1.6": (
        "1.6",
        "SignedUpdateFirmware",
        {
            "requestId": 4,
            "firmware": {
                "location": "https://a/b",
                "retrieveDateTime": AT,
                "signingCertificate": "PEM",
                "signature": "c2ln",
            },
        },
        ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 4}),
        [
            ("SignedFirmwareStatusNotification", {"status": "Installing", "requestId": 4}),
            ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 3}),
            ("FirmwareStatusNotification", {"status": "Installed"}),
        ],
    ),
    "published firmware": (
        "2.0.1",
        "PublishFirmware",
        {"location": "https://a/b", "checksum": "c", "requestId": 4},
        (
            "PublishFirmwareStatusNotification",
            {"status": "Published", "location": ["http://c/d"], "requestId": 4},
        ),
        [("PublishFirmwareStatusNotification", {"status": "Downloaded", "requestId": 4})],
    ),
    "a battery swap": (
        "2.1",
        "RequestBatterySwap",
        {"requestId": 4, "idToken": {"idToken": "T", "type": "Central"}},
        (
            "BatterySwap",
            {
                "eventType": "BatteryOut",
                "requestId": 4,
                "idToken": {"idToken": "T", "type": "Central"},
                "batteryData": [{"evseId": 1, "serialNumber": "s", "soC": 80, "soH": 99}],
            },
        ),
        [],
    ),
    "a report without parts' numbers": (
        "2.1",
        "GetDERControl",
        {"requestId": 4},
        ("ReportDERControl", {"requestId": 4}),
        [
            ("ReportDERControl", {"requestId": 4, "tbc": True}),
            ("ReportDERControl", {"requestId": 5}),
        ],
    ),
    "charging profiles": (
        "2.0.1",
        "GetChargingProfiles",
        {"requestId": 4, "chargingProfile": {"chargingProfilePurpose": "TxProfile"}},
        (
            "ReportChargingProfiles",
            {
                "requestId": 4,
                "chargingLimitSource": "CSO",
                "evseId": 1,
                "chargingProfile": [],
            },
        ),
        [],
    ),
    "display messages": (
        "2.0.1",
        "GetDisplayMessages",
        {"requestId": 4},
        ("NotifyDisplayMessages", {"requestId": 4}),
        [("NotifyDisplayMessages", {"requestId": 4, "tbc": True})],
    ),
}
ANSWERS = {"UpdateFirmware": {}, "GetDiagnostics": {"fileName": "a.zip"}}


@pytest.mark.parametrize("name", CASES)
def test_an_effect_is_seen_when_it_happens_and_not_before(name: str) -> None:
    version, action, payload, shown, others = CASES[name]
    log, worker = accepted(
        version, action, payload, ANSWERS.get(action) if version == "1.6" else None
    )
    says(log, worker, "Heartbeat", {})
    for other in others:
        says(log, worker, *other)
    assert as_seen(log).effect < 0

    says(log, worker, *shown)

    assert as_seen(log).effect >= 0
    assert as_seen(log).fate == "answered"
    assert worker.owner.poisoned == {}


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_was_refused_has_no_effect(name: str) -> None:
    version, action, payload, shown, _ = CASES[name]
    log, worker = accepted(version, action, payload, {"status": "Rejected"})
    says(log, worker, *shown)

    assert as_seen(log).effect < 0


FIRMWARE = {"requestId": 4, "firmware": {"location": "https://a/b", "retrieveDateTime": AT}}


def test_a_firmware_job_is_followed_through_all_its_states() -> None:
    log, worker = accepted("2.0.1", "UpdateFirmware", FIRMWARE)
    states = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
    for state in (*states, "Installed", "Installed"):
        says(log, worker, "FirmwareStatusNotification", {"status": state, "requestId": 4})

    assert progress(log) == [*states, "Installed effect"]


def test_a_job_that_failed_is_not_looked_for_any_more() -> None:
    log, worker = accepted("2.0.1", "UpdateFirmware", FIRMWARE)
    for state in ("Downloading", "DownloadFailed", "Installed"):
        says(log, worker, "FirmwareStatusNotification", {"status": state, "requestId": 4})

    assert progress(log) == ["Downloading", "DownloadFailed"]


def test_a_cancelled_reservation_is_not_looked_for_any_more() -> None:
    reservation = {"connectorId": 1, "expiryDate": LATER, "idTag": "TAG", "reservationId": 7}
    log, worker = accepted("1.6", "ReserveNow", reservation)
    log.requests("CancelReservation", {"reservationId": 8}, "k2")
    worker.settle()
    log.says([3, "k2", {"status": "Accepted"}])
    worker.settle()
    assert as_seen(log).progress == ""

    log.requests("CancelReservation", {"reservationId": 7}, "k3")
    worker.settle()
    log.says([3, "k3", {"status": "Accepted"}])
    says(log, worker, "StartTransaction", start(reservationId=7))

    assert (as_seen(log).progress, as_seen(log).effect) == ("Cancelled", -1)
    assert as_seen(log, "k3").effect >= 0


@pytest.mark.parametrize(
    ("version", "reservation"),
    [
        ("1.6", {"connectorId": 1, "expiryDate": LATER, "idTag": "TAG", "reservationId": 7}),
        (
            "2.1",
            {
                "id": 7,
                "expiryDateTime": LATER,
                "idToken": {"idToken": "T", "type": "Central"},
            },
        ),
    ],
)
def test_a_reservation_that_nobody_used_expires(version: str, reservation: Any) -> None:
    log, worker = accepted(version, "ReserveNow", reservation)
    log.now += 3599 * SECOND
    worker.settle()
    assert as_seen(log).effect < 0

    log.now += 2 * SECOND
    worker.settle()

    assert (as_seen(log).progress, as_seen(log).effect >= 0) == ("Expired", True)


def part(seq_no: int, *, last: bool = False, request_id: int = 4) -> dict[str, Any]:
    return {"requestId": request_id, "generatedAt": AT, "seqNo": seq_no, "tbc": not last}


REPORTS = {
    "GetBaseReport": ("NotifyReport", {"requestId": 4, "reportBase": "FullInventory"}),
    "GetReport": ("NotifyReport", {"requestId": 4}),
    "GetMonitoringReport": ("NotifyMonitoringReport", {"requestId": 4}),
    "CustomerInformation": (
        "NotifyCustomerInformation",
        {"requestId": 4, "report": True, "clear": False},
    ),
}


@pytest.mark.parametrize("action", REPORTS)
def test_a_report_is_complete_with_all_its_parts(action: str) -> None:
    shown_by, payload = REPORTS[action]
    more = {"data": "x"} if action == "CustomerInformation" else {}
    log, worker = accepted("2.0.1", action, payload)
    for told in (part(0), part(2, last=True), part(2, last=True), part(1, request_id=5)):
        says(log, worker, shown_by, told | more)
    assert as_seen(log).effect < 0

    says(log, worker, shown_by, part(1) | more)

    assert (as_seen(log).progress, as_seen(log).effect >= 0) == ("3 parts", True)


@pytest.mark.parametrize("action", REPORTS)
def test_a_report_that_is_numbered_from_one_is_complete_with_its_parts(action: str) -> None:
    shown_by, payload = REPORTS[action]
    more = {"data": "x"} if action == "CustomerInformation" else {}
    log, worker = accepted("2.0.1", action, payload)
    says(log, worker, shown_by, part(1) | more)
    assert (as_seen(log).progress, as_seen(log).effect < 0) == ("1 parts", True)

    says(log, worker, shown_by, part(2, last=True) | more)

    assert (as_seen(log).progress, as_seen(log).effect >= 0) == ("2 parts", True)


def test_a_late_part_0_counts_among_the_parts() -> None:
    log, worker = accepted("2.0.1", "GetReport", {"requestId": 4})
    for told in (part(1), part(0), part(2, last=True)):
        says(log, worker, "NotifyReport", told)

    assert (as_seen(log).progress, as_seen(log).effect >= 0) == ("3 parts", True)


def test_an_empty_report_is_none_to_wait_for() -> None:
    log, worker = accepted(
        "2.0.1", "GetMonitoringReport", {"requestId": 4}, {"status": "EmptyResultSet"}
    )
    says(log, worker, "NotifyMonitoringReport", part(0, last=True))

    assert as_seen(log).effect < 0


def test_clearing_a_customers_data_is_done_with_the_answer() -> None:
    log, _ = accepted(
        "2.0.1", "CustomerInformation", {"requestId": 4, "report": False, "clear": True}
    )

    assert as_seen(log).effect >= 0


def test_parts_that_come_in_any_order_are_counted_once() -> None:
    parts = Parts()
    for number in (3, 0, 1, 1, 3):
        parts.hear(number, number == 3)
    assert (parts.heard, parts.ahead, parts.is_complete) == (2, [3], False)

    parts.hear(2, False)

    assert (parts.heard, parts.ahead, parts.is_complete) == (4, [], True)


def test_what_is_remembered_of_parts_is_bounded() -> None:
    parts = Parts()
    for number in range(2, AHEAD_MAX + 100):
        parts.hear(number, False)

    assert len(parts.ahead) == AHEAD_MAX


CLEARED = [{"id": 1, "status": "Accepted"}]
PARTLY = [{"attributeStatus": "Accepted"}, {"attributeStatus": "Rejected"}]


@pytest.mark.parametrize(
    ("version", "action", "payload", "answer", "is_effect"),
    [
        ("1.6", "UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}, False),
        ("1.6", "ChangeConfiguration", {}, {"status": "RebootRequired"}, True),
        ("1.6", "SendLocalList", {}, {"status": "VersionMismatch"}, False),
        ("1.6", "GetLocalListVersion", {}, {"listVersion": 4}, True),
        ("1.6", "GetInstalledCertificateIds", {}, {"status": "NotFound"}, True),
        ("1.6", "GetCompositeSchedule", {}, {"status": "Rejected"}, False),
        ("2.0.1", "GetVariables", {}, {"getVariableResult": PARTLY}, True),
        ("2.0.1", "SetVariables", {}, {"setVariableResult": PARTLY}, False),
        ("2.0.1", "SetVariables", {}, {"setVariableResult": PARTLY[:1]}, True),
        ("2.0.1", "ClearVariableMonitoring", {}, {"clearMonitoringResult": CLEARED}, True),
        ("2.0.1", "UnpublishFirmware", {"checksum": "c"}, {"status": "Unpublished"}, True),
        ("2.0.1", "CostUpdated", {}, {}, True),
        ("2.1", "ClearTariffs", {}, {"clearTariffsResult": [{"status": "Rejected"}]}, False),
        ("2.1", "GetTariffs", {}, {"status": "NoTariff"}, True),
        ("2.1", "UsePriorityCharging", {}, {"status": "NoProfile"}, False),
    ],
)
def test_an_answer_is_the_effect_where_nothing_else_shows_it(
    version: str, action: str, payload: Any, answer: Any, is_effect: bool
) -> None:
    log, _ = accepted(version, action, payload, answer)

    assert (as_seen(log).effect >= 0) == is_effect
