"""The read model in memory: the rows that a scenario is judged by, as the statements write them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from projections.ports import (
    Checkpoint,
    PositionMoved,
    Progress,
    SavedState,
    StationKey,
    Stored,
    Write,
)

Row = dict[str, Any]


class MemoryReadStore:
    def __init__(self) -> None:
        self.cdrs: dict[str, Row] = {}
        self.orphans: dict[tuple[int, int, int], Row] = {}
        self.transactions: dict[str, Row] = {}
        self.poison: list[str] = []
        self._stored: Stored | None = None
        self._states: dict[StationKey, SavedState] = {}

    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        await self.save(progress)
        for statement, parameters in writes:
            if "rows" in parameters:
                self._write(statement, json.loads(parameters["rows"]))

    def _write(self, statement: str, rows: Iterable[Row]) -> None:
        for row in rows:
            if statement == "cdrs.write":
                if self.cdrs.get(row["id"], {}).get("state") != "FINAL":
                    self.cdrs[row["id"]] = row
            elif statement == "orphans.write":
                key = (row["partition"], row["record_offset"], row["record_index"])
                self.orphans.setdefault(key, row)
            elif statement == "transactions.write":
                self.transactions[row["id"]] = row

    async def load(self, name: str) -> Stored | None:
        return self._stored

    async def save(self, progress: Progress) -> None:
        stored = self._stored
        at = {} if stored is None else stored.positions
        if stored is not None and dict(at) != dict(progress.before):
            raise PositionMoved(f"stored {at}, before {progress.before}")
        checkpoint = progress.checkpoint
        if checkpoint is None:
            checkpoint = (
                Checkpoint(positions={}, filters={}) if stored is None else stored.checkpoint
            )
        self._stored = Stored(
            journal_id=progress.journal_id,
            fold_version=progress.fold_version,
            positions=dict(progress.positions),
            recorded_at=progress.recorded_at,
            checkpoint=checkpoint,
        )
        self._states.update({(saved.tenant, saved.station): saved for saved in progress.states})
        self.poison += [f"{p.partition}:{p.offset} {p.reason}" for p in progress.poison]

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        return [self._states[key] for key in keys if key in self._states]

    @property
    def state(self) -> Mapping[str, Any]:
        """Everything that a consumer can see, to compare two of them."""
        return {"cdrs": self.cdrs, "orphans": self.orphans, "transactions": self.transactions}
