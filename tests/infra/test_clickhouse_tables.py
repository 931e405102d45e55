"""Trouble of the engine that passes is told apart from a statement that is wrong."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clickhouse_tables import ClickHouseTables
from projections import messages
from projections.clickhouse_schema import prepare
from projections.ports import StoreUnavailable
from tests.engines import ClickHouseDatabase

pytestmark = pytest.mark.clickhouse


def rows(count: int) -> list[object]:
    row = ("default", "CP1", 1, 2, "Heartbeat", "m", "c", "1.6", "", "[]", "", ["odd"], 1, None, 1)
    return [value for offset in range(count) for value in (*row, offset, 0)]


async def test_an_engine_out_of_memory_is_unavailable_and_takes_the_same_rows_later(
    clickhouse_database: ClickHouseDatabase,
) -> None:
    client = clickhouse_database.client
    tables = ClickHouseTables(client)
    await prepare(tables)

    client.set_client_setting("max_memory_usage", 10_000)
    with pytest.raises(StoreUnavailable):
        await tables.insert(messages.TABLE, rows(50_000))
    client.set_client_setting("max_memory_usage", 1_000_000_000)
    await tables.insert(messages.TABLE, rows(50_000))

    count = client.query("SELECT count() FROM messages FINAL").result_rows
    assert count == [(50_000,)]


async def test_a_table_that_is_not_there_is_an_error_of_ours(
    clickhouse_database: ClickHouseDatabase,
) -> None:
    tables = ClickHouseTables(clickhouse_database.client)

    with pytest.raises(DatabaseError):
        await tables.insert(messages.TABLE, rows(1))


async def test_rows_go_to_the_table_of_another_name(
    clickhouse_database: ClickHouseDatabase,
) -> None:
    tables = ClickHouseTables(clickhouse_database.client)
    await tables.command("tables.create_messages", {"table": "beside"})

    await tables.insert(messages.TABLE, rows(3), name="beside")

    found = clickhouse_database.client.query("SELECT offset FROM beside ORDER BY 1").result_rows
    assert found == [(0,), (1,), (2,)]
