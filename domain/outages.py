"""When nobody decided for a partition: deadlines of commands are later by as much.

What the log knows of that: a claim ends it, of a new owner, or of one that could not write for a
while. It began when the first CALL or canary came that was not answered; or, if none waits, with
the last record of all, after which either nobody could write, or there was nothing to write. Of a
partition in which nothing happens a take-over counts for too long, but hardly for longer than
canaries are apart, and never for longer than a command has been waiting.
"""

from msgspec import Struct

from schemas.records import CALL, CanaryAsked, MessageReceived, OwnerRecord, Record

PERIODS_MAX = 64
"""Remembered; a command that has waited for more of them is due a little early."""


class Outages(Struct):
    last_at: int = 0
    """Our clock in the latest record."""
    waiting_at: int = 0
    """When the first CALL or canary came since the last record of an owner; 0: none waits."""
    periods: list[tuple[int, int]] = []
    """From, to; in order."""

    def note(self, record: Record) -> None:
        if record.recorded_at > self.last_at:
            self.last_at = record.recorded_at
        if isinstance(record, OwnerRecord):
            self.waiting_at = 0
        elif not self.waiting_at and (
            record.message_type == CALL
            if type(record) is MessageReceived
            else type(record) is CanaryAsked
        ):
            self.waiting_at = record.recorded_at

    def end(self, now: int) -> None:
        """A claim counts from now on."""
        began = self.waiting_at or self.last_at
        after = self.periods[-1][1] if self.periods else 0
        if 0 < (began := max(began, after)) < now:
            self.periods.append((began, now))
            del self.periods[:-PERIODS_MAX]
        self.waiting_at = 0
        self.last_at = max(self.last_at, now)

    def extended(self, since: int, due: int) -> int:
        """Return when something is due that began at `since` and should have been due at `due`."""
        for began, ended in self.periods:
            if began >= due:
                break
            if ended > since:
                due += ended - max(began, since)
        return due
