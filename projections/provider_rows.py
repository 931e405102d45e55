"""Rows of stations' CALLs that a provider is asked about."""

import msgspec
from msgspec import Struct

from domain.provider_requests import ProviderFate, ProviderRequestMoved
from domain.station import Station, payload_of

_encode = msgspec.json.Encoder(decimal_format="number").encode


class ProviderRequestRow(Struct, frozen=True, kw_only=True):
    tenant: str
    request_id: str
    station: str
    version: str
    action: str
    payload: str
    fate: ProviderFate
    asked_at: int
    expires_at: int
    settled_at: int | None
    answer: str | None
    actor: str
    call_offset: int
    partition: int
    record_offset: int


def provider_request_row(
    station: Station, offset: int, fact: ProviderRequestMoved
) -> ProviderRequestRow:
    call, forwarded = fact.call, fact.forwarded
    is_answered = fact.fate == "answered"
    return ProviderRequestRow(
        tenant=station.tenant,
        request_id=f"{station.partition}:{call.offset}",
        station=station.station,
        version=call.version,
        action=call.action,
        payload=_encode(payload_of(call)).decode(),
        fate=fact.fate,
        asked_at=forwarded.asked_at,
        expires_at=forwarded.expires_at,
        settled_at=None if fact.fate == "waiting" else fact.recorded_at,
        answer=forwarded.answer.decode() if is_answered else None,
        actor=forwarded.actor if is_answered else "",
        call_offset=call.offset,
        partition=station.partition,
        record_offset=offset,
    )
