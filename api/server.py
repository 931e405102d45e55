"""The API on a socket: where it may listen, and a clean end.

Without any API key it listens on loopback only. At the end it stops accepting, ends the streams and
those who wait, finishes what is under way, and closes.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

LOOPBACK = "127.0.0.1"
BACKLOG = 512
CONCURRENT_MAX = 1_000
SHUTDOWN_S = 5
"""For what is under way; streams and waits end at once."""

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the program, which sets `stop`.
        yield


def address_to_listen(host: str, *, has_keys: bool) -> str:
    """Return the host, or loopback while no API key was made; says so in the log."""
    if has_keys:
        return host
    if is_loopback(host):
        _log.warning("no API key was made: the API answers this machine, without proof")
        return host
    _log.warning("no API key was made: the API listens on %s and not on %s", LOOPBACK, host)
    return LOOPBACK


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def serve(
    app: FastAPI,
    host: str,
    port: int,
    stop: asyncio.Event,
    on_listening: Callable[[int], object] = lambda port: None,
) -> None:
    """Serve until told to stop; `on_listening` gets the port (0 asks for a free one).

    Raises:
        OSError: it cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        loop="none",
        backlog=BACKLOG,
        limit_concurrency=CONCURRENT_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    server = _Server(config)
    on_listening(listener.getsockname()[1])
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]))
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            app.state.closing.set()
            server.should_exit = True
            stopping.cancel()
    finally:
        listener.close()
