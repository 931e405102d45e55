"""How a station of OCPP 2.0.1 or 2.1 answers the central system's CALLs, and what it does then.

As in 1.6: an answer is decided at once, its effect begins after it was sent. What is asked of an
EVSE is asked of its only connector. Actions that are not in the table are known and not supported.
"""

from collections.abc import Callable

from infra.simulator import device_2, features_2, frames, frames_2
from infra.simulator.answers import known_action
from infra.simulator.connector import Connector
from infra.simulator.features_16 import remote_stop, sign_certificate
from infra.simulator.json_types import Json, Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer, CallError, status
from infra.simulator.station import Station


def answer(station: Station, action: str, payload: Json, *, version: str, valid: bool) -> Answer:
    decide = COMMANDS.get(action)
    if decide is None or not known_action(action, version):
        code = "NotSupported" if known_action(action, version) else "NotImplemented"
        return Answer(CallError(code, action))
    if not valid:
        return Answer(CallError("FormatViolation", "not valid by the schema"))
    return decide(station, payload)


def _remote_start(station: Station, payload: Payload) -> Answer:
    wanted, token = payload.get("evseId"), payload["idToken"]
    profile = payload.get("chargingProfile")
    if profile is not None and profile["chargingProfilePurpose"] != "TxProfile":
        return status("Rejected")
    group = payload.get("groupIdToken", {}).get("idToken", "")
    for connector in station.connectors:
        if wanted in (None, connector.id) and connector.start_remotely(
            token["idToken"],
            id_token_type=token["type"],
            group=group,
            remote_start_id=payload["remoteStartId"],
        ):
            if profile is not None:
                station.features.profiles[profile["id"]] = profile | {"evseId": connector.id}
            return status("Accepted")
    return status("Rejected")


def _reset(station: Station, payload: Payload) -> Answer:
    if "evseId" in payload:
        # No EVSE of it has AllowReset (2.0.1, B12).
        return status("Rejected")
    running = [each for each in station.connectors if each.transaction is not None]
    if payload["type"] == "OnIdle" and running:
        station.resets_when_idle = True
        return status("Scheduled")
    for connector in running:
        connector.end_session("ImmediateReset")
    station.boot_reason = "ScheduledReset" if payload["type"] == "OnIdle" else "RemoteReset"
    return status("Accepted", station.reboot)


def _unlock(station: Station, payload: Payload) -> Answer:
    connector = features_2.evse(station, payload["evseId"])
    if connector is None or payload["connectorId"] != 1:
        return status("UnknownConnector")
    return status("Unlocked" if connector.transaction is None else "OngoingAuthorizedTransaction")


def _change_availability(station: Station, payload: Payload) -> Answer:
    chosen = _chosen(station, payload)
    if not chosen:
        return status("Rejected")
    operative = payload["operationalStatus"] == "Operative"
    scheduled = [each for each in chosen if not each.change_availability(operative)]
    return status("Scheduled" if scheduled else "Accepted")


def _trigger(station: Station, payload: Payload) -> Answer:
    chosen = _chosen(station, payload)
    if not chosen:
        return status("Rejected")
    messages: list[Message] = []
    match payload["requestedMessage"]:
        case "BootNotification" as action:
            messages = [Message(action=action, payload=frames_2.boot(station.name, "Triggered"))]
        case "Heartbeat" as action:
            messages = [Message(action=action, payload={})]
        case "StatusNotification":
            messages = [connector.announcement() for connector in chosen]
        case "MeterValues":
            messages = [connector.reading() for connector in chosen]
        case "FirmwareStatusNotification" | "LogStatusNotification" as action:
            messages = [Message(action=action, payload={"status": "Idle"})]
        case "SignChargingStationCertificate":
            messages = [sign_certificate(station)]
        case _:
            return status("NotImplemented")

    async def send() -> None:
        station.outbox.put_first(messages)

    return status("Accepted", send)


def _chosen(station: Station, payload: Payload) -> list[Connector]:
    """Return the EVSEs that are meant; all of them where none is named."""
    evse = payload.get("evse", {})
    if evse.get("connectorId", 1) != 1:
        return []
    return [each for each in station.connectors if evse.get("id", 0) in (0, each.id)]


def _data_transfer(station: Station, payload: Payload) -> Answer:
    if payload["vendorId"] != frames.VENDOR:
        return status("UnknownVendorId")
    data = payload.get("data")
    return Answer({"status": "Accepted"} | ({} if data is None else {"data": data}))


def _clear_cache(station: Station, payload: Payload) -> Answer:
    return status("Accepted")


COMMANDS: dict[str, Callable[[Station, Payload], Answer]] = {
    "CancelReservation": features_2.cancel_reservation,
    "ChangeAvailability": _change_availability,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": features_2.clear_profile,
    "DataTransfer": _data_transfer,
    "GetBaseReport": device_2.base_report,
    "GetChargingProfiles": features_2.get_profiles,
    "GetLocalListVersion": features_2.local_list_version,
    "GetLog": features_2.get_log,
    "GetReport": device_2.report,
    "GetVariables": device_2.get_variables,
    "RequestStartTransaction": _remote_start,
    "RequestStopTransaction": remote_stop,
    "ReserveNow": features_2.reserve,
    "Reset": _reset,
    "SendLocalList": features_2.send_local_list,
    "SetChargingProfile": features_2.set_profile,
    "SetVariables": device_2.set_variables,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": features_2.update_firmware,
}
