"""A Unix socket that only its owner may reach, from its first moment on."""

import contextlib
import os
import socket
from pathlib import Path

BACKLOG = 64


def listen(path: Path) -> socket.socket:
    """Return a listening, non-blocking socket; what an earlier process left there is removed.

    The caller makes sure that no other process listens there.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        undo.pop_all()
    return listener
