"""What a process that `up` started does first: it dies with `up`, and tells it what matters.

- Its stdin is a pipe that only `up` holds open: at its end `up` is gone, however it went, and this
  process stops in order, or is gone some seconds later.
- SIGTERM means stop. SIGINT (Ctrl-C reaches the whole group) is for `up`, which knows the
  order.
- Its stdout is a pipe to `up`: one line of JSON when it is ready, one for every warning. It never
  waits for a reader; everything it logs is in its log file (stderr) besides.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from typing import Literal

import msgspec
from msgspec import Struct

ORPHAN_STOPS_WITHIN_S = 10.0
NOTICE_CHARACTERS_MAX = 600
"""A line stays below PIPE_BUF, so that it is written whole or not at all."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Ready(Struct, frozen=True, tag="ready"):
    text: str = ""


class Notice(Struct, frozen=True, tag="notice"):
    level: Literal["WARNING", "ERROR", "CRITICAL"]
    text: str


Line = Ready | Notice
_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


def line_in(text: bytes) -> Line | None:
    """Return what a child said; None for anything else that came out of it."""
    try:
        return _lines.decode(text)
    except msgspec.MsgspecError:
        return None


def become_child(level: str, niceness: int = 0) -> None:
    """Call it once, on the main thread, before anything of the role."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if niceness:
        os.nice(niceness)
    os.set_blocking(sys.stdout.fileno(), False)
    configure_logging(level)
    logging.getLogger().addHandler(_Notices(logging.WARNING))
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()


def configure_logging(level: str) -> None:
    """Log to stderr, in UTC."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr)
    # What our own modules say of a database or a broker that is away is said once and is enough.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def say_ready(text: str = "") -> None:
    _say(Ready(text))


def stop_on(*signals: signal.Signals) -> asyncio.Event:
    """Return an event that is set once one of the signals comes. Call it inside the loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    return stop


class _Notices(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()[:NOTICE_CHARACTERS_MAX]
        if record.levelno >= logging.ERROR:
            _say(Notice("ERROR", text))
        else:
            _say(Notice("WARNING", text))


def _say(line: Line) -> None:
    # Dropped when `up` does not read (it is busy, or gone): the log file has it.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), _encode(line) + b"\n")


def _watch_parent() -> None:
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_STOPS_WITHIN_S)
    os._exit(1)
