"""The API's way into the journal: one record at a time per partition, and an outcome for each.

Few records come this way, so each is a batch of its own. An unknown outcome is retried under the
same record id; a later record has a higher sequence, so what lands too late after that is dropped
by every reader.
"""

import asyncio
import secrets as randomness
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from api.ports import Place
from schemas.journal import REGISTRY_PARTITION, AppenderFailed, AppendUnknown, Unavailable
from schemas.partitions import partition_of
from schemas.records import (
    CdrActionRequested,
    CommandRequested,
    ProviderAnswered,
    Record,
    encode,
)

RETRY_S = 0.25
RETRY_FOR_S = 5.0
"""The caller of the API waits meanwhile, and can repeat the request itself."""

WAITING_MAX = 256
"""Requests in line for one partition; it takes thousands of records per second."""


class Batches(Protocol):
    """What is needed of a journal (`schemas.journal.Journal`) or of the way to one."""

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]: ...

    async def head(self, partition: int) -> int: ...


class RecordAppender:
    """`api.ports.Appender`."""

    def __init__(
        self,
        journal: Batches,
        partitions: int,
        *,
        ask: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`ask`: whoever writes for us, whether it is there; the journal's reader may not know."""
        self._journal = journal
        self._ask = ask or (lambda: journal.head(REGISTRY_PARTITION))
        self._partitions = partitions
        self._incarnation = randomness.token_hex(6)
        self._sequences = [0] * (partitions + 1)
        self._turns = [asyncio.Lock() for _ in range(partitions + 1)]
        self._waiting = 0
        self._trouble = ""
        self._failed = asyncio.Event()

    async def failed(self) -> None:
        """Return once this journal object takes no append any more: a new process must."""
        await self._failed.wait()

    async def heads(self) -> Mapping[int, int]:
        return {p: await self._journal.head(p) for p in range(self._partitions + 1)}

    async def trouble(self) -> str:
        """Return why the last append failed, or why the journal cannot be asked; empty if fine."""
        try:
            await self._ask()
        except Unavailable as error:
            return f"not reachable: {error}"
        return self._trouble

    async def append(self, record: Record) -> Place:
        partition = REGISTRY_PARTITION
        if isinstance(record, CommandRequested | CdrActionRequested | ProviderAnswered):
            partition = partition_of(record.tenant, record.station, self._partitions)
        return await self.append_to(partition, record)

    async def append_to(self, partition: int, record: Record) -> Place:
        """As `append`, for a record that is of no station."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many requests wait for the journal")
        self._waiting += 1
        try:
            async with self._turns[partition]:
                self._sequences[partition] += 1
                value = encode(record, self._incarnation, self._sequences[partition])
                offset = await self._append(partition, value)
                self._trouble = ""
                return Place(partition, offset)
        except (Unavailable, AppendUnknown) as error:
            self._trouble = f"the last append failed: {error}"
            raise
        finally:
            self._waiting -= 1

    async def _append(self, partition: int, value: bytes) -> int:
        deadline = asyncio.get_running_loop().time() + RETRY_FOR_S
        may_have_landed = False
        while True:
            try:
                (offset,) = await self._journal.append(partition, [value])
            except AppendUnknown:
                may_have_landed = True
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(RETRY_S)
            except (Unavailable, AppenderFailed) as error:
                if isinstance(error, AppenderFailed):
                    self._failed.set()
                elif not may_have_landed:
                    raise
                # That this attempt did not land says nothing of an earlier one.
                raise AppendUnknown(str(error)) from error
            else:
                return offset
