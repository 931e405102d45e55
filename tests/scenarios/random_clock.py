"""The time of conversations that nobody wrote down: minutes since they began."""

from datetime import UTC, datetime, timedelta

_BEGAN = datetime(2026, 3, 2, 8, tzinfo=UTC)


def text(minute: float) -> str:
    return (_BEGAN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def us(minute: float) -> int:
    return int((_BEGAN + timedelta(minutes=minute)).timestamp() * 1e6)
