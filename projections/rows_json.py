"""Rows on their way to Postgres: one JSON array per statement."""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def rows_json(found: Sequence[Struct]) -> str:
    text = _encode(found)
    if b"\\u0000" in text:
        # Postgres keeps no NUL in a text; the journal has it as it came.
        text = _NUL.sub(rb"\1\\ufffd", text)
    return text.decode()
