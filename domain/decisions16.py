"""OCPP 1.6: the answer to each CALL of a station. Pure.

A report is always answered with a result where what it is about can be read, whatever else is wrong
with it (4.8, 4.10); anything else that breaks its schema gets the error code that its version
spells (OCPP-J 1.6, 4.2.3). An answer to a repeat is the first answer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from domain.ocpp16 import is_readable, key_of_start, transaction_of_stop
from domain.readings import read_text, to_iso
from domain.registry import Registry
from domain.station import OpenCall, Station, payload_of
from domain.transaction import Transaction
from schemas.records import CALLERROR, CALLRESULT


class Policy(NamedTuple):
    """What an operator has set; none of it changes what is already decided."""

    accept_unknown_tokens: bool = False
    heartbeat_interval_s: int = 300
    settle_us: int = 15 * 60 * 1_000_000
    answer_timeout_us: int = 30 * 1_000_000


class Context(NamedTuple):
    station: Station
    payload: dict[str, Any]
    now: int
    registry: Registry
    policy: Policy
    draw_id: Callable[[], int]


class Answer(NamedTuple):
    message_type: int
    frame: str


def answer(call: OpenCall, context: Callable[[dict[str, Any]], Context]) -> Answer:
    """Return the frame that answers this CALL. Total: it never raises for what a station sent."""
    if call.error and not _counts_all_the_same(call):
        return _error(call.message_id, call.error, call.violation)
    text = _CONSTANT.get(call.action)
    if text is None:
        rule = _ANSWERS.get(call.action)
        if rule is None:
            return _error(call.message_id, "NotSupported", f"{call.action} is not supported here")
        payload = payload_of(call)
        text = rule(context(payload if isinstance(payload, dict) else {}))
    return Answer(CALLRESULT, f"[3,{_json(call.message_id)},{text}]")


def _counts_all_the_same(call: OpenCall) -> bool:
    payload = payload_of(call)
    return isinstance(payload, dict) and is_readable(call.action, payload)


def _error(message_id: str, code: str, description: str) -> Answer:
    text = f"[4,{_json(message_id)},{_json(code)},{_json(description[:255])},{{}}]"
    return Answer(CALLERROR, text)


def _boot(c: Context) -> str:
    interval = c.policy.heartbeat_interval_s
    return f'{{"status":"Accepted","currentTime":"{to_iso(c.now)}","interval":{interval}}}'


def _heartbeat(c: Context) -> str:
    return f'{{"currentTime":"{to_iso(c.now)}"}}'


def _authorize(c: Context) -> str:
    return f'{{"idTagInfo":{_token_info(c, read_text(c.payload.get("idTag"), 20)[0])}}}'


def _start(c: Context) -> str:
    known = c.station.transactions.find_start(*key_of_start(c.payload))
    if isinstance(known, Transaction):
        return known.start_answer
    if known is not None:
        return f'{{"idTagInfo":{{"status":"Accepted"}},"transactionId":{known}}}'
    info = _token_info(c, read_text(c.payload.get("idTag"), 20)[0])
    return f'{{"idTagInfo":{info},"transactionId":{c.draw_id()}}}'


def _stop(c: Context) -> str:
    transaction_id, _ = transaction_of_stop(c.payload, c.station.transactions)
    known = c.station.transactions.known.get(transaction_id)
    if known is not None and known.stop_answer:
        return known.stop_answer
    id_token = read_text(c.payload.get("idTag"), 20)[0]
    return f'{{"idTagInfo":{_token_info(c, id_token)}}}' if id_token else "{}"


def _token_info(c: Context, id_token: str) -> str:
    token = c.registry.token(c.station.tenant, id_token)
    if token is None:
        status = "Accepted" if c.policy.accept_unknown_tokens and id_token else "Invalid"
        return f'{{"status":"{status}"}}'
    status = token.status
    members = ""
    if token.expires_at is not None:
        members = f'"expiryDate":"{to_iso(token.expires_at)}",'
        if status == "Accepted" and token.expires_at <= c.now:
            status = "Expired"
    if token.group:
        members += f'"parentIdTag":{_json(token.group)},'
    return f'{{{members}"status":"{status}"}}'


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


_CONSTANT = {
    "DataTransfer": '{"status":"UnknownVendorId"}',
    "DiagnosticsStatusNotification": "{}",
    "FirmwareStatusNotification": "{}",
    "LogStatusNotification": "{}",
    "MeterValues": "{}",
    "SecurityEventNotification": "{}",
    "SignCertificate": '{"status":"Rejected"}',
    "SignedFirmwareStatusNotification": "{}",
    "StatusNotification": "{}",
}
_ANSWERS: dict[str, Callable[[Context], str]] = {
    "Authorize": _authorize,
    "BootNotification": _boot,
    "Heartbeat": _heartbeat,
    "StartTransaction": _start,
    "StopTransaction": _stop,
}
