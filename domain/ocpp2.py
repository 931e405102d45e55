"""OCPP 2.0.1 and 2.1 to the domain: what stations say of themselves and of transactions. Pure.

No policy here: a value that is odd but readable is passed on, with its flags.
"""

from decimal import Decimal
from functools import cache, partial
from typing import Any

import msgspec

from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    SettlementReported,
    StationBooted,
    TokenAsked,
    TransactionEventReported,
)
from domain.limits import is_place
from domain.meter_values_2 import Readings, read_registers, read_samples
from domain.orphan_energy import UNKNOWN, event_detail
from domain.readable import is_text
from domain.readings import SCHEMA_DEVIATION, read_decimal, read_integer, read_text, read_time
from domain.signed_values import signed_texts
from domain.station import answer_payload
from domain.told import Payload, Told
from schemas import payloads

EVENT_TYPES = ("Started", "Updated", "Ended")
TRANSACTION_ID_MAX = 36
ID_TOKEN_MAX = 255
"""2.1; 2.0.1 has 36. A longer one is kept and flagged."""

_TEXT_MAX = 255


def object_in(payload: Payload, name: str) -> Payload:
    """Return the object that the member is; an empty one if it is none."""
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def token_in(payload: Payload) -> Payload:
    """Return the id token that the payload presents; a text alone, as 1.6 had it, is one, too."""
    value = payload.get("idToken")
    return {"idToken": value} if _is_text(value) else object_in(payload, "idToken")


# What can be read.


def names_station(payload: Payload) -> bool:
    station = object_in(payload, "chargingStation")
    return is_text(station.get("vendorName")) and is_text(station.get("model"))


def names_connector_status(payload: Payload) -> bool:
    numbers = read_integer(payload.get("evseId"))[0], read_integer(payload.get("connectorId"))[0]
    return None not in numbers and _is_text(payload.get("connectorStatus"))


def names_id_token(payload: Payload) -> bool:
    return _is_text(read_text(token_in(payload).get("idToken"), ID_TOKEN_MAX)[0])


def names_transaction(payload: Payload) -> bool:
    """One that names none but tells a register is an event of some session all the same."""
    if transaction_id_in(payload)[0]:
        return True
    return _is_text(payload.get("eventType")) and bool(
        read_registers(payload.get("meterValue")).registers
    )


def has_values(payload: Payload) -> bool:
    return isinstance(payload.get("meterValue"), (list, dict))


def names_part(payload: Payload) -> bool:
    """Whose part of a report it is, and which: one odd entry does not make the others unread."""
    return None not in (read_integer(payload.get(name))[0] for name in ("requestId", "seqNo"))


def has_events(payload: Payload) -> bool:
    return isinstance(payload.get("eventData"), (list, dict))


# What it means.


def booted(told: Told) -> tuple[Fact, ...]:
    station = object_in(told.payload, "chargingStation")
    return (
        StationBooted(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            vendor=_shown(station.get("vendorName", "")),
            model=_shown(station.get("model", "")),
            serial_number=_shown(station.get("serialNumber", "")),
            firmware_version=_shown(station.get("firmwareVersion", "")),
            reason=_shown(told.payload.get("reason", "")),
            status=_shown(_answer(told).get("status", "")),
        ),
    )


def status_reported(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    evse_id = read_integer(get("evseId"))[0]
    connector_id = read_integer(get("connectorId"))[0]
    if evse_id is None or connector_id is None or not is_place(evse_id, connector_id):
        return ()
    return (
        ConnectorStatusReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            evse_id=evse_id,
            connector_id=connector_id,
            status=_shown(get("connectorStatus", "")),
            at=read_time(get("timestamp"))[0],
        ),
    )


def token_asked(told: Told) -> tuple[Fact, ...]:
    id_token = read_text(token_in(told.payload).get("idToken"), ID_TOKEN_MAX)[0]
    return (TokenAsked(offset=told.offset, recorded_at=told.recorded_at, id_token=id_token),)


def meter_values(told: Told) -> tuple[Fact, ...]:
    evse_id = read_integer(told.payload.get("evseId"))[0] or 0
    values = told.payload.get("meterValue")
    readings = read_registers(values)
    return (
        MeterValuesReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            evse_id=evse_id,
            connector_id=0,
            registers=readings.registers,
            read=partial(read_samples, values),
            signed=signed_texts(told.frame, values, "/3/meterValue"),
            flags=_flags(*told.flags, *readings.flags),
        ),
    )


def transaction_event(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    info, evse = object_in(told.payload, "transactionInfo"), object_in(told.payload, "evse")
    transaction_id, id_flag = transaction_id_in(told.payload)
    presented = token_in(told.payload)
    id_token, token_flag = read_text(presented.get("idToken"), ID_TOKEN_MAX)
    seq_no, seq_flag = read_integer(get("seqNo"))
    at, time_flag = read_time(get("timestamp"))
    event_type = _shown(get("eventType", ""))
    values = get("meterValue")
    readings = read_registers(values)
    if not transaction_id:
        return (_orphaned(told, (event_type, seq_no, at, id_token), readings),)
    kept_as = told.transactions.event_id(transaction_id, event_type, at)
    reuse_flag = "TXID_REUSED" if kept_as != transaction_id else ""
    is_odd = event_type not in EVENT_TYPES or seq_no is None
    stopped_reason = _shown(info.get("stoppedReason", ""))
    is_odd |= stopped_reason != "" and stopped_reason not in _reasons()
    form_flag = SCHEMA_DEVIATION if is_odd else ""
    answered = object_in(_answer(told) if presented else {}, "idTokenInfo")
    return (
        TransactionEventReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            transaction_id=kept_as,
            answered=told.answered,
            registry=told.answer.registry if told.answer is not None else -1,
            event_type=event_type,
            seq_no=seq_no,
            at=at,
            trigger_reason=_shown(get("triggerReason", "")),
            offline=get("offline") is True,
            charging_state=_shown(info.get("chargingState", "")),
            stopped_reason=stopped_reason,
            evse_id=read_integer(evse.get("id"))[0],
            connector_id=read_integer(evse.get("connectorId"))[0],
            id_token=id_token,
            id_token_type=_shown(presented.get("type", "")),
            token_status=_shown(answered.get("status", "")),
            group=_shown(object_in(answered, "groupIdToken").get("idToken", "")),
            remote_start_id=read_integer(info.get("remoteStartId"))[0],
            reservation_id=read_integer(get("reservationId"))[0],
            operation_mode=_shown(info.get("operationMode", "")),
            tariff_id=_shown(info.get("tariffId", "")),
            transaction_limit=_object(info.get("transactionLimit")),
            cost_details=_object(get("costDetails")),
            begin=readings.begin,
            end=readings.end,
            registers=readings.registers,
            others=readings.others,
            flags=_flags(
                *told.flags, id_flag, reuse_flag, form_flag, token_flag, seq_flag, time_flag
            )
            + readings.flags,
            read=partial(read_samples, values),
            signed=signed_texts(told.frame, values, "/3/meterValue"),
        ),
    )


def _orphaned(told: Told, said: tuple[object, ...], readings: Readings) -> MessageOrphaned:
    return MessageOrphaned(
        offset=told.offset,
        recorded_at=told.recorded_at,
        superseded=told.superseded,
        reason=UNKNOWN,
        transaction_id="",
        detail=event_detail((*said, readings.registers), readings.begin, readings.end),
    )


def settlement_reported(told: Told) -> tuple[Fact, ...]:
    """NotifySettlement (2.1); one without an amount, or that failed, settles nothing."""
    get = told.payload.get
    transaction_id = read_text(get("transactionId"), TRANSACTION_ID_MAX)[0]
    amount = read_decimal(get("settlementAmount"))
    if not transaction_id or amount is None or get("status") != "Settled":
        return ()
    return (
        SettlementReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            transaction_id=transaction_id,
            amount=amount,
            status=_shown(get("status")),
        ),
    )


def transaction_id_in(payload: Payload) -> tuple[str, str]:
    """Return (transaction id, flag)."""
    value = object_in(payload, "transactionInfo").get("transactionId")
    flag = ""
    if value is None:
        # Drafts of 2.0 had it in transactionData; some makes have it as other messages do.
        value = object_in(payload, "transactionData").get("id", payload.get("transactionId"))
        flag = SCHEMA_DEVIATION
    if type(value) is Decimal and value == value.to_integral_value():
        value = int(value)
    text, odd = read_text(value, TRANSACTION_ID_MAX)
    return (text, flag or odd) if len(text) <= _TEXT_MAX else ("", SCHEMA_DEVIATION)


@cache
def _reasons() -> frozenset[str]:
    # Of 2.1, which has all that 2.0.1 has.
    definitions = payloads.schema("2.1", "TransactionEvent")["definitions"]
    return frozenset(definitions["ReasonEnumType"]["enum"])


def _answer(told: Told) -> Payload:
    answer = msgspec.json.decode(answer_payload(told.answer)) if told.answer is not None else {}
    return answer if isinstance(answer, dict) else {}


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _is_text(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= _TEXT_MAX


def _shown(value: Any) -> str:
    # Past its schema it may be anything.
    return str(value)[:_TEXT_MAX] if value is not None else ""


def _flags(*flags: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for flag in flags if flag))
