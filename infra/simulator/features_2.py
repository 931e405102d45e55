"""Local list, profiles, reservations, firmware and logs of a simulated station of OCPP 2.x.

It keeps what it is given. A reservation keeps its EVSE from everybody else until it is used,
cancelled or over; a profile is remembered and reported, and limits nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from infra.simulator.connector import Connector
from infra.simulator.device_2 import ITEMS_MAX
from infra.simulator.features_16 import LOG_STATES, SIGNED_FIRMWARE_STATES, clear_profiles
from infra.simulator.json_types import Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer, CallError, status
from infra.simulator.reservation import Reservation
from infra.simulator.station import Station

FIRMWARE_STATES = ("Downloading", "Downloaded", "Installing", "Installed")


def local_list_version(station: Station, _: Payload) -> Answer:
    return Answer({"versionNumber": station.features.local_list_version})


def send_local_list(station: Station, payload: Payload) -> Answer:
    features, version = station.features, payload["versionNumber"]
    entries = payload.get("localAuthorizationList", [])
    if len(entries) > ITEMS_MAX:
        sentence = f"{len(entries)} items, where {ITEMS_MAX} are taken"
        return Answer(CallError("OccurrenceConstraintViolation", sentence))
    if payload["updateType"] == "Differential" and version <= features.local_list_version:
        return status("VersionMismatch")
    if payload["updateType"] == "Full":
        features.local_list = {}
    for entry in entries:
        token = entry["idToken"]["idToken"]
        if "idTokenInfo" in entry:
            features.local_list[token] = entry["idTokenInfo"]
        else:
            features.local_list.pop(token, None)
    features.local_list_version = version
    return status("Accepted")


def reserve(station: Station, payload: Payload) -> Answer:
    connector = evse(station, payload.get("evseId"))
    expires_at = read_moment(payload["expiryDateTime"])
    if connector is None or expires_at is None or expires_at <= station.witness.wall():
        return status("Rejected")
    reservation = Reservation(
        id=payload["id"],
        id_tokens=frozenset(
            payload[name]["idToken"].casefold()
            for name in ("idToken", "groupIdToken")
            if name in payload
        ),
        expires_at=expires_at,
    )
    before = [each for each, kept in reserved(station) if kept.id == reservation.id]
    answered = connector.reserve(reservation)
    if answered == "Accepted":
        for each in before:
            if each is not connector:
                each.release()
        station.reserved.set()
    return status(answered)


def cancel_reservation(station: Station, payload: Payload) -> Answer:
    for connector, reservation in reserved(station):
        if reservation.id == payload["reservationId"]:
            connector.release()
            return status("Accepted")
    return status("Rejected")


def expired(station: Station) -> list[Message]:
    """Give back what is reserved no longer; return what the central system is told of it."""
    now, messages = station.witness.wall(), []
    for connector, reservation in reserved(station):
        if reservation.expires_at <= now:
            connector.release()
            payload = {"reservationId": reservation.id, "reservationUpdateStatus": "Expired"}
            messages.append(Message(action="ReservationStatusUpdate", payload=payload))
    return messages


def reserved(station: Station) -> list[tuple["Connector", Reservation]]:
    return [(each, each.reservation) for each in station.connectors if each.reservation is not None]


def set_profile(station: Station, payload: Payload) -> Answer:
    profile, evse_id = payload["chargingProfile"], payload["evseId"]
    chosen = evse(station, evse_id)
    if chosen is None and evse_id != 0:
        return status("Rejected")
    match profile["chargingProfilePurpose"]:
        case "TxProfile":
            running = chosen.transaction if chosen is not None else None
            if running is None or profile.get("transactionId") != running.transaction_id:
                return status("Rejected")
        case "ChargingStationMaxProfile" | "ChargingStationExternalConstraints" if evse_id != 0:
            return status("Rejected")
        case _:
            pass
    station.features.profiles[profile["id"]] = profile | {"evseId": evse_id}
    return status("Accepted")


def clear_profile(station: Station, payload: Payload) -> Answer:
    criteria = payload.get("chargingProfileCriteria", {})

    def is_meant(profile_id: int, profile: Payload) -> bool:
        if "chargingProfileId" in payload:
            return bool(payload["chargingProfileId"] == profile_id)
        names = ("evseId", "chargingProfilePurpose", "stackLevel")
        return all(criteria[name] == profile[name] for name in names if name in criteria)

    return clear_profiles(station, is_meant)


def get_profiles(station: Station, payload: Payload) -> Answer:
    found = list(_asked_profiles(station, payload))
    if not found:
        return status("NoProfiles")

    async def tell() -> None:
        station.outbox.put_first(
            [
                Message(
                    action="ReportChargingProfiles",
                    payload={
                        "requestId": payload["requestId"],
                        "chargingLimitSource": "CSO",
                        "evseId": profile["evseId"],
                        "chargingProfile": [{k: v for k, v in profile.items() if k != "evseId"}],
                        "tbc": number < len(found),
                    },
                )
                for number, profile in enumerate(found, 1)
            ]
        )

    return status("Accepted", tell)


def _asked_profiles(station: Station, payload: Payload) -> Iterator[Payload]:
    criterion = payload["chargingProfile"]
    for profile_id, profile in station.features.profiles.items():
        if payload.get("evseId") not in (None, profile["evseId"]):
            continue
        if "chargingProfileId" in criterion and profile_id not in criterion["chargingProfileId"]:
            continue
        names = ("chargingProfilePurpose", "stackLevel")
        if all(criterion[name] == profile[name] for name in names if name in criterion):
            yield profile


def update_firmware(station: Station, payload: Payload) -> Answer:
    states = SIGNED_FIRMWARE_STATES if "signature" in payload["firmware"] else FIRMWARE_STATES
    return status("Accepted", _telling(station, "FirmwareStatusNotification", states, payload).then)


def get_log(station: Station, payload: Payload) -> Answer:
    told = _telling(station, "LogStatusNotification", LOG_STATES, payload)
    return Answer({"status": "Accepted", "filename": f"{station.name}.log"}, told.then)


def _telling(station: Station, action: str, states: tuple[str, ...], payload: Payload) -> Answer:
    number = payload["requestId"]

    async def tell() -> None:
        station.outbox.put_first(
            [
                Message(action=action, payload={"status": state, "requestId": number})
                for state in states
            ]
        )

    return Answer({}, tell)


def evse(station: Station, evse_id: int | None) -> Connector | None:
    return next((each for each in station.connectors if each.id == evse_id), None)


def read_moment(text: str) -> datetime | None:
    """Return the time; one without a zone is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
