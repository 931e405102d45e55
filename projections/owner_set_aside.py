"""Rows of what owners say that they have set aside. A claim ends what was said before it."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from schemas.records import PartitionClaimed, Record, RecordSetAside


class ClaimedRow(Struct, frozen=True):
    partition: int


class OwnerSetAsideRow(Struct, frozen=True, kw_only=True):
    partition: int
    record_offset: int
    tenant: str
    station: str
    reason: str
    recorded_at: int


class OwnerSetAsideRows:
    def __init__(self) -> None:
        self._claimed: set[int] = set()
        self._said: dict[tuple[int, int], OwnerSetAsideRow] = {}

    def apply(self, partition: int, record: Record) -> None:
        if isinstance(record, PartitionClaimed):
            self._claimed.add(partition)
            self._said = {key: row for key, row in self._said.items() if key[0] != partition}
        elif isinstance(record, RecordSetAside):
            self._said[partition, record.cause] = OwnerSetAsideRow(
                partition=partition,
                record_offset=record.cause,
                tenant=record.of_tenant,
                station=record.of_station,
                reason=record.reason,
                recorded_at=record.recorded_at,
            )

    def written(self) -> Iterator[tuple[str, Sequence[Struct]]]:
        """Yield each statement with its rows, in their order."""
        yield "progress.forget_owner_set_aside", [ClaimedRow(p) for p in sorted(self._claimed)]
        yield "progress.write_owner_set_aside", list(self._said.values())
