"""`chargeledger price`: prices the vectors of a file and says where a price differs.

A price is equal if it is so to the decimals that the vector writes, and to four at least: vectors
write repeating fractions with ten digits, and figures taken from CDRs with four. A null in a vector
says that it does not know. What it says was billed is compared too, but as a remark.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import typer

from domain.pricing import price
from domain.pricing_clock import ZoneUnknown
from domain.pricing_money import half_up
from domain.pricing_ocpi import number_of, session_of_cdr, time_of
from domain.pricing_session import (
    Period,
    PricedSession,
    Ramp,
    Reservation,
    SessionInvalid,
)
from domain.pricing_totals import Cost
from domain.tariff import Dimension
from domain.tariff_reading import TariffInvalid, read_tariff
from infra.cli.failures import Failed

_TARIFF_DEFAULTS = {"country_code": "XX", "party_id": "XXX", "id": "vector", "currency": "EUR"}
_DECIMALS_MIN, _DIGITS = 4, 10
_MICROSECONDS = 1_000_000
_PERIOD = {
    "start_date_time",
    "ENERGY_kWh",
    "TIME_s",
    "PARKING_TIME_s",
    "UNPRICED_s",
    "CURRENT_A",
    "POWER_kW",
}
_BILLED = {
    "energy_kwh": (Dimension.ENERGY, False, 1000),
    "time_s": (Dimension.TIME, False, 1),
    "parking_s": (Dimension.PARKING_TIME, False, 1),
    "reservation_s": (Dimension.TIME, True, 1),
}


class Outcome(NamedTuple):
    id: str
    title: str
    cost: Cost | None
    expected: Mapping[str, Any]
    differences: Sequence[str]
    remarks: Sequence[str]


def run_price(file: Path, only: str, *, as_json: bool) -> None:
    wrong = seen = 0
    for vector in read_vectors(file):
        if only and vector.get("id") != only:
            continue
        outcome = judge(vector)
        seen += 1
        wrong += bool(outcome.differences)
        for line in [json.dumps(_shown(outcome))] if as_json else _told(outcome):
            sys.stdout.write(f"{line}\n")
    if not seen:
        raise Failed(f"{file}: no vector" + (f" {only}" if only else ""))
    if not as_json:
        sys.stdout.write(f"{seen - wrong} of {seen} as they should be\n")
    if wrong:
        raise typer.Exit(1)


def read_vectors(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield each vector; the header is none. Raise `Failed` for a line that is no JSON object."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                vector = json.loads(line, parse_float=Decimal)
            except ValueError as error:
                raise Failed(f"{file}:{number}: no JSON: {error}") from error
            if not isinstance(vector, dict):
                raise Failed(f"{file}:{number}: no JSON object")
            if vector.get("kind") != "header":
                yield vector


def judge(vector: Mapping[str, Any]) -> Outcome:
    """Price one vector and compare. What cannot be read is a difference, not an error."""
    expected = vector.get("correct") or {}
    cost, differences, remarks = None, [], []
    try:
        cost = price_of(vector)
    except (TariffInvalid, SessionInvalid, ZoneUnknown) as error:
        differences.append(str(error))
    if cost is not None:
        differences += _compared("excl", cost.excl, expected.get("excl"))
        differences += _compared("incl", cost.incl, expected.get("incl"))
        for name, billed in _billed(cost).items():
            told = (vector.get("billed") or {}).get(name)
            remarks += _compared(f"billed {name}", billed, told)
    if expected.get("excl") is None and expected.get("incl") is None:
        differences.append("the vector says no correct price")
    title = str(vector.get("title") or vector.get("where") or "")
    return Outcome(str(vector.get("id")), title, cost, expected, differences, remarks)


def price_of(vector: Mapping[str, Any]) -> Cost:
    tariff = read_tariff({**_TARIFF_DEFAULTS, **(vector.get("tariff") or {})})
    return price(session_of(vector), tariff, str(vector.get("time_zone") or "UTC"))


def session_of(vector: Mapping[str, Any]) -> PricedSession:
    """Return the session of either form: periods of our own, or those of an OCPI CDR."""
    extra = vector.get("extra") or {}
    unknown = sorted(extra.keys() - {"reservation", "expired"})
    if unknown:
        raise SessionInvalid(f"extra.{unknown[0]}: unknown")
    if "periods_ocpi" in vector:
        return session_of_cdr(
            vector["periods_ocpi"], vector.get("start_date_time"), vector.get("end_date_time")
        )
    return PricedSession(
        periods=_periods(vector.get("periods") or ()), reservation=_reservation(extra)
    )


def _periods(told: Sequence[Mapping[str, Any]]) -> tuple[Period, ...]:
    begins = [time_of(each.get("start_date_time"), "start_date_time") for each in told]
    made = []
    for each, begin, following in zip_longest(told, begins, begins[1:]):
        unknown = sorted(each.keys() - _PERIOD)
        if unknown:
            raise SessionInvalid(f"periods.{unknown[0]}: unknown")
        volume = {name: number_of(each[name], name) for name in each if name != "start_date_time"}
        seconds = sum(
            volume.get(name, Fraction(0)) for name in ("TIME_s", "PARKING_TIME_s", "UNPRICED_s")
        )
        end = following if following is not None else begin + round(seconds * _MICROSECONDS)
        made.append(
            Period(
                start_us=begin,
                end_us=end,
                energy_wh=volume.get("ENERGY_kWh", Fraction(0)) * 1000,
                charging_s=volume.get("TIME_s", 0),
                parking_s=volume.get("PARKING_TIME_s", 0),
                unpriced_s=volume.get("UNPRICED_s", 0),
                current_a=_even(volume.get("CURRENT_A"), 1),
                power_w=_even(volume.get("POWER_kW"), 1000),
            )
        )
    return tuple(made)


def _even(value: Fraction | None, scale: int) -> Ramp | None:
    return None if value is None else Ramp(value * scale, value * scale)


def _reservation(extra: Mapping[str, Any]) -> Reservation | None:
    told = extra.get("reservation")
    if told is None:
        return None
    start = time_of(told.get("start"), "reservation.start")
    seconds = number_of(told.get("seconds"), "reservation.seconds")
    return Reservation(
        start_us=start,
        end_us=start + round(seconds * _MICROSECONDS),
        expired=bool(extra.get("expired")),
    )


def _billed(cost: Cost) -> dict[str, Fraction]:
    return {
        name: Fraction(cost.billed(dimension, reservation=reservation)) / unit
        for name, (dimension, reservation, unit) in _BILLED.items()
    }


def _compared(name: str, got: Fraction | None, told: Any) -> list[str]:
    if told is None:
        return []
    expected = Decimal(str(told))
    decimals = max(_DECIMALS_MIN, -int(expected.as_tuple().exponent))
    if got is not None and half_up(got, decimals) == half_up(Fraction(expected), decimals):
        return []
    return [f"{name}: {_text(got)} instead of {told}"]


def _text(value: Fraction | None) -> str | None:
    """Exactly, or with ten digits where a decimal cannot."""
    if value is None:
        return None
    text = f"{half_up(value, _DIGITS):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _told(outcome: Outcome) -> Iterator[str]:
    cost = outcome.cost
    amounts = ""
    if cost is not None:
        amounts = f"{cost.excl_rounded} / {cost.incl_rounded} {cost.currency}"
    verdict = "wrong" if outcome.differences else "ok"
    yield f"{verdict:5}  {outcome.id:14}  {amounts:22}  {outcome.title}"
    for line in cost.lines if cost is not None else ():
        volume = _text(Fraction(line.volume))
        surplus = f" + {_text(Fraction(line.step_surplus))}" if line.step_surplus else ""
        yield (
            f"         {line.kind.lower():11} {volume}{surplus} at {line.price}:"
            f" {_text(line.excl)} / {_text(line.incl)}; {line.because}"
        )
    for sentence in chain(outcome.differences, outcome.remarks):
        yield f"         {sentence}"


def _shown(outcome: Outcome) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": outcome.id,
        "ok": not outcome.differences,
        "differences": list(outcome.differences),
        "remarks": list(outcome.remarks),
        "correct": {name: outcome.expected.get(name) for name in ("excl", "incl")},
    }
    cost = outcome.cost
    if cost is None:
        return shown
    return shown | {
        "currency": cost.currency,
        "excl": _text(cost.excl),
        "incl": _text(cost.incl),
        "rounded": [None if cost.excl is None else str(cost.excl_rounded), str(cost.incl_rounded)],
        "billed": {name: _text(value) for name, value in _billed(cost).items() if value},
        "limit_applied": cost.limit_applied,
        "taxes": [
            {
                "name": tax.name,
                "percentage": None if tax.percentage is None else str(tax.percentage),
                "taxed": _text(tax.taxed),
                "amount": _text(tax.amount),
                "rounded": str(tax.rounded.amount),
            }
            for tax in cost.taxes
        ],
        "lines": [
            {
                "kind": line.kind.value,
                "element": line.element,
                "price": str(line.price),
                "volume": _text(Fraction(line.volume)),
                "step_surplus": _text(Fraction(line.step_surplus)),
                "excl": _text(line.excl),
                "incl": _text(line.incl),
                "because": line.because,
            }
            for line in cost.lines
        ],
        "flags": list(cost.flags),
    }
