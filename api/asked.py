"""What this process was asked lately: bridges the lag of the read side for idempotency keys."""

from api.ports import Appender
from api.problems import Conflict
from schemas.journal import AppendUnknown, Unavailable
from schemas.records import Record

RECENT_MAX = 10_000


class Recent:
    """What this process was asked lately, by command id: the action and the payload's digest.

    Bridges the lag of the read side; bounded, the oldest is forgotten first.
    """

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, str]] = {}
        self._landed: dict[str, bool] = {}
        """True: it is in the journal; False: it may be."""

    def claim(self, command_id: str, action: str, digest: str) -> None:
        """Raise Conflict if something else was asked under this id."""
        same(self._asked.setdefault(command_id, (action, digest)), (action, digest))
        if len(self._asked) > RECENT_MAX:
            oldest = next(iter(self._asked))
            del self._asked[oldest]
            self._landed.pop(oldest, None)

    def release(self, command_id: str) -> None:
        """Nothing was recorded under this id by this process: it may mean something else."""
        if command_id not in self._landed:
            self._asked.pop(command_id, None)

    def is_appended(self, command_id: str) -> bool:
        return self._landed.get(command_id, False)

    async def append(self, log: Appender, command_id: str, record: Record) -> None:
        """Append what was asked under this id, and remember what is known of its landing.

        Raises:
            Unavailable: nothing is recorded; the id may mean something else.
            AppendUnknown: it may be.
        """
        try:
            await log.append(record)
        except Unavailable:
            self.release(command_id)
            raise
        except AppendUnknown:
            self.landed(command_id, surely=False)
            raise
        self.landed(command_id, surely=True)

    def landed(self, command_id: str, *, surely: bool) -> None:
        if command_id in self._asked:
            self._landed[command_id] = surely or self.is_appended(command_id)


def same(there: tuple[str, str], here: tuple[str, str]) -> None:
    """Raise Conflict unless action and payload's digest are the same."""
    if there != here:
        raise Conflict("this Idempotency-Key was used for something else of this station")
