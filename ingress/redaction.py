"""What a station tells of its secrets does not reach the log.

A configuration or a report may give back a password that we set. Its value is replaced by a keyed
digest before the record is made, and the record says so: beside what we send, that is the only
place where a frame of the log is not what was on the wire. Frames that are sent all the time are
looked at only if they are wrong, or if their connection was told a secret.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from ingress import rpc
from ingress.echoes import Echoes
from ingress.rpc import Frame
from schemas.frames import UnreadableFrame, parse, parse_mended, place_of_payload, reread
from schemas.records import CALL, CALLRESULT, SEND
from schemas.secret_names import is_secret
from schemas.secret_values import has_secret, names_secret, replaced
from schemas.switches import Switches
from schemas.tolerance import MONEY

OFTEN: Final = MONEY | {"Authorize", "BootNotification", "Heartbeat", "StatusNotification"}
REPORTS: Final = frozenset({"NotifyEvent", "NotifyReport"})

VALUES_MAX: Final = 500
"""In a text that nobody could read, or that repeats what it was told. With more of them, each
replaced by a longer digest, it would pass what a record may have, so it is replaced as a whole."""

_VALUE: Final = re.compile(
    r'("(?:value|attributeValue|actualValue)"\s*:\s*)("(?:[^"\\]|\\.)*(?:"|$)|[^\s,"\]}]+)'
)
_encode = msgspec.json.Encoder(decimal_format="number").encode


Digest = Callable[[str], str]
"""What tells two secrets apart and says nothing to who has no key."""


class Reading(Struct, frozen=True, gc=False):
    """A text and what was read of it, both without the secrets that were in it."""

    frame: Frame
    text: str
    redactions: int
    """How many were replaced."""


class Redacted(NamedTuple):
    text: str
    values: int


def read(
    version: str, text: str, switches: Switches, digest: Digest, echoes: Echoes | None = None
) -> Reading:
    """Return the reading of a text; never raises. `echoes`: of what its connection was told."""
    frame, count = rpc.read(version, text, switches), 0
    # What is wrong with it is said of what is kept: a rule that is broken repeats the value.
    if is_suspect(frame) and (found := redacted(frame, text, digest)) is not None:
        text, count = found
        frame = rpc.read(version, text, switches)
    if echoes is not None and (found := _without(echoes, frame, text)).values:
        text = found.text if found.values <= VALUES_MAX else f"redacted:{digest(found.text)}"
        frame, count = rpc.read(version, text, switches), count + found.values
    return Reading(frame, text, count)


def is_suspect(frame: Frame) -> bool:
    """Whether the frame may hold a secret; cheap for the frames that a station sends most."""
    if frame.action in OFTEN and not frame.error:
        return False
    if frame.action in REPORTS:
        return names_secret(frame.payload)
    return frame.payload is None or has_secret(frame.payload)


def redacted(frame: Frame, text: str, digest: Digest) -> Redacted | None:
    """Return the text with the secrets in it replaced; None if it holds none."""

    def mark(secret: Any) -> str:
        return f"redacted:{digest(secret if isinstance(secret, str) else _json(secret))}"

    if frame.payload is None:
        return _redacted_unread(text, mark)
    found: list[Any] = []

    def replace(secret: Any) -> str:
        found.append(secret)
        return mark(secret)

    masked = replaced(frame.payload, replace)
    if not found:
        return None
    marks = {_json(secret): mark(secret) for secret in found}
    return Redacted(_in_place(frame, text, marks, masked) or _anew(frame, text, masked), len(found))


def redacted_bytes(data: bytes, digest: Digest, echoes: Echoes | None = None) -> tuple[bytes, int]:
    """The same of a message that is no text."""
    count = 0
    if echoes is not None:
        data, count = echoes.in_bytes(data)
        data = data if count <= VALUES_MAX else f"redacted:{digest(repr(data))}".encode()
    text = data.decode("latin-1")
    found = _redacted_unread(text, lambda secret: f"redacted:{digest(secret)}")
    if found is None:
        return data, count
    return found.text.encode("latin-1"), count + found.values


def _redacted_unread(text: str, mark: Callable[[str], str]) -> Redacted | None:
    if not is_secret(text):
        return None
    new, values = _VALUE.subn(lambda match: f"{match[1]}{_json(mark(match[2]))}", text)
    if values > VALUES_MAX:
        return Redacted(mark(text), values)
    return Redacted(new, values) if values else None


def _in_place(frame: Frame, text: str, marks: Mapping[str, str], masked: Any) -> str | None:
    """Return the text with nothing else changed; None where the values cannot be told apart."""
    for written, marked in marks.items():
        text = text.replace(written, _json(marked))
    return text if reread(frame.message_type, text) == masked else None


def _anew(frame: Frame, text: str, masked: Any) -> str:
    return _encode(_whole(frame, text, masked)).decode()


def _whole(frame: Frame, text: str, masked: Any) -> list[Any]:
    value = _parsed(text)
    if frame.message_type not in (CALL, CALLRESULT, SEND):
        return [*value[:2], *masked]
    place = place_of_payload(frame.message_type, value)
    return [*value[:place], masked, *value[place + 1 :]]


def _without(echoes: Echoes, frame: Frame, text: str) -> Redacted:
    if frame.payload is None:
        return Redacted(*echoes.in_unread(text))
    masked, count = echoes.in_payload(frame.payload, is_telling_only=frame.action in OFTEN)
    if not count:
        return Redacted(text, 0)
    whole = _whole(frame, text, masked)
    in_place, _ = echoes.in_text(text, is_telling_only=True)
    return Redacted(in_place if _parsed(in_place) == whole else _encode(whole).decode(), count)


def _parsed(text: str) -> Any:
    try:
        return parse(text)
    except UnreadableFrame:
        return parse_mended(text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
