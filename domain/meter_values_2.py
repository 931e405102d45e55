"""OCPP 2.0.1 and 2.1 MeterValueType and SampledValueType to sampled values of the domain.

Absent fields mean what 2.0.1, part 2, 2.43 says: Sample.Periodic, Energy.Active.Import.Register,
Outlet, Wh; an absent phase is the overall value. A value counts 10^multiplier of its unit and is
normalised to base units; the signed data that may stand beside it are passed on as told.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from domain.facts import OtherRegisters, Register, Registers, SampledValue
from domain.phases import PHASES, summed
from domain.readings import read_decimal, read_integer, read_time

_REGISTER = "Energy.Active.Import.Register"
_OTHERS = {
    "Energy.Active.Import.Interval": "interval",
    "Energy.Active.Export.Register": "export",
}
_DEFAULT_UNIT = {"Energy": "Wh", "Power": "W", "Current": "A", "Voltage": "V", "SoC": "Percent"}
_BASE_UNIT = {
    "".join(letters): unit.removeprefix("k")
    for unit in ("kWh", "kW", "kvar", "kvarh", "kVA", "kVAh")
    for letters in product(*((letter.lower(), letter.upper()) for letter in unit))
}
"""In any case: the unit is a text of no list, and nothing else is spelled like these."""

_MULTIPLIER_MAX = 12
"""Tera. A multiplier past it is none: no meter counts so, and no column holds it."""

SAMPLES_MAX = 20_000
"""More than any frame within the edge's size limit can hold; a bound all the same."""


class Readings(NamedTuple):
    registers: Registers
    begin: Register | None
    end: Register | None
    flags: tuple[str, ...]
    others: OtherRegisters = ()


def read_samples(values: Any) -> tuple[SampledValue, ...]:
    """Return every sampled value, in the order of the frame."""
    samples: list[SampledValue] = []
    for at, _, sampled in _sampled(values):
        samples.extend(_sample(one, at) for one in sampled if isinstance(one, dict))
    return tuple(samples[:SAMPLES_MAX])


def read_registers(values: Any) -> Readings:
    """Return the readings of the outlet's import register over all phases, and flags.

    Of two with the same of the contexts Transaction.Begin and Transaction.End the first counts as
    begin, the last as end.
    """
    registers: list[Register] = []
    begin: Register | None = None
    end: Register | None = None
    others: list[tuple[str, int | None, Decimal]] = []
    flags: dict[str, None] = {}
    for at, flag, sampled in _sampled(values):
        if flag:
            flags[flag] = None
        phases: dict[str, Decimal] = {}
        before = len(registers)
        for one in sampled:
            if not isinstance(one, dict):
                continue
            if not _is_register(one):
                _take_other(one, at, others, phases)
                continue
            value = _scaled(one)[0]
            if value is None:
                flags["BAD_SAMPLE"] = None
                continue
            registers.append((at, value))
            context = one.get("context")
            if context == "Transaction.Begin" and begin is None:
                begin = (at, value)
            elif context == "Transaction.End":
                end = (at, value)
        if phases and len(registers) == before and (total := summed(phases)) is not None:
            registers.append((at, total))
            told = {one.get("context") for one in sampled if isinstance(one, dict)}
            begin = (at, total) if begin is None and "Transaction.Begin" in told else begin
            end = (at, total) if "Transaction.End" in told else end
    return Readings(tuple(registers), begin, end, tuple(flags), tuple(others))


def _take_other(
    sampled: dict[str, Any],
    at: int | None,
    others: list[tuple[str, int | None, Decimal]],
    phases: dict[str, Decimal],
) -> None:
    get = sampled.get
    measurand = get("measurand") or _REGISTER
    if get("location", "Outlet") not in ("Outlet", None):
        return
    value, phase = _scaled(sampled)[0], get("phase")
    if value is None:
        return
    if type(measurand) is not str:
        return
    if measurand in _OTHERS and not phase:
        others.append((_OTHERS[measurand], at, value))
    elif measurand == _REGISTER and type(phase) is str and phase in PHASES:
        phases.setdefault(phase, value)


def _sampled(values: Any) -> Iterator[tuple[int | None, str, list[Any]]]:
    for value in _listed(values):
        if isinstance(value, dict):
            yield *read_time(value.get("timestamp")), _listed(value.get("sampledValue"))


def _listed(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    return [values] if isinstance(values, dict) else []


def _is_register(sampled: dict[str, Any]) -> bool:
    get = sampled.get
    return (
        get("measurand", _REGISTER) in (_REGISTER, None)
        and not get("phase")
        and get("location", "Outlet") in ("Outlet", None)
    )


def _scaled(sampled: dict[str, Any]) -> tuple[Decimal | None, str]:
    """Return the value in its base unit, None where it is no number, and that unit."""
    of_measure = sampled.get("unitOfMeasure")
    get = of_measure.get if isinstance(of_measure, dict) else {}.get
    measurand = _text(sampled.get("measurand"), _REGISTER)
    unit = _text(get("unit"), _DEFAULT_UNIT.get(measurand.partition(".")[0], ""))
    multiplier = get("multiplier")
    exponent = 0 if multiplier is None else read_integer(multiplier)[0]
    value = read_decimal(sampled.get("value"))
    if exponent is None or abs(exponent) > _MULTIPLIER_MAX:
        return None, unit
    if unit in _BASE_UNIT:
        unit, exponent = _BASE_UNIT[unit], exponent + 3
    if value is not None and exponent:
        value = _plain(value.scaleb(exponent))
    return value, unit


def _plain(value: Decimal) -> Decimal:
    # 12E+3 is the same number; written out it is what a person and a column expect.
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


def _sample(sampled: dict[str, Any], at: int | None) -> SampledValue:
    get = sampled.get
    value, unit = _scaled(sampled)
    signed = get("signedMeterValue")
    return SampledValue(
        at=at,
        value=value,
        raw=_text(get("value"), ""),
        measurand=_text(get("measurand"), _REGISTER),
        phase=_text(get("phase"), ""),
        context=_text(get("context"), "Sample.Periodic"),
        location=_text(get("location"), "Outlet"),
        unit=unit,
        signed=signed if isinstance(signed, dict) else None,
    )


def _text(value: Any, absent: str) -> str:
    if value is None:
        return absent
    return value if type(value) is str else str(value)
