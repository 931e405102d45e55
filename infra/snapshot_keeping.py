"""Keeping a snapshot of an owner while it goes on: stations wait neither for the dump nor the disk.

What is folded meanwhile is in the states that are dumped after it and in none before it. Both do: a
start folds everything from the snapshot's position, and a state lets pass what it knows.
"""

import asyncio
from collections.abc import Awaitable, Callable

from domain.owner import Owner
from infra.snapshots import Snapshots, StationSnapshot, header_of, take, torn_of

SNAPSHOT_CHUNK = 20
"""Stations dumped per turn of the loop: about a millisecond."""


async def keep(
    owner: Owner,
    snapshots: Snapshots,
    journal_id: str,
    is_durable: Callable[[int], Awaitable[bool]] | None = None,
) -> bool:
    """Keep what has changed since the last one; return whether it is kept.

    `is_durable`: where the owner folds what is not durable yet, waits until all before that offset
    is; False: it will not be, and nothing is kept.
    """
    header = header_of(owner, journal_id)
    touched, owner.touched = owner.touched, set()
    try:
        states: list[StationSnapshot] = []
        for key in touched:
            states.append(take(owner.stations[key]))
            if len(states) % SNAPSHOT_CHUNK == 0:
                await asyncio.sleep(0)
        # Nothing counts again what a state knows.
        header.next_counter, header.torn = owner.next_counter, torn_of(owner)
        if is_durable is not None and not await is_durable(owner.position):
            owner.touched |= touched
            return False
        await asyncio.to_thread(snapshots.save, owner.partition, header, states)
        return True
    except BaseException:
        owner.touched |= touched
        raise
