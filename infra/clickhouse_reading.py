"""Runs one query of a reader on the embedded engine: checked, bounded, in a session of its own.

A session costs less than a millisecond, so each query has a fresh one: nothing of a reader (USE,
temporary tables, settings) outlives its query, and readers do not wait for each other or for the
projections' inserts.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from chdb.state.sqlitelike import Connection

from infra.clickhouse import ChdbEngine, quoted
from infra.clickhouse_native import Unreadable, with_revision
from infra.clickhouse_readonly import READONLY, Denied, require_harmless

QUERY_BYTES_MAX = 262_144
# The engine's max_query_size.

LIMITS = {
    # Each may be lowered by a reader, never raised.
    "max_execution_time": 60,
    "max_memory_usage": 1_000_000_000,
    "max_threads": 2,
    "max_result_rows": 10_000_000,
    # A result is held in memory whole; as JSON it is several times larger.
    "max_result_bytes": 100_000_000,
}

FREE_SETTINGS = re.compile(
    r"output_format_(?!schema)\w+|date_time_output_format|date_time_input_format|session_timezone|"
    r"result_overflow_mode|join_use_nulls|final|limit|offset|extremes|max_block_size|max_rows_to_read|"
    r"max_bytes_to_read|prefer_column_name_to_alias|union_default_mode|cast_keep_nullable|"
    r"group_by_use_nulls|any_join_distinct_right_table_keys"
)
# What changes how rows are shown or counted. No names of files (the engine reads format_schema and
# writes output_format_schema), no dialects.

_CODE = re.compile(r"Code: (\d+)\.")
_SCOPE = re.compile(r":? In scope SELECT formatQuerySingleLine.*?(?=\([A-Z_]+\)$|$)", re.DOTALL)
UNKNOWN_EXCEPTION = 1002
NOT_IMPLEMENTED = 48
ABORTED, CANCELLED = 236, 394

KILL_AGAIN_S = 0.1


class QueryFailed(Exception):
    """The engine's refusal: its code and its message, as a server would send them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    text: str
    database: str
    default_format: str = "TabSeparated"
    native_revision: int = 0
    parameters: Mapping[str, str]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    body: bytes
    format: str
    rows_read: int
    bytes_read: int
    elapsed_ns: int


class Reading:
    """Readers' door to an open engine. Blocking; any number of threads may use it at once."""

    def __init__(self, engine: ChdbEngine) -> None:
        self._engine = engine
        session = engine.session()
        try:
            self.version = _text(session, "SELECT version()")
            self.timezone = _text(session, "SELECT timezone()")
            names = _text(
                session,
                "SELECT lower(name) FROM system.table_functions UNION DISTINCT"
                " SELECT lower(name) FROM system.functions WHERE match(lower(name), '^(ai|llm)')",
            )
        finally:
            session.close()
        self._functions = frozenset(names.split())
        self._changed = threading.Condition()
        self._running = 0
        self._is_stopped = False

    def stop(self) -> None:
        """End the queries that run and refuse new ones; returns when there are none.

        The engine may be closed only then.
        """
        with self._changed:
            self._is_stopped = True
            # Asked again for the query that was admitted but had not begun.
            while self._running:
                self._kill()
                self._changed.wait(KILL_AGAIN_S)

    def run(self, query: Query) -> Result:
        """Raises: QueryFailed."""
        with self._changed:
            if self._is_stopped:
                raise QueryFailed(ABORTED, "Code: 236. DB::Exception: It is stopping (ABORTED)")
            self._running += 1
        try:
            return self._run_translated(query)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _kill(self) -> None:
        session = self._engine.session()
        try:
            # The projections' own queries are not read-only.
            session.query("KILL QUERY WHERE Settings['readonly'] = '1' ASYNC", "Null")
        finally:
            session.close()

    def _run_translated(self, query: Query) -> Result:
        session = self._engine.session()
        try:
            return self._run(session, query)
        except Denied as error:
            message = f"Code: {READONLY}. DB::Exception: {error} (READONLY)"
            raise QueryFailed(READONLY, message) from error
        except Unreadable as error:
            message = f"Code: {NOT_IMPLEMENTED}. DB::Exception: {error} (NOT_IMPLEMENTED)"
            raise QueryFailed(NOT_IMPLEMENTED, message) from error
        except RuntimeError as error:
            # chdb raises nothing finer. Its messages are the server's.
            message = _SCOPE.sub(" ", str(error)).strip()
            match = _CODE.search(message)
            code = int(match[1]) if match else UNKNOWN_EXCEPTION
            raise QueryFailed(code, message) from error
        finally:
            session.close()

    def _run(self, session: Connection, query: Query) -> Result:
        if "\0" in query.text:
            raise Denied("a NUL character")
        session.query(f"USE {quoted(query.database)}", "TabSeparated")
        settings = {**_settings(query.settings), "readonly": "1"}
        pairs = ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())
        session.query(f"SET {pairs}", "TabSeparated")
        normalised = _text(session, f"SELECT formatQuerySingleLine({_literal(query.text)})")
        if not normalised:
            # No query is formatted to nothing: it was killed while it was.
            raise QueryFailed(CANCELLED, "Code: 394. DB::Exception: (QUERY_WAS_CANCELLED)")
        named = require_harmless(normalised, self._functions)
        text = normalised if named else f"{normalised} FORMAT {_word(query.default_format)}"
        result = session.query(text, "TabSeparated", params=dict(query.parameters))
        body, format_name = result.bytes(), named or query.default_format
        return Result(
            body=with_revision(body, query.native_revision) if format_name == "Native" else body,
            format=format_name,
            rows_read=result.rows_read(),
            bytes_read=result.bytes_read(),
            elapsed_ns=int(result.elapsed() * 1e9),
        )


def _settings(asked: Mapping[str, str]) -> dict[str, str]:
    settings = {name: str(value) for name, value in LIMITS.items()}
    settings["result_overflow_mode"] = "throw"
    for name, value in asked.items():
        if name in LIMITS:
            lower = value.isascii() and value.isdigit() and 0 < int(value) <= LIMITS[name]
            settings[name] = value if lower else str(LIMITS[name])
        elif FREE_SETTINGS.fullmatch(name):
            settings[name] = value
        else:
            raise Denied(f"Cannot modify {name[:80]!r} setting in readonly mode.")
    return settings


def _text(session: Connection, sql: str) -> str:
    result: bytes = session.query(f"{sql} FORMAT TSVRaw", "TSVRaw").bytes()
    return result.decode().removesuffix("\n")


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]\w{0,63}", text, re.ASCII):
        raise Denied("the name of a format is a word")
    return text


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
