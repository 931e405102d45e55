"""Whether a role's process lives and can do its work, and its figures, over HTTP on loopback.

`/healthz` says that the event loop turns; `/readyz` is 503 while any part of the role is not "ok"
and says which; `/metrics` is Prometheus' text. None of them names a tenant or a station.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HOST = "127.0.0.1"
NAMES = ["127.0.0.1", "localhost"]
CONCURRENT_MAX = 32
STOP_S = 1
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    parts: Callable[[], Awaitable[Mapping[str, str]]]
    """What the role consists of, each "ok" or what is wrong with it."""
    figures: Callable[[], Awaitable[str]]
    """In Prometheus' text format."""


@contextlib.asynccontextmanager
async def health_http(port: int | None, health: Health) -> AsyncIterator[int | None]:
    """Answer for the length of the block and yield the port; None: answer nobody.

    Raises:
        OSError: the port is taken.
    """
    if port is None:
        yield None
        return
    with socket.create_server((HOST, port)) as listener:
        config = uvicorn.Config(
            _application(health),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONCURRENT_MAX,
            timeout_graceful_shutdown=STOP_S,
        )
        # By hand: `serve` would take the process' signals.
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield listener.getsockname()[1]
        finally:
            await server.shutdown(sockets=[listener])


def _application(health: Health) -> Starlette:
    async def healthz(_: Request) -> Response:
        return Response(b'{"alive":true}', media_type="application/json")

    async def readyz(_: Request) -> Response:
        parts = await health.parts()
        ready = all(said == OK for said in parts.values())
        body = msgspec.json.encode({"ready": ready, **parts})
        return Response(body, 200 if ready else 503, media_type="application/json")

    async def metrics(_: Request) -> Response:
        return Response(await health.figures(), media_type=TEXT)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        # A web page whose name was pointed at 127.0.0.1 sends its own name.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=NAMES)],
    )
