"""What a station of OCPP 2.0.1 or 2.1 says where one of 1.6 says something else. Pure.

Stations decide in the words of 1.6, whatever they speak: a connector is an EVSE with one connector,
and a start, its samples and its stop are the events of one transaction.
"""

from collections.abc import Callable

from infra.simulator.frames import FIRMWARE, MODEL, VENDOR
from infra.simulator.json_types import Json, Payload
from infra.simulator.outbox import Message
from infra.simulator.session import ID_TOKEN_TYPE

_OCCUPIED = {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"}
_TRIGGER_OF_STOP = {
    "EVDisconnected": "EVDeparted",
    "ImmediateReset": "ResetCommand",
    "Remote": "RemoteStop",
}


def boot(station: str, reason: str) -> Payload:
    identity = {
        "vendorName": VENDOR,
        "model": MODEL,
        "serialNumber": station[:25],
        "firmwareVersion": FIRMWARE,
    }
    return {"chargingStation": identity, "reason": reason}


def spoken(message: Message) -> tuple[str, Payload]:
    """Return action and payload as they leave; the same however often the message is told."""
    translate = _SPOKEN.get(message.action)
    return translate(message) if translate is not None else (message.action, message.payload)


def connector_state(status: str) -> str:
    """Return it in the words of 2.x, which has fewer."""
    return "Occupied" if status in _OCCUPIED else status


def understood(answer: Payload | None) -> Payload | None:
    """Return a result in the words of 1.6, as far as a station reads it."""
    match answer:
        case {"idTokenInfo": {"status": status}}:
            return {"idTagInfo": {"status": status}}
        case _:
            return answer


def _authorize(message: Message) -> tuple[str, Payload]:
    return "Authorize", {"idToken": _id_token(message.payload["idTag"], ID_TOKEN_TYPE)}


def _status(message: Message) -> tuple[str, Payload]:
    return "StatusNotification", {
        "timestamp": message.payload["timestamp"],
        "connectorStatus": connector_state(message.payload["status"]),
        "evseId": message.payload["connectorId"],
        "connectorId": 1,
    }


def _start(message: Message) -> tuple[str, Payload]:
    assert message.transaction is not None
    told, transaction = message.payload, message.transaction
    is_remote = transaction.remote_start_id is not None
    reserved = {"reservationId": told["reservationId"]} if "reservationId" in told else {}
    begin = {
        "value": told["meterStart"],
        "context": "Transaction.Begin",
        "measurand": "Energy.Active.Import.Register",
        "unitOfMeasure": {"unit": "Wh"},
    }
    return _event(
        message,
        "Started",
        told["timestamp"],
        "RemoteStart" if is_remote else "Authorized",
        [{"timestamp": told["timestamp"], "sampledValue": [begin]}],
        evse={"id": told["connectorId"], "connectorId": 1},
        idToken=_id_token(told["idTag"], transaction.id_token_type),
        **reserved,
    )


def _meter_values(message: Message) -> tuple[str, Payload]:
    values = [_meter_value(each) for each in message.payload["meterValue"]]
    if message.transaction is None:
        return "MeterValues", {"evseId": message.payload["connectorId"], "meterValue": values}
    return _event(message, "Updated", values[0]["timestamp"], "MeterValuePeriodic", values)


def _stop(message: Message) -> tuple[str, Payload]:
    assert message.transaction is not None
    told = message.payload
    return _event(
        message,
        "Ended",
        told["timestamp"],
        _TRIGGER_OF_STOP.get(told["reason"], "StopAuthorized"),
        [_meter_value(each) for each in told["transactionData"]],
        stopped_reason=told["reason"],
        idToken=_id_token(told["idTag"], message.transaction.id_token_type),
    )


def _event(
    message: Message,
    kind: str,
    at: Json,
    trigger: str,
    values: list[Payload],
    *,
    stopped_reason: str = "",
    **more: Json,
) -> tuple[str, Payload]:
    assert message.transaction is not None
    info: Payload = {"transactionId": message.transaction.transaction_id}
    if kind == "Started" and message.transaction.remote_start_id is not None:
        info["remoteStartId"] = message.transaction.remote_start_id
    if stopped_reason:
        info["stoppedReason"] = stopped_reason
    return "TransactionEvent", {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": trigger,
        "seqNo": message.seq_no,
        "transactionInfo": info,
        "meterValue": values,
        **more,
    }


def _meter_value(told: Payload) -> Payload:
    return {
        "timestamp": told["timestamp"],
        "sampledValue": [_sampled(each) for each in told["sampledValue"]],
    }


def _sampled(told: Payload) -> Payload:
    kept = {name: value for name, value in told.items() if name not in ("value", "unit")}
    text = told["value"]
    number = float(text) if "." in text else int(text)
    return {"value": number, **kept, "unitOfMeasure": {"unit": told["unit"]}}


def _id_token(id_tag: Json, kind: str) -> Payload:
    return {"idToken": id_tag, "type": kind}


_SPOKEN: dict[str, Callable[[Message], tuple[str, Payload]]] = {
    "Authorize": _authorize,
    "StatusNotification": _status,
    "StartTransaction": _start,
    "MeterValues": _meter_values,
    "StopTransaction": _stop,
}
