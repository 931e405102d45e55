"""The signed meter values of a CDR as OCPI's SignedData. Pure.

What was signed stands in the frames, so whoever exports brings those that the CDR names; each value
is compared with its digest before it is given out, and given out character for character.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from domain import ocmf
from domain.ocmf import Container
from domain.signed_values import container, container_text, digest
from schemas.frames import pointed_at
from schemas.released import ReleasedSigned, ReleasedSignedValue

OCMF = "OCMF"
UNNAMED = "unknown"
SIGNED_MAX, PLAIN_MAX, KEY_MAX, METHOD_MAX = 5_000, 512, 512, 36
"""Characters that OCPI has room for. What is longer is left out, never cut."""

START, END, INTERMEDIATE = "Start", "End", "Intermediate"
_BY_CONTEXT = {"Transaction.Begin": START, "Transaction.End": END}


class SignedMissing(Exception):
    """A value is not in the frames as the CDR names it."""


class _Value(NamedTuple):
    method: str
    nature: str
    plain: str
    signed: str
    key: str


def signed_data(
    signed: ReleasedSigned | None, frames: Mapping[str, str], url: str = ""
) -> dict[str, Any] | None:
    """`frames`: by position. None: nothing was signed, or nothing that OCPI has room for.

    `url`: where the driver can see all of it, also what is left out: a value that is too long, and
    one of another encoding than the first, because OCPI has one for all.

    Raises:
        SignedMissing
    """
    found = [_value(each, frames) for each in signed.values] if signed is not None else []
    fitting = [each for each in found if len(each.signed) <= SIGNED_MAX]
    fitting = [each for each in fitting if each.method == fitting[0].method]
    if not fitting:
        return None
    keys = {each.key for each in fitting} - {""}
    key = keys.pop() if len(keys) == 1 else ""
    return {
        "encoding_method": fitting[0].method,
        **({"public_key": key} if 0 < len(key) <= KEY_MAX else {}),
        "signed_values": [
            {"nature": each.nature, "plain_data": each.plain, "signed_data": each.signed}
            for each in fitting
        ],
        **({"url": url} if url else {}),
    }


def _value(named: ReleasedSignedValue, frames: Mapping[str, str]) -> _Value:
    text = pointed_at(frames.get(named.position, ""), named.path)
    if not isinstance(text, str) or digest(text) != named.sha256:
        raise SignedMissing(f"{named.position}{named.path}")
    sampled = _sampled(frames[named.position], named.path)
    read = container(text)
    if read is None:
        nature = _BY_CONTEXT.get(str(sampled.get("context")), INTERMEDIATE)
        return _Value(_told_method(sampled, text), nature, "", text, named.public_key)
    reasons = [reading.reason for reading in read.readings]
    if any(ocmf.is_end(reading) for reading in read.readings):
        nature = END
    else:
        nature = START if "B" in reasons else INTERMEDIATE
    return _Value(OCMF, nature, _plain(read), container_text(text), named.public_key)


def _plain(read: Container) -> str:
    """Return what was signed; its readings, where OCPI has no room for all of it."""
    if len(read.signed) <= PLAIN_MAX:
        return read.signed
    values = (reading.value_wh for reading in read.readings)
    text = " ".join(f"{value:f} Wh" for value in values if value is not None)
    return text if len(text) <= PLAIN_MAX else ""


def _sampled(frame: str, path: str) -> Mapping[str, Any]:
    """Return the sampled value that carries it: what the pointer means up to its number."""
    steps = path.split("/")
    at = steps.index("sampledValue") + 2 if "sampledValue" in steps else len(steps)
    found = pointed_at(frame, "/".join(steps[:at]))
    return found if isinstance(found, dict) else {}


def _told_method(sampled: Mapping[str, Any], text: str) -> str:
    told: Any = sampled.get("signedMeterValue")
    if not isinstance(told, dict):
        try:
            told = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            told = {}
    method = told.get("encodingMethod") if isinstance(told, dict) else None
    fits = isinstance(method, str) and method.isascii() and 0 < len(method) <= METHOD_MAX
    return str(method) if fits else UNNAMED
