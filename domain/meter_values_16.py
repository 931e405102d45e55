"""OCPP 1.6 MeterValue and SampledValue (7.33, 7.43) to sampled values of the domain.

Absent fields mean what 7.43 says: Sample.Periodic, Raw, Energy.Active.Import.Register, Outlet, Wh;
an absent phase is the overall value. Values are normalised to base units
(`domain.units`); what is no number is kept as text.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from domain.facts import OtherRegisters, Register, Registers, SampledValue
from domain.phases import PHASES, Phases
from domain.readings import SCHEMA_DEVIATION, read_time
from domain.units import is_energy, scaled, watt_hours

_REGISTER = "Energy.Active.Import.Register"
_OTHERS = {
    "Energy.Active.Import.Interval": "interval",
    "Energy.Active.Export.Register": "export",
}
_END_OF = {"Transaction.Begin": "begin", "Transaction.End": "end"}
_ENERGY = (None, _REGISTER, *_OTHERS)
_IS_REGISTER = (_REGISTER, None)
_IS_OUTLET = ("Outlet", None)
_IS_RAW = ("Raw", None)
SAMPLES_MAX = 20_000
"""More than any frame within the edge's size limit can hold; a bound all the same."""


def read_samples(values: Any) -> tuple[SampledValue, ...]:
    """Return every sampled value, in the order of the frame."""
    samples: list[SampledValue] = []
    for at, sampled in _sampled(values):
        samples.extend(_sample(one, at[0]) for one in sampled if isinstance(one, dict))
    return tuple(samples[:SAMPLES_MAX])


def read_registers(values: Any) -> tuple[Registers, tuple[str, ...]]:
    """Return the readings of the outlet's import register over all phases, and flags."""
    return read_energy(values)[:2]


def read_energy(values: Any) -> tuple[Registers, tuple[str, ...], OtherRegisters]:
    """Return the readings of the outlet's import register over all phases, flags, and the others.

    This is all that a decision reads of a frame, which is why it leaves the rest alone.
    """
    registers: list[tuple[int | None, Decimal]] = []
    others: list[tuple[str, int | None, Decimal]] = []
    flags: dict[str, None] = {}
    phases: Phases | None = None
    for (at, flag), sampled in _sampled(values):
        if flag:
            flags[flag] = None
        # In few steps: most of what stations sample is no energy, and this runs for all of it.
        told = [one for one in sampled if type(one) is dict and one.get("measurand") in _ENERGY]
        for one in told:
            if not _is_of_outlet(one):
                continue
            if one.get("measurand") not in _IS_REGISTER:
                _take_other(one, at, others)
                continue
            if one.get("phase"):
                phases = _take_phase(one, at, phases or Phases(), flags)
                continue
            if (value := watt_hours(one)) is None:
                flags["BAD_SAMPLE"] = None
                continue
            if "unitOfMeasure" in one or "multiplier" in one:
                flags[SCHEMA_DEVIATION] = None
            registers.append((at, value))
            _take_end(one, (at, value), others)
    if phases is not None:
        sums = phases.sums(frozenset(at for at, _ in registers))
        registers.extend((each.at, each.wh) for each in sums)
    return tuple(registers), tuple(flags), tuple(others)


def ends_in(samples: Iterable[SampledValue]) -> tuple[Register | None, Register | None]:
    """Return the readings of the outlet's import register at the begin and the end, if told."""
    begin: Register | None = None
    end: Register | None = None
    for one in samples:
        if one.measurand != _REGISTER or one.phase or one.location != "Outlet":
            continue
        value = one.value
        if not is_energy(value, one.unit):
            continue
        if one.context == "Transaction.Begin" and begin is None:
            begin = (one.at, value)
        elif one.context == "Transaction.End":
            end = (one.at, value)
    return begin, end


def _is_of_outlet(sampled: dict[str, Any]) -> bool:
    get = sampled.get
    return get("location") in _IS_OUTLET and get("format") in _IS_RAW


def _take_end(
    sampled: dict[str, Any], reading: Register, others: list[tuple[str, int | None, Decimal]]
) -> None:
    context = sampled.get("context")
    if context is not None and (end := _END_OF.get(str(context))):
        others.append((end, *reading))


def _take_other(
    sampled: dict[str, Any], at: int | None, others: list[tuple[str, int | None, Decimal]]
) -> None:
    value, kind = watt_hours(sampled), _OTHERS.get(sampled["measurand"])
    if value is not None and kind is not None and not sampled.get("phase"):
        others.append((kind, at, value))


def _take_phase(
    sampled: dict[str, Any], at: int | None, phases: Phases, flags: dict[str, None]
) -> Phases:
    value, phase = watt_hours(sampled), sampled.get("phase")
    if type(phase) is str and phase in PHASES:
        phases.take(at, phase, value, sampled.get("context"))
    if value is None:
        flags["BAD_SAMPLE"] = None
    return phases


def _sampled(values: Any) -> Iterator[tuple[tuple[int | None, str], list[Any]]]:
    for value in _listed(values):
        if isinstance(value, dict):
            at, flag = read_time(value.get("timestamp"))
            # Without a time it is taken to be read when it was told.
            odd = flag or (SCHEMA_DEVIATION if at is None else "")
            yield (at, odd), _listed(value.get("sampledValue"))


def _listed(values: Any) -> list[Any]:
    # Seen: the one object where an array of objects is due.
    if isinstance(values, list):
        return values
    return [values] if isinstance(values, dict) else []


def _sample(sampled: dict[str, Any], at: int | None) -> SampledValue:
    get = sampled.get
    raw = get("value")
    form = _text(get("format"), "Raw")
    measurand = _text(get("measurand"), _REGISTER)
    value, unit = scaled(sampled)
    return SampledValue(
        at=at,
        value=value if form == "Raw" else None,
        raw=_text(raw, ""),
        measurand=measurand,
        phase=_text(get("phase"), ""),
        context=_text(get("context"), "Sample.Periodic"),
        location=_text(get("location"), "Outlet"),
        unit=unit,
        format=form,
    )


def _text(value: Any, absent: str) -> str:
    if value is None:
        return absent
    return value if type(value) is str else str(value)
