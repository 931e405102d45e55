"""Which numbers of a transaction's events have come (2.x). They come in any order, and some never.

They are kept as ranges, mostly one, and of the latest a digest of what each said: the same number
with other content is another event (stations number two alike), with the same it is a repeat.
"""

from typing import Literal

from msgspec import Struct

CONTENTS_MAX = 512
MISSING_MAX = 100

Seen = Literal["new", "repeated", "conflicting"]


class SeqNumbers(Struct):
    ranges: list[tuple[int, int]] = []
    """From and to, ascending, apart from each other."""
    contents: dict[int, int] = {}
    first: int | None = None
    """Of the event that started the transaction."""
    last: int | None = None
    """Of the one that ended it."""

    @property
    def highest(self) -> int | None:
        return self.ranges[-1][1] if self.ranges else None

    def take(self, number: int, content: int) -> Seen:
        known = self.contents.get(number)
        if known is None and not self.has(number):
            self._add(number)
            self.contents[number] = content
            if len(self.contents) > CONTENTS_MAX:
                del self.contents[next(iter(self.contents))]
            return "new"
        return "repeated" if known in (None, content) else "conflicting"

    def has(self, number: int) -> bool:
        return any(low <= number <= high for low, high in self.ranges)

    def missing(self) -> tuple[int, ...]:
        """Return the numbers between start and end that have not come; a hundred at most."""
        if self.first is None or self.last is None or not self.ranges:
            return ()
        missing: list[int] = []
        expected = self.first
        for low, high in self.ranges:
            if low > self.last:
                break
            if low > expected:
                missing += range(expected, min(low, expected + MISSING_MAX))
            expected = max(expected, high + 1)
        return tuple(missing[:MISSING_MAX])

    def _add(self, number: int) -> None:
        ranges = self.ranges
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = (ranges[-1][0], number)
            return
        at = len(ranges)
        while at and ranges[at - 1][0] > number:
            at -= 1
        ranges.insert(at, (number, number))
        merged: list[tuple[int, int]] = []
        for low, high in ranges:
            if merged and merged[-1][1] + 1 == low:
                merged[-1] = (merged[-1][0], high)
            else:
                merged.append((low, high))
        self.ranges = merged[-CONTENTS_MAX:]
