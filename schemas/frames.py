"""The one way to read the JSON of a frame: at the edge, and again whenever the log is folded anew.

A frame is untrusted. What is refused here is refused for ever and by everybody: nesting deeper than
`DEPTH_MAX`, numbers of too many digits or whose exponent runs away, NUL characters and lone
surrogates (RFC 8259, 8.2; 9). Decimals stay exact (`Decimal`), and so do integers past 64 bits.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from schemas.records import CALL, CALLRESULT, SEND, MessageReceived

DEPTH_MAX = 32
"""OCPP's own payloads nest nine deep (2.1, charging schedules)."""

INTEGER_BOUND = 2**63
"""An `int` stays below it: it fits a 64-bit column of any store. Past it there is a `Decimal`."""

DECIMAL_CHARACTERS_MAX = 40
"""A double printed with every digit it has takes 24."""

EXPONENT_MAX = 30

_SHAPE = bytes.maketrans(b"123456789{", b"000000000[")
"""All digits alike, and both brackets that open."""

_LONG_RUN = b"0" * 19
_WHITE = {9: "\\t", 10: "\\n", 13: "\\r"}
"""In a string they stand escaped, elsewhere raw."""

_CONTROLS = {code: f"\\u{code:04x}" for code in range(1, 32) if code not in (9, 10, 13)}

_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|,(?=\s*[\]}])', re.DOTALL)
"""A string, ended or not, or a comma outside of strings that nothing follows."""

_MENDED_GROWTH_MAX = 1000
"""Each control character takes six in the record."""


class UnreadableFrame(Exception):
    """Not JSON, or JSON that we refuse to look at. The message says which."""


def parse(text: str) -> Any:
    """Return the value.

    Raises:
        UnreadableFrame: and nothing else, whatever the text is.
    """
    try:
        raw = text.encode()
        value = _decode(raw)
        shape = raw.translate(_SHAPE)
        if b"\\u" in raw or _LONG_RUN in shape:
            return _inspected(value)
    except RecursionError as error:
        raise UnreadableFrame(f"nested deeper than {DEPTH_MAX}") from error
    except ValueError as error:  # msgspec's errors, those of `_number`, an unencodable surrogate.
        raise UnreadableFrame(str(error)[:120]) from error
    if shape.count(b"[") > DEPTH_MAX:
        _inspect_depth(value)
    return value


def digits_of(value: Any) -> str:
    """Return the digits of what was told as a whole number, however long; "" for anything else."""
    if type(value) is int:
        return str(value)
    is_whole = type(value) is Decimal and value.as_tuple().exponent == 0
    return str(value) if is_whole else ""


def parse_mended(text: str) -> Any:
    """Return the value of a text that is JSON but for how it was printed; None: it is not.

    Read are a byte order mark before it, NULs behind it, raw control characters in its strings, a
    comma before a closing bracket. Real stations send a StopTransaction so; its energy is readable.
    """
    escaped = _printed_well(text)
    if escaped in (None, text):
        return None
    try:
        return parse(escaped)
    except UnreadableFrame:
        return None


def repeats_member(text: str, value: Any) -> bool:
    """Whether a member may stand twice in an object of this text, of which the value was read.

    A member that was lost took its colon along. Never no where one does; `repeated_members` knows.
    """
    if "\\" in text and "\\u003" in text:
        return True
    return text.count(":") != _encode(value).count(b":")


def repeated_members(text: str) -> dict[str, bool]:
    """Return the names of members that stand twice in an object, and whether their values differ.

    Of a text that `parse` or `parse_mended` reads. A number in quotes is that number.
    """
    found: dict[str, bool] = {}

    def take(members: list[tuple[str, Any]]) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        for name, value in members:
            if name in taken:
                found[name] = found.get(name, False) or taken[name] != value
            taken[name] = value
        return taken

    try:
        json.loads(
            _printed_well(text) or "", object_pairs_hook=take, parse_int=str, parse_float=str
        )
    except ValueError:
        return {}
    return found


def _printed_well(text: str) -> str | None:
    bare = text.removeprefix("\ufeff").rstrip("\0 \t\r\n")
    escaped = bare.translate(_CONTROLS)
    if len(escaped) - len(bare) > _MENDED_GROWTH_MAX:
        return None
    return _STRING_OR_COMMA.sub(_as_printed_well, escaped)


def _as_printed_well(found: re.Match[str]) -> str:
    return found[0].translate(_WHITE) if found[0] != "," else ""


def pointed_at(text: str, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) means in a frame; None: nothing is there.

    One object stands for an array of it, and an array of one for the object, as frames are read.
    """
    try:
        found = parse(text)
    except UnreadableFrame:
        found = parse_mended(text)
    for step in pointer.split("/")[1:]:
        if isinstance(found, list):
            at = int(step) if step.isdecimal() else 0
            is_there = at < len(found) and (step.isdecimal() or len(found) == 1)
            found = found[at] if is_there else None
            if step.isdecimal():
                continue
        found = found.get(step, found if step == "0" else None) if isinstance(found, dict) else None
    return found


def payload_of(record: MessageReceived) -> Any:
    """Return what the edge handed on with this record: the same for ever, from the record alone.

    Of a CALL or SEND its payload, of a CALLRESULT its payload, of an error [code, description,
    details]; None where none could be read. Never raises. A CALL has a readable payload exactly if
    it has an action; an answer, if it has no error.
    """
    if record.message_type in (CALL, SEND):
        readable = record.action != ""
    else:
        readable = record.message_type != 0 and not record.error
    return reread(record.message_type, record.frame) if readable else None


def reread(message_type: int, text: str) -> Any:
    """Return the payload of a frame of this type; None if it cannot be read. Never raises."""
    try:
        value = parse(text)
    except UnreadableFrame:
        value = parse_mended(text)
    return payload_in(message_type, value) if isinstance(value, list) else None


def payload_in(message_type: int, frame: list[Any]) -> Any:
    """Return the payload of a parsed frame; null and an absent one mean {} (OCPP-J 1.6, 4.2.1)."""
    if message_type not in (CALL, CALLRESULT, SEND):
        return frame[2:]
    place = place_of_payload(message_type, frame)
    payload = frame[place] if len(frame) > place else None
    return {} if payload is None else payload


def place_of_payload(message_type: int, frame: list[Any]) -> int:
    """Return which element of a parsed frame, not an error, is its payload.

    Of a CALLRESULT the third; the fourth where the name of an action stands before it.
    """
    if message_type != CALLRESULT:
        return 3
    return 3 if len(frame) > 3 and type(frame[2]) is str and type(frame[3]) is dict else 2


def _number(text: str) -> Decimal:
    if len(text) > DECIMAL_CHARACTERS_MAX:
        raise ValueError("a number of too many digits")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a number out of range") from error
    if not -EXPONENT_MAX <= number.adjusted() <= EXPONENT_MAX:
        raise ValueError("a number out of range")
    return number


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(float_hook=_number).decode


def _inspected(value: Any) -> Any:
    """Return the value, integers past 64 bits as decimals: no store writes them otherwise."""
    whole = [value]
    level: list[Any] = [whole]
    for _ in range(DEPTH_MAX + 1):
        deeper: list[Any] = []
        for holder in level:
            for place, item in holder.items() if type(holder) is dict else enumerate(holder):
                if type(place) is str:
                    _inspect_text(place)
                if type(item) is dict or type(item) is list:
                    deeper.append(item)
                elif type(item) is str:
                    _inspect_text(item)
                elif type(item) is int and not -INTEGER_BOUND < item < INTEGER_BOUND:
                    holder[place] = _number(str(item))
        level = deeper
    if level:
        raise UnreadableFrame(f"nested deeper than {DEPTH_MAX}")
    return whole[0]


def _inspect_depth(value: Any) -> None:
    # Large frames of the field have a hundred objects and are nested five deep.
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for item in level
            for inner in (item.values() if type(item) is dict else item)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise UnreadableFrame(f"nested deeper than {DEPTH_MAX}")


def _inspect_text(text: str) -> None:
    if "\x00" in text:
        raise UnreadableFrame("a NUL character")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise UnreadableFrame("a lone surrogate")
