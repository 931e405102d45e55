"""The processes that a deployment started, remembered so that the next start can end them.

When `up` is killed its children notice and stop; one that hangs would keep the journal's lock. They
are found by pid and time of birth: the number alone may be somebody else's by now.
"""

from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

ENDS_BY_ITSELF_S = 10.0
KILLED_WITHIN_S = 10.0
SAME_BIRTH_S = 2.0
"""The system reckons births from its start, which moves when its clock is set."""


class OrphansRemain(Exception):
    """Processes of an earlier `up` cannot be ended; their pids are in the message."""


class Born(Struct, frozen=True):
    pid: int
    at: float


class Family:
    """The children of one deployment, in a file of its data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: list[Born] = []

    def add(self, pid: int) -> None:
        try:
            born = Born(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return
        self._members = [member for member in self._members if _found(member)] + [born]
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._members))
        new.replace(self._path)

    def end_orphans(self) -> int:
        """End what an earlier `up` left behind, by force in the end; return how many there were.

        The caller holds the data directory's lock.

        Raises:
            OrphansRemain
        """
        try:
            members = msgspec.json.decode(self._path.read_bytes(), type=list[Born])
        except (FileNotFoundError, msgspec.MsgspecError):
            return 0
        orphans = [process for member in members if (process := _found(member)) is not None]
        _, alive = psutil.wait_procs(orphans, timeout=ENDS_BY_ITSELF_S if orphans else 0)
        for process in alive:
            process.kill()
        _, alive = psutil.wait_procs(alive, timeout=KILLED_WITHIN_S)
        if alive:
            raise OrphansRemain(f"processes {[process.pid for process in alive]} do not end")
        return len(orphans)


def _found(member: Born) -> psutil.Process | None:
    try:
        process = psutil.Process(member.pid)
        is_same = abs(process.create_time() - member.at) < SAME_BIRTH_S
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
