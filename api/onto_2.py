"""Operators' commands as CALLs of OCPP 2.0.1 and 2.1, which are the same here."""

from collections.abc import Callable, Mapping
from typing import Any

from api import operator_commands as asked
from api.bodies import Body
from api.onto import Call, Cannot, Context, number, present, time_text
from api.settings_names import variable_of


def _start(want: asked.Start, context: Context) -> Call:
    return "RequestStartTransaction", present(
        idToken={"idToken": want.id_token, "type": want.id_token_type},
        remoteStartId=context.request_id,
        evseId=want.evse,
    )


def _stop(want: asked.Stop, _: Context) -> Call:
    return "RequestStopTransaction", {"transactionId": want.transaction_id}


def _reset(want: asked.Reset, _: Context) -> Call:
    kind = "Immediate" if want.type == "hard" else "OnIdle"
    return "Reset", present(type=kind, evseId=want.evse)


def _unlock(want: asked.Unlock, _: Context) -> Call:
    return "UnlockConnector", {"evseId": want.evse, "connectorId": want.connector}


def _change_availability(want: asked.ChangeAvailability, _: Context) -> Call:
    if want.connector is not None and want.evse is None:
        raise Cannot("evse", "a connector is one of an EVSE")
    evse = None if want.evse is None else present(id=want.evse, connectorId=want.connector)
    status = "Operative" if want.operative else "Inoperative"
    return "ChangeAvailability", present(operationalStatus=status, evse=evse)


def _set_limit(want: asked.SetLimit, context: Context) -> Call:
    purpose, evse_id = context.purpose(want, "ChargingStationMaxProfile")
    transaction_id = want.transaction_id
    if transaction_id is not None and evse_id == 0:
        raise Cannot("evse", "a limit of one transaction needs its EVSE")
    profile_id = context.profile_id(purpose, evse_id, want.stack_level)
    schedule = present(
        id=profile_id,
        duration=want.duration_s,
        startSchedule=None if transaction_id is not None else time_text(context.now),
        chargingRateUnit=want.unit,
        chargingSchedulePeriod=[
            present(startPeriod=0, limit=number(want.limit), numberPhases=want.phases)
        ],
    )
    profile = present(
        id=profile_id,
        stackLevel=want.stack_level,
        chargingProfilePurpose=purpose,
        chargingProfileKind="Absolute" if transaction_id is None else "Relative",
        transactionId=transaction_id,
        chargingSchedule=[schedule],
    )
    return "SetChargingProfile", {"evseId": evse_id, "chargingProfile": profile}


def _reserve(want: asked.Reserve, context: Context) -> Call:
    return "ReserveNow", present(
        id=want.reservation_id or context.request_id,
        expiryDateTime=time_text(want.expires_at),
        idToken={"idToken": want.id_token, "type": want.id_token_type},
        evseId=want.evse,
    )


def _cancel_reservation(want: asked.CancelReservation, _: Context) -> Call:
    return "CancelReservation", {"reservationId": want.reservation_id}


def _update_firmware(want: asked.UpdateFirmware, context: Context) -> Call:
    if (want.signing_certificate is None) != (want.signature is None):
        raise Cannot("signature", "signed firmware has a certificate and a signature")
    firmware = present(
        location=want.location,
        retrieveDateTime=time_text(want.retrieve_at or context.now),
        installDateTime=want.install_at and time_text(want.install_at),
        signingCertificate=want.signing_certificate,
        signature=want.signature,
    )
    retries = present(retries=want.retries, retryInterval=want.retry_interval_s)
    return "UpdateFirmware", {"requestId": context.request_id, "firmware": firmware, **retries}


def _get_logs(want: asked.GetLogs, context: Context) -> Call:
    log = present(
        remoteLocation=want.location,
        oldestTimestamp=want.oldest_at and time_text(want.oldest_at),
        latestTimestamp=want.latest_at and time_text(want.latest_at),
    )
    kind = "SecurityLog" if want.type == "security" else "DiagnosticsLog"
    retries = present(retries=want.retries, retryInterval=want.retry_interval_s)
    return "GetLog", {"logType": kind, "requestId": context.request_id, "log": log, **retries}


def _get_configuration(want: asked.GetConfiguration, context: Context) -> Call:
    if not want.names:
        base = "ConfigurationInventory"
        return "GetBaseReport", {"requestId": context.request_id, "reportBase": base}
    wanted = [_variable(f"names.{at}", name) for at, name in enumerate(want.names)]
    return "GetVariables", {"getVariableData": wanted}


def _set_configuration(want: asked.SetConfiguration, _: Context) -> Call:
    wanted = [
        {"attributeValue": each.value, **_variable(f"settings.{at}.name", each.name)}
        for at, each in enumerate(want.settings)
    ]
    return "SetVariables", {"setVariableData": wanted}


def _send_local_list(want: asked.SendLocalList, _: Context) -> Call:
    tokens = [_token(f"tokens.{at}", token, want) for at, token in enumerate(want.tokens)]
    return "SendLocalList", present(
        versionNumber=want.list_version,
        updateType="Full" if want.is_full else "Differential",
        localAuthorizationList=tokens or None,
    )


def _token(place: str, token: asked.LocalToken, want: asked.SendLocalList) -> dict[str, Any]:
    id_token = {"idToken": token.id_token, "type": token.id_token_type}
    if token.status is None:
        if want.is_full:
            raise Cannot(f"{place}.status", "a full list takes nothing away")
        return {"idToken": id_token}
    group = {"idToken": token.group, "type": token.id_token_type} if token.group else None
    told = present(
        status=token.status,
        cacheExpiryDateTime=token.expires_at and time_text(token.expires_at),
        groupIdToken=group,
    )
    return {"idToken": id_token, "idTokenInfo": told}


def _variable(place: str, name: str) -> dict[str, Any]:
    variable = variable_of(name)
    if variable is None:
        raise Cannot(place, "OCPP 2.x names a variable as Component.Variable")
    return variable


ONTO_2: Mapping[type[Body], Callable[[Any, Context], Call]] = {
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
