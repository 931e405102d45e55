"""Rounding of money: once, at the totals, half up, to the currency's minor unit (policy ROUND).

Parts that are shown beside their total are rounded so that they add up to it: each is cut off at
the minor unit, and the units that are missing go to those that lost most. Where that is another
figure than the part's own rounding, the difference is kept beside it.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_DECIMALS = {
    code: n for n, codes in ((0, _NONE), (3, _THREE), (4, _FOUR)) for code in codes.split()
}


class Money(msgspec.Struct, frozen=True):
    """A rounded amount, and what was added to its own rounding so that the parts add up."""

    amount: Decimal
    correction: Decimal


def decimals_of(currency: str) -> int:
    """ISO 4217; a code that is not listed has two."""
    return _DECIMALS.get(currency, 2)


def half_up(value: Fraction | int, decimals: int) -> Decimal:
    """Round half away from zero, as `decimal.ROUND_HALF_UP` does."""
    return _decimal(_units(value.numerator * 10**decimals, value.denominator), decimals)


def apportion(parts: Sequence[Fraction], total: Decimal, decimals: int) -> list[Money]:
    """Round the parts so that they add up to the total. Their exact sum is near the total."""
    scale = 10**decimals
    units = [part.numerator * scale // part.denominator for part in parts]
    missing = int(total.scaleb(decimals)) - sum(units)
    if missing and parts:
        by_loss = sorted(range(len(parts)), key=lambda i: (units[i] - parts[i] * scale, i))
        for turn in range(abs(missing)):
            place = turn % len(by_loss)
            units[by_loss[place if missing > 0 else -1 - place]] += 1 if missing > 0 else -1
    return [
        Money(
            _decimal(each, decimals),
            _decimal(each - _units(part.numerator * scale, part.denominator), decimals),
        )
        for each, part in zip(units, parts, strict=True)
    ]


def _units(numerator: int, denominator: int) -> int:
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def _decimal(units: int, decimals: int) -> Decimal:
    return Decimal(units).scaleb(-decimals)
