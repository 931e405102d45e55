"""ClickHouse's HTTP interface over the embedded engine, for readers on this machine.

As much of it as curl, clickhouse-connect and dashboards use: a query in the URL, in the body or in
both; `database`, `default_format`, `param_*`, `query_id`, settings in the URL; gzip both ways; the
X-ClickHouse headers; errors with the code, the text and the status a server would send. Sessions,
users and passwords are accepted and mean nothing: there is no state, and whoever reaches the
loopback interface may read. Not spoken: forms, and the block compression of the native protocol
(`decompress=1`; `compress=1` is answered without).
"""

import asyncio
import contextlib
import json
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.clickhouse import ChdbEngine
from infra.clickhouse_reading import Query, QueryFailed, Reading, Result
from infra.clickhouse_request import BadRequest, read_request

HOST = "127.0.0.1"
NAMES = ["127.0.0.1", "localhost"]
# A web page whose name was pointed at 127.0.0.1 sends its own name, and is refused.

RUNNING_MAX = 4
WAITING_MAX = 32
# Each runs at most a minute on two threads; whoever comes when so many wait is told at once.
TOO_MANY_SIMULTANEOUS_QUERIES = 202

STOP_TIMEOUT_S = 5

STATUS_BY_CODE: Mapping[int, int] = {
    **dict.fromkeys((26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 456, 457), 400),
    **dict.fromkeys((46, 47, 50, 60, 73, 81, 115, 63), 404),
    **dict.fromkeys((164, 497), 403),
    159: 408,
    202: 503,
    236: 503,
    48: 501,
}
# As a server maps them; what is not here is 500.


@dataclass(frozen=True, slots=True)
class ClickHouseHttp:
    """A running server."""

    port: int


@contextlib.asynccontextmanager
async def serve(
    engine: ChdbEngine, port: int, *, database: str | None = None
) -> AsyncIterator[ClickHouseHttp]:
    """Answer on 127.0.0.1 for the length of the block; port 0 takes a free one.

    Queries that name no database run in `database`, by default the engine's.

    Raises:
        OSError: the port is taken.
    """
    reading = await asyncio.to_thread(Reading, engine)
    with contextlib.closing(_listen(port)) as listener:
        executor = ThreadPoolExecutor(RUNNING_MAX, "clickhouse-reader")
        desk = _Desk(reading, executor, database or engine.database)
        config = uvicorn.Config(
            _application(desk),
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
            server_header=False,
            date_header=False,
        )
        # Started and stopped by hand: `serve` would take the signals of the process, and needs a
        # task whose only work is to tick.
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield ClickHouseHttp(listener.getsockname()[1])
        finally:
            await asyncio.to_thread(reading.stop)
            await server.shutdown(sockets=[listener])
            await asyncio.to_thread(executor.shutdown)


class _Desk:
    """Takes requests to the readers' threads, a bounded number at a time."""

    def __init__(self, reading: Reading, executor: ThreadPoolExecutor, database: str) -> None:
        self._reading = reading
        self._executor = executor
        self._database = database
        self._present = 0

    async def answer(self, request: Request) -> Response:
        query_id = request.query_params.get("query_id", "")
        if not (query_id.isascii() and query_id.isprintable() and 0 < len(query_id) <= 200):
            query_id = str(uuid.uuid4())
        headers = {
            "X-ClickHouse-Server-Display-Name": "chargeledger",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._reading.timezone,
        }
        try:
            query = await read_request(request, self._database)
            if not query.text.strip() and request.method == "GET":
                return PlainTextResponse("Ok.\n", headers=headers)
            result = await self._run(query)
        except BadRequest as error:
            return PlainTextResponse(f"{error}\n", status_code=error.status, headers=headers)
        except QueryFailed as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            status = STATUS_BY_CODE.get(error.code, 500)
            version = f" (version {self._reading.version} (embedded))"
            return PlainTextResponse(f"{error.message}{version}\n", status, headers=headers)
        headers["X-ClickHouse-Format"] = result.format
        headers["X-ClickHouse-Summary"] = _summary(result)
        return Response(result.body, headers=headers, media_type=_media_type(result.format))

    async def _run(self, query: Query) -> Result:
        if self._present >= RUNNING_MAX + WAITING_MAX:
            message = "Code: 202. DB::Exception: Too many queries (TOO_MANY_SIMULTANEOUS_QUERIES)"
            raise QueryFailed(TOO_MANY_SIMULTANEOUS_QUERIES, message)
        self._present += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, self._reading.run, query)
        # Counted until the thread is free, also when the client has gone.
        future.add_done_callback(self._left)
        return await asyncio.shield(future)

    def _left(self, future: "asyncio.Future[Result]") -> None:
        self._present -= 1
        if not future.cancelled():
            future.exception()


def _application(desk: _Desk) -> Starlette:
    async def ok(request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    return Starlette(
        routes=[
            Route("/ping", ok),
            Route("/replicas_status", ok),
            Route("/", desk.answer, methods=["GET", "POST"]),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=1),
        ],
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _summary(result: Result) -> str:
    summary = {
        "read_rows": str(result.rows_read),
        "read_bytes": str(result.bytes_read),
        "written_rows": "0",
        "written_bytes": "0",
        "total_rows_to_read": str(result.rows_read),
        "result_bytes": str(len(result.body)),
        "elapsed_ns": str(result.elapsed_ns),
    }
    return json.dumps(summary, separators=(",", ":"))


def _media_type(name: str) -> str:
    if name.startswith("JSON") and "EachRow" not in name:
        return "application/json; charset=UTF-8"
    if name.startswith("CSV"):
        return "text/csv; charset=UTF-8"
    if name.startswith(("TabSeparated", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    if name.startswith(("Pretty", "Vertical", "Values", "Markdown", "JSON", "XML")):
        return "text/plain; charset=UTF-8"
    return "application/octet-stream"
