"""Members of payloads, read with tolerance: what is not as its schema says is absent.

A value of the read side has the members of OCPP in snake_case at its first level; objects inside
stand as OCPP spells them, without `customData`. Texts and lists are cut where no schema lets them
be longer, so that a station can fill no memory with one message.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from domain.readings import read_integer, read_time

Payload = Mapping[str, Any]
Value = dict[str, Any]

TEXT_MAX = 2_500
"""The longest text that a report of a station has (2.0.1, `actualValue`)."""

ITEMS_MAX = 1_024
"""The longest list in a report or a profile (2.0.1, `chargingSchedulePeriod`)."""

_SCALARS = (bool, int, Decimal)
_WORDS = {"soC": "soc", "soH": "soh"}
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def object_of(payload: Payload, name: str) -> Payload:
    """Return the object that the member is; an empty one if it is none."""
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def objects_of(payload: Payload, name: str) -> Iterator[Payload]:
    """Return the objects of a list; of a single object, which some stations send, itself."""
    value = payload.get(name)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def list_of(payload: Payload, name: str) -> list[Any]:
    value = payload.get(name)
    return value if isinstance(value, list) else []


def integer_of(payload: Payload, name: str) -> int | None:
    return read_integer(payload.get(name))[0]


def text_of(payload: Payload, name: str) -> str:
    """Return a text, or an integer as one; anything else is ""."""
    value = payload.get(name)
    if type(value) is int:
        return str(value)
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def time_of(payload: Payload, name: str) -> str | None:
    """Return the time in UTC, as RFC 3339."""
    at = read_time(payload.get(name))[0]
    return None if at is None else iso(at)


def iso(microseconds: int) -> str:
    """Return the time as RFC 3339 in UTC, to the microsecond where it has any."""
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    text = at.replace(microsecond=microseconds % 1_000_000).isoformat()
    return text.replace("+00:00", "Z")


def members(payload: Payload, *names: str) -> Value:
    """Return the members of these names that are there, their names in snake_case."""
    found: Value = {}
    for name in names:
        value = payload.get(name)
        if value is not None:
            found[snake_case(name)] = value if type(value) in _SCALARS else plain(value)
    return found


def plain(value: Any) -> Any:
    """Return a copy within bounds, without `customData`."""
    if isinstance(value, str):
        return value[:TEXT_MAX]
    if isinstance(value, list):
        return [plain(item) for item in value[:ITEMS_MAX]]
    if isinstance(value, dict):
        return {
            name[:255]: plain(item)
            for name, item in list(value.items())[:ITEMS_MAX]
            if name != "customData"
        }
    return value


@lru_cache(maxsize=512)
def snake_case(name: str) -> str:
    return _WORDS.get(name) or _CAPITAL.sub(r"_\1", name).lower()


def place_of(location: str) -> str:
    """Return a URL without what may be a secret in it: credentials, query and fragment."""
    scheme, separator, rest = location.partition("://")
    if not separator:
        scheme, rest = "", location
    rest = rest.partition("?")[0].partition("#")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:TEXT_MAX]


def key_of(parts: Iterable[str | int | None]) -> str:
    """Return a key made of parts, different for different parts."""
    return "/".join(["" if part is None else _escaped(str(part)) for part in parts])


def _escaped(part: str) -> str:
    if "/" not in part and "%" not in part:
        return part
    return part.replace("%", "%25").replace("/", "%2F")


def ordered(at: int) -> str:
    """Return text in the order of times since 1970; none before."""
    return f"{max(at, 0):018d}"
