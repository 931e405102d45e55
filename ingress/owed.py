"""Records that the log did not take yet: ends of connections and failures, in their order.

Bounded: owners find lost connections without them.
"""

from collections import deque
from collections.abc import Callable

from schemas.journal import Unavailable
from schemas.records import Record

OWED_MAX = 100_000


class Owed:
    def __init__(self, post: Callable[[Record], None]) -> None:
        self._post = post
        self._records: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> None:
        """Post it, or keep it until the log takes it; of too many the oldest is forgotten."""
        if self._records or not self._posted(record):
            self._records.append(record)
            if len(self._records) > OWED_MAX:
                self._records.popleft()

    def settle(self) -> None:
        """Post what is owed, as far as the log takes it."""
        while self._records and self._posted(self._records[0]):
            self._records.popleft()

    def _posted(self, record: Record) -> bool:
        try:
            self._post(record)
        except Unavailable:
            return False
        return True
