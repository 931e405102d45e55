"""What the owner decides about CDRs that are over: release, refuse, reject, correct. Pure.

A CDR without a doubt is released when its settle window has passed. One that is held is released or
rejected by a person, with a reason. What was released never changes: what comes later makes a
credit and a replacement.
"""

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import cdr
from domain.cdr_requests import CdrRequest
from domain.corrections import (
    credit_of,
    differs,
    document_of,
    doubts,
    may_replace,
    replacement_of,
)
from domain.judgement import is_over
from domain.reference import Reference
from domain.repricing import reprice
from domain.station import Station
from domain.transaction import Estimate, Repriced, Transaction
from schemas.cdr import Cdr, Decided, canonical, cdr_id, digest
from schemas.records import (
    CdrActionRefused,
    CdrCorrected,
    CdrDoubtOverruled,
    CdrRejected,
    CdrReleased,
    OwnerRecord,
)


class Deciding(Struct, frozen=True, gc=False):
    """Where, when and with which knowledge it is decided."""

    station: Station
    reference: Reference
    registry: int
    """How much of the registry the owner has folded."""
    now: int
    epoch: int


class Refused(Exception):
    """The message is for the person who asked."""


def release(d: Deciding, transaction: Transaction) -> CdrReleased | None:
    """Return the release of a CDR that nothing holds; None: its price does."""
    document = _document(d, transaction)
    if document.holds:
        return None
    return _released(d, document, cause=transaction.ended, purpose="release")


def correct(d: Deciding, transaction: Transaction) -> CdrCorrected | None:
    """Return the correction of a released CDR, if what was told since makes it another one.

    None, too, where the present evidence leaves a doubt that nobody has overruled: then a person
    must look at it, and what was released stands.
    """
    released, present = document_of(transaction.document), _document(d, transaction)
    if not differs(released, present):
        return None
    if not may_replace(released, present, transaction.overruled):
        return None
    return _corrected(d, released, present, cause=transaction.changed, request=None)


def decide_request(d: Deciding, request: CdrRequest) -> OwnerRecord:
    """Do what a person asked, or say why not. Every request gets one such record."""
    try:
        return _ACTIONS[request.action](d, request)
    except KeyError:
        return _refused(d, request, f"unknown action {request.action}")
    except Refused as reason:
        return _refused(d, request, str(reason))


def _release_asked(d: Deciding, request: CdrRequest) -> OwnerRecord:
    transaction = _unreleased(d, request)
    wanted = replace(transaction, estimate=_estimate(transaction, request))
    if request.tariff_id:
        wanted.repriced = Repriced(tariff_id=request.tariff_id, registry=d.registry)
    if not is_over(wanted) and None in (request.energy_wh, request.ended_at):
        raise Refused("the transaction still runs: say energy_wh and ended_at to end it")
    document = _document(d, wanted)
    if document.energy_wh is None:
        raise Refused("its energy is not known: say energy_wh")
    if document.started_at is None:
        raise Refused("its start is not known")
    if document.ended_at is None or document.ended_at < document.started_at:
        raise Refused("its end is not known: say ended_at, not before its start")
    _within_bounds(d, transaction, request)
    if request.tariff_id and document.cost is None:
        raise Refused("no such tariff was valid at the start of the session")
    return _released(
        d,
        replace(
            document,
            decided=_decided(request),
            positions={
                **document.positions,
                "request": f"{d.station.partition}:{request.requested}",
            },
        ),
        cause=request.requested,
        purpose="release",
        request=request,
    )


def _reject_asked(d: Deciding, request: CdrRequest) -> OwnerRecord:
    transaction = _unreleased(d, request)
    if transaction.rejected is not None:
        raise Refused("it was rejected before")
    if not is_over(transaction):
        raise Refused("the transaction still runs")
    return CdrRejected(
        tenant=d.station.tenant,
        station=d.station.station,
        recorded_at=d.now,
        cause=request.requested,
        purpose="reject",
        epoch=d.epoch,
        registry=d.registry,
        request_id=request.request_id,
        transaction_id=transaction.transaction_id,
        cdr_id=request.cdr_id,
        actor=request.actor,
        reason=request.reason,
    )


def _reprice_asked(d: Deciding, request: CdrRequest) -> OwnerRecord:
    book = d.station.transactions
    transaction = book.known.get(request.transaction_id)
    if transaction is not None and not transaction.released:
        raise Refused("it is not released: release it, by the tariff that you name")
    if transaction is not None and transaction.document:
        released = document_of(transaction.document)
        repriced = Repriced(tariff_id=request.tariff_id, registry=d.registry)
        present: Cdr | None = _document(d, replace(transaction, repriced=repriced))
    else:
        released = _given(request)
        present = reprice(released, d.reference, request.tariff_id, d.registry)
    latest = book.corrected.get(request.transaction_id, released.id)
    if request.cdr_id not in (released.id, latest) or latest != released.id:
        raise Refused(f"it was corrected before: {latest} stands in its place")
    if present is None or present.cost is None:
        raise Refused("no such tariff was valid at the start of the session")
    overruled = transaction.overruled if transaction is not None else ()
    if not may_replace(released, present, overruled):
        raise Refused(f"held by {', '.join(present.holds)}")
    if not differs(released, present):
        raise Refused("it costs the same")
    return _corrected(d, released, present, cause=request.requested, request=request)


def _overrule_asked(d: Deciding, request: CdrRequest) -> OwnerRecord:
    transaction = d.station.transactions.known.get(request.transaction_id)
    if transaction is None or not transaction.document:
        raise Refused("it was released too long ago: what is told now changes nothing")
    released = document_of(transaction.document)
    if request.cdr_id != released.id:
        raise Refused(f"it was corrected before: {released.id} stands in its place")
    found = doubts(released, _document(d, transaction), transaction.overruled)
    if not found:
        raise Refused("nothing that was told since its release is in doubt")
    return CdrDoubtOverruled(
        tenant=d.station.tenant,
        station=d.station.station,
        recorded_at=d.now,
        cause=request.requested,
        purpose="overrule",
        epoch=d.epoch,
        registry=d.registry,
        request_id=request.request_id,
        transaction_id=transaction.transaction_id,
        cdr_id=request.cdr_id,
        doubts=found,
        actor=request.actor,
        reason=request.reason,
    )


_ACTIONS = {
    "release": _release_asked,
    "reject": _reject_asked,
    "reprice": _reprice_asked,
    "overrule": _overrule_asked,
}


def _given(request: CdrRequest) -> Cdr:
    try:
        given = document_of(request.document)
    except msgspec.MsgspecError as error:
        raise Refused("no such transaction is known here") from error
    if given.state != "FINAL" or given.credit or given.transaction_id != request.transaction_id:
        raise Refused("only what was released is corrected")
    return given


def _unreleased(d: Deciding, request: CdrRequest) -> Transaction:
    transaction = d.station.transactions.known.get(request.transaction_id)
    if transaction is None:
        raise Refused("no such transaction is open here")
    if transaction.released:
        raise Refused("it was released before")
    return transaction


def _estimate(transaction: Transaction, request: CdrRequest) -> Estimate | None:
    if request.energy_wh is None and request.ended_at is None:
        return None
    return Estimate(
        energy_wh=request.energy_wh,
        ended_at=request.ended_at,
        ended=transaction.ended,
        meter_stop_wh=transaction.meter_stop_wh,
    )


def _within_bounds(d: Deciding, transaction: Transaction, request: CdrRequest) -> None:
    if request.energy_wh is None:
        return
    lower, upper = cdr.bounds_of(transaction, d.station.tenant, d.station.station, d.reference)
    if request.energy_wh < max(lower or 0, 0) or (upper is not None and request.energy_wh > upper):
        raise Refused(f"energy_wh is outside what the registers allow: {lower} to {upper}")


def _document(d: Deciding, transaction: Transaction) -> Cdr:
    station = d.station
    return cdr.release_document(
        station.tenant, station.station, station.partition, transaction, d.reference
    )


def _decided(request: CdrRequest) -> Decided:
    return Decided(actor=request.actor, reason=request.reason, request_id=request.request_id)


def _released(
    d: Deciding, document: Cdr, *, cause: int, purpose: str, request: CdrRequest | None = None
) -> CdrReleased:
    body = canonical(document)
    return CdrReleased(
        tenant=d.station.tenant,
        station=d.station.station,
        recorded_at=d.now,
        cause=cause,
        purpose=purpose,
        epoch=d.epoch,
        registry=d.registry,
        transaction_id=document.transaction_id,
        cdr_id=document.id,
        document=Raw(body),
        sha256=digest(body),
        request_id=request.request_id if request else "",
        actor=request.actor if request else "",
        reason=request.reason if request else "",
        energy_wh=request.energy_wh if request else None,
        ended_at=request.ended_at if request else None,
        tariff_id=request.tariff_id if request else "",
    )


def _corrected(
    d: Deciding, released: Cdr, present: Cdr, *, cause: int, request: CdrRequest | None
) -> CdrCorrected:
    station = d.station
    original = cdr_id(station.tenant, station.station, released.transaction_id)
    causes = [f"{station.partition}:{cause}"]
    decided = _decided(request) if request else None
    revision = max(present.revision, released.revision + 1)
    credit = canonical(credit_of(released, original, revision, causes, decided))
    replacement = canonical(
        replacement_of(released, present, original, revision, causes, decided or present.decided)
    )
    return CdrCorrected(
        tenant=station.tenant,
        station=station.station,
        recorded_at=d.now,
        cause=cause,
        purpose=f"correct {released.transaction_id}",
        epoch=d.epoch,
        registry=d.registry,
        transaction_id=released.transaction_id,
        cdr_id=released.id,
        credit=Raw(credit),
        credit_sha256=digest(credit),
        replacement=Raw(replacement),
        replacement_sha256=digest(replacement),
        request_id=request.request_id if request else "",
        actor=request.actor if request else "",
        reason=request.reason if request else "",
        tariff_id=request.tariff_id if request else "",
    )


def _refused(d: Deciding, request: CdrRequest, reason: str) -> CdrActionRefused:
    return CdrActionRefused(
        tenant=d.station.tenant,
        station=d.station.station,
        recorded_at=d.now,
        cause=request.requested,
        purpose="refuse",
        epoch=d.epoch,
        request_id=request.request_id,
        reason=reason,
    )
