"""`chargeledger evidence`: the bundle of a CDR, from the log alone."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.journal_evidence import evidence_in
from infra.settings import Settings


def run_evidence(cdr: str, out: Path | None, *, data: Path, tenant: str) -> None:
    try:
        cdr_id = str(UUID(cdr))
    except ValueError as error:
        raise Failed(f"{cdr!r} is no id of a CDR") from error
    found = asyncio.run(_evidence(cdr_id, Settings(data=data), tenant))
    if found is None:
        raise Failed("the log holds no CDR with this id")
    if out is None:
        sys.stdout.buffer.write(found)
    else:
        out.write_bytes(found)


async def _evidence(cdr_id: str, settings: Settings, tenant: str) -> bytes | None:
    async with journal_to_read(settings) as journal:
        return await evidence_in(journal, tenant, cdr_id)
