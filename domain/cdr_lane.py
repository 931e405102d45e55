"""What becomes of CDRs, folded: people's requests, releases, rejections, corrections."""

from typing import Any

from domain.cdr import may_be_released
from domain.cdr_requests import (
    DECIDED_MAX,
    CdrDenied,
    CdrRequest,
    CdrRequestMoved,
    request_of,
)
from domain.corrections import document_of
from domain.facts import CdrFixed, DoubtOverruled, Fact, SignaturesVerified
from domain.station import Station
from domain.transaction import Estimate, Repriced, Transaction, reject, release, touch, verified
from schemas.cdr import Decided
from schemas.records import (
    CdrActionRefused,
    CdrActionRequested,
    CdrCorrected,
    CdrDoubtOverruled,
    CdrRejected,
    CdrReleased,
    OwnerRecord,
    SignaturesJudged,
)


def requested(station: Station, offset: int, record: CdrActionRequested, _: Any) -> list[Fact]:
    if record.request_id in station.cdr_requests or record.request_id in station.cdr_decided:
        return []
    request = station.cdr_requests[record.request_id] = request_of(offset, record)
    return [CdrRequestMoved(offset=offset, recorded_at=record.recorded_at, request=request)]


def refused(station: Station, offset: int, record: CdrActionRefused, _: Any) -> list[Fact]:
    request = _taken(station, record.request_id)
    if request is None:
        return []
    request.fate, request.refusal = "refused", record.reason
    return [CdrRequestMoved(offset=offset, recorded_at=record.recorded_at, request=request)]


def released(station: Station, offset: int, record: CdrReleased, _: Any) -> list[Fact]:
    transaction = station.transactions.known.get(record.transaction_id)
    document = bytes(record.document)
    if transaction is not None:
        if record.energy_wh is not None or record.ended_at is not None:
            transaction.estimate = Estimate(
                energy_wh=record.energy_wh,
                ended_at=record.ended_at,
                ended=transaction.ended,
                meter_stop_wh=transaction.meter_stop_wh,
            )
        if record.tariff_id:
            transaction.repriced = Repriced(tariff_id=record.tariff_id, registry=record.registry)
        release(transaction, offset, document)
        station.transactions.settling.pop(record.transaction_id, None)
    fixed = _fixed(offset, record, record.transaction_id, document)
    return [fixed, *_done(station, offset, record, record.request_id, record.cdr_id)]


def rejected(station: Station, offset: int, record: CdrRejected, _: Any) -> list[Fact]:
    transaction = station.transactions.known.get(record.transaction_id)
    facts: list[Fact] = []
    if transaction is not None and not transaction.released:
        reject(
            transaction,
            offset,
            Decided(actor=record.actor, reason=record.reason, request_id=record.request_id),
        )
        station.transactions.settling.pop(record.transaction_id, None)
        facts.append(
            CdrDenied(
                offset=offset,
                recorded_at=record.recorded_at,
                transaction_id=record.transaction_id,
            )
        )
    return facts + _done(station, offset, record, record.request_id, record.cdr_id)


def overruled(station: Station, offset: int, record: CdrDoubtOverruled, _: Any) -> list[Fact]:
    transaction = station.transactions.known.get(record.transaction_id)
    facts: list[Fact] = []
    if transaction is not None and transaction.released:
        transaction.overruled = sorted({*transaction.overruled, *record.doubts})
        touch(transaction, offset, record.recorded_at)
        if transaction.document:
            station.transactions.correcting[record.transaction_id] = None
        facts.append(
            DoubtOverruled(
                offset=offset,
                recorded_at=record.recorded_at,
                transaction_id=record.transaction_id,
            )
        )
    return facts + _done(station, offset, record, record.request_id, record.cdr_id)


def corrected(station: Station, offset: int, record: CdrCorrected, _: Any) -> list[Fact]:
    book = station.transactions
    credit, replacement = bytes(record.credit), bytes(record.replacement)
    stands = document_of(replacement)
    transaction = book.known.get(record.transaction_id)
    if transaction is not None:
        _replace(transaction, offset, record, replacement, stands.sequence)
    book.correcting.pop(record.transaction_id, None)
    book.corrected[record.transaction_id] = stands.id
    facts: list[Fact] = [
        _fixed(offset, record, record.transaction_id, credit),
        _fixed(offset, record, record.transaction_id, replacement),
    ]
    ids = (document_of(credit).id, stands.id)
    return facts + _done(station, offset, record, record.request_id, *ids)


def judged(station: Station, offset: int, record: SignaturesJudged, _: Any) -> list[Fact]:
    transaction = station.transactions.known.get(record.transaction_id)
    if transaction is None or transaction.released:
        return []
    verified(transaction, offset, record)
    if may_be_released(transaction):
        station.transactions.settling[transaction.transaction_id] = None
    return [
        SignaturesVerified(
            offset=offset, recorded_at=record.recorded_at, transaction_id=record.transaction_id
        )
    ]


def _replace(
    transaction: Transaction, offset: int, record: CdrCorrected, document: bytes, sequence: int
) -> None:
    release(transaction, offset, document)
    transaction.sequence = sequence
    if record.request_id:
        transaction.repriced = Repriced(tariff_id=record.tariff_id, registry=record.registry)


def _done(
    station: Station, offset: int, record: OwnerRecord, request_id: str, *cdr_ids: str
) -> list[Fact]:
    request = _taken(station, request_id) if request_id else None
    if request is None:
        return []
    request.fate, request.result = "done", cdr_ids
    return [CdrRequestMoved(offset=offset, recorded_at=record.recorded_at, request=request)]


def _taken(station: Station, request_id: str) -> CdrRequest | None:
    request = station.cdr_requests.pop(request_id, None)
    if request is not None:
        request.document = b""
        station.cdr_decided.append(request_id)
        del station.cdr_decided[:-DECIDED_MAX]
    return request


def _fixed(offset: int, record: OwnerRecord, transaction_id: str, document: bytes) -> CdrFixed:
    return CdrFixed(
        offset=offset,
        recorded_at=record.recorded_at,
        transaction_id=transaction_id,
        document=document,
    )
