"""OCPP 2.0.1 and 2.1: the answers to a station's CALLs that are decided. Pure.

An answer to a repeat is the first answer. Those that are the same for ever stand in the table.
"""

import msgspec

from domain import admission, charging_profiles
from domain.answered_costs import total_cost
from domain.answering import Context, json_text
from domain.authorization import has_contract_certificate, standing_of
from domain.ocpp2 import ID_TOKEN_MAX, token_in, transaction_id_in
from domain.readings import read_integer, read_text, read_time, to_iso
from domain.told import Payload
from domain.transaction_events import answer_key

NO_AUTHORIZATION = "NoAuthorization"
"""The type of the token of a session that needs none: a start button (2.0.1, C02)."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_GROUP_MAX = {"2.0.1": 36, "2.1": 255}


def boot(c: Context) -> str:
    status = admission.boot_policy(c.registry, c.station)
    interval = admission.interval(c, status)
    return f'{{"currentTime":"{to_iso(c.now)}","interval":{interval},"status":"{status}"}}'


def heartbeat(c: Context) -> str:
    return f'{{"currentTime":"{to_iso(c.now)}"}}'


def authorize(c: Context) -> str:
    """A contract certificate that came along is checked by nobody here, so it opens nothing."""
    if has_contract_certificate(c.payload):
        return '{"idTokenInfo":{"status":"Invalid"},"certificateStatus":"NoCertificateAvailable"}'
    return f'{{"idTokenInfo":{_token_info(c, token_in(c.payload))}}}'


def transaction_event(c: Context) -> str:
    presented = token_in(c.payload)
    if not presented and not isinstance(c.payload.get("idToken"), dict):
        return _with_cost(c, "{}")
    at, event_type = read_time(c.payload.get("timestamp"))[0], str(c.payload.get("eventType"))
    book = c.station.transactions
    known = book.known.get(book.event_id(transaction_id_in(c.payload)[0], event_type, at))
    seq_no = read_integer(c.payload.get("seqNo"))[0]
    if known is not None and seq_no is not None:
        key = answer_key(seq_no, read_text(presented.get("idToken"), ID_TOKEN_MAX)[0])
        if key in known.event_answers:
            return known.event_answers[key]
    return _with_cost(c, f'{{"idTokenInfo":{_token_info(c, presented)}}}')


def _with_cost(c: Context, answer: str) -> str:
    try:
        cost = total_cost(c, answer)
    except Exception:  # noqa: BLE001 - without a cost it is still the answer that is owed.
        return answer
    if not cost:
        return answer
    return f'{{"totalCost":{cost}}}' if answer == "{}" else f'{answer[:-1]},"totalCost":{cost}}}'


def certificate_chain_status(c: Context) -> str:
    """Nobody was asked, and the station may ask again at once (2.1, M06)."""
    failed = [
        {
            "certificateHashData": asked.get("certificateHashData"),
            "source": asked.get("source"),
            "status": "Failed",
            "nextUpdate": to_iso(c.now),
        }
        for asked in c.payload.get("certificateStatusRequests", ())
    ]
    return _encode({"certificateStatus": failed}).decode()


def dynamic_schedule_update(c: Context) -> str:
    """What an operator told last of this profile (2.1, K28); nobody else here makes any."""
    profile_id = read_integer(c.payload.get("chargingProfileId"))[0]
    held = c.station.held
    update = charging_profiles.dynamic_update(held, profile_id) if held is not None else None
    if update is None:
        return '{"status":"Rejected","statusInfo":{"reasonCode":"NoUpdate"}}'
    return _encode({"status": "Accepted", "scheduleUpdate": update}).decode()


def vat_number_validation(c: Context) -> str:
    """Nobody here can say that a number is valid; the station is told which one is not."""
    answer = {
        "vatNumber": c.payload.get("vatNumber"),
        "status": "Rejected",
        "statusInfo": {"reasonCode": "NoValidation"},
    }
    if "evseId" in c.payload:
        answer["evseId"] = c.payload["evseId"]
    return _encode(answer).decode()


def _token_info(c: Context, presented: Payload) -> str:
    if presented.get("type") == NO_AUTHORIZATION:
        return '{"status":"Accepted"}'
    status, token = standing_of(c, read_text(presented.get("idToken"), ID_TOKEN_MAX)[0])
    members = f'"status":"{status}"'
    if token is None:
        return f"{{{members}}}"
    if token.expires_at is not None:
        members += f',"cacheExpiryDateTime":"{to_iso(token.expires_at)}"'
    if 0 < len(token.group) <= _GROUP_MAX[c.version]:
        members += f',"groupIdToken":{{"idToken":{json_text(token.group)},"type":"Central"}}'
    return f"{{{members}}}"
