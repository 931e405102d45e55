"""The journal in memory queues and becomes durable as the embedded one does."""

import asyncio

import pytest

from infra.journal_batches import BATCH_BYTES_MAX, QUEUE_BYTES_MAX
from infra.journal_memory import MemoryJournal
from schemas.journal import Unavailable
from tests.contract.journal import lines


async def test_what_is_enqueued_is_durable_in_the_next_turn_and_said_once() -> None:
    journal = MemoryJournal(2)
    seen: list[list[int]] = []
    journal.on_durable(lambda: seen.append(list(journal.durable)))

    assert journal.enqueue(1, lines("a", 2)) == 0
    assert journal.enqueue(2, lines("b", 1)) == 0
    assert journal.enqueue(1, lines("c", 1)) == 2
    assert list(journal.durable) == [1, 0, 0]
    await asyncio.sleep(0)

    assert seen == [[1, 3, 1]]


async def test_its_queue_is_bounded() -> None:
    journal = MemoryJournal(1)
    value = b"x" * BATCH_BYTES_MAX
    for _ in range(QUEUE_BYTES_MAX // BATCH_BYTES_MAX):
        journal.enqueue(1, [value])

    with pytest.raises(Unavailable, match="queued"):
        journal.enqueue(1, [value])
    await asyncio.sleep(0)
    assert journal.enqueue(1, lines("after", 1)) == QUEUE_BYTES_MAX // BATCH_BYTES_MAX
