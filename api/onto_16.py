"""Operators' commands as CALLs of OCPP 1.6."""

from collections.abc import Callable, Mapping
from typing import Any

from api import operator_commands as asked
from api.bodies import Body
from api.onto import Call, Cannot, Context, number, present, time_text
from api.settings_names import key_of


def _start(want: asked.Start, _: Context) -> Call:
    return "RemoteStartTransaction", present(idTag=want.id_token, connectorId=want.evse)


def _stop(want: asked.Stop, _: Context) -> Call:
    return "RemoteStopTransaction", {"transactionId": _transaction_id(want.transaction_id)}


def _reset(want: asked.Reset, _: Context) -> Call:
    if want.evse is not None:
        raise Cannot("evse", "OCPP 1.6 resets a whole station")
    return "Reset", {"type": want.type.capitalize()}


def _unlock(want: asked.Unlock, _: Context) -> Call:
    _only_connector(want.connector)
    return "UnlockConnector", {"connectorId": want.evse}


def _change_availability(want: asked.ChangeAvailability, _: Context) -> Call:
    if want.evse is None and want.connector is not None:
        raise Cannot("evse", "a connector is one of an EVSE")
    _only_connector(want.connector)
    kind = "Operative" if want.operative else "Inoperative"
    return "ChangeAvailability", {"connectorId": want.evse or 0, "type": kind}


def _set_limit(want: asked.SetLimit, context: Context) -> Call:
    purpose, evse_id = context.purpose(want, "ChargePointMaxProfile")
    if want.transaction_id is not None and evse_id == 0:
        raise Cannot("evse", "a limit of one transaction needs its EVSE")
    transaction_id = want.transaction_id
    schedule = present(
        duration=want.duration_s,
        startSchedule=None if transaction_id is not None else time_text(context.now),
        chargingRateUnit=want.unit,
        chargingSchedulePeriod=[
            present(startPeriod=0, limit=number(want.limit), numberPhases=want.phases)
        ],
    )
    profile = present(
        chargingProfileId=context.profile_id(purpose, evse_id, want.stack_level),
        transactionId=None if transaction_id is None else _transaction_id(transaction_id),
        stackLevel=want.stack_level,
        chargingProfilePurpose=purpose,
        chargingProfileKind="Absolute" if transaction_id is None else "Relative",
        chargingSchedule=schedule,
    )
    return "SetChargingProfile", {"connectorId": evse_id, "csChargingProfiles": profile}


def _reserve(want: asked.Reserve, context: Context) -> Call:
    return "ReserveNow", {
        "connectorId": want.evse or 0,
        "expiryDate": time_text(want.expires_at),
        "idTag": want.id_token,
        "reservationId": want.reservation_id or context.request_id,
    }


def _cancel_reservation(want: asked.CancelReservation, _: Context) -> Call:
    return "CancelReservation", {"reservationId": want.reservation_id}


def _update_firmware(want: asked.UpdateFirmware, context: Context) -> Call:
    retrieve_at = time_text(want.retrieve_at or context.now)
    retries = present(retries=want.retries, retryInterval=want.retry_interval_s)
    if want.signing_certificate is None and want.signature is None:
        if want.install_at is not None:
            raise Cannot("install_at", "OCPP 1.6 installs at a time only signed firmware")
        payload = {"location": want.location, "retrieveDate": retrieve_at, **retries}
        return "UpdateFirmware", payload
    if want.signing_certificate is None or want.signature is None:
        raise Cannot("signature", "signed firmware has a certificate and a signature")
    firmware = present(
        location=want.location,
        retrieveDateTime=retrieve_at,
        installDateTime=want.install_at and time_text(want.install_at),
        signingCertificate=want.signing_certificate,
        signature=want.signature,
    )
    payload = {"requestId": context.request_id, "firmware": firmware, **retries}
    return "SignedUpdateFirmware", payload


def _get_logs(want: asked.GetLogs, context: Context) -> Call:
    oldest = want.oldest_at and time_text(want.oldest_at)
    latest = want.latest_at and time_text(want.latest_at)
    retries = present(retries=want.retries, retryInterval=want.retry_interval_s)
    if want.type == "diagnostics":
        times = present(startTime=oldest, stopTime=latest)
        return "GetDiagnostics", {"location": want.location, **times, **retries}
    log = present(remoteLocation=want.location, oldestTimestamp=oldest, latestTimestamp=latest)
    payload = {"logType": "SecurityLog", "requestId": context.request_id, "log": log, **retries}
    return "GetLog", payload


def _get_configuration(want: asked.GetConfiguration, _: Context) -> Call:
    keys = [_key(f"names.{at}", name) for at, name in enumerate(want.names)]
    return "GetConfiguration", {"key": keys} if keys else {}


def _set_configuration(want: asked.SetConfiguration, _: Context) -> Call:
    if len(want.settings) > 1:
        raise Cannot("settings", "OCPP 1.6 changes one key at a time")
    (setting,) = want.settings
    key = _key("settings.0.name", setting.name)
    return "ChangeConfiguration", {"key": key, "value": setting.value}


def _send_local_list(want: asked.SendLocalList, _: Context) -> Call:
    tokens = [_token(f"tokens.{at}", token, want) for at, token in enumerate(want.tokens)]
    return "SendLocalList", present(
        listVersion=want.list_version,
        localAuthorizationList=tokens or None,
        updateType="Full" if want.is_full else "Differential",
    )


def _token(place: str, token: asked.LocalToken, want: asked.SendLocalList) -> dict[str, Any]:
    if token.status is None:
        if want.is_full:
            raise Cannot(f"{place}.status", "a full list takes nothing away")
        return {"idTag": token.id_token}
    told = present(
        status=token.status,
        expiryDate=token.expires_at and time_text(token.expires_at),
        parentIdTag=token.group or None,
    )
    return {"idTag": token.id_token, "idTagInfo": told}


def _key(place: str, name: str) -> str:
    key = key_of(name)
    if key is None:
        raise Cannot(place, "a variable of OCPP 2.x that is no configuration key of 1.6")
    return key


def _transaction_id(text: str) -> int:
    if not text.isascii() or not text.lstrip("-").isdecimal():
        raise Cannot("transaction_id", "in OCPP 1.6 it is a whole number")
    return int(text)


def _only_connector(connector: int | None) -> None:
    if connector not in (None, 1):
        raise Cannot("connector", "OCPP 1.6 has no EVSEs: name the connector as the evse")


ONTO_16: Mapping[type[Body], Callable[[Any, Context], Call]] = {
    asked.CancelReservation: _cancel_reservation,
    asked.ChangeAvailability: _change_availability,
    asked.GetConfiguration: _get_configuration,
    asked.GetLogs: _get_logs,
    asked.Reserve: _reserve,
    asked.Reset: _reset,
    asked.SendLocalList: _send_local_list,
    asked.SetConfiguration: _set_configuration,
    asked.SetLimit: _set_limit,
    asked.Start: _start,
    asked.Stop: _stop,
    asked.Unlock: _unlock,
    asked.UpdateFirmware: _update_firmware,
}
