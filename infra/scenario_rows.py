"""The rows of the read model, kept in memory as its statements keep them in a table.

What the SQL promises holds here too: a FINAL CDR is never replaced, and an orphan is known by its
place.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from projections.ports import Checkpoint, Progress, SavedState, StationKey, Stored, Write

Row = dict[str, Any]


class MemoryRows:
    """A `RowStore` and the `Positions` of projections."""

    def __init__(self) -> None:
        self.cdrs: dict[str, Row] = {}
        self.transactions: dict[str, Row] = {}
        self.orphans: dict[tuple[int, int, int], Row] = {}
        self.poison: list[str] = []
        self._stored: dict[str, Stored] = {}
        self._states: dict[tuple[str, StationKey], SavedState] = {}

    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        taken = {
            "cdrs.write": self._take_cdr,
            "transactions.write": self._take_transaction,
            "orphans.write": self._take_orphan,
        }
        for statement, parameters in writes:
            if statement in taken:
                for row in json.loads(parameters["rows"]):
                    taken[statement](row)
        await self.save(progress)

    async def save(self, progress: Progress) -> None:
        before = self._stored.get(progress.name)
        checkpoint = progress.checkpoint or (before.checkpoint if before else None)
        self.poison += [
            f"{each.partition}:{each.offset}: {each.reason}" for each in progress.poison
        ]
        self._stored[progress.name] = Stored(
            journal_id=progress.journal_id,
            fold_version=progress.fold_version,
            positions=progress.positions,
            recorded_at=progress.recorded_at,
            last=progress.last,
            checkpoint=checkpoint or Checkpoint(positions={}, filters={}),
        )
        for state in progress.states:
            self._states[progress.name, (state.tenant, state.station)] = state

    async def load(self, name: str) -> Stored | None:
        return self._stored.get(name)

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        wanted = ((name, key) for key in keys)
        return [self._states[key] for key in wanted if key in self._states]

    def _take_cdr(self, row: Row) -> None:
        known = self.cdrs.get(row["id"])
        if known is None or known["state"] != "FINAL":
            self.cdrs[row["id"]] = row

    def _take_transaction(self, row: Row) -> None:
        self.transactions[row["id"]] = row

    def _take_orphan(self, row: Row) -> None:
        place = (row["partition"], row["record_offset"], row["record_index"])
        self.orphans.setdefault(place, row)
