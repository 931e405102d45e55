"""The table of routes: OCPP version → action of a station → how it is answered and what it means.

The version is that of the connection over which the CALL came. The literal tables are the answers
here and the meanings in `domain/meanings.py`, which folds read without knowing any answer.

A report is always answered with a result where what it is about can be read, whatever else is wrong
with it (OCPP 1.6, 4.8, 4.10); anything else that breaks its schema gets the error code that its
version spells (OCPP-J 1.6, 4.2.3).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from domain import decisions2, decisions16, signing
from domain.admission import HELD_BACK, may_say
from domain.answering import Answer, Context, Rule, error, id_of
from domain.meanings import MEANINGS
from domain.station import UNREADABLE_ID, OpenCall, Station, payload_of
from domain.told import Meaning
from schemas.records import CALLRESULT
from schemas.tolerance import MONEY

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
    "SignCertificate": signing.sign_certificate,
    "SignedFirmwareStatusNotification": "{}",
    "StartTransaction": decisions16.start,
    "StatusNotification": "{}",
    "StopTransaction": decisions16.stop,
}
_OCPP201: Mapping[str, Rule] = {
    "Authorize": decisions2.authorize,
    "BootNotification": decisions2.boot,
    "ClearedChargingLimit": "{}",
    "DataTransfer": '{"status":"UnknownVendorId"}',
    "FirmwareStatusNotification": "{}",
    "Get15118EVCertificate": '{"status":"Failed","exiResponse":""}',
    "GetCertificateStatus": '{"status":"Failed"}',
    "Heartbeat": decisions2.heartbeat,
    "LogStatusNotification": "{}",
    "MeterValues": "{}",
    "NotifyChargingLimit": "{}",
    "NotifyCustomerInformation": "{}",
    "NotifyDisplayMessages": "{}",
    # Nobody here makes profiles: the station charges by its own (K15, K16).
    "NotifyEVChargingNeeds": '{"status":"Rejected"}',
    "NotifyEVChargingSchedule": '{"status":"Accepted"}',
    "NotifyEvent": "{}",
    "NotifyMonitoringReport": "{}",
    "NotifyReport": "{}",
    "PublishFirmwareStatusNotification": "{}",
    "ReportChargingProfiles": "{}",
    "ReservationStatusUpdate": "{}",
    "SecurityEventNotification": "{}",
    "SignCertificate": signing.sign_certificate,
    "StatusNotification": "{}",
    "TransactionEvent": decisions2.transaction_event,
}
_OCPP21: Mapping[str, Rule] = {
    **_OCPP201,
    "BatterySwap": "{}",
    "ClosePeriodicEventStream": "{}",
    "GetCertificateChainStatus": decisions2.certificate_chain_status,
    "NotifyDERAlarm": "{}",
    "NotifyDERStartStop": "{}",
    "NotifyEVChargingNeeds": '{"status":"NoChargingProfile"}',
    "NotifyPriorityCharging": "{}",
    "NotifySettlement": "{}",
    "NotifyWebPaymentStarted": "{}",
    "OpenPeriodicEventStream": '{"status":"Accepted"}',
    "PullDynamicScheduleUpdate": decisions2.dynamic_schedule_update,
    "ReportDERControl": "{}",
    "VatNumberValidation": decisions2.vat_number_validation,
}

SENDS: Mapping[str, frozenset[str]] = {
    "1.6": frozenset(),
    "2.0.1": frozenset(),
    "2.1": frozenset({"NotifyPeriodicEventStream"}),
}
"""What stations send without asking for an answer. Each has a meaning or none, and no route."""


class Route(NamedTuple):
    answer: Rule
    meaning: Meaning | None


ROUTES: Mapping[str, Mapping[str, Route]] = {
    version: {
        action: Route(rule, MEANINGS[version].get(action)) for action, rule in answers.items()
    }
    for version, answers in (("1.6", _OCPP16), ("2.0.1", _OCPP201), ("2.1", _OCPP21))
}


_SENT = {
    version: {action: Route("{}", MEANINGS[version].get(action)) for action in actions}
    for version, actions in SENDS.items()
}
"""How a SEND is answered that comes as a CALL (`schemas.tolerance.SEND_AS_CALL`)."""


def answer(
    call: OpenCall, station: Station, context: Callable[[dict[str, Any]], Context]
) -> Answer:
    """Return the frame that answers this CALL. Total: it never raises for what a station sent.

    Should a rule of ours fail all the same, the station is told so in fixed words. A money message
    is not: after an error it would be lost, and without an answer it is told again.
    """
    route = ROUTES[call.version].get(call.action) or _SENT[call.version].get(call.action)
    if call.error and not _is_readable(call, route):
        return error(call, call.error, call.violation)
    if station.boot_status in HELD_BACK and not may_say(station, call):
        return error(call, "SecurityError", f"the station is {station.boot_status}")
    if route is None:
        return error(call, "NotSupported", f"{call.action} is not supported here")
    text = route.answer
    given = call.forwarded
    if given is not None and given.answer and station.is_newest(call.connection):
        text = given.answer.decode()
        return Answer(CALLRESULT, f"[3,{id_of(call)},{text}]", given.secrets)
    if not isinstance(text, str):
        payload = payload_of(call)
        try:
            text = text(context(payload if isinstance(payload, dict) else {}))
        except Exception:
            if call.action in MONEY:
                raise
            return error(call, "InternalError", "the answer could not be decided")
    return Answer(CALLRESULT, f"[3,{id_of(call)},{text}]")


def _is_readable(call: OpenCall, route: Route | None) -> bool:
    if call.message_id == UNREADABLE_ID or call.error == "ProtocolError":
        return False  # It is no whole CALL, whatever stands in it.
    if route is None or route.meaning is None:
        return False
    return route.meaning.reads(payload_of(call))
