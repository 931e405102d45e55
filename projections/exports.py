"""Released CDRs as rows for who bills by file: one row per document, in the order of the journal.

Times stand in UTC and, where the place is known, by the clock on its wall; amounts are exact beside
the rounded ones; what is absent is empty, never zero. A credit has the energy of what it gives back
and a negative amount (OCPI), so sums go by `kind`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from domain.readings import read_time
from projections.times import utc, utc_text
from schemas.location import decode_location
from schemas.released import Released

Kind = Literal["energy", "money", "seconds", "integer", "time", "text"]
ENERGY: Kind = "energy"
MONEY: Kind = "money"
SECONDS: Kind = "seconds"
INTEGER: Kind = "integer"
TIME: Kind = "time"
TEXT: Kind = "text"
COLUMNS: Mapping[str, Kind] = {
    "id": TEXT,
    "kind": TEXT,
    "sequence": INTEGER,
    "credit_reference_id": TEXT,
    "replaces": TEXT,
    "tenant": TEXT,
    "station": TEXT,
    "evse": INTEGER,
    "connector": INTEGER,
    "transaction_id": TEXT,
    "id_token": TEXT,
    "started_at_utc": TIME,
    "started_at_local": TEXT,
    "ended_at_utc": TIME,
    "ended_at_local": TEXT,
    "time_zone": TEXT,
    "released_at_utc": TIME,
    "energy_wh": ENERGY,
    "billed_energy_wh": ENERGY,
    "meter_start_wh": INTEGER,
    "meter_stop_wh": INTEGER,
    "total_time_s": SECONDS,
    "total_parking_time_s": SECONDS,
    "currency": TEXT,
    "total_excl_vat": MONEY,
    "total_incl_vat": MONEY,
    "total_excl_vat_rounded": MONEY,
    "total_incl_vat_rounded": MONEY,
    "tariff_id": TEXT,
    "tariff_position": TEXT,
    "stop_reason": TEXT,
    "flags": TEXT,
    "decided_by": TEXT,
    "decided_because": TEXT,
    "position": TEXT,
    "sha256": TEXT,
}
"""Name, with its unit, → what it is. All but the first may be null."""


class Exported(NamedTuple):
    """A released document and the record that released it."""

    cdr: Released
    document: bytes
    sha256: str
    partition: int
    offset: int
    number: int
    """Tells apart the documents of one record."""
    released_at: int

    @property
    def position(self) -> str:
        return f"{self.partition}:{self.offset}:{self.number}"


def row_of(exported: Exported) -> dict[str, str | int | None]:
    """Return the values by column; times and decimals as text."""
    cdr, cost = exported.cdr, exported.cdr.cost
    zone = _zone(cdr)
    start, end = read_time(cdr.started_at)[0], read_time(cdr.ended_at)[0]
    excl_rounded, incl_rounded = cost.rounded if cost is not None else (None, None)
    return {
        "id": cdr.id,
        "kind": cdr.kind,
        "sequence": cdr.sequence,
        "credit_reference_id": cdr.credit_reference_id,
        "replaces": cdr.replaces,
        "tenant": cdr.tenant,
        "station": cdr.station,
        "evse": cdr.evse,
        "connector": cdr.connector,
        "transaction_id": cdr.transaction_id,
        "id_token": cdr.id_token,
        "started_at_utc": utc_text(start),
        "started_at_local": _local_text(start, zone),
        "ended_at_utc": utc_text(end),
        "ended_at_local": _local_text(end, zone),
        "time_zone": zone.key if zone is not None else None,
        "released_at_utc": utc_text(exported.released_at),
        "energy_wh": None if cdr.energy_wh is None else str(cdr.energy_wh),
        "billed_energy_wh": cost.billed_energy_wh if cost is not None else None,
        "meter_start_wh": cdr.meter_start_wh,
        "meter_stop_wh": cdr.meter_stop_wh,
        "total_time_s": cdr.total_time_s,
        "total_parking_time_s": cdr.total_parking_time_s,
        "currency": cost.currency if cost is not None else None,
        "total_excl_vat": cost.excl_vat if cost is not None else None,
        "total_incl_vat": cost.incl_vat if cost is not None else None,
        "total_excl_vat_rounded": excl_rounded,
        "total_incl_vat_rounded": incl_rounded,
        "tariff_id": cdr.tariff.id if cdr.tariff is not None else None,
        "tariff_position": cdr.tariff.position if cdr.tariff is not None else None,
        "stop_reason": cdr.stop_reason,
        "flags": " ".join(cdr.flags),
        "decided_by": cdr.decided.actor if cdr.decided is not None else None,
        "decided_because": cdr.decided.reason if cdr.decided is not None else None,
        "position": exported.position,
        "sha256": exported.sha256,
    }


def sums_of(exported: Sequence[Exported]) -> list[dict[str, str | int | None]]:
    """Return count, energy and amounts by currency and kind; of what has no cost without one.

    `net` is what is owed: amounts of credits are negative already, their energy is taken off here.
    """
    totals: dict[tuple[str, str], list[Decimal]] = {}
    counts: dict[tuple[str, str], int] = {}
    for one in exported:
        cost = one.cdr.cost
        currency = cost.currency if cost is not None else ""
        amounts = (cost.excl_vat, cost.incl_vat, *cost.rounded) if cost is not None else ()
        values = [Decimal(one.cdr.energy_wh or 0), *(Decimal(each or 0) for each in amounts)]
        for kind, sign in ((one.cdr.kind, 1), ("net", -1 if one.cdr.kind == "credit" else 1)):
            counts[currency, kind] = counts.get((currency, kind), 0) + 1
            sums = totals.setdefault((currency, kind), [Decimal(0)] * 5)
            for i, value in enumerate(values):
                sums[i] += sign * value if i == 0 else value
    names = ("energy_wh", "excl_vat", "incl_vat", "excl_vat_rounded", "incl_vat_rounded")
    return [
        {
            "currency": currency or None,
            "kind": kind,
            "documents": counts[currency, kind],
            **{
                name: f"{value:f}" if currency or name == "energy_wh" else None
                for name, value in zip(names, totals[currency, kind], strict=True)
            },
        }
        for currency, kind in sorted(totals)
    ]


def _zone(cdr: Released) -> ZoneInfo | None:
    if cdr.location is None:
        return None
    try:
        return ZoneInfo(decode_location(bytes(cdr.location.document)).time_zone)
    except (msgspec.MsgspecError, ZoneInfoNotFoundError, ValueError):
        return None


def _local_text(microseconds: int | None, zone: ZoneInfo | None) -> str | None:
    if microseconds is None or zone is None:
        return None
    return utc(microseconds).astimezone(zone).isoformat(timespec="microseconds")
