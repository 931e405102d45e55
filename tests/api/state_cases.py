"""For each action that carries state: what is said, and what the API shows of it afterwards."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from domain.outbound import OUTBOUND

AT = "2026-01-02T03:04:05Z"
ACCEPTED = {"status": "Accepted"}
TOKEN = {"idToken": "TAG", "type": "ISO14443"}
NAMED = {"component": {"name": "C"}, "variable": {"name": "V"}}


class Step(NamedTuple):
    kind: str
    """asks: our CALL and the station's result; tells: its CALL and our answer; sends: its SEND."""
    action: str
    payload: dict[str, Any]
    answer: dict[str, Any]


class Case(NamedTuple):
    action: str
    version: str
    steps: Sequence[Step]
    facet: str
    shown: dict[str, Any] | None
    """Members of the only item; None: there is none."""


def asks(action: str, payload: dict[str, Any], answer: dict[str, Any] | None = None) -> Step:
    return Step("asks", action, payload, ACCEPTED if answer is None else answer)


def tells(action: str, payload: dict[str, Any], answer: dict[str, Any] | None = None) -> Step:
    return Step("tells", action, payload, answer or {})


def profile(number: int = 1, purpose: str = "TxDefaultProfile") -> dict[str, Any]:
    period = [{"startPeriod": 0, "limit": 16.5}]
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": period}
    return {
        "id": number, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute", "chargingSchedule": [schedule],
    }  # fmt: skip


def tariff(name: str) -> dict[str, Any]:
    return {"tariffId": name, "currency": "EUR"}


PERIODS = [{"startPeriod": 0, "limit": 8}]
PROFILE_16 = {
    "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS},
}  # fmt: skip
SET_PROFILE_16 = asks(
    "SetChargingProfile",
    {
        "connectorId": 1,
        "csChargingProfiles": {**PROFILE_16, "chargingProfilePurpose": "TxDefaultProfile"},
    },
)
START_16 = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": AT}
RESERVE_16 = asks(
    "ReserveNow",
    {"reservationId": 4, "connectorId": 1, "idTag": "TAG", "expiryDate": "2099-01-01T00:00:00Z"},
)
UPDATE_16 = asks(
    "UpdateFirmware", {"location": "https://example.org/1.bin", "retrieveDate": AT}, {}
)
NOTIFY_EVENT = tells(
    "NotifyEvent",
    {
        "generatedAt": AT,
        "seqNo": 0,
        "eventData": [
            {
                "eventId": 1,
                "timestamp": AT,
                "trigger": "Delta",
                "actualValue": "7",
                "eventNotificationType": "CustomMonitor",
                **NAMED,
            }
        ],
    },
)
SHA_OF_X = sha256(b"x").hexdigest()
SET_PROFILE = asks("SetChargingProfile", {"evseId": 1, "chargingProfile": profile()})
PROFILE = {
    "profile_id": 1, "purpose": "TxDefaultProfile", "stack_level": 0, "evse_id": 1,
    "schedules": profile()["chargingSchedule"],
}  # fmt: skip
RESERVE = asks(
    "ReserveNow", {"id": 4, "evseId": 1, "idToken": TOKEN, "expiryDateTime": "2099-01-01T00:00:00Z"}
)
MONITOR = {"value": 5, "type": "Delta", "severity": 2, **NAMED}
SET_MONITOR = asks(
    "SetVariableMonitoring",
    {"setMonitoringData": [MONITOR]},
    {"setMonitoringResult": [{"id": 3, **ACCEPTED, "type": "Delta", "severity": 2, **NAMED}]},
)
HASHES = {
    "hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "01",
}  # fmt: skip
LIST_CERTIFICATES = asks(
    "GetInstalledCertificateIds",
    {},
    {
        **ACCEPTED,
        "certificateHashDataChain": [
            {"certificateType": "CSMSRootCertificate", "certificateHashData": HASHES}
        ],
    },
)
LIST_CERTIFICATES_16 = asks(
    "GetInstalledCertificateIds",
    {"certificateType": "CentralSystemRootCertificate"},
    {**ACCEPTED, "certificateHashData": [HASHES]},
)
FIRMWARE = {"location": "https://example.org/1.bin", "retrieveDateTime": AT}
UPDATE = asks("UpdateFirmware", {"requestId": 1, "firmware": FIRMWARE})
GET_LOG = asks(
    "GetLog",
    {"requestId": 1, "logType": "SecurityLog", "log": {"remoteLocation": "https://example.org/"}},
    {**ACCEPTED, "filename": "log.tgz"},
)
MESSAGE = {"id": 2, "priority": "NormalCycle", "message": {"format": "UTF8", "content": "Hello"}}
SET_MESSAGE = asks("SetDisplayMessage", {"message": MESSAGE})
GRADIENT = {"priority": 1, "gradient": 2.5, "softGradient": 3}
SET_DER = asks(
    "SetDERControl",
    {"isDefault": True, "controlId": "a", "controlType": "Gradients", "gradient": GRADIENT},
)
DER = {"control_id": "a", "control_type": "Gradients", "is_default": True}
SET_TARIFF = asks("SetDefaultTariff", {"evseId": 1, "tariff": tariff("t")})
STREAM = {"id": 1, "params": {"interval": 2, "values": 5}, "variableMonitoringId": 9}
OPEN_STREAM = tells("OpenPeriodicEventStream", {"constantStreamData": STREAM}, ACCEPTED)
PUBLISH = asks(
    "PublishFirmware", {"location": "https://example.org/1", "checksum": "c", "requestId": 1}
)
KEY = {"key": "A", "readonly": False, "value": "1"}
REPORTED = {"requestId": 1, "generatedAt": AT, "seqNo": 0}


def report(action: str, facet: str, request: dict[str, Any] | None = None) -> Case:
    asked = {"requestId": 1, **(request or {})}
    shown = {"kind": facet, "request_id": 1, "state": "asked"}
    return Case(action, "2.1", [asks(action, asked)], "reports", shown)


CASES_16 = (
    Case("ChangeConfiguration", "1.6",
         [asks("ChangeConfiguration", {"key": "A", "value": "1"}, {"status": "RebootRequired"})],
         "variables", {"variable": "A", "value_after_reboot": "1"}),
    Case("ChangeConfiguration", "1.6",
         [asks("ChangeConfiguration", {"key": "A", "value": "1"})],
         "variables", {"variable": "A", "value": "1", "value_after_reboot": None}),
    Case("GetConfiguration", "1.6", [asks("GetConfiguration", {}, {"configurationKey": [KEY]})],
         "variables", {"variable": "A", "value": "1", "mutability": "ReadWrite"}),
    Case("RemoteStartTransaction", "1.6",
         [asks("RemoteStartTransaction", {"idTag": "TAG", "chargingProfile": PROFILE_16}),
          tells("StartTransaction", START_16, {"transactionId": 7, "idTagInfo": ACCEPTED})],
         "charging-profiles",
         {"profile_id": 1, "purpose": "TxProfile", "transaction_id": "7", "evse_id": 1}),
    Case("DiagnosticsStatusNotification", "1.6",
         [tells("DiagnosticsStatusNotification", {"status": "Uploading"})],
         "jobs", {"kind": "diagnostics", "status": "Uploading", "state": "running",
                  "statuses": ["Uploading"]}),
    Case("GetDiagnostics", "1.6",
         [asks("GetDiagnostics", {"location": "ftp://example.org"}, {"fileName": "d.zip"})],
         "jobs", {"kind": "diagnostics", "file_name": "d.zip", "state": "accepted"}),
    Case("SignedUpdateFirmware", "1.6",
         [asks("SignedUpdateFirmware", {
             "requestId": 1,
             "firmware": {**FIRMWARE, "signingCertificate": "c", "signature": "s"}})],
         "jobs", {"kind": "firmware", "location": "https://example.org/1.bin",
                  "state": "accepted"}),
    Case("SignedFirmwareStatusNotification", "1.6",
         [tells("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 1})],
         "jobs", {"kind": "firmware", "status": "Installed", "state": "done",
                  "statuses": ["Installed"]}),
    Case("FirmwareStatusNotification", "1.6",
         [UPDATE_16, *(tells("FirmwareStatusNotification", {"status": status})
                       for status in ("Downloading", "Installed"))],
         "jobs", {"kind": "firmware", "status": "Installed", "state": "done",
                  "statuses": ["Downloading", "Installed"]}),
    Case("UpdateFirmware", "1.6", [UPDATE_16], "jobs",
         {"kind": "firmware", "state": "accepted", "location": "https://example.org/1.bin"}),
    Case("SetChargingProfile", "1.6", [SET_PROFILE_16], "charging-profiles",
         {"profile_id": 1, "purpose": "TxDefaultProfile", "stack_level": 0, "evse_id": 1,
          "schedules": [PROFILE_16["chargingSchedule"]]}),
    Case("ClearChargingProfile", "1.6",
         [SET_PROFILE_16, asks("ClearChargingProfile", {"connectorId": 1})],
         "charging-profiles", None),
    Case("GetCompositeSchedule", "1.6",
         [asks("GetCompositeSchedule", {"connectorId": 1, "duration": 60},
               {**ACCEPTED, "connectorId": 1, "scheduleStart": AT, "chargingSchedule":
                PROFILE_16["chargingSchedule"]})],
         "composite-schedules", {"evse_id": 1, "charging_rate_unit": "A", "schedule_start": AT,
                                 "charging_schedule_period": PERIODS}),
    Case("ReserveNow", "1.6", [RESERVE_16], "reservations",
         {"reservation_id": 4, "state": "active", "expires_at": "2099-01-01T00:00:00Z",
          "id_token": "TAG", "evse_id": 1}),
    Case("CancelReservation", "1.6",
         [RESERVE_16, asks("CancelReservation", {"reservationId": 4})],
         "reservations", {"state": "cancelled"}),
    Case("SendLocalList", "1.6",
         [asks("SendLocalList", {"listVersion": 3, "updateType": "Full",
                                 "localAuthorizationList": [
                                     {"idTag": "TAG", "idTagInfo": ACCEPTED}]})],
         "local-list", {"version": 3, "tokens": 1}),
    Case("GetLocalListVersion", "1.6", [asks("GetLocalListVersion", {}, {"listVersion": 9})],
         "local-list", {"version": 9, "tokens": None}),
    Case("InstallCertificate", "1.6",
         [asks("InstallCertificate", {"certificateType": "CentralSystemRootCertificate",
                                      "certificate": "x"})],
         "certificates", {"certificate_type": "CSMSRootCertificate", "sha256": SHA_OF_X}),
    Case("GetInstalledCertificateIds", "1.6", [LIST_CERTIFICATES_16],
         "certificates", {"serial_number": "01", "known_by": "station"}),
    Case("DeleteCertificate", "1.6",
         [LIST_CERTIFICATES_16, asks("DeleteCertificate", {"certificateHashData": HASHES})],
         "certificates", None),
)  # fmt: skip

CASES_201 = (
    Case("NotifyReport", "2.0.1",
         [tells("NotifyReport", {**REPORTED, "reportData": [
             {**NAMED, "variableAttribute": [{"value": "7", "mutability": "ReadOnly"}]}]})],
         "variables", {"component": "C", "variable": "V", "value": "7", "mutability": "ReadOnly"}),
    Case("GetVariables", "2.0.1",
         [asks("GetVariables", {"getVariableData": [NAMED]}, {"getVariableResult": [
             {**NAMED, "attributeStatus": "Accepted", "attributeValue": "7"}]})],
         "variables", {"component": "C", "variable": "V", "value": "7"}),
    Case("SetVariables", "2.0.1",
         [asks("SetVariables", {"setVariableData": [{**NAMED, "attributeValue": "7"}]},
               {"setVariableResult": [{**NAMED, "attributeStatus": "Accepted"}]})],
         "variables",
         {"component": "C", "variable": "V", "value": "7", "value_after_reboot": None}),
    Case("NotifyEvent", "2.0.1", [NOTIFY_EVENT],
         "variables", {"component": "C", "variable": "V", "value": "7"}),
    Case("NotifyEvent", "2.0.1",
         [NOTIFY_EVENT],
         "station-events", {"event_id": 1, "at": AT, "actual_value": "7", "variable": "V"}),
    Case("SetVariableMonitoring", "2.0.1", [SET_MONITOR], "monitors",
         {"monitor_id": 3, "type": "Delta", "value": 5, "severity": 2, "kind": "CustomMonitor"}),
    Case("ClearVariableMonitoring", "2.0.1",
         [SET_MONITOR, asks("ClearVariableMonitoring", {"id": [3]},
                            {"clearMonitoringResult": [{"id": 3, **ACCEPTED}]})],
         "monitors", None),
    Case("NotifyMonitoringReport", "2.0.1",
         [tells("NotifyMonitoringReport", {**REPORTED, "monitor": [{**NAMED, "variableMonitoring": [
             {"id": 5, "type": "Delta", "value": 2, "severity": 1, "transaction": False}]}]})],
         "monitors", {"monitor_id": 5, "type": "Delta", "value": 2, "severity": 1}),
    Case("SetMonitoringBase", "2.0.1", [asks("SetMonitoringBase", {"monitoringBase": "All"})],
         "monitoring", {"monitoring_base": "All"}),
    Case("SetMonitoringLevel", "2.0.1", [asks("SetMonitoringLevel", {"severity": 4})],
         "monitoring", {"severity": 4}),
    Case("SetChargingProfile", "2.0.1", [SET_PROFILE], "charging-profiles", PROFILE),
    Case("ClearChargingProfile", "2.0.1",
         [SET_PROFILE, asks("ClearChargingProfile", {"chargingProfileId": 1})],
         "charging-profiles", None),
    Case("ReportChargingProfiles", "2.0.1",
         [tells("ReportChargingProfiles", {"requestId": 1, "chargingLimitSource": "EMS",
                                           "evseId": 1, "chargingProfile": [profile()]})],
         "charging-profiles", {**PROFILE, "source": "EMS"}),
    Case("RequestStartTransaction", "2.0.1",
         [asks("RequestStartTransaction", {"remoteStartId": 1, "idToken": TOKEN,
                                           "chargingProfile": profile(1, "TxProfile")},
               {**ACCEPTED, "transactionId": "T-1"})],
         "charging-profiles", {"profile_id": 1, "transaction_id": "T-1"}),
    Case("NotifyChargingLimit", "2.0.1",
         [tells("NotifyChargingLimit", {"evseId": 1, "chargingLimit": {
             "chargingLimitSource": "EMS", "isGridCritical": True},
             "chargingSchedule": profile()["chargingSchedule"]})],
         "charging-limits", {"evse_id": 1, "source": "EMS", "is_grid_critical": True,
                             "schedules": profile()["chargingSchedule"]}),
    Case("ClearedChargingLimit", "2.0.1",
         [tells("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}}),
          tells("ClearedChargingLimit", {"chargingLimitSource": "EMS"})],
         "charging-limits", None),
    Case("NotifyEVChargingNeeds", "2.0.1",
         [tells("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": {
             "requestedEnergyTransfer": "DC"}}, {"status": "Rejected"})],
         "charging-needs",
         {"evse_id": 1, "requested_energy_transfer": "DC", "answer": "Rejected"}),
    Case("NotifyEVChargingSchedule", "2.0.1",
         [tells("NotifyEVChargingSchedule", {"evseId": 1, "timeBase": AT, "chargingSchedule":
                profile()["chargingSchedule"][0]}, ACCEPTED)],
         "charging-schedules", {"evse_id": 1, "time_base": AT, "answer": "Accepted",
                                "charging_schedule": profile()["chargingSchedule"][0]}),
    Case("GetCompositeSchedule", "2.0.1",
         [asks("GetCompositeSchedule", {"evseId": 1, "duration": 60}, {**ACCEPTED, "schedule": {
             "evseId": 1, "duration": 60, "scheduleStart": AT, "chargingRateUnit": "W",
             "chargingSchedulePeriod": PERIODS}})],
         "composite-schedules", {"evse_id": 1, "charging_rate_unit": "W", "schedule_start": AT,
                                 "charging_schedule_period": PERIODS}),
    Case("ReserveNow", "2.0.1", [RESERVE], "reservations",
         {"reservation_id": 4, "state": "active", "expires_at": "2099-01-01T00:00:00Z",
          "id_token": "TAG"}),
    Case("CancelReservation", "2.0.1", [RESERVE, asks("CancelReservation", {"reservationId": 4})],
         "reservations", {"state": "cancelled"}),
    Case("ReservationStatusUpdate", "2.0.1",
         [RESERVE, tells("ReservationStatusUpdate", {"reservationId": 4,
                                                     "reservationUpdateStatus": "Removed"})],
         "reservations", {"state": "removed"}),
    Case("SendLocalList", "2.0.1",
         [asks("SendLocalList", {"versionNumber": 3, "updateType": "Full",
                                 "localAuthorizationList": [
                                     {"idToken": TOKEN, "idTokenInfo": ACCEPTED}]})],
         "local-list", {"version": 3, "tokens": 1}),
    Case("GetLocalListVersion", "2.0.1", [asks("GetLocalListVersion", {}, {"versionNumber": 9})],
         "local-list", {"version": 9, "tokens": None}),
    Case("InstallCertificate", "2.0.1",
         [asks("InstallCertificate", {"certificateType": "CSMSRootCertificate",
                                      "certificate": "x"})],
         "certificates", {"certificate_type": "CSMSRootCertificate", "sha256": SHA_OF_X,
                          "known_by": "installation"}),
    Case("DeleteCertificate", "2.0.1",
         [LIST_CERTIFICATES, asks("DeleteCertificate", {"certificateHashData": HASHES})],
         "certificates", None),
    Case("GetInstalledCertificateIds", "2.0.1", [LIST_CERTIFICATES],
         "certificates", {"serial_number": "01", "known_by": "station"}),
    Case("SignCertificate", "2.0.1", [tells("SignCertificate", {"csr": "x"}, ACCEPTED)],
         "certificate-requests",
         {"state": "pending", "csr": "x", "certificate_type": "ChargingStationCertificate"}),
    Case("CertificateSigned", "2.0.1",
         [tells("SignCertificate", {"csr": "x"}, ACCEPTED),
          asks("CertificateSigned", {"certificateChain": "x"})],
         "certificate-requests", {"state": "signed", "csr": "x"}),
    Case("CertificateSigned", "2.0.1", [asks("CertificateSigned", {"certificateChain": "x"})],
         "certificates",
         {"certificate_type": "ChargingStationCertificate", "sha256": SHA_OF_X}),
    Case("UpdateFirmware", "2.0.1", [UPDATE], "jobs",
         {"kind": "firmware", "state": "accepted", "request_id": 1,
          "location": "https://example.org/1.bin"}),
    Case("FirmwareStatusNotification", "2.0.1",
         [UPDATE, tells("FirmwareStatusNotification", {"status": "Installed", "requestId": 1})],
         "jobs", {"state": "done", "status": "Installed", "request_id": 1,
                  "statuses": ["Installed"]}),
    Case("PublishFirmware", "2.0.1", [PUBLISH], "jobs",
         {"kind": "publish-firmware", "state": "accepted", "checksum": "c",
          "location": "https://example.org/1"}),
    Case("PublishFirmwareStatusNotification", "2.0.1",
         [PUBLISH, tells("PublishFirmwareStatusNotification",
                         {"status": "Published", "location": ["http://x/1"], "requestId": 1})],
         "jobs", {"status": "Published", "locations": ["http://x/1"]}),
    Case("UnpublishFirmware", "2.0.1",
         [asks("UnpublishFirmware", {"checksum": "c"}, {"status": "Unpublished"})],
         "jobs", {"kind": "unpublish-firmware", "status": "Unpublished", "state": "done"}),
    Case("GetLog", "2.0.1", [GET_LOG], "jobs",
         {"kind": "log", "state": "accepted", "file_name": "log.tgz", "log_type": "SecurityLog"}),
    Case("LogStatusNotification", "2.0.1",
         [GET_LOG, tells("LogStatusNotification", {"status": "Uploaded", "requestId": 1})],
         "jobs", {"kind": "log", "state": "done", "status": "Uploaded",
                  "statuses": ["Uploaded"]}),
    Case("SetDisplayMessage", "2.0.1", [SET_MESSAGE], "display-messages",
         {"message_id": 2, "content": "Hello", "priority": "NormalCycle"}),
    Case("ClearDisplayMessage", "2.0.1",
         [SET_MESSAGE, asks("ClearDisplayMessage", {"id": 2})], "display-messages", None),
    Case("NotifyDisplayMessages", "2.0.1",
         [tells("NotifyDisplayMessages", {"requestId": 1, "messageInfo": [MESSAGE]})],
         "display-messages", {"message_id": 2, "content": "Hello"}),
    Case("NotifyCustomerInformation", "2.0.1",
         [tells("NotifyCustomerInformation", {**REPORTED, "data": "x"})],
         "reports", {"kind": "customer-information", "state": "complete", "parts": 1}),
    Case("SecurityEventNotification", "2.0.1",
         [tells("SecurityEventNotification", {"type": "InvalidMessages", "timestamp": AT})],
         "security-events", {"type": "InvalidMessages", "at": AT}),
    Case("SetNetworkProfile", "2.0.1",
         [asks("SetNetworkProfile", {"configurationSlot": 1, "connectionData": {
             "ocppCsmsUrl": "wss://example.org", "securityProfile": 2, "ocppVersion": "OCPP20",
             "ocppTransport": "JSON", "ocppInterface": "Wired0", "messageTimeout": 30}})],
         "network-profiles", {"slot": 1, "csms_url": "wss://example.org", "security_profile": 2}),
    Case("CostUpdated", "2.0.1",
         [asks("CostUpdated", {"transactionId": "T-1", "totalCost": 4.25}, {})],
         "costs", {"transaction_id": "T-1", "total_cost": 4.25}),
)  # fmt: skip

CASES_21 = (
    Case("NotifyMonitoringReport", "2.1",
         [tells("NotifyMonitoringReport", {**REPORTED, "monitor": [{**NAMED, "variableMonitoring": [
             {"id": 5, "type": "Delta", "value": 2, "severity": 1, "transaction": False,
              "eventNotificationType": "PreconfiguredMonitor"}]}]})],
         "monitors", {"monitor_id": 5, "type": "Delta", "value": 2, "severity": 1,
                      "kind": "PreconfiguredMonitor"}),
    report("GetBaseReport", "variables", {"reportBase": "FullInventory"}),
    report("GetReport", "variables"),
    report("GetMonitoringReport", "monitors"),
    report("GetChargingProfiles", "charging-profiles", {"chargingProfile": {}}),
    report("GetDisplayMessages", "display-messages"),
    report("GetDERControl", "der-controls"),
    report("CustomerInformation", "customer-information", {"report": True, "clear": False}),
    Case("UpdateDynamicSchedule", "2.1",
         [SET_PROFILE, asks("UpdateDynamicSchedule", {"chargingProfileId": 1,
                                                      "scheduleUpdate": {"limit": 7}})],
         "charging-profiles", {**PROFILE, "schedule_update": {"limit": 7}}),
    Case("PullDynamicScheduleUpdate", "2.1",
         [SET_PROFILE, tells("PullDynamicScheduleUpdate", {"chargingProfileId": 1},
                             {**ACCEPTED, "scheduleUpdate": {"limit": 8}})],
         "charging-profiles", {**PROFILE, "schedule_update": {"limit": 8}}),
    Case("UsePriorityCharging", "2.1",
         [asks("UsePriorityCharging", {"transactionId": "T-1", "activate": True})],
         "priority-charging", {"transaction_id": "T-1", "is_active": True}),
    Case("NotifyPriorityCharging", "2.1",
         [tells("NotifyPriorityCharging", {"transactionId": "T-1", "activated": True})],
         "priority-charging", {"transaction_id": "T-1", "is_active": True}),
    Case("SetDERControl", "2.1", [SET_DER], "der-controls",
         {**DER, "settings": GRADIENT, "is_superseded": False}),
    Case("ClearDERControl", "2.1", [SET_DER, asks("ClearDERControl", {"isDefault": True})],
         "der-controls", None),
    Case("ReportDERControl", "2.1",
         [tells("ReportDERControl", {"requestId": 1, "gradient": [
             {"id": "a", "gradient": GRADIENT}]})],
         "der-controls", {"control_id": "a", "settings": GRADIENT}),
    Case("NotifyDERAlarm", "2.1",
         [tells("NotifyDERAlarm", {"controlType": "HVMustTrip", "timestamp": AT,
                                   "gridEventFault": "OverVoltage"})],
         "der-alarms", {"control_type": "HVMustTrip", "grid_event_fault": "OverVoltage"}),
    Case("NotifyDERStartStop", "2.1",
         [SET_DER, tells("NotifyDERStartStop", {"controlId": "a", "started": True,
                                                "timestamp": AT})],
         "der-controls", {**DER, "is_started": True, "started_at": AT}),
    Case("SetDefaultTariff", "2.1", [SET_TARIFF], "tariffs",
         {"tariff_id": "t", "kind": "DefaultTariff", "evse_ids": [1], "currency": "EUR"}),
    Case("ChangeTransactionTariff", "2.1",
         [asks("ChangeTransactionTariff", {"transactionId": "T-1", "tariff": tariff("d")})],
         "tariffs", {"tariff_id": "d", "kind": "DriverTariff", "transaction_id": "T-1"}),
    Case("GetTariffs", "2.1",
         [asks("GetTariffs", {"evseId": 0}, {**ACCEPTED, "tariffAssignments": [
             {"tariffId": "g", "tariffKind": "DefaultTariff", "evseIds": [2]}]})],
         "tariffs", {"tariff_id": "g", "kind": "DefaultTariff", "evse_ids": [2]}),
    Case("ClearTariffs", "2.1",
         [SET_TARIFF, asks("ClearTariffs", {"tariffIds": ["t"]}, {"clearTariffsResult": [
             {"tariffId": "t", **ACCEPTED}]})],
         "tariffs", None),
    Case("OpenPeriodicEventStream", "2.1", [OPEN_STREAM], "event-streams",
         {"stream_id": 1, "monitor_id": 9, "interval": 2, "values": 5}),
    Case("AdjustPeriodicEventStream", "2.1",
         [OPEN_STREAM, asks("AdjustPeriodicEventStream", {"id": 1, "params": {"interval": 9}})],
         "event-streams", {"stream_id": 1, "interval": 9, "values": 5}),
    Case("NotifyPeriodicEventStream", "2.1",
         [OPEN_STREAM, Step("sends", "NotifyPeriodicEventStream", {
             "id": 1, "pending": 0, "basetime": AT, "data": [{"t": 1, "v": "7"}]}, {})],
         "event-streams", {"stream_id": 1, "monitor_id": 9, "last_value": "7",
                           "last_at": "2026-01-02T03:04:06Z"}),
    Case("GetPeriodicEventStream", "2.1",
         [asks("GetPeriodicEventStream", {}, {"constantStreamData": [STREAM]})],
         "event-streams", {"stream_id": 1, "monitor_id": 9}),
    Case("ClosePeriodicEventStream", "2.1",
         [OPEN_STREAM, tells("ClosePeriodicEventStream", {"id": 1})], "event-streams", None),
    Case("NotifyAllowedEnergyTransfer", "2.1",
         [asks("NotifyAllowedEnergyTransfer", {"transactionId": "T-1",
                                               "allowedEnergyTransfer": ["DC"]})],
         "energy-transfers", {"transaction_id": "T-1", "allowed_energy_transfer": ["DC"]}),
    Case("AFRRSignal", "2.1", [asks("AFRRSignal", {"timestamp": AT, "signal": 5})],
         "afrr-signals", {"signal": 5, "at": AT}),
    Case("RequestBatterySwap", "2.1",
         [asks("RequestBatterySwap", {"requestId": 1, "idToken": TOKEN})],
         "battery-swaps", {"request_id": 1, "state": "requested"}),
    Case("BatterySwap", "2.1",
         [tells("BatterySwap", {"requestId": 1, "idToken": TOKEN, "eventType": "BatteryIn",
                                "batteryData": [{"evseId": 1, "serialNumber": "B2", "soC": 9,
                                                 "soH": 98}]})],
         "battery-swaps", {"request_id": 1, "state": "returned", "batteries_in": [
             {"evse_id": 1, "serial_number": "B2", "soc": 9, "soh": 98}]}),
    Case("BatterySwap", "2.1",
         [tells("BatterySwap", {"requestId": 1, "idToken": TOKEN, "eventType": "BatteryOut",
                                "batteryData": [{"evseId": 1, "serialNumber": "B1", "soC": 90,
                                                 "soH": 99}]})],
         "battery-swaps", {"request_id": 1, "state": "taken", "batteries_out": [
             {"evse_id": 1, "serial_number": "B1", "soc": 90, "soh": 99}]}),
    Case("NotifySettlement", "2.1",
         [tells("NotifySettlement", {"pspRef": "P1", "status": "Settled", "settlementTime": AT,
                                     "settlementAmount": 12.34})],
         "settlements", {"psp_ref": "P1", "status": "Settled", "settlement_amount": 12.34}),
    Case("NotifyWebPaymentStarted", "2.1",
         [tells("NotifyWebPaymentStarted", {"evseId": 2, "timeout": 60})],
         "web-payments", {"evse_id": 2, "timeout_s": 60}),
    Case("VatNumberValidation", "2.1",
         [tells("VatNumberValidation", {"vatNumber": "DE1", "evseId": 2},
                {"vatNumber": "DE1", "status": "Rejected"})],
         "vat-checks", {"evse_id": 2, "country": "DE", "answer": "Rejected"}),
)  # fmt: skip

ALIKE_IN_16 = {
    "CertificateSigned", "GetLog", "LogStatusNotification", "SecurityEventNotification",
    "SignCertificate",
}  # fmt: skip
"""Of the security extension, which has the words of 2.0.1."""

CASES = (
    *CASES_16,
    *(case._replace(version="1.6") for case in CASES_201 if case.action in ALIKE_IN_16),
    *CASES_201,
    *(case._replace(version="2.0.1") for case in CASES_21 if case.action in OUTBOUND["2.0.1"]),
    *(
        case._replace(version="2.1")
        for case in CASES_201
        if case.action != "NotifyMonitoringReport"
    ),
    *CASES_21,
)
