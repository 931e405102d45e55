"""Verifiers of passwords at hand: in memory, and in a file for when Postgres is down at a start.

The file is a copy that may be deleted at any time; it is readable by its owner only. Rows of the
vault's passwords never change their verifier, so the copy is never wrong, only behind.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from infra.vault import Vault
from projections.ports import StoreUnavailable

REFRESH_S, LOOKS = 1.0, 10
"""A password that was just set is unknown for so long; for a tenth of it once it is wanted."""

_log = logging.getLogger(__name__)
_CREATE = """CREATE TABLE IF NOT EXISTS verifiers (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL, verifier TEXT NOT NULL)"""


class CachedVerifiers:
    def __init__(self, vault: Vault, path: Path) -> None:
        """Reads the file, if there is one."""
        self._vault = vault
        self._path = path
        self._verifiers: dict[str, str] = {}
        self._position = 0
        self._is_wanted = False
        try:
            self._file = self._opened()
        except sqlite3.DatabaseError as error:
            _log.warning("the copy of the verifiers is made anew: %s", error)
            path.unlink()
            self._file = self._opened()

    def verifier(self, secret_id: str) -> str | None:
        """Return what is kept under the id, from memory; None if it is not at hand, and is soon."""
        found = self._verifiers.get(secret_id)
        self._is_wanted = self._is_wanted or found is None
        return found

    async def refresh(self) -> None:
        """Take over what was added since.

        Raises:
            StoreUnavailable: what is at hand stays.
        """
        while rows := await self._vault.verifiers_after(self._position):
            self._take(rows)
            await asyncio.to_thread(self._store, rows)

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh until told to stop. Postgres may be away meanwhile."""
        is_away = False
        while not stop.is_set():
            try:
                await self.refresh()
                is_away = False
            except StoreUnavailable as error:
                if not is_away:
                    _log.warning("verifiers cannot be refreshed: %s", error)
                is_away = True
            self._is_wanted = False
            for _ in range(LOOKS):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REFRESH_S / LOOKS)
                if stop.is_set() or self._is_wanted:
                    break

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        self._path.chmod(0o600)
        file = sqlite3.connect(self._path, check_same_thread=False)
        try:
            with file:
                file.execute(_CREATE)
            # The position is not taken from here: a vault that was set up anew counts from 1 again.
            self._verifiers = dict(file.execute("SELECT id, verifier FROM verifiers").fetchall())
        except BaseException:
            file.close()
            raise
        return file

    def _take(self, rows: Sequence[tuple[int, str, str]]) -> None:
        for position, secret_id, verifier in rows:
            self._verifiers[secret_id] = verifier
            self._position = position

    def _store(self, rows: Sequence[tuple[int, str, str]]) -> None:
        with self._file:
            self._file.executemany("INSERT OR REPLACE INTO verifiers VALUES (?, ?, ?)", rows)
