"""From lines to totals: price times volume, tax of each component, limits, and one rounding.

`min_price` and `max_price` bound the amount excluding and the one including tax each by itself.
What they add or take is a part of its own beside the parts of the session. A limit that names no
amount including tax moves that amount in proportion.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from domain.pricing_lines import ChargedPeriod, Draft, Kind
from domain.pricing_money import Money, apportion, decimals_of, half_up
from domain.pricing_rules import Tax
from domain.pricing_session import ZERO, Exact
from domain.tariff import Dimension, PriceLimit, Tariff

MIN_PRICE, MAX_PRICE = "min_price", "max_price"
LIMIT_UNKNOWN = "LIMIT_UNKNOWN"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`volume` and `step_surplus` are Wh or seconds. `because` says which element, and why."""

    kind: Kind
    dimension: Dimension
    element: int
    price: Decimal
    start_us: Exact
    end_us: Exact
    volume: Exact
    step_surplus: Exact
    excl: Fraction | None
    incl: Fraction
    because: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of the lines of a kind. `kind` is None for what a limit added or took."""

    kind: Kind | None
    excl: Fraction | None
    incl: Fraction
    excl_rounded: Money | None
    incl_rounded: Money


class TaxLine(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is None for the tax in what a limit added or took."""

    name: str | None
    percentage: Decimal | None
    taxed: Fraction
    amount: Fraction
    rounded: Money


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What was used; reservation_s is the time reserved."""

    energy_wh: Exact
    charging_s: Exact
    parking_s: Exact
    unpriced_s: Exact
    reservation_s: Exact


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Exact amounts, and the rounded ones beside them.

    `excl` is None where prices include taxes of which the tariff names none.
    """

    currency: str
    decimals: int
    excl: Fraction | None
    incl: Fraction
    excl_rounded: Decimal | None
    incl_rounded: Decimal
    parts: tuple[Part, ...]
    taxes: tuple[TaxLine, ...]
    lines: tuple[Line, ...]
    periods: tuple[ChargedPeriod, ...]
    usage: Usage
    limit_applied: str | None
    flags: tuple[str, ...]

    def part(self, kind: Kind) -> Part | None:
        return next((part for part in self.parts if part.kind is kind), None)

    def billed(self, dimension: Dimension, *, reservation: bool = False) -> Exact:
        """Return the volume with its step surplus, in Wh or seconds."""
        return sum(
            line.volume + line.step_surplus
            for line in self.lines
            if line.dimension is dimension and (line.kind is Kind.RESERVATION) == reservation
        )


def total(
    tariff: Tariff,
    drafts: Sequence[Draft],
    usage: Usage,
    *,
    took_place: bool,
    periods: Sequence[ChargedPeriod] = (),
    flags: Iterable[str] = (),
) -> Cost:
    """`tariff` has the limits. `took_place`: there was a session, so the minimum is owed."""
    lines = [_line(draft) for draft in drafts]
    sums = _sums(lines)
    known = [each for each, _ in sums.values() if each is not None]
    excl = sum(known, ZERO) if len(known) == len(sums) else None
    incl = sum((each for _, each in sums.values()), ZERO)
    limited, limit, unknown = _limit(tariff, excl, incl, took_place)
    if limit:
        sums[None] = (
            None if excl is None or limited[0] is None else limited[0] - excl,
            limited[1] - incl,
        )
    excl, incl = limited
    decimals = decimals_of(tariff.currency)
    incl_rounded = half_up(incl, decimals)
    excl_rounded = None if excl is None else half_up(excl, decimals)
    taxes = _tax_sums(drafts, lines, sums.get(None)) if excl is not None else {}
    return Cost(
        currency=tariff.currency,
        decimals=decimals,
        excl=excl,
        incl=incl,
        excl_rounded=excl_rounded,
        incl_rounded=incl_rounded,
        parts=_parts(sums, excl_rounded, incl_rounded, decimals),
        taxes=_tax_lines(taxes, incl_rounded - (excl_rounded or 0), decimals),
        lines=tuple(lines),
        periods=tuple(periods),
        usage=usage,
        limit_applied=limit,
        flags=tuple(sorted({*flags, *unknown})),
    )


_Sums = dict[Kind | None, tuple[Fraction | None, Fraction]]
_Taxes = dict[tuple[str, Decimal] | None, tuple[Fraction, Fraction]]


def _line(draft: Draft) -> Line:
    priced = draft.priced
    amount = Fraction((draft.volume + draft.surplus) * priced.price)
    step = priced.component.step_size
    return Line(
        kind=draft.kind,
        dimension=draft.dimension,
        element=priced.element,
        price=priced.component.price,
        start_us=draft.start_us,
        end_us=draft.end_us,
        volume=draft.volume,
        step_surplus=draft.surplus,
        excl=None if priced.without is None else amount * priced.without,
        incl=amount * priced.including,
        because=f"{priced.because}, rounded up to steps of {step}"
        if draft.surplus
        else priced.because,
    )


def _sums(lines: Iterable[Line]) -> _Sums:
    sums: _Sums = {}
    for line in lines:
        known = sums.get(line.kind)
        if known is None:
            sums[line.kind] = (line.excl, line.incl)
        else:
            excl = None if known[0] is None or line.excl is None else known[0] + line.excl
            sums[line.kind] = (excl, known[1] + line.incl)
    return sums


def _limit(
    tariff: Tariff, excl: Fraction | None, incl: Fraction, took_place: bool
) -> tuple[tuple[Fraction | None, Fraction], str | None, list[str]]:
    applied, unknown = None, []
    amounts = (excl, incl)
    if tariff.min_price is not None and took_place:
        limited = _bounded(amounts, tariff.min_price, 1)
        applied = MIN_PRICE if limited != amounts else applied
        amounts = limited
    if tariff.max_price is not None:
        limited = _bounded(amounts, tariff.max_price, -1)
        applied = MAX_PRICE if limited != amounts else applied
        amounts = limited
    for each in (tariff.min_price, tariff.max_price):
        if each is not None and each.incl is None and excl is None:
            unknown = [LIMIT_UNKNOWN]
    return amounts, applied, unknown


def _bounded(
    amounts: tuple[Fraction | None, Fraction], limit: PriceLimit, sign: int
) -> tuple[Fraction | None, Fraction]:
    excl, incl = amounts
    bound = Fraction(limit.excl)
    moved = excl
    if excl is not None and sign * excl < sign * bound:
        moved = bound
    if limit.incl is not None:
        including = Fraction(limit.incl)
        return moved, including if sign * incl < sign * including else incl
    if excl is None or moved is None or moved == excl:
        return moved, incl
    return moved, incl * moved / excl if excl else moved


def _parts(
    sums: _Sums, excl_rounded: Decimal | None, incl_rounded: Decimal, decimals: int
) -> tuple[Part, ...]:
    including = apportion([incl for _, incl in sums.values()], incl_rounded, decimals)
    excluding: Sequence[Money | None] = [None] * len(sums)
    if excl_rounded is not None:
        excluding = apportion([excl or ZERO for excl, _ in sums.values()], excl_rounded, decimals)
    return tuple(
        Part(kind=kind, excl=excl, incl=incl, excl_rounded=without, incl_rounded=rounded)
        for (kind, (excl, incl)), without, rounded in zip(
            sums.items(), excluding, including, strict=True
        )
    )


def _tax_sums(
    drafts: Sequence[Draft],
    lines: Sequence[Line],
    limited: tuple[Fraction | None, Fraction] | None,
) -> _Taxes:
    taxes: _Taxes = {}
    for draft, line in zip(drafts, lines, strict=True):
        if line.excl is None:
            continue
        for tax in draft.priced.taxes:
            taxed, amount = taxes.get(_name(tax), (ZERO, ZERO))
            taxes[_name(tax)] = taxed + line.excl, amount + line.excl * tax.share
    if limited is not None and limited[0] is not None and limited[0] != limited[1]:
        taxes[None] = limited[0], limited[1] - limited[0]
    return taxes


def _name(tax: Tax) -> tuple[str, Decimal]:
    return tax.name, tax.percentage


def _tax_lines(taxes: _Taxes, rounded: Decimal, decimals: int) -> tuple[TaxLine, ...]:
    amounts = apportion([amount for _, amount in taxes.values()], rounded, decimals)
    return tuple(
        TaxLine(
            name=key[0] if key else None,
            percentage=key[1] if key else None,
            taxed=taxed,
            amount=amount,
            rounded=money,
        )
        for (key, (taxed, amount)), money in zip(taxes.items(), amounts, strict=True)
    )
