"""OCPP 1.6 MeterValue and SampledValue (7.33, 7.43) to sampled values of the domain.

Absent fields mean what 7.43 says: Sample.Periodic, Raw, Energy.Active.Import.Register, Outlet, Wh;
an absent phase is the overall value. Values are normalised to base units (kWh to Wh, kW to W);
what is no number is kept as text.
"""

from decimal import Decimal
from typing import Any

from domain.facts import SampledValue
from domain.readings import read_decimal, read_time

_DEFAULT_UNIT = {"Energy": "Wh", "Power": "W", "Current": "A", "Voltage": "V", "SoC": "Percent"}
_SCALED = {
    "kWh": ("Wh", Decimal(1000)),
    "kW": ("W", Decimal(1000)),
    "kvar": ("var", Decimal(1000)),
    "kvarh": ("varh", Decimal(1000)),
    "kVA": ("VA", Decimal(1000)),
}
SAMPLES_MAX = 20_000
"""More than any frame within the edge's size limit can hold; a bound all the same."""


def read_meter_values(values: Any) -> tuple[tuple[SampledValue, ...], tuple[str, ...]]:
    """Return (samples in the order of the frame, flags)."""
    samples: list[SampledValue] = []
    flags: list[str] = []
    if not isinstance(values, list):
        return (), ()
    for value in values:
        if not isinstance(value, dict):
            continue
        at, flag = read_time(value.get("timestamp"))
        if flag:
            flags.append(flag)
        sampled = value.get("sampledValue")
        if isinstance(sampled, list):
            samples.extend(_sample(one, at) for one in sampled if isinstance(one, dict))
    if any(sample.value is None and sample.format == "Raw" for sample in samples):
        flags.append("BAD_SAMPLE")
    return tuple(samples[:SAMPLES_MAX]), tuple(flags)


def _sample(sampled: dict[str, Any], at: int | None) -> SampledValue:
    get = sampled.get
    raw = get("value")
    form = get("format", "Raw")
    measurand = get("measurand", "Energy.Active.Import.Register")
    unit = get("unit")
    value = read_decimal(raw) if form == "Raw" else None
    if unit is None:
        unit = _DEFAULT_UNIT.get(str(measurand).partition(".")[0], "")
    elif unit in _SCALED:
        unit, factor = _SCALED[unit]
        value = value * factor if value is not None else None
    return SampledValue(
        at=at,
        value=value,
        raw=raw if type(raw) is str else str(raw),
        measurand=str(measurand),
        phase=str(get("phase", "")),
        context=str(get("context", "Sample.Periodic")),
        location=str(get("location", "Outlet")),
        unit=str(unit),
        format=str(form),
    )


def register_of(samples: tuple[SampledValue, ...]) -> SampledValue | None:
    """Return the latest overall reading of the outlet's import register, if there is one."""
    latest = None
    for sample in samples:
        if is_register(sample) and (latest is None or (sample.at or 0) >= (latest.at or 0)):
            latest = sample
    return latest


def is_register(sample: SampledValue) -> bool:
    return (
        sample.measurand == "Energy.Active.Import.Register"
        and sample.value is not None
        and not sample.phase
        and sample.location == "Outlet"
    )
