"""`chargeledger sql`: one read-only statement for ClickHouse or Postgres, and its rows."""

import asyncio
import csv
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.cli.databases import beside, chdb_directory, postgres_dsn
from infra.cli.failures import Failed
from infra.settings import Settings

TIMEOUT_S = 120
WIDTH_MAX = 4_000
CLICKHOUSE_FORMATS = {
    "table": "PrettyCompactMonoBlock",
    "csv": "CSVWithNames",
    "json": "JSONEachRow",
}


def run_sql(query: str, *, postgres: bool, form: str, data: Path) -> None:
    settings = Settings(data=data)
    if postgres:
        asyncio.run(_ask_postgres(query, form, settings))
        return
    sys.stdout.buffer.write(ask_clickhouse(query, CLICKHOUSE_FORMATS[form], settings))


def ask_clickhouse(query: str, form: str, settings: Settings) -> bytes:
    dsn = settings.clickhouse_dsn.get_secret_value()
    if dsn.startswith("http"):
        return _by_http(dsn, query, form, settings.clickhouse_database)
    with beside(settings) as running:
        if running is not None:
            return _by_http(running.clickhouse_url, query, form, settings.clickhouse_database)
        return _in_process(chdb_directory(settings), query, form, settings.clickhouse_database)


def _by_http(dsn: str, query: str, form: str, database: str) -> bytes:
    url = urllib.parse.urlsplit(dsn)
    parameters = urllib.parse.urlencode({"database": database, "default_format": form})
    host = f"{url.hostname}:{url.port or (8443 if url.scheme == 'https' else 8123)}"
    request = urllib.request.Request(f"{url.scheme}://{host}/?{parameters}", query.encode())
    if url.username:
        request.add_header("X-ClickHouse-User", urllib.parse.unquote(url.username))
        request.add_header("X-ClickHouse-Key", urllib.parse.unquote(url.password or ""))
        # The server's own refusal of writes; the embedded one has no other kind of user.
        request.full_url += "&readonly=1"
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        raise Failed(error.read().decode(errors="replace").strip()) from error
    except OSError as error:
        raise Failed(f"ClickHouse does not answer at {host}: {error}") from error


def _in_process(directory: Path, query: str, form: str, database: str) -> bytes:
    from infra.clickhouse import ChdbEngine
    from infra.clickhouse_reading import Query, QueryFailed, Reading

    with ChdbEngine(directory, database) as engine:
        asked = Query(
            text=query, database=database, default_format=form, parameters={}, settings={}
        )
        try:
            return Reading(engine).run(asked).body
        except QueryFailed as error:
            raise Failed(error.message) from error


async def _ask_postgres(query: str, form: str, settings: Settings) -> None:
    with beside(settings) as running:
        async with postgres_dsn(settings, running) as dsn:
            await asyncio.to_thread(_print_postgres, dsn, query, form)


def _print_postgres(dsn: str, query: str, form: str) -> None:
    read_only = "-c default_transaction_read_only=on -c search_path=billing,read,public"
    try:
        with closing(psycopg.connect(dsn, options=read_only)) as connection:
            # Prepared, it is one statement: a second one could undo what the session begins with.
            cursor = connection.execute(query.encode(), prepare=True)
            if cursor.description is None:
                raise Failed("that is no query")
            names = [column.name for column in cursor.description]
            _print(names, cursor, form)
    except psycopg.Error as error:
        raise Failed(str(error).strip()) from error


def _print(names: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> None:
    match form:
        case "json":
            for row in rows:
                line = dict(zip(names, row, strict=True))
                sys.stdout.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
        case "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(rows)
        case _:
            table = Table(*names)
            for row in rows:
                table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
            # Into a file or a pipe nothing is cut to a terminal's width.
            is_terminal = sys.stdout.isatty()
            Console(width=None if is_terminal else WIDTH_MAX).print(table)
