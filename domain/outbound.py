"""The table of what we ask of stations: OCPP version → action → how its effect is seen.

An action that is not here is none that a central system sends in that version. Its payload is that
of the official schema of the same name. Of what 2.1 sends without asking for an answer (SEND),
nothing comes from the central system.
"""

from collections.abc import Mapping

from domain.command_effects import (
    Effect,
    available_2,
    available_16,
    booted,
    ended,
    job,
    report,
    reserved,
    started_2,
    started_16,
    triggered,
)

_ANSWER = Effect("the answer accepts it")
_RESULT = Effect("the answer has it", accepts_any=True)
_BOOT = Effect("BootNotification", booted)
_FIRMWARE_FAILED = (
    "DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature",
)  # fmt: skip
_LOG_FAILED = (
    "BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailed", "UploadFailure",
    "AcceptedCanceled",
)  # fmt: skip
_LOG = Effect(
    "LogStatusNotification: Uploaded",
    job("LogStatusNotification", done="Uploaded", failed=_LOG_FAILED),
)
_TRIGGER = Effect("the message itself", triggered)

_OCPP16: Mapping[str, Effect] = {
    "CancelReservation": _ANSWER,
    "CertificateSigned": _ANSWER,
    "ChangeAvailability": Effect("StatusNotification", available_16),
    "ChangeConfiguration": _ANSWER,
    "ClearCache": _ANSWER,
    "ClearChargingProfile": _ANSWER,
    "DataTransfer": _ANSWER,
    "DeleteCertificate": _ANSWER,
    "ExtendedTriggerMessage": _TRIGGER,
    "GetCompositeSchedule": _RESULT,
    "GetConfiguration": _RESULT,
    "GetDiagnostics": Effect(
        "DiagnosticsStatusNotification: Uploaded",
        job("DiagnosticsStatusNotification", done="Uploaded", failed=_LOG_FAILED),
    ),
    "GetInstalledCertificateIds": _RESULT,
    "GetLocalListVersion": _RESULT,
    "GetLog": _LOG,
    "InstallCertificate": _ANSWER,
    "RemoteStartTransaction": Effect("StartTransaction with its idTag", started_16),
    "RemoteStopTransaction": Effect("StopTransaction", ended),
    "ReserveNow": Effect("StartTransaction with its reservationId", reserved("reservationId")),
    "Reset": _BOOT,
    "SendLocalList": _ANSWER,
    "SetChargingProfile": _ANSWER,
    "SignedUpdateFirmware": Effect(
        "SignedFirmwareStatusNotification: Installed",
        job("SignedFirmwareStatusNotification", done="Installed", failed=_FIRMWARE_FAILED),
    ),
    "TriggerMessage": _TRIGGER,
    "UnlockConnector": _ANSWER,
    "UpdateFirmware": Effect(
        "FirmwareStatusNotification: Installed",
        job("FirmwareStatusNotification", done="Installed", failed=_FIRMWARE_FAILED),
    ),
}
_OCPP201: Mapping[str, Effect] = {
    "CancelReservation": _ANSWER,
    "CertificateSigned": _ANSWER,
    "ChangeAvailability": Effect("StatusNotification", available_2),
    "ClearCache": _ANSWER,
    "ClearChargingProfile": _ANSWER,
    "ClearDisplayMessage": _ANSWER,
    "ClearVariableMonitoring": _ANSWER,
    "CostUpdated": _ANSWER,
    "CustomerInformation": Effect(
        "NotifyCustomerInformation, all parts, where a report is asked for",
        report("NotifyCustomerInformation"),
        is_answer=lambda asked: asked.get("report") is not True,
    ),
    "DataTransfer": _ANSWER,
    "DeleteCertificate": _ANSWER,
    "GetBaseReport": Effect("NotifyReport, all parts", report("NotifyReport")),
    "GetChargingProfiles": Effect(
        "ReportChargingProfiles, all parts", report("ReportChargingProfiles")
    ),
    "GetCompositeSchedule": _RESULT,
    "GetDisplayMessages": Effect(
        "NotifyDisplayMessages, all parts", report("NotifyDisplayMessages")
    ),
    "GetInstalledCertificateIds": _RESULT,
    "GetLocalListVersion": _RESULT,
    "GetLog": _LOG,
    "GetMonitoringReport": Effect(
        "NotifyMonitoringReport, all parts", report("NotifyMonitoringReport")
    ),
    "GetReport": Effect("NotifyReport, all parts", report("NotifyReport")),
    "GetTransactionStatus": _RESULT,
    "GetVariables": _RESULT,
    "InstallCertificate": _ANSWER,
    "PublishFirmware": Effect(
        "PublishFirmwareStatusNotification: Published",
        job(
            "PublishFirmwareStatusNotification",
            done="Published",
            failed=("DownloadFailed", "InvalidChecksum", "PublishFailed"),
        ),
    ),
    "RequestStartTransaction": Effect("TransactionEvent with its remoteStartId", started_2),
    "RequestStopTransaction": Effect("TransactionEvent: Ended", ended),
    "ReserveNow": Effect(
        "TransactionEvent with its reservationId, or ReservationStatusUpdate", reserved("id")
    ),
    "Reset": Effect("BootNotification; of an EVSE, its StatusNotification", booted),
    "SendLocalList": _ANSWER,
    "SetChargingProfile": _ANSWER,
    "SetDisplayMessage": _ANSWER,
    "SetMonitoringBase": _ANSWER,
    "SetMonitoringLevel": _ANSWER,
    "SetNetworkProfile": _ANSWER,
    "SetVariableMonitoring": _ANSWER,
    "SetVariables": _ANSWER,
    "TriggerMessage": _TRIGGER,
    "UnlockConnector": _ANSWER,
    "UnpublishFirmware": _ANSWER,
    "UpdateFirmware": Effect(
        "FirmwareStatusNotification: Installed",
        job("FirmwareStatusNotification", done="Installed", failed=_FIRMWARE_FAILED),
    ),
}
_OCPP21: Mapping[str, Effect] = {
    **_OCPP201,
    "AdjustPeriodicEventStream": _ANSWER,
    "AFRRSignal": _ANSWER,
    "ChangeTransactionTariff": _ANSWER,
    "ClearDERControl": _ANSWER,
    "ClearTariffs": _ANSWER,
    "GetDERControl": Effect("ReportDERControl, all parts", report("ReportDERControl")),
    "GetPeriodicEventStream": _RESULT,
    "GetTariffs": _RESULT,
    "NotifyAllowedEnergyTransfer": _ANSWER,
    # Implementations disagree on who sends it; a station that does is answered as well.
    "NotifyWebPaymentStarted": _RESULT,
    "RequestBatterySwap": Effect(
        "BatterySwap: BatteryOut",
        job(
            "BatterySwap",
            done="BatteryOut",
            failed=("BatteryOutTimeout",),
            status_member="eventType",
        ),
    ),
    "SetDefaultTariff": _ANSWER,
    "SetDERControl": _ANSWER,
    "UpdateDynamicSchedule": _ANSWER,
    "UsePriorityCharging": _ANSWER,
}

OUTBOUND: Mapping[str, Mapping[str, Effect]] = {
    "1.6": _OCPP16,
    "2.0.1": _OCPP201,
    "2.1": _OCPP21,
}


def effect_of(version: str, action: str) -> Effect:
    """Return how its effect is seen; of an action that is none of ours, by the answer."""
    return OUTBOUND.get(version, {}).get(action, _ANSWER)
