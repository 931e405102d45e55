"""What a request to ClickHouse's HTTP interface asks for: the query and what goes with it.

Clients send settings that belong to the transport beside those of the engine; the transport's are
met here and never reach it.
"""

import zlib

from starlette.requests import Request

from infra.clickhouse_reading import QUERY_BYTES_MAX, Query

TRANSPORT = frozenset(
    {
        *("query", "database", "default_format", "query_id", "quota_key", "user", "password"),
        *("role", "session_id", "session_timeout", "session_check", "stacktrace"),
        *("wait_end_of_query", "buffer_size", "compress", "enable_http_compression"),
        *("http_zlib_compression_level", "send_progress_in_http_headers", "add_http_cors_header"),
        *("http_headers_progress_interval_ms", "http_response_buffer_size", "readonly"),
        *("http_write_exception_in_output_format", "client_protocol_version", "log_comment"),
        *("cancel_http_readonly_queries_on_client_close", "query_metric_log_interval"),
    }
)
# `readonly` cannot be lowered, so it is not looked at.


class BadRequest(Exception):
    """Not a request of this interface."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_request(request: Request, database: str) -> Query:
    """Raises: BadRequest."""
    fields = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise BadRequest(415, "forms are not spoken here; put the query into the body")
    parts = (fields.get("query", ""), await _body(request))
    text = "\n".join(part for part in parts if part)
    if fields.get("decompress", "0") not in ("0", "false"):
        raise BadRequest(501, "decompress=1 is not spoken here; use Content-Encoding: gzip")
    revision = fields.get("client_protocol_version", "")[:9]
    return Query(
        text=text,
        database=fields.get("database") or request.headers.get("x-clickhouse-database") or database,
        default_format=fields.get("default_format")
        or request.headers.get("x-clickhouse-format")
        or "TabSeparated",
        native_revision=int(revision) if revision.isascii() and revision.isdigit() else 0,
        parameters={
            name.removeprefix("param_"): value
            for name, value in fields.items()
            if name.startswith("param_")
        },
        settings={
            name: value
            for name, value in fields.items()
            if name not in TRANSPORT and name != "decompress" and not name.startswith("param_")
        },
    )


async def _body(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > QUERY_BYTES_MAX:
            raise BadRequest(413, f"a query is at most {QUERY_BYTES_MAX} bytes")
    encoding = request.headers.get("content-encoding", "identity")
    try:
        return _decoded(bytes(body), encoding).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise BadRequest(400, f"the body is not {encoding} of UTF-8: {error}") from error


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding:
        case "identity" | "":
            return body
        case "gzip" | "deflate":
            unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
            plain = unpacking.decompress(body, QUERY_BYTES_MAX)
            if unpacking.unconsumed_tail:
                raise BadRequest(413, f"a query is at most {QUERY_BYTES_MAX} bytes")
            return plain
        case _:
            raise BadRequest(415, f"Content-Encoding {encoding[:40]!r} is not spoken here")
