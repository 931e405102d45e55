"""A process that appends to an embedded journal and says what was acknowledged, until it is killed.

`python -m tests.infra.writing_process DIRECTORY PARTITIONS` prints "partition offset value" per
record, after its append has returned.
"""

import asyncio
import os
import sys
from pathlib import Path

from infra.journal_sqlite import SqliteJournal

APPENDERS = 20


async def append_for_ever(journal: SqliteJournal, number: int) -> None:
    count = 0
    while True:
        partition = 1 + (number + count) % journal.partitions
        values = [b'{"from":%d,"n":%d,"i":%d}' % (number, count, index) for index in range(3)]
        offsets = await journal.append(partition, values)
        said = [b"%d %d %b\n" % (partition, *pair) for pair in zip(offsets, values, strict=True)]
        os.write(1, b"".join(said))
        count += 1


async def main() -> None:
    journal = await SqliteJournal.create_or_open(Path(sys.argv[1]), int(sys.argv[2]))
    async with asyncio.TaskGroup() as appenders:
        for number in range(APPENDERS):
            appenders.create_task(append_for_ever(journal, number))


if __name__ == "__main__":
    asyncio.run(main())
