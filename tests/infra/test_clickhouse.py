"""What the embedded ClickHouse keeps: types, exchanged tables, inserts that returned."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from infra.clickhouse import ChdbEngine, ClickHouseUnavailable, EngineFailed, server_client
from tests.engines import ClickHouseDatabase

pytestmark = pytest.mark.clickhouse

ROOT = Path(__file__).parents[2]

INSERT_FOR_EVER = """
import pathlib, sys
from infra.clickhouse import ChdbEngine
with ChdbEngine(pathlib.Path(sys.argv[1])) as engine, engine.client() as client:
    client.command("CREATE TABLE IF NOT EXISTS kept (batch UInt64, number UInt64, text String)"
        " ENGINE = MergeTree ORDER BY (batch, number)")
    batch = 0
    while True:
        rows = [[batch, number, "x" * 20] for number in range(2000)]
        client.insert("kept", rows, column_names=["batch", "number", "text"])
        print(batch, flush=True)
        batch += 1
"""

READ = """
import pathlib, sys
from infra.clickhouse import ChdbEngine
with ChdbEngine(pathlib.Path(sys.argv[1])) as engine, engine.client() as client:
    for row in client.query("SELECT batch, count() FROM kept GROUP BY batch").result_rows:
        print(*row)
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_types_come_back_as_they_went_in(clickhouse_database: ClickHouseDatabase) -> None:
    client = clickhouse_database.client
    client.command(
        "CREATE TABLE series (station LowCardinality(String), at DateTime64(6, 'UTC'),"
        " value Decimal(38, 9), offset UInt64) ENGINE = ReplacingMergeTree ORDER BY offset"
    )
    row = ("CS-1", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), Decimal("12.000000001"), 7)

    client.insert("series", [row], column_names=["station", "at", "value", "offset"])

    found = client.query("SELECT station, at, value, offset FROM series FINAL", tz_mode="aware")
    assert found.result_rows == [row]


def test_tables_can_be_exchanged(clickhouse_database: ClickHouseDatabase) -> None:
    client = clickhouse_database.client
    for name, number in (("live", 1), ("rebuilt", 2)):
        client.command(f"CREATE TABLE {name} (a Int32) ENGINE = MergeTree ORDER BY a")
        client.insert(name, [[number]], column_names=["a"])

    client.command("EXCHANGE TABLES live AND rebuilt")

    assert client.query("SELECT a FROM live").result_rows == [(2,)]


@pytest.mark.slow
def test_a_kill_loses_no_insert_that_returned_and_halves_none(tmp_path: Path) -> None:
    directory = str(tmp_path / "clickhouse")
    for inserted in (1, 4, 9):
        writer = python(INSERT_FOR_EVER, directory)
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == inserted:
                break
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = [inserted, *(int(line) for line in writer.communicate()[0].split())][-1]

        reader = python(READ, directory)
        output, errors = reader.communicate(timeout=60)
        rows = dict(line.split() for line in output.splitlines())

        assert reader.returncode == 0, errors
        assert set(rows) >= {str(batch) for batch in range(acknowledged + 1)}
        assert all(int(count) % 2000 == 0 for count in rows.values())


def test_a_second_process_is_refused(chdb_engine: ChdbEngine) -> None:
    second = python(READ, str(chdb_engine.directory))

    _, errors = second.communicate(timeout=60)

    assert second.returncode != 0
    assert EngineFailed.__name__ in errors


def test_a_second_directory_in_one_process_is_refused(
    chdb_engine: ChdbEngine, tmp_path: Path
) -> None:
    with pytest.raises(EngineFailed):
        ChdbEngine(tmp_path / "other").open()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(ClickHouseUnavailable):
        server_client("http://127.0.0.1:1", "default")
