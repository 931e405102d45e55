"""OCPP 1.6 to the domain and back. Pure; the only module that says connectorId and idTag.

A 1.6 connector is an EVSE with one connector: connectorId n is EVSE n, connector 1, and 0 is the
station. No policy here: a value that is odd but readable is passed on, with its flags.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec

from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MeterValuesReported,
    StationBooted,
    TokenAsked,
    TransactionEnded,
    TransactionStarted,
)
from domain.limits import is_place
from domain.meter_values_16 import ends_in, read_energy, read_samples
from domain.readings import SCHEMA_DEVIATION, read_integer, read_text, read_time
from domain.signed_values import signed_texts
from domain.station import answer_payload
from domain.told import Payload, Told
from domain.transactions import MATCHED, NamelessStop, Transactions, start_key
from schemas import payloads

_TEXT_MAX = 50
"""The longest that 1.6 has for any of these; a longer one is none of them."""


def names_id_token(payload: Payload) -> bool:
    return _is_text(id_token_in(payload)[0])


def has_text(name: str) -> Callable[[Payload], bool]:
    return lambda payload: _is_text(payload.get(name))


def names_station(payload: Payload) -> bool:
    return _is_name(payload.get("chargePointVendor")) and _is_name(payload.get("chargePointModel"))


def names_vendor(payload: Payload) -> bool:
    return _is_name(payload.get("vendorId"))


def names_connector_status(payload: Payload) -> bool:
    known = read_integer(payload.get("connectorId"))[0] is not None
    return known and _is_text(payload.get("status"))


def names_start(payload: Payload) -> bool:
    """One that tells where its meter stood began a session, whoever charges and wherever."""
    if read_integer(payload.get("meterStart"))[0] is not None:
        return True
    known = read_integer(payload.get("connectorId"))[0] is not None
    return known and id_token_in(payload)[0] != ""


def names_transaction(payload: Payload) -> bool:
    """One that names none but tells where its meter stopped is a stop without an id."""
    return any(
        read_integer(payload.get(name))[0] is not None for name in ("transactionId", "meterStop")
    )


def has_values(payload: Payload) -> bool:
    return isinstance(payload.get("meterValue"), (list, dict))


def _is_name(value: Any) -> bool:
    # Of a make and a model: however long, and some have a number there.
    return (type(value) is str and value != "") or type(value) is int


def _is_text(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= _TEXT_MAX


def id_token_in(payload: Payload) -> tuple[str, str]:
    """Return (id token, flag); an object, as 2.x has it, presents the one that stands in it."""
    value = payload.get("idTag")
    if isinstance(value, dict) and _is_text(value.get("idToken")):
        return value["idToken"], SCHEMA_DEVIATION
    return read_text(value, 20)


def key_of_start(payload: Payload) -> tuple[str, int | None]:
    """Return (key, time of the start)."""
    evse_id = read_integer(payload.get("connectorId"))[0] or 0
    started_at = read_time(payload.get("timestamp"))[0]
    id_token, meter_start = id_token_in(payload)[0], read_integer(payload.get("meterStart"))[0]
    return start_key(evse_id, id_token, started_at, meter_start), started_at


def transaction_of_stop(
    payload: Payload, transactions: Transactions, group: str = ""
) -> tuple[str, str]:
    """Return (transaction id, flag); an id of 0 or below, or none, means the only open one that
    fits.

    `group`: of the token that stops it, as we answered.
    """
    number = read_integer(payload.get("transactionId"))[0] or 0
    if number > 0:
        return str(number), ""
    stop = nameless_stop(payload, group)
    known = transactions.ended_without_id(stop.meter_stop_wh, stop.ended_at)
    if known is not None:
        return known.transaction_id, MATCHED if MATCHED in known.flags else ""
    fitting = transactions.candidates(stop)
    return (fitting[0].transaction_id, MATCHED) if len(fitting) == 1 else (str(number), "")


def nameless_stop(payload: Payload, group: str = "") -> NamelessStop:
    """Return what a stop says of the transaction that it does not name."""
    begin = ends_in(read_samples(payload.get("transactionData")))[0]
    return NamelessStop(
        read_integer(payload.get("meterStop"))[0],
        read_time(payload.get("timestamp"))[0],
        id_token_in(payload)[0],
        group,
        None if begin is None else begin[1],
    )


def token_asked(told: Told) -> tuple[Fact, ...]:
    id_token = id_token_in(told.payload)[0]
    return (TokenAsked(offset=told.offset, recorded_at=told.recorded_at, id_token=id_token),)


def booted(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    return (
        StationBooted(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            vendor=_shown(get("chargePointVendor", "")),
            model=_shown(get("chargePointModel", "")),
            serial_number=_shown(get("chargePointSerialNumber", get("chargeBoxSerialNumber", ""))),
            firmware_version=_shown(get("firmwareVersion", "")),
            status=_boot_status(told),
        ),
    )


def _boot_status(told: Told) -> str:
    answer = msgspec.json.decode(answer_payload(told.answer)) if told.answer is not None else {}
    return str(answer.get("status", ""))


def status_reported(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    evse_id = read_integer(get("connectorId"))[0]
    if evse_id is None or not is_place(evse_id):
        return ()
    return (
        ConnectorStatusReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            evse_id=evse_id,
            connector_id=1 if evse_id else 0,
            status=str(get("status", "")),
            error_code=_shown(get("errorCode", "")),
            detail=" ".join(
                _shown(get(name)) for name in ("info", "vendorId", "vendorErrorCode") if get(name)
            ),
            at=read_time(get("timestamp"))[0],
        ),
    )


def started(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    evse_id, connector_flag = read_integer(get("connectorId"))
    meter_start, meter_flag = read_integer(get("meterStart"))
    started_at, time_flag = read_time(get("timestamp"))
    id_token, token_flag = id_token_in(told.payload)
    answer = msgspec.json.decode(answer_payload(told.answer)) if told.answer is not None else {}
    transaction_id = str(answer["transactionId"])
    info = answer["idTagInfo"]
    return (
        TransactionStarted(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            answered=told.answered,
            transaction_id=transaction_id,
            evse_id=evse_id or 0,
            connector_id=1,
            id_token=id_token,
            token_status=info["status"],
            group=info.get("parentIdTag", ""),
            registry=told.answer.registry if told.answer is not None else -1,
            meter_start_wh=meter_start,
            started_at=started_at,
            reservation_id=read_integer(get("reservationId"))[0] or None,
            flags=_flags(
                *told.flags,
                connector_flag,
                meter_flag,
                time_flag,
                token_flag if id_token else SCHEMA_DEVIATION,
            ),
            repeated=told.transactions.is_known_start(transaction_id, started_at),
        ),
    )


def meter_values(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    connector = read_integer(get("connectorId"))[0]
    evse_id = connector or 0
    number = read_integer(get("transactionId"))[0]
    # Connector 0 is the main meter: it counts for nobody's session, whatever it names.
    is_named = number is not None and number > 0 and connector != 0
    transaction_id = str(number) if is_named else ""
    values = get("meterValue")
    registers, flags, others = read_energy(values)
    if not transaction_id and evse_id > 0:
        taken = next((at for at, _ in registers if at is not None), None)
        current = told.transactions.current_on(evse_id, taken)
        transaction_id = current.transaction_id if current is not None else ""
    return (
        MeterValuesReported(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            evse_id=evse_id,
            connector_id=1 if evse_id else 0,
            transaction_id=transaction_id,
            registers=registers,
            others=others,
            read=partial(read_samples, values),
            signed=signed_texts(told.frame, values, "/3/meterValue"),
            flags=_flags(*told.flags, *flags) if told.flags else flags,
        ),
    )


def ended(told: Told) -> tuple[Fact, ...]:
    get = told.payload.get
    answer = msgspec.json.decode(answer_payload(told.answer)) if told.answer is not None else {}
    info = answer.get("idTagInfo") or {}
    group = str(info.get("parentIdTag", ""))
    transaction_id, id_flag = transaction_of_stop(told.payload, told.transactions, group)
    number_flag = read_integer(get("transactionId"))[1]
    meter_stop, meter_flag = read_integer(get("meterStop"))
    reason, reason_flag = _reason_in(told.payload)
    ended_at, time_flag = read_time(get("timestamp"))
    values = get("transactionData")
    registers, sample_flags, others = read_energy(values)
    known = told.transactions.known.get(transaction_id)
    return (
        TransactionEnded(
            offset=told.offset,
            recorded_at=told.recorded_at,
            superseded=told.superseded,
            answered=told.answered,
            transaction_id=transaction_id,
            meter_stop_wh=meter_stop,
            ended_at=ended_at,
            reason=reason,
            id_token=id_token_in(told.payload)[0],
            token_status=str(info.get("status", "")),
            group=group,
            registry=told.answer.registry if told.answer is not None else -1,
            registers=registers,
            others=others,
            read=partial(read_samples, values),
            signed=signed_texts(told.frame, values, "/3/transactionData"),
            flags=_flags(
                *told.flags, number_flag, id_flag, meter_flag, time_flag, reason_flag, *sample_flags
            ),
            repeated=known.is_ended
            if known is not None
            else told.transactions.is_archived(transaction_id),
        ),
    )


def _reason_in(payload: Payload) -> tuple[str, str]:
    reason, flag = read_text(payload.get("reason"), _TEXT_MAX)
    if not reason:
        return "Local", flag
    return reason, flag if reason in _reasons() else SCHEMA_DEVIATION


@cache
def _reasons() -> frozenset[str]:
    return frozenset(payloads.schema("1.6", "StopTransaction")["properties"]["reason"]["enum"])


def _shown(value: Any) -> str:
    # Past its schema it may be anything; the longest of 1.6 has 255 characters.
    return str(value)[:255]


def _flags(*flags: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for flag in flags if flag))
