"""Rewrites Native of revision 0, as chDB writes it, to the revision that a reader asked for.

From some revision on each block begins with its information, and from another each column says
whether its serialisation is special; everything else stays. To know where columns end, their types
are read (ClickHouse, `NativeWriter` and the serialisations of its data types).
"""

import re
from collections.abc import Iterator

WITH_CUSTOM_SERIALISATION = 54454
# DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION.

BLOCK_INFORMATION = b"\x01\x00\x02\xff\xff\xff\xff\x00"
# Field 1: no overflow rows; field 2: no bucket (-1); the end.

_BYTES = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4", "Time"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("UInt256", "Int256"), 32),
}
_DECIMAL_BYTES = ((9, 4), (18, 8), (38, 16), (76, 32))
_TYPE = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|\w+)\s+(?=\w)", re.DOTALL)


class Unreadable(Exception):
    """A column has a type whose end this module cannot find."""


def with_revision(body: bytes, revision: int) -> bytes:
    """Return the blocks as a server would have written them for this revision.

    Raises:
        Unreadable: see there.
    """
    if revision <= 0:
        return body
    mark = b"\x00" if revision >= WITH_CUSTOM_SERIALISATION else b""
    reading = _Reading(body)
    parts: list[bytes] = []
    while reading.at < len(body):
        start = reading.at
        columns, rows = reading.number(), reading.number()
        parts += (BLOCK_INFORMATION, body[start : reading.at])
        for _ in range(columns):
            start = reading.at
            reading.skip_strings(1)
            kind = reading.text()
            head = reading.at
            if rows:
                reading.skip_prefix(kind)
                reading.skip(kind, rows)
            parts += (body[start:head], mark, body[head : reading.at])
    if reading.at != len(body):
        raise Unreadable(f"a block ends at {reading.at} of {len(body)}")
    return b"".join(parts)


class _Reading:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.at = 0

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self._body[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        length = self.number()
        self.at += length
        return self._body[self.at - length : self.at].decode()

    def skip_strings(self, count: int) -> None:
        body, at = self._body, self.at
        for _ in range(count):
            length = body[at]
            at += 1
            if length >= 0x80:
                self.at = at - 1
                length = self.number()
                at = self.at
            at += length
        self.at = at

    def skip_prefix(self, kind: str) -> None:
        """What a column writes once, before its rows: a version for each LowCardinality in it."""
        name, arguments = _parsed(kind)
        if name == "LowCardinality":
            self.at += 8
        elif name in ("Array", "Nullable", "Tuple", "Map", "Nested"):
            for argument in _kinds(arguments):
                self.skip_prefix(argument)
        elif name == "SimpleAggregateFunction":
            self.skip_prefix(list(_kinds(arguments))[1])

    def skip(self, kind: str, rows: int) -> None:
        name, arguments = _parsed(kind)
        match name:
            case "String":
                self.skip_strings(rows)
            case "Nullable":
                self.at += rows
                self.skip(arguments, rows)
            case "LowCardinality":
                self._skip_dictionary(arguments, rows)
            case "Array" | "Map" | "Nested":
                inner = f"Tuple({arguments})" if name != "Array" else arguments
                self.skip(inner, self._last_offset(rows))
            case "Tuple":
                for argument in _kinds(arguments):
                    self.skip(argument, rows)
            case "SimpleAggregateFunction":
                self.skip(list(_kinds(arguments))[1], rows)
            case _:
                self.at += rows * _width(name, arguments)

    def _last_offset(self, rows: int) -> int:
        self.at += 8 * rows
        return self._integer(self.at - 8) if rows else 0

    def _skip_dictionary(self, kind: str, rows: int) -> None:
        if not rows:
            return
        key_bytes = 1 << (self._integer(self.at) & 0xFF)
        keys = self._integer(self.at + 8)
        self.at += 16
        name, inner = _parsed(kind)
        self.skip(inner if name == "Nullable" else kind, keys)
        self.at += 8 + self._integer(self.at) * key_bytes

    def _integer(self, at: int) -> int:
        return int.from_bytes(self._body[at : at + 8], "little")


def _parsed(kind: str) -> tuple[str, str]:
    match = _TYPE.fullmatch(kind)
    if match is None:
        raise Unreadable(kind)
    return match[1], match[2] or ""


def _kinds(arguments: str) -> Iterator[str]:
    """The types of a list of arguments, without the names that a Tuple may give them."""
    depth = start = 0
    quote = ""
    for at, character in enumerate(arguments):
        if quote:
            quote = "" if character == quote and arguments[at - 1] != "\\" else quote
        elif character in "'`":
            quote = character
        elif character == "," and depth == 0:
            yield _unnamed(arguments[start:at])
            start = at + 1
        depth += (not quote) * ((character == "(") - (character == ")"))
    if arguments.strip():
        yield _unnamed(arguments[start:])


def _unnamed(argument: str) -> str:
    argument = argument.strip()
    match = _NAMED.match(argument)
    return argument[match.end() :] if match else argument


def _width(name: str, arguments: str) -> int:
    if name == "FixedString":
        return int(arguments)
    if name == "Decimal":
        precision = int(arguments.split(",")[0])
        return next(width for most, width in _DECIMAL_BYTES if precision <= most)
    if name.startswith("Interval"):
        return 8
    if name not in _BYTES:
        raise Unreadable(name)
    return _BYTES[name]
