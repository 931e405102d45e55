"""How a station answers the central system's CALLs, and what it does afterwards.

An answer is decided at once and sent; its effect (`then`) begins only after that, and never waits
for an answer of the same socket.
"""

from collections.abc import Callable

from infra.simulator import frames
from infra.simulator.answers import known_action
from infra.simulator.connector import Connector
from infra.simulator.features_16 import FEATURES, remote_stop, sign_certificate
from infra.simulator.json_types import Configuration, Json, Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer, CallError, status
from infra.simulator.station import Station


def default_configuration() -> Configuration:
    return {
        "AllowOfflineTxForUnknownId": ("true", False),
        "AuthorizeRemoteTxRequests": ("false", True),
        "ConnectionTimeOut": ("60", False),
        "GetConfigurationMaxKeys": ("50", True),
        "HeartbeatInterval": ("300", False),
        "MeterValueSampleInterval": ("60", False),
        "MeterValuesSampledData": (
            "Energy.Active.Import.Register,Power.Active.Import,SoC,Current.Import",
            True,
        ),
        "NumberOfConnectors": ("2", True),
        "StopTransactionOnInvalidId": ("false", True),
        "SupportedFeatureProfiles": (
            "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,"
            "RemoteTrigger",
            True,
        ),
        "TransactionMessageAttempts": ("3", True),
        "WebSocketPingInterval": ("60", False),
    }


def answer(station: Station, action: str, payload: Json, *, valid: bool) -> Answer:
    decide = COMMANDS.get(action)
    if decide is None:
        code = "NotSupported" if known_action(action) else "NotImplemented"
        return Answer(CallError(code, action))
    if not valid:
        return Answer(CallError("FormationViolation", "not valid by the schema"))
    return decide(station, payload)


def _remote_start(station: Station, payload: Payload) -> Answer:
    wanted = payload.get("connectorId")
    for connector in station.connectors:
        if wanted in (None, connector.id) and connector.start_remotely(payload["idTag"]):
            return status("Accepted")
    return status("Rejected")


def _reset(station: Station, payload: Payload) -> Answer:
    for connector in station.connectors:
        connector.end_session(f"{payload['type']}Reset")
    return status("Accepted", station.reboot)


def _unlock(station: Station, payload: Payload) -> Answer:
    connector = _connector(station, payload["connectorId"])
    if connector is None:
        return status("NotSupported")
    connector.end_session("UnlockCommand")
    return status("Unlocked")


def _change_availability(station: Station, payload: Payload) -> Answer:
    wanted = payload["connectorId"]
    chosen = [each for each in station.connectors if wanted in (0, each.id)]
    if not chosen:
        return status("Rejected")
    operative = payload["type"] == "Operative"
    scheduled = [each for each in chosen if not each.change_availability(operative)]
    return status("Scheduled" if scheduled else "Accepted")


def _change_configuration(station: Station, payload: Payload) -> Answer:
    key, value = payload["key"], payload["value"]
    if key == "AuthorizationKey":
        station.password = value
        return status("Accepted")
    if key not in station.configuration:
        return status("NotSupported")
    old, read_only = station.configuration[key]
    if read_only or (old.isdigit() and not value.isdigit()):
        return status("Rejected")
    station.configuration[key] = (value, False)
    return status("Accepted")


def _get_configuration(station: Station, payload: Payload) -> Answer:
    asked = payload.get("key") or list(station.configuration)
    known = [
        {
            "key": key,
            "readonly": station.configuration[key][1],
            "value": station.configuration[key][0],
        }
        for key in asked
        if key in station.configuration
    ]
    unknown = [key for key in asked if key not in station.configuration]
    return Answer({"configurationKey": known} | ({"unknownKey": unknown} if unknown else {}))


def _trigger(station: Station, payload: Payload) -> Answer:
    wanted = payload.get("connectorId")
    chosen = [each for each in station.connectors if wanted in (None, 0, each.id)]
    if not chosen:
        return status("Rejected")
    messages: list[Message] = []
    match payload["requestedMessage"]:
        case "BootNotification":
            messages = [Message(action="BootNotification", payload=frames.boot(station.name))]
        case "Heartbeat":
            messages = [Message(action="Heartbeat", payload={})]
        case "StatusNotification":
            messages = [connector.announcement() for connector in chosen]
        case "MeterValues":
            messages = [connector.reading() for connector in chosen]
        case "FirmwareStatusNotification" | "DiagnosticsStatusNotification" as action:
            messages = [Message(action=action, payload={"status": "Idle"})]
        case "LogStatusNotification" as action:
            messages = [Message(action=action, payload={"status": "Idle"})]
        case "SignChargePointCertificate":
            messages = [sign_certificate(station)]
        case _:
            return status("NotImplemented")

    async def send() -> None:
        station.outbox.put_first(messages)

    return status("Accepted", send)


def _data_transfer(station: Station, payload: Payload) -> Answer:
    if payload["vendorId"] != frames.VENDOR:
        return status("UnknownVendorId")
    data = payload.get("data")
    return Answer({"status": "Accepted"} | ({} if data is None else {"data": data}))


def _clear_cache(station: Station, payload: Payload) -> Answer:
    return status("Accepted")


def _connector(station: Station, connector_id: int) -> Connector | None:
    return next((each for each in station.connectors if each.id == connector_id), None)


COMMANDS: dict[str, Callable[[Station, Payload], Answer]] = {
    **FEATURES,
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "DataTransfer": _data_transfer,
    "ExtendedTriggerMessage": _trigger,
    "GetConfiguration": _get_configuration,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": remote_stop,
    "Reset": _reset,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
}
