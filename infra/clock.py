"""The one place where the time is read. Shells read it here and pass it on."""

import time
from datetime import UTC, datetime


def now_us() -> int:
    """Microseconds since 1970 in UTC."""
    return time.time_ns() // 1_000


def now() -> datetime:
    return datetime.now(UTC)
