"""A disk that stands still until it is told to go on."""

from collections.abc import Iterable
from pathlib import Path
from threading import Event

from infra.snapshots import PartitionSnapshot, Snapshots, StationSnapshot

SOON_S = 30.0


class SlowDisk(Snapshots):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_asked, self.goes_on = Event(), Event()

    def save(
        self, partition: int, header: PartitionSnapshot, stations: Iterable[StationSnapshot]
    ) -> None:
        self.is_asked.set()
        assert self.goes_on.wait(SOON_S)
        super().save(partition, header, stations)
