"""History with another tariff, or another version of the meter rule: a projection into memory.

What was released is compared with what would have been, from the same evidence. Nothing is written
anywhere. A session counts in the end as it stands: a corrected one by its replacement.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from msgspec import Struct

from domain.cdr import cdr_of
from domain.conversation import fold
from domain.cost_document import decimal_text
from domain.facts import CdrFixed
from domain.log_filter import LogFilter
from domain.meter_rules import CURRENT, MeterRule
from domain.pricing_session import exact
from domain.readings import read_time
from domain.reference import AppliedTariff, Reference
from domain.station import Station
from domain.tariff import Tariff
from schemas.cdr import Cdr
from schemas.records import Record

_decode = msgspec.json.Decoder(Cdr).decode
NO_CURRENCY = ""
Money = dict[str, Fraction]


class OtherTariff(Reference):
    """The registry, but for one tariff that prices every session of the tenant."""

    def __init__(self, tenant: str, tariff: Tariff, document: bytes) -> None:
        super().__init__()
        self._tenant = tenant
        self._applied = AppliedTariff(tariff.id, tariff, document, -1)

    def has_tariffs(self, tenant: str, position: int) -> bool:
        return tenant == self._tenant or super().has_tariffs(tenant, position)

    def tariff_at(
        self, tenant: str, station: str, evse: int, group: str, time: int, position: int
    ) -> AppliedTariff | None:
        if tenant == self._tenant:
            return self._applied
        return super().tariff_at(tenant, station, evse, group, time, position)

    def version_at(
        self, tenant: str, tariff_id: str, time: int, position: int
    ) -> AppliedTariff | None:
        if tenant == self._tenant:
            return self._applied
        return super().version_at(tenant, tariff_id, time, position)


class Compared(Struct, kw_only=True):
    """Of one station, or of all: money including tax, rounded per session as it would be billed."""

    sessions: int = 0
    billed: Money = {}
    would_be: Money = {}
    held: int = 0
    """Sessions that would not have been released by themselves; they count as nothing."""
    energy_wh: Decimal = Decimal(0)
    energy_would_be_wh: Decimal = Decimal(0)

    def add(self, released: Cdr, other: Cdr) -> None:
        self.sessions += 1
        self.energy_wh += released.energy_wh or 0
        _add(self.billed, released)
        overruled = set(released.holds)
        if set(other.holds) <= overruled and other.energy_wh is not None:
            self.energy_would_be_wh += other.energy_wh
            _add(self.would_be, other)
        else:
            self.held += 1

    def differences(self) -> Money:
        currencies = sorted({*self.billed, *self.would_be})
        zero = Fraction(0)
        return {c: self.would_be.get(c, zero) - self.billed.get(c, zero) for c in currencies}


class WhatIf:
    """Feed it every record of the partitions with stations, in order within each."""

    def __init__(
        self,
        tenant: str,
        reference: Reference,
        *,
        rule: MeterRule = CURRENT,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        """`start` is inclusive, `end` exclusive; a session counts by its own start."""
        self._tenant = tenant
        self._reference = reference
        self._rule = rule
        self._start, self._end = start, end
        self._stations: dict[str, Station] = {}
        self._filters: dict[int, LogFilter] = {}
        self._stands: dict[tuple[str, str], tuple[Cdr, Cdr]] = {}

    def apply(self, partition: int, offset: int, record: Record) -> None:
        """Fold a record. The reference is folded up to what it knew. Total: poison is passed over,
        as every projection does."""
        admitted = self._filters.setdefault(partition, LogFilter()).admit(offset, record)
        if not admitted or record.tenant != self._tenant or not record.station:
            return
        station = self._stations.get(record.station)
        if station is None:
            station = Station(record.tenant, record.station, partition)
            self._stations[record.station] = station
        try:
            facts = fold(station, offset, record)
        except Exception:  # noqa: BLE001 - a record that cannot be folded is set aside everywhere.
            return
        for fact in facts:
            if isinstance(fact, CdrFixed):
                self._fixed(station, _decode(fact.document))

    def compared(self) -> dict[str, Compared]:
        """Return the comparison by station."""
        found: dict[str, Compared] = {}
        for (station, _), (released, other) in sorted(self._stands.items(), key=lambda kv: kv[0]):
            found.setdefault(station, Compared(billed={}, would_be={})).add(released, other)
        return found

    def _fixed(self, station: Station, released: Cdr) -> None:
        at = read_time(released.started_at)[0]
        if released.credit or at is None or not self._counts(at):
            return
        key = (station.station, released.transaction_id)
        transaction = station.transactions.known.get(released.transaction_id)
        if transaction is not None:
            evidence = msgspec.structs.replace(transaction, repriced=None)
            other = cdr_of(
                released.tenant,
                released.station,
                station.partition,
                evidence,
                self._reference,
                self._rule,
            )
        elif key in self._stands:
            other = self._stands[key][1]
        else:
            return
        self._stands[key] = (released, other)

    def _counts(self, at: int) -> bool:
        return (self._start is None or at >= self._start) and (self._end is None or at < self._end)


def total(compared: Iterable[Compared]) -> Compared:
    """Return the sum over all stations."""
    sums = Compared(billed={}, would_be={})
    for each in compared:
        sums.sessions += each.sessions
        sums.held += each.held
        sums.energy_wh += each.energy_wh
        sums.energy_would_be_wh += each.energy_would_be_wh
        for currency, amount in each.billed.items():
            sums.billed[currency] = sums.billed.get(currency, Fraction(0)) + amount
        for currency, amount in each.would_be.items():
            sums.would_be[currency] = sums.would_be.get(currency, Fraction(0)) + amount
    return sums


def lines(name: str, each: Compared) -> Iterator[dict[str, Any]]:
    """Yield one line for each currency; one without where nothing has a price."""
    for currency, difference in (each.differences() or {NO_CURRENCY: Fraction(0)}).items():
        yield {
            "station": name,
            "sessions": each.sessions,
            "held": each.held,
            "energy_wh": decimal_text(exact(each.energy_wh)),
            "energy_would_be_wh": decimal_text(exact(each.energy_would_be_wh)),
            "currency": currency,
            "billed": _text(each.billed.get(currency, Fraction(0))),
            "would_be": _text(each.would_be.get(currency, Fraction(0))),
            "difference": _text(difference),
        }


def _add(sums: Money, cdr: Cdr) -> None:
    if cdr.cost is not None:
        known = sums.get(cdr.cost.currency, Fraction(0))
        sums[cdr.cost.currency] = known + Fraction(cdr.cost.rounded[1])


def _text(amount: Fraction) -> str:
    """Sums of rounded amounts have four decimals at most, whatever the currency."""
    return decimal_text(exact(amount))
