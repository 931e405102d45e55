"""The golden log: what owners of this program wrote in every scenario, kept for later versions.

`python -m tests.golden` writes it anew, from the scenarios as they run today. Do that when
scenarios are added; what was released in a log that is kept must never come out otherwise.
"""

import asyncio
import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from infra.journal_memory import MemoryJournal
from infra.scenario_file import read_scenarios
from infra.scenario_run import ScenarioRun
from schemas.records import CdrCorrected, CdrReleased, decode

DATA = Path(__file__).parent / "data"
LOG = DATA / "golden_log.jsonl.gz"
DIGEST = DATA / "golden_log.sha256"
"""Over id and digest of everything that was released in it."""

SCENARIOS = DATA / "scenarios.jsonl"


async def write() -> None:
    given = read_scenarios(SCENARIOS)
    lines = []
    for scenario in given.scenarios:
        run = ScenarioRun(scenario, given.tariffs)
        await run.run()
        journal = run.world.journal
        values = {str(p): await _values(journal, p) for p in range(journal.partitions + 1)}
        lines.append(json.dumps({"scenario": scenario.id, "values": values}))
    # No time of writing: the same log is the same file.
    LOG.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    digests = sha256()
    for _, of_partition in logs():
        for cdr_id, (_, sha) in sorted(released_in(of_partition[1]).items()):
            digests.update(f"{cdr_id} {sha}\n".encode())
    DIGEST.write_text(digests.hexdigest() + "\n")


async def _values(journal: MemoryJournal, partition: int) -> list[str]:
    reader = journal.reader({partition: 0})
    found: list[str] = []
    while len(found) < await journal.head(partition):
        entries = await reader.poll(records_max=1_000, timeout_s=0)
        found.extend(b64encode(entry.value).decode() for entry in entries)
    return found


def logs() -> Iterator[tuple[str, dict[int, list[bytes]]]]:
    """Yield each scenario's name and its records by partition."""
    for line in gzip.decompress(LOG.read_bytes()).splitlines():
        kept = json.loads(line)
        yield (
            kept["scenario"],
            {int(p): [b64decode(v) for v in values] for p, values in kept["values"].items()},
        )


def released_in(values: list[bytes]) -> dict[str, tuple[bytes, str]]:
    """Each document that the log says was released, by id."""
    found: dict[str, tuple[bytes, str]] = {}
    for record in map(decode, values):
        if isinstance(record, CdrReleased):
            found[record.cdr_id] = (bytes(record.document), record.sha256)
        elif isinstance(record, CdrCorrected):
            for body, sha in (
                (bytes(record.credit), record.credit_sha256),
                (bytes(record.replacement), record.replacement_sha256),
            ):
                found[_id_of(body)] = (body, sha)
    return found


def _id_of(body: bytes) -> str:
    return body.split(b'"', 4)[3].decode()


async def journal_of(values: dict[int, list[bytes]]) -> MemoryJournal:
    journal = MemoryJournal(max(values))
    for partition, of_partition in values.items():
        if of_partition:
            await journal.append(partition, of_partition)
    return journal


if __name__ == "__main__":
    asyncio.run(write())
