"""Reading what stations write: times, integers and energy, with the tolerance the field needs.

A value that has exactly one reading is read, and the deviation is flagged; any other is `None`.
Nothing here raises and nothing is made up.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from schemas.frames import digits_of

SCHEMA_DEVIATION = "SCHEMA_DEVIATION"
TZ_ASSUMED_UTC = "TZ_ASSUMED_UTC"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"\.(\d{6})\d+")
_BEYOND = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](?:(\d\d:\d\d):60(?:\.\d+)?|(24:00:00)(?:\.0+)?)(\D.*)?", re.ASCII
)
"""What one carries over: a leap second, or a clock that rounds up; and the end of a day."""

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_DIGITS_MAX = 30
_NUMBER = re.compile(
    rf"[+-]?(\d{{1,{_DIGITS_MAX}}}(\.\d{{0,{_DIGITS_MAX}}})?|\.\d{{1,{_DIGITS_MAX}}})", re.ASCII
)
_MICROSECONDS_PER_DAY = 86_400_000_000
_TIME_MIN, _TIME_MAX = -2_208_988_800_000_000, 253_402_300_799_999_999
"""1900 to 9999: what a database and a calendar can hold."""

_INTEGER_MAX = 2**63 - 1
"""Registers of sites pass 2³¹ Wh; nothing real passes this."""


def read_time(value: Any) -> tuple[int | None, str]:
    """Return (microseconds since 1970, flag). RFC 3339 with up to nine digits of fraction.

    A time without a zone is UTC and flagged TZ_ASSUMED_UTC; digits beyond the microsecond fall. The
    second 60 is the one after 59, and 24:00:00 is midnight, both flagged SCHEMA_DEVIATION.
    """
    if type(value) is not str:
        return None, ""
    flag = ""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        try:
            at, flag = _read_odd_time(value.strip().upper())
        except (ValueError, OverflowError):
            return None, ""
    if at.tzinfo is None:
        at, flag = at.replace(tzinfo=UTC), TZ_ASSUMED_UTC
    span = at - _EPOCH
    microseconds = span.days * _MICROSECONDS_PER_DAY + span.seconds * 1_000_000 + span.microseconds
    return (microseconds, flag) if _TIME_MIN <= microseconds <= _TIME_MAX else (None, "")


def _read_odd_time(text: str) -> tuple[datetime, str]:
    """Raises ValueError, OverflowError."""
    text = _FRACTION.sub(r".\1", text)
    beyond = _BEYOND.fullmatch(text)
    if beyond is None:
        return datetime.fromisoformat(text), ""
    date, of_leap, of_midnight, zone = beyond.groups("")
    if of_midnight:
        return datetime.fromisoformat(f"{date}T00:00:00{zone}") + _DAY, SCHEMA_DEVIATION
    return datetime.fromisoformat(f"{date}T{of_leap}:59{zone}") + _SECOND, SCHEMA_DEVIATION


def read_integer(value: Any) -> tuple[int | None, str]:
    """Return (integer, flag): 9000 as it is; 9000.0 and "9000" flagged SCHEMA_DEVIATION."""
    if type(value) is int:
        return (value, "") if abs(value) <= _INTEGER_MAX else (None, "")
    number = read_decimal(value)
    if number is None or number != number.to_integral_value():
        return None, ""
    integer = int(number)
    return (integer, SCHEMA_DEVIATION) if abs(integer) <= _INTEGER_MAX else (None, "")


def read_decimal(value: Any) -> Decimal | None:
    """Return the number that a JSON number or a plain decimal text says, exactly."""
    if type(value) is str:
        if value.isdecimal() and value.isascii() and len(value) <= _DIGITS_MAX:
            return Decimal(value)
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return None
        return Decimal(text)
    if type(value) is int or type(value) is Decimal:
        number = Decimal(value)
        return number if number.is_finite() and -30 < number.adjusted() < 30 else None
    return None


def whole(value: Decimal) -> int | Decimal:
    """Return the same number: an integer if it is one, else without trailing zeros."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def read_text(value: Any, length_max: int) -> tuple[str, str]:
    """Return (text, flag): a whole number is its digits, what else is no text is "", and one that
    is too long is kept, all flagged."""
    if type(value) is not str:
        return digits_of(value), "" if value is None else SCHEMA_DEVIATION
    return value, "" if len(value) <= length_max else SCHEMA_DEVIATION


@lru_cache(maxsize=64)
def _seconds_iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_iso(microseconds: int) -> str:
    """Return whole seconds with Z, as our answers carry them."""
    return _seconds_iso(microseconds // 1_000_000)


@lru_cache(maxsize=4096)
def time_text(microseconds: int) -> str:
    """Return RFC 3339 with Z, to the microsecond where there is one."""
    at = _EPOCH + timedelta(microseconds=microseconds)
    return at.isoformat().replace("+00:00", "Z")
