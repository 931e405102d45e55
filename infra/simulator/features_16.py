"""The optional profiles of OCPP 1.6, as a simulated station has them: it keeps what it is given.

Nothing here limits a charging session: a profile is remembered and reported, and power stays as the
session's plan has it.
"""

from collections.abc import Callable
from hashlib import sha256

from infra.simulator.json_types import Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer, status
from infra.simulator.station import Station

FIRMWARE_STATES = ("Downloading", "Downloaded", "Installing", "Installed")
SIGNED_FIRMWARE_STATES = (
    "Downloading",
    "Downloaded",
    "SignatureVerified",
    "Installing",
    "Installed",
)
LOG_STATES = ("Uploading", "Uploaded")


def _local_list_version(station: Station, _: Payload) -> Answer:
    return Answer({"listVersion": station.features.local_list_version})


def _send_local_list(station: Station, payload: Payload) -> Answer:
    features, version = station.features, payload["listVersion"]
    entries = payload.get("localAuthorizationList", [])
    if payload["updateType"] == "Differential" and version <= features.local_list_version:
        return status("VersionMismatch")
    if payload["updateType"] == "Full":
        features.local_list = {}
    for entry in entries:
        if "idTagInfo" in entry:
            features.local_list[entry["idTag"]] = entry["idTagInfo"]
        else:
            features.local_list.pop(entry["idTag"], None)
    features.local_list_version = version
    return status("Accepted")


def _reserve(station: Station, payload: Payload) -> Answer:
    connector_id = payload["connectorId"]
    known = [each for each in station.connectors if connector_id in (0, each.id)]
    if not known:
        return status("Rejected")
    if all(each.transaction is not None for each in known):
        return status("Occupied")
    station.features.reservations[payload["reservationId"]] = connector_id
    return status("Accepted")


def _cancel_reservation(station: Station, payload: Payload) -> Answer:
    found = station.features.reservations.pop(payload["reservationId"], None)
    return status("Rejected" if found is None else "Accepted")


def _set_profile(station: Station, payload: Payload) -> Answer:
    profile = payload["csChargingProfiles"]
    connector_id, purpose = payload["connectorId"], profile["chargingProfilePurpose"]
    running = [each for each in station.connectors if each.id == connector_id and each.transaction]
    if purpose == "TxProfile" and not running:
        return status("Rejected")
    if purpose == "ChargePointMaxProfile" and connector_id != 0:
        return status("Rejected")
    station.features.profiles[profile["chargingProfileId"]] = profile | {
        "connectorId": connector_id
    }
    return status("Accepted")


def remote_stop(station: Station, payload: Payload) -> Answer:
    for connector in station.connectors:
        running = connector.transaction
        if running is not None and running.transaction_id == payload["transactionId"]:
            connector.end_session("Remote")
            return status("Accepted")
    return status("Rejected")


def _clear_profile(station: Station, payload: Payload) -> Answer:
    def is_meant(profile_id: int, profile: Payload) -> bool:
        if "id" in payload:
            return bool(payload["id"] == profile_id)
        names = ("connectorId", "chargingProfilePurpose", "stackLevel")
        return all(payload[name] == profile[name] for name in names if name in payload)

    return clear_profiles(station, is_meant)


def clear_profiles(station: Station, is_meant: Callable[[int, Payload], bool]) -> Answer:
    """`is_meant` is asked with the id of each profile and with the profile."""
    profiles = station.features.profiles
    meant = [each for each, profile in profiles.items() if is_meant(each, profile)]
    for profile_id in meant:
        del profiles[profile_id]
    return status("Accepted" if meant else "Unknown")


def _composite_schedule(station: Station, payload: Payload) -> Answer:
    connector_id = payload["connectorId"]
    profiles = station.features.profiles.values()
    for profile in sorted(profiles, key=lambda each: -each["stackLevel"]):
        if profile["connectorId"] in (0, connector_id):
            schedule = profile["chargingSchedule"]
            return Answer(
                {
                    "status": "Accepted",
                    "connectorId": connector_id,
                    "chargingSchedule": schedule | {"duration": payload["duration"]},
                }
            )
    return status("Rejected")


def _told(station: Station, action: str, states: tuple[str, ...], more: Payload) -> Answer:
    async def tell() -> None:
        told = [Message(action=action, payload={"status": state, **more}) for state in states]
        station.outbox.put_first(told)

    return Answer({}, tell)


def _update_firmware(station: Station, _: Payload) -> Answer:
    return _told(station, "FirmwareStatusNotification", FIRMWARE_STATES, {})


def _signed_update_firmware(station: Station, payload: Payload) -> Answer:
    action, number = "SignedFirmwareStatusNotification", {"requestId": payload["requestId"]}
    told = _told(station, action, SIGNED_FIRMWARE_STATES, number)
    return status("Accepted", told.then)


def _get_diagnostics(station: Station, _: Payload) -> Answer:
    told = _told(station, "DiagnosticsStatusNotification", LOG_STATES, {})
    return Answer({"fileName": f"{station.name}-diagnostics.txt"}, told.then)


def _get_log(station: Station, payload: Payload) -> Answer:
    number = {"requestId": payload["requestId"]}
    told = _told(station, "LogStatusNotification", LOG_STATES, number)
    return Answer({"status": "Accepted", "filename": f"{station.name}.log"}, told.then)


def _certificate_signed(station: Station, payload: Payload) -> Answer:
    return status("Accepted" if "CERTIFICATE" in payload["certificateChain"] else "Rejected")


def _install_certificate(station: Station, payload: Payload) -> Answer:
    if "CERTIFICATE" not in payload["certificate"]:
        return status("Failed")
    serial_number = sha256(payload["certificate"].encode()).hexdigest()[:16]
    station.features.certificates[serial_number] = payload["certificateType"]
    return status("Accepted")


def _hash_of(serial_number: str) -> Payload:
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": sha256(b"name").hexdigest(),
        "issuerKeyHash": sha256(b"key").hexdigest(),
        "serialNumber": serial_number,
    }


def _certificate_ids(station: Station, payload: Payload) -> Answer:
    found = [
        _hash_of(serial_number)
        for serial_number, use in station.features.certificates.items()
        if use == payload["certificateType"]
    ]
    if not found:
        return status("NotFound")
    return Answer({"status": "Accepted", "certificateHashData": found})


def _delete_certificate(station: Station, payload: Payload) -> Answer:
    serial_number = payload["certificateHashData"]["serialNumber"]
    found = station.features.certificates.pop(serial_number, None)
    return status("NotFound" if found is None else "Accepted")


def sign_certificate(station: Station) -> Message:
    csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{station.name}\n-----END CERTIFICATE REQUEST-----"
    return Message(action="SignCertificate", payload={"csr": csr})


FEATURES: dict[str, Callable[[Station, Payload], Answer]] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _certificate_signed,
    "ClearChargingProfile": _clear_profile,
    "DeleteCertificate": _delete_certificate,
    "GetCompositeSchedule": _composite_schedule,
    "GetDiagnostics": _get_diagnostics,
    "GetInstalledCertificateIds": _certificate_ids,
    "GetLocalListVersion": _local_list_version,
    "GetLog": _get_log,
    "InstallCertificate": _install_certificate,
    "ReserveNow": _reserve,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_profile,
    "SignedUpdateFirmware": _signed_update_firmware,
    "UpdateFirmware": _update_firmware,
}
