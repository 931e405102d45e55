"""OCPP 2.0.1 and 2.1 MeterValueType and SampledValueType to sampled values of the domain.

Absent fields mean what 2.0.1, part 2, 2.43 says: Sample.Periodic, Energy.Active.Import.Register,
Outlet, Wh; an absent phase is the overall value. Values are normalised to base units
(`domain.units`); the signed data that may stand beside them are passed on as told.
"""

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from domain.facts import OtherRegisters, Register, Registers, SampledValue
from domain.phases import PHASES, Phases
from domain.readings import SCHEMA_DEVIATION, read_time
from domain.units import deviation, scaled, watt_hours

_REGISTER = "Energy.Active.Import.Register"
_OTHERS = {
    "Energy.Active.Import.Interval": "interval",
    "Energy.Active.Export.Register": "export",
}

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
    found = _Found()
    flags: dict[str, None] = {}
    for at, flag, sampled in _sampled(values):
        if flag:
            flags[flag] = None
        for one in sampled:
            if not isinstance(one, dict):
                continue
            if not _is_import(one):
                _take_other(one, at, found.others)
            elif flag := found.take(one, at):
                flags[flag] = None
    found.add_up()
    return Readings(
        tuple(found.registers), found.begin, found.end, tuple(flags), tuple(found.others)
    )


class _Found:
    """The readings of a message, as they are read."""

    def __init__(self) -> None:
        self.registers: list[Register] = []
        self.begin: Register | None = None
        self.end: Register | None = None
        self.others: list[tuple[str, int | None, Decimal]] = []
        self._phases: Phases | None = None

    def take(self, sampled: dict[str, Any], at: int | None) -> str:
        """Take what an import register shows; return a flag, if there is something odd in it."""
        value, phase = watt_hours(sampled), sampled.get("phase")
        if phase:
            self._phases = self._phases or Phases()
            if type(phase) is str and phase in PHASES:
                self._phases.take(at, phase, value, sampled.get("context"))
        elif value is not None:
            self._keep((at, value), (sampled.get("context"),))
        if value is None:
            return "BAD_SAMPLE"
        is_quoted = type(sampled["value"]) is str
        return SCHEMA_DEVIATION if is_quoted else deviation(sampled)

    def add_up(self) -> None:
        if self._phases is not None:
            for summed in self._phases.sums(frozenset(at for at, _ in self.registers)):
                self._keep((summed.at, summed.wh), summed.contexts)

    def _keep(self, reading: Register, contexts: Collection[object]) -> None:
        self.registers.append(reading)
        if self.begin is None and "Transaction.Begin" in contexts:
            self.begin = reading
        elif "Transaction.End" in contexts:
            self.end = reading


def _is_import(sampled: dict[str, Any]) -> bool:
    get = sampled.get
    is_outlet = get("location", "Outlet") in ("Outlet", None)
    return get("measurand", _REGISTER) in (_REGISTER, None) and is_outlet


def _take_other(
    sampled: dict[str, Any], at: int | None, others: list[tuple[str, int | None, Decimal]]
) -> None:
    get = sampled.get
    measurand = get("measurand")
    if type(measurand) is not str or measurand not in _OTHERS or get("phase"):
        return
    value = watt_hours(sampled)
    if value is not None and get("location", "Outlet") in ("Outlet", None):
        others.append((_OTHERS[measurand], at, value))


def _sampled(values: Any) -> Iterator[tuple[int | None, str, list[Any]]]:
    for value in _listed(values):
        if isinstance(value, dict):
            at, flag = read_time(value.get("timestamp"))
            # Without a time it is taken to be read when it was told.
            odd = flag or (SCHEMA_DEVIATION if at is None else "")
            yield at, odd, _listed(value.get("sampledValue"))


def _listed(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    return [values] if isinstance(values, dict) else []


def _sample(sampled: dict[str, Any], at: int | None) -> SampledValue:
    get = sampled.get
    value, unit = scaled(sampled)
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
