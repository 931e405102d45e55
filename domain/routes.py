"""The table of routes: OCPP version → action of a station → how it is answered and what it means.

The version is that of the connection over which the CALL came. The literal tables are the answers
here and the meanings in `domain/meanings.py`, which folds read without knowing any answer.

A report is always answered with a result where what it is about can be read, whatever else is wrong
with it (OCPP 1.6, 4.8, 4.10); anything else that breaks its schema gets the error code that its
version spells (OCPP-J 1.6, 4.2.3).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from domain import decisions16
from domain.answering import Answer, Context, Rule, error, result
from domain.meanings import MEANINGS
from domain.station import OpenCall, payload_of
from domain.told import Meaning

_OCPP16: Mapping[str, Rule] = {
    "Authorize": decisions16.authorize,
    "BootNotification": decisions16.boot,
    "DataTransfer": '{"status":"UnknownVendorId"}',
    "DiagnosticsStatusNotification": "{}",
    "FirmwareStatusNotification": "{}",
    "Heartbeat": decisions16.heartbeat,
    "LogStatusNotification": "{}",
    "MeterValues": "{}",
    "SecurityEventNotification": "{}",
    "SignCertificate": '{"status":"Rejected"}',
    "SignedFirmwareStatusNotification": "{}",
    "StartTransaction": decisions16.start,
    "StatusNotification": "{}",
    "StopTransaction": decisions16.stop,
}
_OCPP201: Mapping[str, Rule] = {}
_OCPP21: Mapping[str, Rule] = {}


class Route(NamedTuple):
    answer: Rule
    meaning: Meaning | None


ROUTES: Mapping[str, Mapping[str, Route]] = {
    version: {
        action: Route(rule, MEANINGS[version].get(action)) for action, rule in answers.items()
    }
    for version, answers in (("1.6", _OCPP16), ("2.0.1", _OCPP201), ("2.1", _OCPP21))
}


def answer(call: OpenCall, context: Callable[[dict[str, Any]], Context]) -> Answer:
    """Return the frame that answers this CALL. Total: it never raises for what a station sent."""
    route = ROUTES[call.version].get(call.action)
    meaning = route.meaning if route is not None else None
    if call.error and not (meaning is not None and meaning.reads(payload_of(call))):
        return error(call, call.error, call.violation)
    if route is None:
        return error(call, "NotSupported", f"{call.action} is not supported here")
    rule = route.answer
    if isinstance(rule, str):
        return result(call, rule)
    payload = payload_of(call)
    return result(call, rule(context(payload if isinstance(payload, dict) else {})))
