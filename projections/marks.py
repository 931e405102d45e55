"""Where the log ended when: how long what stood there waits for a reader that is not there yet."""

from collections.abc import Mapping

MARKS_MAX = 64
"""Of a partition; of more those are forgotten that say least: the older, the farther apart."""


class Marks:
    """For somebody who looks again and again."""

    def __init__(self) -> None:
        self._marks: dict[int, list[tuple[int, int]]] = {}

    def saw(self, heads: Mapping[int, int], now_us: int) -> None:
        for partition, head in heads.items():
            marks = self._marks.setdefault(partition, [(0, now_us)])
            if head > marks[-1][0]:
                marks.append((head, now_us))
                if len(marks) > MARKS_MAX:
                    del marks[_least_telling(marks, now_us)]

    def waiting_us(self, positions: Mapping[int, int], now_us: int) -> dict[int, int]:
        """Return, by partition, how long ago the first end of the log was seen that the reader
        (`positions`: its next offsets) has not reached; partitions where it has are left out."""
        waiting = {}
        for partition, marks in self._marks.items():
            position = positions.get(partition, 0)
            since = next((at for head, at in marks if head > position), None)
            if since is not None:
                waiting[partition] = max(0, now_us - since)
        return waiting


def _least_telling(marks: list[tuple[int, int]], now_us: int) -> int:
    def told(index: int) -> float:
        before, after = marks[index - 1][1], marks[index + 1][1]
        return (after - before) / (now_us - before + 1)

    return min(range(1, len(marks) - 1), key=told)
