"""The station states that a projection folds, kept in memory within bounds and saved now and then.

A state that was not touched since it was saved may leave memory and is loaded again on demand.
"""

from collections.abc import Collection, Iterable

import msgspec

from domain.station import Station, dump, load
from projections.ports import Positions, RebuildNeeded, SavedState, StationKey

FOLD_VERSION = 24
"""Of the rows and the saved states together. Whoever changes what a fold or a row means raises it;
a projection whose stored version differs says RebuildNeeded and is rebuilt from the log."""


class StationStates:
    def __init__(self, store: Positions, name: str, stations_max: int) -> None:
        self.by_key: dict[StationKey, Station] = {}
        self.dirty: set[StationKey] = set()
        """Folded since they were last dumped. Whoever folds one adds it."""
        self._store = store
        self._name = name
        self._stations_max = stations_max
        self._saving: list[set[StationKey]] = []

    @property
    def is_full(self) -> bool:
        return len(self.by_key) > self._stations_max

    @property
    def is_crowded(self) -> bool:
        """Whether the order of eviction begins to matter."""
        return len(self.by_key) * 2 > self._stations_max

    async def fetch(self, missing: Iterable[StationKey], partitions: Iterable[int]) -> None:
        """Bring stations into memory: as they were saved, or new."""
        wanted = dict(zip(missing, partitions, strict=True))
        for saved in await self._store.load_states(self._name, wanted):
            self.by_key[saved.tenant, saved.station] = _loaded(saved)
        for (tenant, station), partition in wanted.items():
            if (tenant, station) not in self.by_key:
                self.by_key[tenant, station] = Station(tenant, station, partition)

    def dump_dirty(self) -> list[SavedState]:
        """Return what must be saved; call `saved` when it is, in the same order."""
        states = []
        for key in self.dirty:
            station = self.by_key[key]
            states.append(
                SavedState(station.tenant, station.station, station.partition, dump(station))
            )
        self._saving.append(self.dirty)
        self.dirty = set()
        return states

    def saved(self) -> None:
        self._saving.pop(0)
        self._evict()

    def used(self, keys: Collection[StationKey]) -> None:
        """Put these last in the order of eviction."""
        for key in keys:
            self.by_key[key] = self.by_key.pop(key)

    def _evict(self) -> None:
        surplus = len(self.by_key) - self._stations_max
        if surplus <= 0:
            return
        kept = self.dirty.union(*self._saving)
        clean = (key for key in self.by_key if key not in kept)
        for key in [key for key, _ in zip(clean, range(surplus), strict=False)]:
            del self.by_key[key]


def _loaded(saved: SavedState) -> Station:
    try:
        return load(saved.state)
    except msgspec.MsgspecError as error:
        raise RebuildNeeded(f"the state of {saved.tenant}/{saved.station}: {error}") from error
