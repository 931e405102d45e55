"""Microseconds since 1970, as records and rows keep time, and the datetimes that queries return."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def utc(microseconds: int) -> datetime: ...
@overload
def utc(microseconds: None) -> None: ...
def utc(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


@overload
def microseconds(at: datetime) -> int: ...
@overload
def microseconds(at: None) -> None: ...
def microseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MICROSECOND


@overload
def utc_text(microseconds: int) -> str: ...
@overload
def utc_text(microseconds: None) -> None: ...
def utc_text(microseconds: int | None) -> str | None:
    """Return RFC 3339 with six digits of a second and Z."""
    at = utc(microseconds)
    if at is None:
        return None
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
