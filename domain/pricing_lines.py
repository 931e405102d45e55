"""From pieces to the lines of a bill: which component prices what, and how it was rounded up.

`step_size` is applied once for the energy of a session, once for its time and once for the time of
a reservation: to the whole priced volume, with the step of the last component that priced some of
it, and what that adds is billed by that component. Once any parking was priced, only parking is
rounded and charging time stays as it is. A volume that is already a multiple of the step stays.

What no element prices is free and is not rounded. A component with price 0 is a component.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from domain.pricing_rules import Priced, RuleSet, choose
from domain.pricing_session import Exact
from domain.pricing_splitting import Piece
from domain.tariff import Dimension

INTERPOLATED = "INTERPOLATED"


class Kind(StrEnum):
    """What a line is part of; a reservation's fixed fee is part of the reservation."""

    FIXED = "FIXED"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING = "PARKING"
    RESERVATION = "RESERVATION"


@dataclass(slots=True)
class Draft:
    """A line before its amounts. Volume is Wh or seconds; 1 for a fixed fee."""

    kind: Kind
    priced: Priced
    start_us: Exact
    end_us: Exact
    volume: Exact
    surplus: Exact = 0

    @property
    def dimension(self) -> Dimension:
        return self.priced.component.type


class ChargedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring pieces with the same prices and the same activity."""

    start_us: Exact
    end_us: Exact
    energy_wh: Exact
    charging_s: Exact
    parking_s: Exact
    unpriced_s: Exact


@dataclass(slots=True)
class Gathered:
    drafts: list[Draft] = field(default_factory=list)
    periods: list[ChargedPeriod] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    energy_prices: dict[int, object] = field(default_factory=dict)
    """By reading: two prices for energy that was read as one were interpolated."""


_Volume = Callable[[Piece], Exact]
_SESSION: tuple[tuple[Kind, Dimension, _Volume], ...] = (
    (Kind.ENERGY, Dimension.ENERGY, lambda piece: piece.energy_wh),
    (Kind.TIME, Dimension.TIME, lambda piece: piece.charging_s),
    (Kind.PARKING, Dimension.PARKING_TIME, lambda piece: piece.parking_s),
)


def gather_session(gathered: Gathered, pieces: Sequence[Piece], rules: RuleSet) -> None:
    """Add what these pieces cost; pieces of an earlier tariff may be there already."""
    energy_prices = gathered.energy_prices
    dimensions = {each for rule in rules.rules for each in rule.priced}
    parts = [part for part in _SESSION if part[1] in dimensions]
    if all(draft.kind is not Kind.FIXED for draft in gathered.drafts):
        _fixed_once(gathered, Kind.FIXED, pieces, rules)
    latest: dict[Kind, Draft] = {}
    before: tuple[Piece, _Prices] | None = None
    for piece in pieces:
        prices: _Prices = []
        for kind, dimension, volume_of in parts:
            volume = volume_of(piece)
            if not volume and kind is not Kind.ENERGY:
                continue
            priced, unknown = choose(rules, dimension, piece.moment)
            group = priced.group if priced else None
            prices.append((kind, group))
            if not volume:
                continue
            if unknown:
                gathered.flags.add(unknown)
            if kind is Kind.ENERGY and energy_prices.setdefault(piece.reading, group) != group:
                gathered.flags.add(INTERPOLATED)
            if priced:
                _add(gathered.drafts, latest, kind, priced, piece, volume)
        if before and piece.is_estimated and before[1] != prices:
            gathered.flags.add(INTERPOLATED)
        _extend(gathered.periods, piece, bool(before and _alike(before, piece, prices)))
        before = piece, prices


def gather_reservation(pieces: Sequence[Piece], rules: RuleSet) -> Gathered:
    gathered = Gathered()
    _fixed_once(gathered, Kind.RESERVATION, pieces, rules)
    latest: dict[Kind, Draft] = {}
    for piece in pieces:
        priced, _ = choose(rules, Dimension.TIME, piece.moment)
        if priced and piece.charging_s:
            _add(gathered.drafts, latest, Kind.RESERVATION, priced, piece, piece.charging_s)
    return gathered


def round_up(drafts: Sequence[Draft]) -> None:
    """Add to the last line of each unit what its step asks for."""
    by_unit: dict[tuple[bool, Dimension], list[Draft]] = {}
    for draft in drafts:
        by_unit.setdefault((draft.kind is Kind.RESERVATION, draft.dimension), []).append(draft)
    if (False, Dimension.PARKING_TIME) in by_unit:
        by_unit.pop((False, Dimension.TIME), None)
    for (_, dimension), lines in by_unit.items():
        if dimension is not Dimension.FLAT:
            _step(lines)


_Prices = list[tuple[Kind, object]]


def _step(lines: Sequence[Draft]) -> None:
    step = lines[-1].priced.component.step_size
    total = sum(line.volume for line in lines)
    if step > 0 and total > 0:
        lines[-1].surplus = -(-total // step) * step - total


def _fixed_once(gathered: Gathered, kind: Kind, pieces: Sequence[Piece], rules: RuleSet) -> None:
    if not any(Dimension.FLAT in rule.priced for rule in rules.rules):
        return
    for piece in pieces:
        priced, unknown = choose(rules, Dimension.FLAT, piece.moment)
        if unknown:
            gathered.flags.add(unknown)
        if priced:
            at = piece.start_us
            gathered.drafts.append(Draft(kind, priced, at, at, 1))
            return


def _add(
    drafts: list[Draft],
    latest: dict[Kind, Draft],
    kind: Kind,
    priced: Priced,
    piece: Piece,
    volume: Exact,
) -> None:
    last = latest.get(kind)
    if last is not None and last.priced is priced and last.end_us == piece.start_us:
        last.volume += volume
        last.end_us = piece.end_us
        return
    latest[kind] = draft = Draft(kind, priced, piece.start_us, piece.end_us, volume)
    drafts.append(draft)


def _alike(before: tuple[Piece, _Prices], piece: Piece, prices: _Prices) -> bool:
    last, charged = before
    return (
        charged == prices
        and bool(last.charging_s) == bool(piece.charging_s)
        and bool(last.parking_s) == bool(piece.parking_s)
        and bool(last.unpriced_s) == bool(piece.unpriced_s)
    )


def _extend(periods: list[ChargedPeriod], piece: Piece, alike: bool) -> None:
    last = periods.pop() if alike else None
    periods.append(
        ChargedPeriod(
            start_us=last.start_us if last else piece.start_us,
            end_us=piece.end_us,
            energy_wh=last.energy_wh + piece.energy_wh if last else piece.energy_wh,
            charging_s=last.charging_s + piece.charging_s if last else piece.charging_s,
            parking_s=last.parking_s + piece.parking_s if last else piece.parking_s,
            unpriced_s=last.unpriced_s + piece.unpriced_s if last else piece.unpriced_s,
        )
    )
