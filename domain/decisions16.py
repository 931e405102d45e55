"""OCPP 1.6: the answers to a station's CALLs that are decided. Pure.

An answer to a repeat is the first answer.
"""

from domain import admission
from domain.answering import Context, json_text
from domain.authorization import standing_of
from domain.ocpp16 import id_token_in, key_of_start, transaction_of_stop
from domain.readings import to_iso
from domain.transaction import Transaction

_STATUS = {"Unknown": "Invalid"}
"""What 1.6 calls a token that nobody registered (7.2)."""


def boot(c: Context) -> str:
    status = admission.boot_policy(c.registry, c.station)
    interval = admission.interval(c, status)
    return f'{{"status":"{status}","currentTime":"{to_iso(c.now)}","interval":{interval}}}'


def heartbeat(c: Context) -> str:
    return f'{{"currentTime":"{to_iso(c.now)}"}}'


def authorize(c: Context) -> str:
    return f'{{"idTagInfo":{_token_info(c, id_token_in(c.payload)[0])}}}'


def start(c: Context) -> str:
    known = c.station.transactions.find_start(*key_of_start(c.payload))
    if isinstance(known, Transaction):
        return known.start_answer
    if known is not None:
        return f'{{"idTagInfo":{{"status":"Accepted"}},"transactionId":{known}}}'
    info = _token_info(c, id_token_in(c.payload)[0])
    return f'{{"idTagInfo":{info},"transactionId":{c.draw_id()}}}'


def stop(c: Context) -> str:
    transaction_id, _ = transaction_of_stop(c.payload, c.station.transactions)
    known = c.station.transactions.known.get(transaction_id)
    if known is not None and known.stop_answer:
        return known.stop_answer
    id_token = id_token_in(c.payload)[0]
    return f'{{"idTagInfo":{_token_info(c, id_token)}}}' if id_token else "{}"


def _token_info(c: Context, id_token: str) -> str:
    status, token = standing_of(c, id_token)
    if token is None:
        return f'{{"status":"{_STATUS.get(status, status)}"}}'
    members = ""
    if token.expires_at is not None:
        members = f'"expiryDate":"{to_iso(token.expires_at)}",'
    if token.group:
        members += f'"parentIdTag":{json_text(token.group)},'
    return f'{{{members}"status":"{status}"}}'
