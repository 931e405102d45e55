"""The table of meanings: OCPP version → action of a station → what it says. Folds read it.

Answers stand in `domain/routes.py`, beside these. What a station tells is believed where what it is
about can be read; what it asks of us, and an action that is not here and carries no state, only if
it keeps its schema.
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
    monitoring,
    ocpp2,
    ocpp16,
    reservations,
)
from domain.readable import has, inside
from domain.told import Meaning, both, holds

_OF_A_JOB = has(texts=("status",), perhaps=("requestId",))
_OF_A_REPORT = has(numbers=("requestId",))
_OF_AN_EVSE = has(numbers=("evseId",))

OCPP16: Mapping[str, Meaning] = {
    "Authorize": Meaning(ocpp16.token_asked, ocpp16.names_id_token),
    "BootNotification": Meaning(ocpp16.booted, ocpp16.names_station),
    "DataTransfer": Meaning(None, ocpp16.names_vendor),
    "DiagnosticsStatusNotification": Meaning(
        holds(jobs.progressed("diagnostics")), ocpp16.has_text("status")
    ),
    "FirmwareStatusNotification": Meaning(
        holds(jobs.progressed("firmware")), ocpp16.has_text("status")
    ),
    "Heartbeat": Meaning(None, lambda _: True),
    "LogStatusNotification": Meaning(holds(jobs.progressed("log")), ocpp16.has_text("status")),
    "MeterValues": Meaning(ocpp16.meter_values, ocpp16.has_values),
    "SecurityEventNotification": Meaning(
        holds(monitoring.security_event, is_history=True), has(texts=("type",))
    ),
    "SignCertificate": Meaning(holds(certificates.signing_asked)),
    "SignedFirmwareStatusNotification": Meaning(
        holds(jobs.progressed("firmware")), ocpp16.has_text("status")
    ),
    "StartTransaction": Meaning(ocpp16.started, ocpp16.names_start),
    "StatusNotification": Meaning(ocpp16.status_reported, ocpp16.names_connector_status),
    "StopTransaction": Meaning(ocpp16.ended, ocpp16.names_transaction),
}
OCPP201: Mapping[str, Meaning] = {
    "Authorize": Meaning(ocpp2.token_asked, ocpp2.names_id_token),
    "BootNotification": Meaning(ocpp2.booted, ocpp2.names_station),
    "ClearedChargingLimit": Meaning(
        holds(charging_profiles.limit_cleared),
        has(texts=("chargingLimitSource",), perhaps=("evseId",)),
    ),
    "FirmwareStatusNotification": Meaning(holds(jobs.progressed("firmware")), _OF_A_JOB),
    "Heartbeat": Meaning(None, lambda _: True),
    "LogStatusNotification": Meaning(holds(jobs.progressed("log")), _OF_A_JOB),
    "MeterValues": Meaning(ocpp2.meter_values, ocpp2.has_values),
    "NotifyChargingLimit": Meaning(
        holds(charging_profiles.limit_told),
        inside("chargingLimit", has(texts=("chargingLimitSource",)), has(perhaps=("evseId",))),
    ),
    "NotifyCustomerInformation": Meaning(holds(customer_information.reported), ocpp2.names_part),
    "NotifyDisplayMessages": Meaning(holds(display_messages.reported), _OF_A_REPORT),
    "NotifyEVChargingNeeds": Meaning(
        holds(charging_profiles.needs_told),
        inside("chargingNeeds", has(texts=("requestedEnergyTransfer",)), _OF_AN_EVSE),
    ),
    "NotifyEVChargingSchedule": Meaning(
        holds(charging_profiles.schedule_told),
        inside("chargingSchedule", has(numbers=("id",)), _OF_AN_EVSE),
    ),
    "NotifyEvent": Meaning(
        both(holds(monitoring.events, is_history=True), holds(device_model.event_values)),
        ocpp2.has_events,
    ),
    "NotifyMonitoringReport": Meaning(holds(monitoring.reported), ocpp2.names_part),
    "NotifyReport": Meaning(holds(device_model.reported), ocpp2.names_part),
    "PublishFirmwareStatusNotification": Meaning(
        holds(jobs.progressed("publish-firmware")), _OF_A_JOB
    ),
    "ReportChargingProfiles": Meaning(holds(charging_profiles.reported), _OF_A_REPORT),
    "ReservationStatusUpdate": Meaning(
        holds(reservations.updated),
        has(numbers=("reservationId",), texts=("reservationUpdateStatus",)),
    ),
    "SecurityEventNotification": Meaning(
        holds(monitoring.security_event, is_history=True), has(texts=("type",))
    ),
    "SignCertificate": Meaning(holds(certificates.signing_asked)),
    "StatusNotification": Meaning(ocpp2.status_reported, ocpp2.names_connector_status),
    "TransactionEvent": Meaning(ocpp2.transaction_event, ocpp2.names_transaction),
}
OCPP21: Mapping[str, Meaning] = {
    **OCPP201,
    "BatterySwap": Meaning(
        holds(energy_offers.swapped), has(numbers=("requestId",), texts=("eventType",))
    ),
    "ClosePeriodicEventStream": Meaning(holds(monitoring.stream_closed), has(numbers=("id",))),
    "NotifyDERAlarm": Meaning(
        holds(der_controls.alarm, is_history=True), has(texts=("controlType",))
    ),
    "NotifyDERStartStop": Meaning(
        holds(der_controls.started_or_stopped), has(texts=("controlId",), truths=("started",))
    ),
    "NotifyPeriodicEventStream": Meaning(holds(monitoring.stream_values), has(numbers=("id",))),
    "NotifyPriorityCharging": Meaning(
        holds(charging_profiles.priority_told), has(texts=("transactionId",), truths=("activated",))
    ),
    "NotifySettlement": Meaning(
        both(holds(energy_offers.settled, is_history=True), ocpp2.settlement_reported),
        has(texts=("pspRef", "status")),
    ),
    "NotifyWebPaymentStarted": Meaning(holds(energy_offers.web_payment_started), _OF_AN_EVSE),
    "OpenPeriodicEventStream": Meaning(holds(monitoring.stream_opened)),
    "PullDynamicScheduleUpdate": Meaning(holds(charging_profiles.dynamically_updated)),
    "ReportDERControl": Meaning(holds(der_controls.reported), _OF_A_REPORT),
    "VatNumberValidation": Meaning(holds(energy_offers.vat_number_asked)),
}

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "1.6": OCPP16,
    "2.0.1": OCPP201,
    "2.1": OCPP21,
}
