"""What all that was told of a transaction amounts to: times, energy, flags, and what holds it.

Every part is decided from what is kept of the transaction, whatever the order it came in.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from domain import signed_values
from domain.clocks import Moment, Times, times_of
from domain.limits import UNKNOWN, Limits, is_place
from domain.meter_rules import CURRENT, MeterRule
from domain.metering import UNMETERED, Bounds, Reading, Registers, Wh, meter
from domain.repeats import AMBIGUOUS_VALUE
from domain.reserved_time import UNCLEAR
from domain.transaction import Transaction

HOLDING = frozenset(
    {
        AMBIGUOUS_VALUE,
        "CLOCK_STEP",
        "CONFLICTING_STOP",
        "CONNECTOR_INVALID",
        "ESTIMATED_END",
        "IMPLAUSIBLE_ENERGY",
        "IMPLAUSIBLE_POWER",
        "METER_REGRESSION",
        "METER_RESET",
        "METER_START_INVALID",
        "METER_STOP_INVALID",
        "METER_STOP_MISSING",
        "MISSING_START",
        "MISSING_STOP",
        "NEGATIVE_DURATION",
        "RECONSTRUCTED",
        UNCLEAR,
        "TIME_MISSING",
        "TOKEN_NOT_ACCEPTED",
        *signed_values.HOLDING,
    }
)
"""The flags that keep a CDR from being released without a person."""


class Judgement(Struct, frozen=True, kw_only=True):
    start_us: int | None
    end_us: int | None
    """Concluded from evidence where no end was told."""
    energy: Wh | None
    """The difference of the registers as reported."""
    bounds: Bounds | None
    readings: Sequence[Reading]
    flags: frozenset[str]
    holds: frozenset[str]
    missing_seq: tuple[int, ...] = ()
    missing_energy_wh: Wh | None = None


def is_over(t: Transaction) -> bool:
    """Whether it has ended: as told, or as was concluded for want of it."""
    return t.is_ended or t.is_closed


def judge(t: Transaction, limits: Limits = UNKNOWN, rule: MeterRule = CURRENT) -> Judgement:
    if t.is_no_show:
        return _no_show(t)
    times = _times(t, limits)
    end_us = times.end if t.is_ended else _concluded_end(t, times.start)
    flags = {*t.flags, *times.flags, *_said(t, times, limits)}
    over = is_over(t)
    metered = UNMETERED
    if over or t.readings or t.intervals:
        metered = meter(_registers(t, times, rule), limits)
    energy, bounds = metered.energy, metered.bounds
    missing: tuple[int, ...] = ()
    if over:
        flags |= metered.flags
        missing = t.seq.missing()
        flags |= _sequence_flags(t, missing)
        if energy is None and t.started >= 0 and (t.meter_start_wh is None or t.meter_start_wh < 0):
            flags.add("METER_START_INVALID")
    else:
        energy, bounds = None, None
        flags |= metered.flags & {"BAD_SAMPLE"}
    gap = _gap(t)
    if gap is not None and gap > 0:
        flags.add("MISSING_ENERGY")
    elif gap is not None and gap < 0:
        flags.add("METER_REPLACED_OR_RESET")
    return Judgement(
        start_us=times.start,
        end_us=end_us,
        energy=energy,
        bounds=bounds,
        readings=metered.readings,
        flags=frozenset(flags),
        holds=frozenset((HOLDING & flags) | times.holds | metered.holds),
        missing_seq=missing,
        missing_energy_wh=gap if gap is not None and gap > 0 else None,
    )


def began(t: Transaction, limits: Limits) -> Judgement:
    """Return what can be said without a look at the readings: when it began."""
    return Judgement(
        start_us=_times(t, limits).start,
        end_us=None,
        energy=None,
        bounds=None,
        readings=(),
        flags=frozenset(),
        holds=frozenset(),
    )


def _no_show(t: Transaction) -> Judgement:
    flags = frozenset(t.flags)
    return Judgement(
        start_us=t.started_at,
        end_us=t.ended_at,
        energy=0,
        bounds=None,
        readings=(),
        flags=flags,
        holds=HOLDING & flags,
    )


def _times(t: Transaction, limits: Limits) -> Times:
    start = Moment(t.started_at, t.start_received, t.start_is_live)
    end = Moment(t.ended_at, t.end_received, t.end_is_live) if t.is_ended else None
    return times_of(start if t.started_at is not None else None, end, limits)


def _concluded_end(t: Transaction, start_us: int | None) -> int | None:
    """Return the latest that shows it running; without any, when the next one began."""
    if not t.is_closed:
        return None
    if t.readings:
        return t.readings[-1][0]
    end = t.successor_at
    return end if end is not None and (start_us is None or end >= start_us) else None


def _said(t: Transaction, times: Times, limits: Limits) -> set[str]:
    flags = set()
    over = is_over(t)
    if t.token_status != "Accepted":
        flags.add("TOKEN_NOT_ACCEPTED")
    if over and t.started < 0:
        flags.add("MISSING_START")
    is_nowhere = t.started >= 0 and (t.evse_id == 0 or not is_place(t.evse_id, t.connector_id))
    if is_nowhere or (limits.connectors is not None and t.evse_id > limits.connectors):
        flags.add("CONNECTOR_INVALID")
    if (t.started >= 0 and t.started_at is None) or (t.is_ended and t.ended_at is None):
        flags.add("TIME_MISSING")
    if t.is_ended and t.stop_token and t.stop_token.casefold() != t.id_token.casefold():
        # Whoever stands there may stop it: that is reported, not judged.
        is_same = t.stop_group and t.stop_group.casefold() == t.group.casefold()
        flags.add("STOP_TAG_GROUP" if is_same else "STOP_TAG_MISMATCH")
    if t.is_closed and not t.is_ended:
        flags |= {"MISSING_STOP", "ESTIMATED_END"}
    if over and _is_interrupted(t, times):
        flags.add("METERING_GAP")
    return flags


def _is_interrupted(t: Transaction, times: Times) -> bool:
    return any(
        (times.start is None or at > times.start) and (times.end is None or at < times.end)
        for at in t.interrupted
    )


def _sequence_flags(t: Transaction, missing: Sequence[int]) -> set[str]:
    flags = set()
    if t.by_events and (missing or t.started < 0):
        flags.add("SEQ_GAP")
    highest, last = t.seq.highest, t.seq.last
    if highest is not None and last is not None and highest > last:
        flags.add("EVENT_AFTER_END")
    return flags


def _registers(t: Transaction, times: Times, rule: MeterRule) -> Registers:
    start, stop = t.meter_start_wh, t.meter_stop_wh
    if rule.is_by_samples and t.begin_wh is not None and t.end_wh is not None:
        start, stop = t.begin_wh, t.end_wh
    return Registers(
        start=start,
        stop=stop,
        start_us=times.start,
        end_us=times.end if t.is_ended else t.successor_at,
        readings=t.readings or _summed(t),
        other_starts=t.conflicting_starts,
        other_stops=t.conflicting_stops,
        is_stopped=t.is_ended,
        next_start=t.successor_start_wh,
        tolerance_wh=rule.register_tolerance_wh,
    )


def _summed(t: Transaction) -> list[Reading]:
    """Return readings made of intervals, where the register itself was never sampled."""
    total = Decimal(t.meter_start_wh or 0)
    readings = []
    for at, wh in sorted(t.intervals):
        total += wh
        readings.append((at, total))
    return readings


def _gap(t: Transaction) -> Wh | None:
    """Return what the register moved by since the transaction before it on the EVSE."""
    before, start = t.previous_stop_wh, t.meter_start_wh
    if before is None or start is None or before < 0 or start < 0 or start == before:
        return None
    return start - before
