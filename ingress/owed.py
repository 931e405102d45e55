"""Records that the log did not take yet: ends of connections and failures, in order by station.

One partition may be closed while others are open, so no station waits for another. Bounded: owners
find lost connections without them.
"""

from collections import deque
from collections.abc import Callable

from schemas.journal import Unavailable
from schemas.records import Record

OWED_MAX = 100_000

REFUSALS_MAX = 1_000
"""In one go: while the log is down, trying all again and again would keep the loop busy."""


class Owed:
    def __init__(self, post: Callable[[Record], None]) -> None:
        self._post = post
        self._records: dict[tuple[str, str], deque[Record]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, record: Record) -> None:
        """Post it, or keep it until the log takes it; of too many an old one is forgotten."""
        key = (record.tenant, record.station)
        waiting = self._records.get(key)
        if waiting is None:
            if self._posted(record):
                return
            waiting = self._records[key] = deque()
        waiting.append(record)
        self._count += 1
        if self._count > OWED_MAX:
            self._forget(next(iter(self._records)))

    def settle(self) -> None:
        """Post what is owed, as far as the log takes it."""
        refusals = 0
        for key in list(self._records):
            waiting = self._records[key]
            while waiting and self._posted(waiting[0]):
                self._forget(key)
            if waiting:
                # The others come first next time.
                self._records[key] = self._records.pop(key)
                refusals += 1
                if refusals == REFUSALS_MAX:
                    return

    def _forget(self, key: tuple[str, str]) -> None:
        waiting = self._records[key]
        waiting.popleft()
        self._count -= 1
        if not waiting:
            del self._records[key]

    def _posted(self, record: Record) -> bool:
        try:
            self._post(record)
        except Unavailable:
            return False
        return True
