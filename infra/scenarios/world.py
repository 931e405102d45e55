"""A journal, a registry, an owner and the read model, on a clock that only its user moves.

The owner decides as it does live: it folds each record once it has its place in the journal, and
what it decides is appended. What billing sees is projected from that journal afterwards.
"""

from collections.abc import Callable

from domain.answering import Policy
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.journal_memory import MemoryJournal
from infra.scenarios.store import MemoryReadStore
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from schemas.journal import REGISTRY_PARTITION
from schemas.records import AnyRecord, MessageSent, Record, decode, encode

STATIONS = 1
"""The partition of all stations."""

_KEY = b"a scenario's transaction ids"


class World:
    def __init__(self, policy: Policy) -> None:
        self.now = 0
        self.journal = MemoryJournal(STATIONS)
        self.registry = Registry()
        self.values: dict[int, list[bytes]] = {REGISTRY_PARTITION: [], STATIONS: []}
        self.answers: dict[int, MessageSent] = {}
        """Our answer, by the offset of the CALL."""
        self.calls: dict[str, MessageSent] = {}
        """Our CALLs by message id."""
        self._sequences: dict[str, int] = {}
        self._filter = LogFilter()
        self.owner = Owner(
            STATIONS, name="owner", policy=policy, ids=TransactionIds(_KEY), registry=self.registry
        )

    async def begin(self, now: int, *registered: Record) -> None:
        self.now = now
        for record in registered:
            await self.register(record)
        await self.append("owner", self.owner.claim(now))

    async def register(self, record: Record) -> None:
        value = self._encoded("api", record)
        for offset in await self.journal.append(REGISTRY_PARTITION, [value]):
            self.registry.fold(offset, record)

    async def append(self, writer: str, record: Record) -> int:
        """Append a record of stations, let the owner fold it and decide; return its offset."""
        value = self._encoded(writer, record)
        offset = (await self.journal.append(STATIONS, [value]))[0]
        self._fold(offset, decode(value))
        while (decided := self.owner.decide_next(self.now)) is not None:
            value = self._encoded("owner", decided)
            (at,) = await self.journal.append(STATIONS, [value])
            self._fold(at, decode(value))
        return offset

    async def redeliver(self) -> None:
        """Let the journal hand out every record of the stations once more."""
        values = self.values[STATIONS].copy()
        for offset in await self.journal.append(STATIONS, values):
            self._fold(offset, decode(values[offset - len(values)]))
        self.values[STATIONS] += values

    async def pass_until(self, at: int) -> None:
        """Move the clock, and let the owner do what falls due meanwhile, each at its time."""
        while (due := self.owner.next_due()) is not None and due <= at:
            self.now = max(self.now, due)
            decided = self.owner.decide_next(self.now)
            if decided is None:
                if self.owner.next_due() == due:
                    break
                continue
            await self.append("owner", decided)
        self.now = max(self.now, at)

    async def project(
        self,
        store: MemoryReadStore | None = None,
        until: int | None = None,
        watch: Callable[[ReadModel], None] | None = None,
    ) -> MemoryReadStore:
        """Project the journal, up to an offset of the stations' partition if one is named."""
        store = store or MemoryReadStore()
        heads = {partition: await self.journal.head(partition) for partition in (0, STATIONS)}
        if until is not None:
            heads[STATIONS] = until
        sink = ReadModel(store)
        if watch is not None:
            watch(sink)
        await Projection(self.journal, sink, store, limits=Limits(), until=heads).run()
        return store

    def _encoded(self, writer: str, record: Record) -> bytes:
        sequence = self._sequences[writer] = self._sequences.get(writer, 0) + 1
        value = encode(record, writer, sequence)
        if writer != "api":
            self.values[STATIONS].append(value)
        return value

    def _fold(self, offset: int, record: AnyRecord) -> None:
        if self.owner.fold(offset, record) and isinstance(record, MessageSent):
            if record.purpose == "answer":
                self.answers[record.cause] = record
            else:
                self.calls[record.message_id] = record
