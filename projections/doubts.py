"""Doubts about released CDRs: what was told after the release, and no person has overruled.

Derived, as held CDRs are: the document that was released beside what the evidence makes of it now.
"""

from msgspec import Struct

from domain.cdr import release_document
from domain.corrections import document_of, doubts
from domain.reference import Reference
from domain.station import Station
from domain.transaction import Transaction


class DoubtRow(Struct, frozen=True, kw_only=True):
    id: str
    """Of the CDR that stands."""
    tenant: str
    station: str
    doubts: tuple[str, ...]
    partition: int
    record_offset: int
    """Of the record that raised the latest of them."""
    recorded_at: int


class UndoubtedRow(Struct, frozen=True):
    id: str


def doubt_row(
    station: Station, transaction: Transaction, reference: Reference, offset: int, at: int
) -> DoubtRow:
    """`transaction` is released, and its document is at hand."""
    released = document_of(transaction.document)
    present = release_document(
        station.tenant, station.station, station.partition, transaction, reference
    )
    return DoubtRow(
        id=released.id,
        tenant=station.tenant,
        station=station.station,
        doubts=doubts(released, present, transaction.overruled),
        partition=station.partition,
        record_offset=offset,
        recorded_at=at,
    )
