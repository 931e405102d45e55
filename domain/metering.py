"""How much energy a transaction took, from the registers at its ends. Pure; exact.

The energy is the difference of the two registers, nothing else. The readings in between show
whether it can be: they bound what is unknown, and contradict what is wrong, but make no energy.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from domain.limits import Limits
from domain.readings import whole

Wh = int | Decimal
Reading = tuple[int, Decimal]
Bounds = tuple[Wh | None, Wh | None]

_HOUR_US = 3_600_000_000
_NEAR_US = 60_000_000
"""A reading so near to an end of the transaction was taken there."""

_EXCESS_PERCENT = 105
_ROUNDING_WH = 2
"""Two registers in whole Wh."""

_POWER_UNKNOWN_W = 1_000_000
"""A jump that no charging station makes, where it is not registered what this one can."""

_KILO = 1000
_NOTHING: frozenset[str] = frozenset()


class Registers(Struct, frozen=True, gc=False):
    """What was told of the registers and of the times at which they were read."""

    start: Wh | None
    stop: Wh | None
    start_us: int | None
    end_us: int | None
    readings: Sequence[Reading] = ()
    """In order of time."""
    other_starts: Sequence[Wh] = ()
    other_stops: Sequence[Wh] = ()
    """Told in contradiction to the first."""
    is_stopped: bool = True
    """Its end was told; not only concluded."""
    next_start: Wh | None = None
    """The register as the next transaction on the EVSE began."""
    tolerance_wh: int = 1


class Metered(Struct, frozen=True, gc=False):
    energy: Wh | None
    bounds: Bounds | None
    flags: frozenset[str]
    holds: frozenset[str]
    """Of the flags those that hold because of what they mean here."""
    readings: Sequence[Reading]
    """Those that may split the energy, in the base of the start."""


UNMETERED = Metered(None, None, _NOTHING, _NOTHING, ())
"""What can be said of a transaction that runs and was not read yet."""


def meter(r: Registers, limits: Limits) -> Metered:
    read = _inside(r)
    if (plain := _plainly(r, read, limits)) is not None:
        return plain
    inside, flags = _without_spikes(read, r, limits)
    if r.start is None or r.start < 0:
        return Metered(None, _bounds_of_stop(r, inside), frozenset(flags), frozenset(), inside)
    if r.stop is None or r.stop < 0 or not r.is_stopped:
        return _without_stop(r, inside, flags, limits)
    wrapped = _unwrapped(r, inside, limits)
    if wrapped is not None:
        stop, inside = wrapped
        return _decided(replace(r, stop=stop), inside, flags | {"METER_ROLLOVER"}, limits)
    if _falls(inside, r.tolerance_wh):
        return _unknown(r, inside, flags | _regression(r) | {"METER_RESET"}, limits)
    mixed = _mixes_bases(r, inside, limits)
    if mixed is not None:
        flags = flags | _regression(r) | {"METER_BASE_MISMATCH"}
        held = _unknown(replace(r, start=mixed), inside, flags, limits)
        return replace(held, holds=frozenset({"METER_BASE_MISMATCH"}))
    if r.stop < r.start:
        return _unknown(r, inside, flags | {"METER_REGRESSION"}, limits)
    return _decided(*_in_base(r, inside, flags, limits), limits)


def _inside(r: Registers) -> list[Reading]:
    first = None if r.start_us is None else r.start_us - _NEAR_US
    last = r.end_us if r.is_stopped else None
    return [
        (at, wh)
        for at, wh in r.readings
        if (first is None or at >= first) and (last is None or at <= last)
    ]


def _plainly(r: Registers, inside: list[Reading], limits: Limits) -> Metered | None:
    """Return what nearly every transaction amounts to: nothing contradicts anything."""
    start, stop = r.start, r.stop
    if start is None or stop is None or not r.is_stopped or r.other_starts or r.other_stops:
        return None
    shown = max(start, 0)
    for _, wh in inside:
        if wh < shown:
            return None
        shown = wh
    if not 0 <= start <= shown <= stop or _is_flat(r, inside):
        return None
    if is_too_much(stop - start, r.start_us, r.end_us, limits):
        return None
    return Metered(whole(Decimal(stop - start)), None, _NOTHING, _NOTHING, inside)


def _decided(r: Registers, inside: list[Reading], flags: set[str], limits: Limits) -> Metered:
    """Take the difference, unless a reading contradicts it."""
    start, stop = r.start or 0, r.stop or 0
    energy = whole(Decimal(stop - start))
    if inside and inside[-1][1] > stop + r.tolerance_wh:
        return _unknown(r, inside, flags | {"METER_REGRESSION"}, limits)
    if limits.max_power_w and is_too_much(energy, r.start_us, r.end_us, limits):
        flags = flags | {"IMPLAUSIBLE_POWER", "IMPLAUSIBLE_ENERGY"}
    bounds: Bounds | None = None
    if r.other_starts or r.other_stops:
        told = [
            last - first
            for first in (start, *r.other_starts)
            for last in (stop, *r.other_stops)
            if 0 <= first <= last
        ]
        bounds = (_plain(min(told)), _plain(max(told))) if told else None
    return Metered(energy, bounds, frozenset(flags), frozenset(), inside)


def _unknown(r: Registers, inside: list[Reading], flags: set[str], limits: Limits) -> Metered:
    """Say what the readings allow, where the registers at the ends do not say it."""
    begun = r.start or 0
    told = [wh for _, wh in inside]
    lower: Wh = sum((max(b - a, Decimal(0)) for a, b in pairwise(told)), Decimal(0))
    if told and told[0] > begun:
        lower += told[0] - begun
    if "METER_RESET" in flags and told and r.stop is not None and r.stop > told[-1]:
        lower += r.stop - told[-1]
    last = inside[-1][0] if inside else r.start_us
    if "METER_RESET" in flags:
        last = r.start_us  # What it counted around the reset, nobody knows.
    more = _possible(last, r.end_us, limits)
    base: Wh = 0 if last == r.start_us else lower
    upper = None if more is None else max(base + more, lower)
    return Metered(None, (_plain(lower), _plain(upper)), frozenset(flags), frozenset(), inside)


def _without_stop(r: Registers, inside: list[Reading], flags: set[str], limits: Limits) -> Metered:
    if r.is_stopped:
        flags = flags | {"METER_STOP_MISSING" if r.stop is None else "METER_STOP_INVALID"}
    if _falls(inside, r.tolerance_wh):
        return _unknown(r, inside, flags | {"METER_RESET"}, limits)
    if r.start is not None and inside and inside[0][1] < r.start - r.tolerance_wh:
        flags = flags | {"METER_BASE_MISMATCH"}
        r = replace(r, start=inside[0][1], next_start=None)
    found = _unknown(r, inside, flags, limits)
    lower, upper = found.bounds or (0, None)
    if r.next_start is not None and r.start is not None and lower is not None:
        most = r.next_start - r.start
        if most >= lower and (upper is None or most < upper):
            upper = most
    if not r.is_stopped and r.next_start is None:
        upper = None  # It may have gone on for as long as nobody heard of it.
    lower, upper = _plain(lower), _plain(upper)
    energy = lower if r.next_start is not None and lower == upper else None
    return replace(found, energy=energy, bounds=(lower, upper))


def _bounds_of_stop(r: Registers, inside: list[Reading]) -> Bounds:
    """Return the bounds where the start is unknown: what is seen is the least there was."""
    told = [wh for _, wh in inside]
    if r.stop is not None and r.stop >= 0:
        told = [*(wh for wh in told if wh <= r.stop), Decimal(r.stop)]
    return (_plain(told[-1] - told[0]) if told else 0), None


def _without_spikes(
    inside: list[Reading], r: Registers, limits: Limits
) -> tuple[list[Reading], set[str]]:
    """Leave out single readings that jump against their neighbours, which agree without them."""
    kept, found = inside, False
    if _falls(inside, r.tolerance_wh):
        kept = _without_dips(_without_peaks(inside, r.tolerance_wh), r.tolerance_wh)
        found = len(kept) < len(inside)
    if len(kept) > 1 and r.stop is not None and kept[-2][1] <= r.stop < kept[-1][1]:
        (before, low), (at, high) = kept[-2:]
        if is_too_much(high - low, before, at, limits):
            kept, found = kept[:-1], True
    return kept, ({"BAD_SAMPLE"} if found else set())


def _without_peaks(readings: list[Reading], tolerance_wh: int) -> list[Reading]:
    kept: list[Reading] = []
    for reading in readings:
        while kept and reading[1] < kept[-1][1] - tolerance_wh and _is_spike(kept, reading):
            kept.pop()
        kept.append(reading)
    return kept


def _is_spike(kept: list[Reading], reading: Reading) -> bool:
    return len(kept) > 1 and kept[-2][1] <= reading[1]


def _without_dips(kept: list[Reading], tolerance_wh: int) -> list[Reading]:
    if not _falls(kept, tolerance_wh):
        return kept
    left = [
        reading
        for before, reading, after in zip(kept, kept[1:], kept[2:], strict=False)
        if not (reading[1] < before[1] - tolerance_wh and after[1] >= before[1])
    ]
    return [kept[0], *left, kept[-1]]


def _falls(inside: Iterable[Reading], tolerance_wh: int) -> bool:
    return any(b < a and b < a - tolerance_wh for (_, a), (_, b) in pairwise(inside))


def _unwrapped(
    r: Registers, inside: list[Reading], limits: Limits
) -> tuple[Wh, list[Reading]] | None:
    """Return the stop and the readings past the wrap, where the register wrapped plausibly."""
    modulus, start, stop = limits.register_modulus_wh, r.start, r.stop
    if modulus is None or start is None or stop is None or not 0 <= stop < start < modulus:
        return None
    if limits.max_power_w is None or r.start_us is None or r.end_us is None:
        return None
    if is_too_much(stop + modulus - start, r.start_us, r.end_us, limits):
        return None
    past = [(at, wh if wh >= start - r.tolerance_wh else wh + modulus) for at, wh in inside]
    return None if _falls(past, r.tolerance_wh) else (stop + modulus, past)


def _mixes_bases(r: Registers, inside: list[Reading], limits: Limits) -> Wh | None:
    """Return the first reading, where the registers at the ends count from different bases.

    The readings agree with one end, and to reach the other the register would have to jump.
    """
    if not inside or r.start is None or r.stop is None:
        return None
    energy = r.stop - r.start
    if energy >= 0 and not is_too_much(energy, r.start_us, r.end_us, limits):
        return None
    (first_us, first), (last_us, last) = inside[0], inside[-1]
    at_start = _jumps(first - r.start, r.start_us, first_us, limits)
    at_stop = _jumps(r.stop - last, last_us, r.end_us, limits)
    if at_start == at_stop:
        return None
    if energy < 0 and r.stop >= first - r.tolerance_wh and not at_stop:
        return first
    if energy < 0 and limits.max_power_w is None:
        return None
    return first if at_start else r.start


def _jumps(wh: Wh, since: int | None, until: int | None, limits: Limits) -> bool:
    return wh < -1 or is_too_much(wh, since, until, limits)


def _in_base(
    r: Registers, inside: list[Reading], flags: set[str], limits: Limits
) -> tuple[Registers, list[Reading], set[str]]:
    """Return the readings in the base and the unit of the registers at the ends."""
    if not inside or r.start is None or r.stop is None:
        return r, inside, flags
    told, slack = [wh for _, wh in inside], r.tolerance_wh
    energy, rise = r.stop - r.start, told[-1] - told[0]
    fits = told[0] >= r.start - slack and told[-1] <= r.stop + slack
    if not fits or _is_flat(r, inside):
        for factor in (Decimal(_KILO), 1 / Decimal(_KILO)):
            if _fits_scaled(r, told, factor):
                low, high = Decimal(r.start), Decimal(r.stop)
                scaled = [(at, min(max(wh * factor, low), high)) for at, wh in inside]
                return r, scaled, flags | {"UNIT_SUSPECT"}
    if fits:
        return r, inside, flags
    is_other = told[0] < r.start - slack or (told[0] > r.stop and _is_beyond(r, inside[0], limits))
    if is_other and 0 <= rise <= energy + slack:
        base = _base_of(r, inside)
        moved = [] if base is None else [(at, wh - base + r.start) for at, wh in inside]
        return r, moved, flags | {"METER_BASE_MISMATCH"}
    return r, inside, flags


def _is_beyond(r: Registers, first: Reading, limits: Limits) -> bool:
    """Whether the register cannot have shown that by then, for all that is known: so the reading
    has another base."""
    if limits.max_power_w is None or r.start is None or r.start_us is None:
        return True
    return is_too_much(first[1] - r.start, r.start_us, first[0], limits)


def _is_flat(r: Registers, inside: list[Reading]) -> bool:
    """Whether the readings rise by about a thousandth of what the registers at the ends say."""
    if r.start is None or r.stop is None or r.start_us is None or r.end_us is None:
        return False
    if not inside:
        return False
    late = inside[-1][0] - r.start_us >= (r.end_us - r.start_us) / 2
    risen = inside[-1][1] - r.start
    return late and risen > 0 and risen * 500 <= r.stop - r.start


def _fits_scaled(r: Registers, told: Sequence[Decimal], factor: Decimal) -> bool:
    start, stop = r.start or 0, r.stop or 0
    slack = _KILO if factor > 1 else 1
    return (
        start - slack <= told[0] * factor
        and told[-1] * factor <= stop + slack
        and told[-1] > told[0]
        and (told[-1] - told[0]) * factor * 100 > stop - start
    )


def _base_of(r: Registers, inside: list[Reading]) -> Decimal | None:
    """Return what the readings show where the register at the start shows its value."""
    energy, slack = (r.stop or 0) - (r.start or 0), r.tolerance_wh
    (first_us, first), (last_us, last) = inside[0], inside[-1]
    candidates = [Decimal(0)]
    if r.start_us is not None and first_us <= r.start_us + _NEAR_US:
        candidates.insert(0, first)
    if r.end_us is not None and last_us >= r.end_us - _NEAR_US:
        candidates.append(last - energy)
    for base in candidates:
        if first - base >= -slack and last - base <= energy + slack:
            return base
    return None


def is_too_much(wh: Wh, since: int | None, until: int | None, limits: Limits) -> bool:
    if since is None or until is None or until < since:
        return False
    power = limits.max_power_w if limits.max_power_w is not None else _POWER_UNKNOWN_W
    return (wh - _ROUNDING_WH) * (_HOUR_US * 100) > power * (until - since) * _EXCESS_PERCENT


def _possible(since: int | None, until: int | None, limits: Limits) -> int | None:
    if limits.max_power_w is None or since is None or until is None or until < since:
        return None
    return -(-limits.max_power_w * (until - since) // _HOUR_US)


def _regression(r: Registers) -> set[str]:
    is_less = r.start is not None and r.stop is not None and r.stop < r.start
    return {"METER_REGRESSION"} if is_less else set()


def _plain(wh: Wh | None) -> Wh | None:
    return None if wh is None else whole(Decimal(wh))
