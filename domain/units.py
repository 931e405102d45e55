"""Units of measure as stations spell them, and the values that they are told in; every version.

The series have the base unit of the specification (Wh, W, Celsius, …). What is spelled like no
unit known here stays as told, and so does its value: MWh and mWh differ by case only, and nobody
can trust a station's. Energy is what is told in Wh; a value of any other unit is none.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeGuard

from domain.readings import SCHEMA_DEVIATION, read_decimal, read_integer

WH = "Wh"
_DEFAULT = {"Energy": WH, "Power": "W", "Current": "A", "Voltage": "V", "SoC": "Percent"}
_KILO = (WH, "W", "var", "varh", "VA", "VAh")
_SPELLED = {"Celcius": "Celsius", "C": "Celsius", "Hertz": "Hz"}
_PLAIN = (*_KILO, "A", "V", "Hz", "K", "Celsius", "Fahrenheit", "Percent")

_MEANT = {
    **{unit: (unit, 0) for unit in _PLAIN},
    **{f"k{unit}": (unit, 3) for unit in _KILO},
    **{spelled: (unit, 0) for spelled, unit in _SPELLED.items()},
}
"""By how it is told: the base unit, and the power of ten of it."""

_MEANT_IN_ANY_CASE = {told.casefold(): meant for told, meant in _MEANT.items()}

_MULTIPLIER_MAX = 12
"""Tera. A multiplier past it is none: no meter counts so, and no column holds it."""

_WH_DIGITS_MAX = 18
"""Before the point. No register says more, and 64 bits of a snapshot and of a CDR hold the sum of
three phases."""

_DIGITS_MAX = 28
"""Before the point. With more it is no measured value, and arithmetic would not be exact."""


def scaled(sampled: Mapping[str, Any]) -> tuple[Decimal | None, str]:
    """Return the value in its base unit, None where it is no number, and that unit.

    A value counts 10^multiplier of its unit; without a unit it is in that of its measurand.
    """
    told, multiplier = _measure(sampled)
    unit, exponent = _read_unit(told, sampled.get("measurand"))
    value = read_decimal(sampled.get("value"))
    if multiplier is not None:
        power = read_integer(multiplier)[0]
        if power is None or abs(power) > _MULTIPLIER_MAX:
            return None, unit
        exponent += power
    if value is not None and exponent:
        value = _written_out(value.scaleb(exponent))
    return value, unit


def watt_hours(sampled: Mapping[str, Any]) -> Decimal | None:
    """Return the energy that a value of an energy register tells; None: it tells none in Wh."""
    if sampled.get("unit", WH) != WH or "unitOfMeasure" in sampled or "multiplier" in sampled:
        value, unit = scaled(sampled)
        return value if is_energy(value, unit) else None
    value = read_decimal(sampled.get("value"))
    return value if value is not None and value.adjusted() < _WH_DIGITS_MAX else None


def is_energy(value: Decimal | None, unit: str) -> TypeGuard[Decimal]:
    """Whether a value in its base unit is Wh that a register may have."""
    return value is not None and unit == WH and value.adjusted() < _WH_DIGITS_MAX


def deviation(sampled: Mapping[str, Any]) -> str:
    """Return a flag where a unit of 2.x stands as another version has it."""
    is_odd = "unit" in sampled or "multiplier" in sampled
    return SCHEMA_DEVIATION if is_odd or type(sampled.get("unitOfMeasure")) is str else ""


def _measure(sampled: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return unit and multiplier as told: 1.6 has the unit beside the value, 2.x an object.

    Two units that differ have no one reading: together they are a unit that nobody knows.
    """
    beside, multiplier = sampled.get("unit"), sampled.get("multiplier")
    measure = sampled.get("unitOfMeasure")
    if isinstance(measure, dict):
        told, multiplier = measure.get("unit"), measure.get("multiplier", multiplier)
    else:
        told = measure
    if told is None or beside is None:
        return beside if told is None else told, multiplier
    is_same = _read_unit(told, None) == _read_unit(beside, None)
    return told if is_same else f"{beside} {told}", multiplier


def _read_unit(told: Any, measurand: Any) -> tuple[str, int]:
    if told is None or (type(told) is str and not told.strip()):
        family = measurand.partition(".")[0] if type(measurand) is str else ""
        return _DEFAULT.get(family or "Energy", ""), 0
    if type(told) is not str:
        return str(told), 0
    return _MEANT.get(told) or _MEANT_IN_ANY_CASE.get(told.strip().casefold()) or (told, 0)


def _written_out(value: Decimal) -> Decimal | None:
    # 12E+3 is the same number; written out it is what a person and a column expect.
    if value.adjusted() >= _DIGITS_MAX:
        return None
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value
