"""The registry beside a projection: folded ahead, up to what each decision knew.

A decision names how much of the registry it had. Rows that depend on it are made only once as much
is folded here, however far behind the registry's partition is in the projection's own reading.
Versions that came later change nothing: `domain.reference` is asked as of the decision's position.
"""

import logging

from domain.log_filter import LogFilter
from domain.reference import Reference
from schemas.journal import REGISTRY_PARTITION, Journal, Reader
from schemas.records import UnreadableRecord, decode

logger = logging.getLogger(__name__)

POLL_RECORDS = 5_000
POLL_S = 1.0
WARN_POLLS = 10


class RegistryFollower:
    """One for the life of a `Reference`: its filter remembers what was read before."""

    def __init__(self, journal: Journal, reference: Reference) -> None:
        self.reference = reference
        self._journal = journal
        self._filter = LogFilter()
        self._reader: Reader | None = None

    async def reach(self, position: int) -> None:
        """Return once the reference is folded up to this position.

        Raises:
            Unavailable: the journal cannot be read now; ask again.
        """
        polls = 0
        while self.reference.position < position:
            if self._reader is None:
                self._reader = self._journal.reader({REGISTRY_PARTITION: self.reference.position})
            entries = await self._reader.poll(records_max=POLL_RECORDS, timeout_s=POLL_S)
            for _, offset, value in entries:
                try:
                    record = decode(value)
                except UnreadableRecord:
                    self.reference.position = offset + 1
                    continue
                if self._filter.admit(offset, record):
                    self.reference.fold(offset, record)
                self.reference.position = offset + 1
            polls = 0 if entries else polls + 1
            if polls % WARN_POLLS == WARN_POLLS - 1:
                logger.warning("the registry is not there yet: position %d", position)

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()
