"""Small disks that can be filled: a tmpfs each. Needs the right to mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

BALLAST = "ballast"
SPARED_BYTES = 65_536
"""So that what is full is full in the middle of something."""


class Disk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / BALLAST

    def fill(self) -> None:
        with self._ballast.open("wb") as file:
            while (wanted := self._free_bytes() - SPARED_BYTES) > 0:
                try:
                    os.posix_fallocate(file.fileno(), 0, wanted)
                except OSError as error:
                    if error.errno != ENOSPC:
                        raise
                    # Somebody else wrote meanwhile.
                else:
                    return

    def _free_bytes(self) -> int:
        free = os.statvfs(self.path)
        return free.f_bavail * free.f_frsize

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, mib: int) -> Iterator[Disk | str]:
    """Mount one there, or say why not; `path` is a directory in either case."""
    path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        yield mounted.stderr.strip()
        return
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=False)
