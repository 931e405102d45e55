"""What people ask about CDRs, folded: a request is open until the owner has done it or refused."""

from typing import Literal

from msgspec import Struct

from domain.facts import Fact
from schemas.records import CdrActionRequested

RequestFate = Literal["requested", "done", "refused"]

DECIDED_MAX = 64
"""Ids of decided requests that are known again without a database; the API knows the older."""


class CdrRequest(Struct, kw_only=True):
    request_id: str
    action: str
    transaction_id: str
    cdr_id: str
    actor: str
    reason: str
    idempotency_key: str
    request_digest: str
    requested: int
    requested_at: int
    energy_wh: int | None = None
    ended_at: int | None = None
    tariff_id: str = ""
    document: bytes = b""
    fate: RequestFate = "requested"
    refusal: str = ""
    result: tuple[str, ...] = ()
    """Ids of the CDRs that came of it."""


class CdrRequestMoved(Fact, frozen=True, kw_only=True):
    """Requested, done or refused: `request` as it is now."""

    request: CdrRequest


class CdrDenied(Fact, frozen=True, kw_only=True):
    """A person decided that nobody is billed for it; the CDR is another one now."""

    transaction_id: str


def request_of(offset: int, record: CdrActionRequested) -> CdrRequest:
    return CdrRequest(
        request_id=record.request_id,
        action=record.action,
        transaction_id=record.transaction_id,
        cdr_id=record.cdr_id,
        actor=record.actor,
        reason=record.reason,
        idempotency_key=record.idempotency_key,
        request_digest=record.request_digest,
        requested=offset,
        requested_at=record.recorded_at,
        energy_wh=record.energy_wh,
        ended_at=record.ended_at,
        tariff_id=record.tariff_id,
        document=bytes(record.document),
    )
