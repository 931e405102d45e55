"""From a cost to what a CDR says of it. Exact amounts as text, rounded ones beside them."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from domain.pricing_lines import Kind
from domain.pricing_money import half_up
from domain.pricing_session import MICROSECONDS, ZERO, Exact
from domain.pricing_totals import Cost, Part
from domain.readings import time_text
from domain.tariff import Dimension
from schemas.cdr_cost import CdrCost, CdrPeriod, CostPart, CostTax, RoundedPair

DIGITS = 10
"""Of a fraction that no decimal ends, for instance a third of an hour."""


def decimal_text(value: Exact) -> str:
    """Return the number exactly, or with ten digits after the point where a decimal cannot."""
    if isinstance(value, int):
        return str(value)
    text = f"{_decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(value: Fraction) -> Decimal:
    denominator, places = value.denominator, 0
    while denominator % 10 == 0:
        denominator, places = denominator // 10, places + 1
    for factor in (2, 5):
        while denominator % factor == 0:
            denominator, places = denominator // factor, places + 1
    return half_up(value, places if denominator == 1 else DIGITS)


def seconds_text(microseconds: int) -> str:
    """Return so many microseconds, not less than none, as seconds."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return f"{seconds}.{rest:06d}".rstrip("0") if rest else str(seconds)


def cost_document(cost: Cost) -> CdrCost:
    parts = {part.kind: _part(part) for part in cost.parts}
    return CdrCost(
        currency=cost.currency,
        excl_vat=_text(cost.excl),
        incl_vat=decimal_text(cost.incl),
        rounded=_rounded(cost),
        energy=parts.get(Kind.ENERGY),
        time=parts.get(Kind.TIME),
        parking=parts.get(Kind.PARKING),
        fixed=parts.get(Kind.FIXED),
        reservation=parts.get(Kind.RESERVATION),
        limit=parts.get(None),
        limit_applied=cost.limit_applied,
        taxes=tuple(
            CostTax(
                name=tax.name,
                percentage=None if tax.percentage is None else str(tax.percentage),
                taxed=decimal_text(tax.taxed),
                amount=decimal_text(tax.amount),
                rounded=str(tax.rounded.amount),
            )
            for tax in cost.taxes
        ),
        billed_energy_wh=decimal_text(cost.billed(Dimension.ENERGY)),
        billed_time_s=decimal_text(cost.billed(Dimension.TIME)),
        billed_parking_s=decimal_text(cost.billed(Dimension.PARKING_TIME)),
        billed_reservation_s=decimal_text(cost.billed(Dimension.TIME, reservation=True)),
    )


def period_documents(cost: Cost) -> tuple[CdrPeriod, ...]:
    """Return the periods, whose volumes add up to the session's to the last digit."""
    volumes = (
        _adding_up([period.energy_wh for period in cost.periods]),
        _adding_up([period.charging_s for period in cost.periods]),
        _adding_up([period.parking_s for period in cost.periods]),
        _adding_up([period.unpriced_s for period in cost.periods]),
    )
    return tuple(
        CdrPeriod(
            start_date_time=time_text(int(period.start_us)),
            energy_wh=energy_wh,
            time_s=time_s,
            parking_time_s=parking_time_s,
            unpriced_s=unpriced_s,
        )
        for period, energy_wh, time_s, parking_time_s, unpriced_s in zip(
            cost.periods, *volumes, strict=True
        )
    )


def _adding_up(volumes: Sequence[Exact]) -> list[str]:
    """Three thirds, each rounded, are less than one: what is rounded is each sum on the way."""
    if all(isinstance(each, int) for each in volumes):
        return [str(each) for each in volumes]
    texts, total, shown = [], ZERO, ZERO
    for each in volumes:
        total += each
        before, shown = shown, Fraction(_decimal(total))
        texts.append(decimal_text(shown - before))
    return texts


def negated(cost: CdrCost) -> CdrCost:
    """Return what a credit says: the total is given back, its parts stay (OCPI, CDRs, credit)."""
    excl, incl = cost.rounded
    return replace(
        cost,
        excl_vat=None if cost.excl_vat is None else _negative(cost.excl_vat),
        incl_vat=_negative(cost.incl_vat),
        rounded=(None if excl is None else _negative(excl), _negative(incl)),
    )


def _negative(text: str) -> str:
    if not text.strip("0."):
        return text
    return text[1:] if text.startswith("-") else f"-{text}"


def _part(part: Part) -> CostPart:
    excl = part.excl_rounded
    return CostPart(
        excl_vat=_text(part.excl),
        incl_vat=decimal_text(part.incl),
        rounded=(None if excl is None else str(excl.amount), str(part.incl_rounded.amount)),
    )


def _rounded(cost: Cost) -> RoundedPair:
    excl = cost.excl_rounded
    return None if excl is None else str(excl), str(cost.incl_rounded)


def _text(value: Fraction | None) -> str | None:
    return None if value is None else decimal_text(value)
