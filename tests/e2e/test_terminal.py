"""Ctrl-C in a terminal tells the whole process group at once; still everything ends in order."""

import fcntl
import os
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.running import STOPPED_WITHIN_S, Up

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]


class Terminal(Up):
    """`up` in the foreground of a terminal of its own."""

    def start(self) -> None:
        self._ours, its = os.openpty()
        self._process = subprocess.Popen(
            [*self.arguments(0, 0, 0, 0), "--demo", "2"],
            stdin=its,
            stdout=its,
            stderr=its,
            env=self._environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(its)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self.output.open("ab") as output:
            try:
                while said := os.read(self._ours, 4096):
                    output.write(said)
                    output.flush()
            except OSError:  # Linux says that the other end is closed in this way.
                return

    def ctrl_c(self) -> int:
        assert self._process is not None
        os.write(self._ours, b"\x03")
        return self._process.wait(STOPPED_WITHIN_S)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    up = Terminal(tmp_path / "data")
    yield up
    up.end()


def test_ctrl_c_ends_postgres_last(terminal: Terminal) -> None:
    terminal.start()
    terminal.wait_ready()
    terminal.wait_projected()
    postgres = terminal.child("postgres")
    assert postgres is not None

    code = terminal.ctrl_c()

    assert code == 0
    said = terminal.output.read_text()
    logs = {path.name: path.read_text() for path in terminal.layout.logs.glob("*.log")}
    assert "did not end" not in said
    assert not [name for name, text in logs.items() if "cannot be written" in text]
    assert not psutil.pid_exists(postgres.pid)
