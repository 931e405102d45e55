"""Rows of what people ask about CDRs."""

from msgspec import Struct

from domain.cdr_requests import CdrRequestMoved
from domain.station import Station


class CdrRequestRow(Struct, frozen=True, kw_only=True):
    tenant: str
    request_id: str
    station: str
    transaction_id: str
    cdr_id: str
    action: str
    actor: str
    reason: str
    idempotency_key: str
    request_digest: str
    energy_wh: int | None
    ended_at: int | None
    tariff_id: str
    fate: str
    refusal: str
    result: tuple[str, ...]
    requested_offset: int
    requested_at: int
    decided_at: int | None
    partition: int
    record_offset: int


def cdr_request_row(station: Station, offset: int, fact: CdrRequestMoved) -> CdrRequestRow:
    request = fact.request
    return CdrRequestRow(
        tenant=station.tenant,
        request_id=request.request_id,
        station=station.station,
        transaction_id=request.transaction_id,
        cdr_id=request.cdr_id,
        action=request.action,
        actor=request.actor,
        reason=request.reason,
        idempotency_key=request.idempotency_key,
        request_digest=request.request_digest,
        energy_wh=request.energy_wh,
        ended_at=request.ended_at,
        tariff_id=request.tariff_id,
        fate=request.fate,
        refusal=request.refusal,
        result=request.result,
        requested_offset=request.requested,
        requested_at=request.requested_at,
        decided_at=None if request.fate == "requested" else fact.recorded_at,
        partition=station.partition,
        record_offset=offset,
    )
