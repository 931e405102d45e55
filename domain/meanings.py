"""The table of meanings: OCPP version → action of a station → what it says. Folds read it.

Answers stand in `domain/routes.py`, beside these. An action that is not here is believed only if it
keeps its schema, and carries no state.
"""

from collections.abc import Mapping

from domain import ocpp2, ocpp16
from domain.told import Meaning

OCPP16: Mapping[str, Meaning] = {
    "Authorize": Meaning(None, ocpp16.has_text("idTag")),
    "BootNotification": Meaning(ocpp16.booted, ocpp16.names_station),
    "DataTransfer": Meaning(None, ocpp16.names_vendor),
    "DiagnosticsStatusNotification": Meaning(
        ocpp16.progressed("diagnostics"), ocpp16.has_text("status")
    ),
    "FirmwareStatusNotification": Meaning(ocpp16.progressed("firmware"), ocpp16.has_text("status")),
    "Heartbeat": Meaning(None, lambda _: True),
    "LogStatusNotification": Meaning(ocpp16.progressed("log"), ocpp16.has_text("status")),
    "MeterValues": Meaning(ocpp16.meter_values, ocpp16.has_values),
    "SignedFirmwareStatusNotification": Meaning(
        ocpp16.progressed("firmware"), ocpp16.has_text("status")
    ),
    "StartTransaction": Meaning(ocpp16.started, ocpp16.names_start),
    "StatusNotification": Meaning(ocpp16.status_reported, ocpp16.names_connector_status),
    "StopTransaction": Meaning(ocpp16.ended, ocpp16.names_transaction),
}
OCPP201: Mapping[str, Meaning] = {
    "Authorize": Meaning(None, ocpp2.names_id_token),
    "BootNotification": Meaning(ocpp2.booted, ocpp2.names_station),
    "Heartbeat": Meaning(None, lambda _: True),
    "MeterValues": Meaning(ocpp2.meter_values, ocpp2.has_values),
    "StatusNotification": Meaning(ocpp2.status_reported, ocpp2.names_connector_status),
    "TransactionEvent": Meaning(ocpp2.transaction_event, ocpp2.names_transaction),
}
OCPP21: Mapping[str, Meaning] = {
    **OCPP201,
}

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "1.6": OCPP16,
    "2.0.1": OCPP201,
    "2.1": OCPP21,
}
