"""What the signed meter values of one transaction say, and whether they may be believed. Pure.

A signed value is kept as it was sent and is never taken for a number by itself. Its container is
read (OCMF; another format is kept and cannot be verified here); its signature is judged by the
owner, because the keys are reference data, and the verdict is a record of the journal. The energy
is the difference of two readings of one register of one meter, subtracted exactly as signed.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from domain import ocmf
from domain.ocmf import Container, Reading
from schemas.signatures import Validity

KEPT_MAX = 32
"""Of one transaction: those that carry a begin, an end or an exception. The frames keep all."""

TOLERANCE_WH = 1
"""Between the signed and the reported difference: the registers of a start and a stop are whole."""

HOLDING = frozenset(
    {"SIGNATURE_INVALID", "SIGNED_ERROR_FLAGS", "SIGNED_EXCEPTION", "SIGNED_MISMATCH"}
)
CALIBRATED_HOLDING = frozenset({"SIGNATURE_UNVERIFIED", "SIGNED_INCOMPLETE", "SIGNED_INCONSISTENT"})
"""Where the signed difference is the energy, what leaves it in doubt holds as well."""

_UNUSABLE = HOLDING | CALIBRATED_HOLDING | {"METER_REGRESSION"}


class SignedValue(Struct, frozen=True, kw_only=True):
    offset: int
    """Of the CALL that carried it."""
    path: str
    """JSON pointer to it in the frame."""
    text: str
    """Character for character as it was sent."""


class SignedEnergy(Struct, frozen=True, kw_only=True):
    """`energy_wh` is the signed difference, if there is one, whatever it is worth."""

    energy_wh: Decimal | None = None
    flags: tuple[str, ...] = ()
    is_usable: bool = False
    paginations: tuple[str, ...] = ()


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def container_text(text: str) -> str:
    """Return the container in what was sent: plain, base64 or hex, or inside an object of these."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            members = msgspec.json.decode(stripped)
        except (msgspec.MsgspecError, RecursionError):
            return stripped
        inner = members.get("signedMeterData") or members.get("signedMeterValue")
        stripped = inner.strip() if type(inner) is str else ""
    if stripped.startswith(ocmf.HEADER):
        return stripped
    return _decoded(stripped) or stripped


def container(text: str) -> Container | None:
    return ocmf.read(container_text(text))


def decides(text: str) -> bool:
    """Whether the energy can depend on it: it begins, ends or breaks off, or cannot be read."""
    found = container(text)
    return found is None or any(
        reading.reason in ("B", "X") or ocmf.is_end(reading) for reading in found.readings
    )


def keep(kept: list[SignedValue], new: Iterable[SignedValue]) -> bool:
    """Add what is new and decides; return whether anything was added."""
    known = {value.text for value in kept}
    added = False
    for value in new:
        if value.text not in known and len(kept) < KEPT_MAX and decides(value.text):
            kept.append(value)
            known.add(value.text)
            added = True
    return added


def signed_energy(
    values: Sequence[SignedValue],
    validities: Mapping[str, Validity],
    *,
    is_calibrated: bool,
    id_token: str,
    reported_wh: int | Decimal | None,
) -> SignedEnergy:
    """`validities`: by the digest of a value's text; what has none is not verified."""
    if not values:
        return SignedEnergy(flags=("SIGNED_INCOMPLETE",) if is_calibrated else ())
    containers = [container(value.text) for value in values]
    flags = {_validity_flag([validities.get(digest(value.text)) for value in values])}
    readable = [found for found in containers if found is not None]
    pairs = [(found, reading) for found in readable for reading in found.readings]
    if any(reading.reason == "X" for _, reading in pairs):
        flags.add("SIGNED_EXCEPTION")
    begin, end, doubt = _ends(pairs)
    if doubt:
        flags.add(doubt)
    energy = None
    for one in (begin, end):
        if one is not None:
            flags.update(_reading_flags(*one, id_token))
    if begin is not None and end is not None and not doubt:
        first, last = begin[1].value_wh, end[1].value_wh
        energy = last - first if first is not None and last is not None else None
        flags.update(_difference_flags(energy, reported_wh))
    return SignedEnergy(
        energy_wh=energy,
        flags=tuple(sorted(flags)),
        is_usable=energy is not None and not flags & _UNUSABLE,
        paginations=tuple(dict.fromkeys(found.pagination for found in readable)),
    )


def _decoded(text: str) -> str:
    for decode in (bytes.fromhex, lambda told: base64.b64decode(told, validate=True)):
        try:
            plain = decode(text).decode()
        except (ValueError, binascii.Error):
            continue
        if plain.strip().startswith(ocmf.HEADER):
            return plain.strip()
    return ""


def _validity_flag(validities: Sequence[Validity | None]) -> str:
    if "invalid" in validities:
        return "SIGNATURE_INVALID"
    if all(validity == "valid" for validity in validities):
        return "SIGNATURE_VALID"
    return "SIGNATURE_UNVERIFIED"


_Pair = tuple[Container, Reading]


def _ends(pairs: Sequence[_Pair]) -> tuple[_Pair | None, _Pair | None, str]:
    """Return the readings that the energy lies between, and what leaves them in doubt."""
    by_register: dict[str, tuple[list[_Pair], list[_Pair]]] = {}
    for pair in pairs:
        begins, ends = by_register.setdefault(pair[1].register, ([], []))
        if pair[1].reason == "B":
            begins.append(pair)
        elif ocmf.is_end(pair[1]):
            ends.append(pair)
    complete = sorted(
        (register for register, (begins, ends) in by_register.items() if begins and ends),
        key=lambda register: not ocmf.is_compensated(register),
    )
    if not complete:
        found = [pair for begins, ends in by_register.values() for pair in begins + ends]
        begins = [pair for pair in found if pair[1].reason == "B"]
        ends = [pair for pair in found if pair[1].reason != "B"]
        doubt = "SIGNED_INCONSISTENT" if begins and ends else "SIGNED_INCOMPLETE"
        return begins[0] if begins else None, ends[-1] if ends else None, doubt
    begins, ends = by_register[complete[0]]
    agree = len({_said(pair) for pair in begins}) == 1 == len({_said(pair) for pair in ends})
    begin, end = begins[0], ends[-1]
    fits = agree and _same_meter(begin, end) and _in_order(begin[0], end[0])
    return begin, end, "" if fits else "SIGNED_INCONSISTENT"


def _said(pair: _Pair) -> tuple[str, Decimal | None]:
    return pair[0].meter, pair[1].value_wh


def _same_meter(begin: _Pair, end: _Pair) -> bool:
    first, last = begin[1], end[1]
    return begin[0].meter == end[0].meter and (first.unit, first.current) == (
        last.unit,
        last.current,
    )


def _in_order(begin: Container, end: Container) -> bool:
    first, last = ocmf.page(begin.pagination), ocmf.page(end.pagination)
    return first is None or last is None or (first[0] == last[0] and first[1] <= last[1])


def _reading_flags(found: Container, reading: Reading, id_token: str) -> list[str]:
    flags = []
    if reading.status not in ("", "G") or "E" in reading.errors:
        flags.append("SIGNED_ERROR_FLAGS")
    if reading.clock == "U" or "t" in reading.errors:
        flags.append("SIGNED_TIME_UNSYNCED")
    if reading.value_wh is None:
        flags.append("SIGNED_INCOMPLETE")
    if found.identification and found.identification.casefold() != id_token.casefold():
        flags.append("SIGNED_TOKEN_MISMATCH")
    return flags


def _difference_flags(energy: Decimal | None, reported_wh: int | Decimal | None) -> list[str]:
    if energy is None:
        return []
    if energy < 0:
        return ["METER_REGRESSION"]
    if reported_wh is not None and abs(energy - reported_wh) > TOLERANCE_WH:
        return ["SIGNED_MISMATCH"]
    return []


def signed_texts(frame: str, values: Any, pointer: str) -> tuple[tuple[str, str], ...]:
    """Return (path, text) of each signed value in MeterValues or transactionData of 1.6, or of 2.x.

    1.6 says format SignedData and carries it as the value; 2.x has a signedMeterValue beside it.
    `frame` is the text that the values were read from, or empty: then every value is looked at.
    """
    if frame and "igned" not in frame and "\\u" not in frame:
        return ()
    found = []
    for i, value in enumerate(values if isinstance(values, list) else (values,)):
        sampled = value.get("sampledValue") if isinstance(value, dict) else None
        for j, one in enumerate(sampled if isinstance(sampled, list) else (sampled,)):
            if not isinstance(one, dict):
                continue
            if "signedMeterValue" not in one and one.get("format") != "SignedData":
                continue
            inner = _signed_in(one)
            if inner is not None:
                found.append((f"{pointer}/{i}/sampledValue/{j}/{inner[0]}", inner[1]))
    return tuple(found)


def _signed_in(sampled: dict[str, Any]) -> tuple[str, str] | None:
    if sampled.get("format") == "SignedData" and type(sampled.get("value")) is str:
        return "value", sampled["value"]
    signed = sampled.get("signedMeterValue")
    if isinstance(signed, dict) and type(signed.get("signedMeterData")) is str:
        return "signedMeterValue/signedMeterData", signed["signedMeterData"]
    return None
