"""OCMF, the Open Charge Metering Format: what a signed container says. Pure; no keys here.

A container is `OCMF|payload|signature`, both JSON. What is signed is the payload's text between the
bars, byte for byte, so it is cut out and never written anew. Numbers are exact decimals. Members
that a reading lacks are those of the reading before it. Whatever breaks this is `None`: a meter's
statement that cannot be read is not read in part.
"""

import json
import re
from decimal import Decimal
from typing import Any

from msgspec import Struct

from domain.readings import read_decimal, read_time

HEADER = "OCMF|"
TEXT_MAX = 256 * 1024
"""Characters of a container; a frame holds no more."""

READINGS_MAX = 1_000

_ALGORITHM = "ECDSA-secp256r1-SHA256"
"""Where a signature names none."""

_OBIS = re.compile(r"(?:[0-9A-Za-z]{1,2}-[0-9A-Za-z]{1,2}:)?([0-9A-F]{1,2})\.0?8\.", re.ASCII)
_IMPORT = frozenset({"1", "01", "B0", "B1", "B2", "B3", "98", "9E"})
_COMPENSATED = frozenset({"B1", "B3", "98"})
_TO_WH = {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}
_PAGINATION = re.compile(r"([A-Z]?)(\d{1,18})", re.ASCII)
_ZONE = re.compile(r"([+-]\d\d)(\d\d)$", re.ASCII)


class Reading(Struct, frozen=True, kw_only=True):
    """One reading of an import register. `value_wh` is None where it is absent or no number."""

    at: int | None
    clock: str
    """State of the meter's clock: U unknown, I informative, S synchronised, R relative."""
    reason: str
    """TX: B begin, C charging, X exception, E L R A P the end, S suspended, T tariff change."""
    value_wh: Decimal | None
    register: str
    unit: str
    current: str
    errors: str
    """EF: E the energy, t the time is not usable."""
    status: str
    """ST: G is good; anything else is the meter's own objection."""


class Container(Struct, frozen=True, kw_only=True):
    signed: str
    """The text that was signed."""
    signature: str
    algorithm: str
    encoding: str
    pagination: str
    meter: str
    """Serial number of the meter, or of the gateway where it names no meter."""
    identification: str
    readings: tuple[Reading, ...]


def read(text: str) -> Container | None:
    text = text.strip()
    if not text.startswith(HEADER) or len(text) > TEXT_MAX:
        return None
    try:
        payload, end = _DECODER.raw_decode(text, _skip(text, len(HEADER)))
        bar = _skip(text, end)
        if text[bar : bar + 1] != "|":
            return None
        signature, _ = _DECODER.raw_decode(text, _skip(text, bar + 1))
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict) or not isinstance(signature, dict):
        return None
    meter = _text(payload.get("MS")) or _text(payload.get("GS"))
    return Container(
        signed=text[len(HEADER) : bar],
        signature=_text(signature.get("SD")),
        algorithm=_text(signature.get("SA")) or _ALGORITHM,
        encoding=(_text(signature.get("SE")) or "hex").lower(),
        pagination=_text(payload.get("PG")),
        meter=meter,
        identification=_text(payload.get("ID")),
        readings=_readings(payload.get("RD")),
    )


def is_end(reading: Reading) -> bool:
    return reading.reason in _END


def is_compensated(register: str) -> bool:
    """Whether the register leaves out what the cable loses: such a one takes precedence."""
    found = _OBIS.match(register)
    return found is not None and found[1] in _COMPENSATED


def page(pagination: str) -> tuple[str, int] | None:
    """Return (context, number) of a pagination such as T32, or None if it is none."""
    found = _PAGINATION.fullmatch(pagination)
    return (found[1], int(found[2])) if found is not None else None


_END = frozenset("ELRAP")


def _refuse(_: str) -> None:
    raise ValueError("no number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _text(value: Any) -> str:
    return value.strip() if type(value) is str else ""


def _readings(listed: Any) -> tuple[Reading, ...]:
    if not isinstance(listed, list):
        return ()
    readings = []
    members: dict[str, Any] = {}
    for one in listed[:READINGS_MAX]:
        if not isinstance(one, dict):
            continue
        members = {**members, **one}
        found = _OBIS.match(_text(members.get("RI")))
        unit = _text(members.get("RU"))
        if found is None or found[1] not in _IMPORT or unit not in _TO_WH:
            continue
        # A value is never inherited: that reading would be told twice.
        readings.append(_reading(members, one.get("RV"), unit))
    return tuple(readings)


def _reading(members: dict[str, Any], value: Any, unit: str) -> Reading:
    time, _, clock = _text(members.get("TM")).rpartition(" ")
    number = read_decimal(value)
    return Reading(
        at=read_time(_ZONE.sub(r"\1:\2", time.replace(",", ".")))[0],
        clock=clock,
        reason=_text(members.get("TX")),
        value_wh=None if number is None else number * _TO_WH[unit],
        register=_text(members.get("RI")),
        unit=unit,
        current=_text(members.get("RT")),
        errors=_text(members.get("EF")),
        status=_text(members.get("ST")),
    )
