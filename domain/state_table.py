"""The table of what actions of ours change in a station's state: OCPP version → action → fold.

What stations tell unasked stands in `domain/meanings.py`. `ASKED` is folded when the CALL is on its
way, `ANSWERED` when the station's result is in the log. An action that is not here changes no state
by its answer: what it brings about, the station tells in a CALL of its own.
"""

from collections.abc import Mapping

from domain import (
    certificates,
    charging_profiles,
    customer_information,
    der_controls,
    device_model,
    display_messages,
    energy_offers,
    jobs,
    local_list,
    monitoring,
    network_profiles,
    reservations,
    station_tariffs,
)
from domain.holdings import Fold

_ASKED_16: Mapping[str, Fold] = {
    "GetDiagnostics": jobs.asked("diagnostics", jobs.location),
    "GetLog": jobs.asked("log", jobs.log_location),
    "SignedUpdateFirmware": jobs.asked("firmware", jobs.firmware_location),
    "UpdateFirmware": jobs.asked("firmware", jobs.location),
}
_ASKED_201: Mapping[str, Fold] = {
    "CustomerInformation": customer_information.report_asked,
    "GetBaseReport": device_model.base_report_asked,
    "GetChargingProfiles": charging_profiles.report_asked,
    "GetDisplayMessages": display_messages.report_asked,
    "GetLog": jobs.asked("log", jobs.log_location),
    "GetMonitoringReport": monitoring.report_asked,
    "GetReport": device_model.report_asked,
    "PublishFirmware": jobs.asked("publish-firmware", jobs.location),
    "UnpublishFirmware": jobs.asked("unpublish-firmware", jobs.location),
    "UpdateFirmware": jobs.asked("firmware", jobs.firmware_location),
}
_ASKED_21: Mapping[str, Fold] = {
    **_ASKED_201,
    "GetDERControl": der_controls.report_asked,
}

_ANSWERED_16: Mapping[str, Fold] = {
    "CancelReservation": reservations.cancelled,
    "CertificateSigned": certificates.signed,
    "ChangeConfiguration": device_model.configuration_set,
    "ClearChargingProfile": charging_profiles.cleared_16,
    "DeleteCertificate": certificates.deleted,
    "GetCompositeSchedule": charging_profiles.composite_got_16,
    "GetConfiguration": device_model.configuration_got,
    "GetDiagnostics": jobs.answered,
    "GetInstalledCertificateIds": certificates.listed_16,
    "GetLocalListVersion": local_list.version_got,
    "GetLog": jobs.answered,
    "InstallCertificate": certificates.installed,
    "RemoteStartTransaction": charging_profiles.started_16,
    "ReserveNow": reservations.made_16,
    "SendLocalList": local_list.sent,
    "SetChargingProfile": charging_profiles.set_16,
    "SignedUpdateFirmware": jobs.answered,
    "UpdateFirmware": jobs.answered,
}
_ANSWERED_201: Mapping[str, Fold] = {
    "CancelReservation": reservations.cancelled,
    "CertificateSigned": certificates.signed,
    "ClearChargingProfile": charging_profiles.cleared_2,
    "ClearDisplayMessage": display_messages.cleared,
    "ClearVariableMonitoring": monitoring.monitors_cleared,
    "CostUpdated": station_tariffs.cost_told,
    "CustomerInformation": customer_information.report_answered,
    "DeleteCertificate": certificates.deleted,
    "GetBaseReport": device_model.report_answered,
    "GetChargingProfiles": charging_profiles.report_answered,
    "GetCompositeSchedule": charging_profiles.composite_got_2,
    "GetDisplayMessages": display_messages.report_answered,
    "GetInstalledCertificateIds": certificates.listed_2,
    "GetLocalListVersion": local_list.version_got,
    "GetLog": jobs.answered,
    "GetMonitoringReport": monitoring.report_answered,
    "GetReport": device_model.report_answered,
    "GetVariables": device_model.got,
    "InstallCertificate": certificates.installed,
    "PublishFirmware": jobs.answered,
    "RequestStartTransaction": charging_profiles.started_2,
    "ReserveNow": reservations.made_2,
    "SendLocalList": local_list.sent,
    "SetChargingProfile": charging_profiles.set_2,
    "SetDisplayMessage": display_messages.was_set,
    "SetMonitoringBase": monitoring.base_set,
    "SetMonitoringLevel": monitoring.level_set,
    "SetNetworkProfile": network_profiles.was_set,
    "SetVariableMonitoring": monitoring.monitors_set,
    "SetVariables": device_model.was_set,
    "UnpublishFirmware": jobs.answered,
    "UpdateFirmware": jobs.answered,
}
_ANSWERED_21: Mapping[str, Fold] = {
    **_ANSWERED_201,
    "AFRRSignal": energy_offers.afrr_signalled,
    "AdjustPeriodicEventStream": monitoring.stream_adjusted,
    "ChangeTransactionTariff": station_tariffs.transaction_changed,
    "ClearDERControl": der_controls.cleared,
    "ClearTariffs": station_tariffs.cleared,
    "GetDERControl": der_controls.report_answered,
    "GetPeriodicEventStream": monitoring.streams_got,
    "GetTariffs": station_tariffs.got,
    "NotifyAllowedEnergyTransfer": energy_offers.transfer_allowed,
    "RequestBatterySwap": energy_offers.swap_requested,
    "SetDERControl": der_controls.was_set,
    "SetDefaultTariff": station_tariffs.default_set,
    "UpdateDynamicSchedule": charging_profiles.dynamically_updated,
    "UsePriorityCharging": charging_profiles.priority_used,
}

ASKED: Mapping[str, Mapping[str, Fold]] = {
    "1.6": _ASKED_16,
    "2.0.1": _ASKED_201,
    "2.1": _ASKED_21,
}
ANSWERED: Mapping[str, Mapping[str, Fold]] = {
    "1.6": _ANSWERED_16,
    "2.0.1": _ANSWERED_201,
    "2.1": _ANSWERED_21,
}
