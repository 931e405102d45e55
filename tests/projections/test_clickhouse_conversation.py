"""The conversation with a station, as the API pages through it."""

import asyncio
from datetime import UTC, datetime

import pytest

from infra.clickhouse import server_client
from infra.clickhouse_http import serve
from infra.clickhouse_tables import ClickHouseTables
from projections.messages import conversation
from schemas.tolerance import LONG_ID, NUMBER_AS_ID
from tests.domain.log import NOW, SECOND, working
from tests.engines import ClickHouseDatabase
from tests.projections.series import MemoryPositions, Series
from tests.projections.test_clickhouse_rows import frames_of

pytestmark = pytest.mark.clickhouse


@pytest.fixture
async def series(clickhouse_database: ClickHouseDatabase) -> Series:
    return await Series(clickhouse_database.client).prepare()


async def test_the_conversation_is_read_newest_first_by_cursor(series: Series) -> None:
    log, worker = working()
    for number in range(5):
        log.calls("Heartbeat", {}, message_id=f"h{number}")
        worker.settle()
    log.opens(station="CP2")
    log.calls("Heartbeat", {}, message_id="other", station="CP2")
    positions = MemoryPositions()
    await series.project(log, positions)
    positions.stored.clear()
    positions.states.clear()
    await series.project(log, positions)

    pages = [await conversation(series.tables, "default", "CP1", limit=4)]
    while pages[-1].next is not None:
        pages.append(
            await conversation(series.tables, "default", "CP1", before=pages[-1].next, limit=4)
        )

    items = [item for page in pages for item in page.items]
    assert [len(page.items) for page in pages] == [4, 4, 2]
    assert [item.message_id for item in items] == [f"h{n}" for n in (4, 4, 3, 3, 2, 2, 1, 1, 0, 0)]
    assert [item.type for item in items[:2]] == ["CALLRESULT", "CALL"]
    assert items[0].record == f"1:{frames_of(log)[-2]}"
    assert items[0].recorded_at == datetime.fromtimestamp(NOW / SECOND, UTC)
    with pytest.raises(ValueError, match="no cursor"):
        await conversation(series.tables, "default", "CP1", before="1 OR 1")


async def test_the_conversation_says_what_is_odd_with_a_frame(series: Series) -> None:
    log, worker = working()
    log.calls("Heartbeat", {})
    log.calls("Heartbeat", {}, violations=(NUMBER_AS_ID.flag, LONG_ID.flag))
    worker.settle()
    await series.project(log)

    page = await conversation(series.tables, "default", "CP1")

    received = [item.violations for item in reversed(page.items) if item.direction == "in"]
    assert received == [[], [NUMBER_AS_ID.flag, LONG_ID.flag]]
    assert series.value("SELECT uniqExact(arrayJoin(violations)) FROM messages FINAL") == 2


async def test_the_conversation_is_read_over_http_as_in_production(
    clickhouse_database: ClickHouseDatabase, series: Series
) -> None:
    log, worker = working()
    log.calls("Heartbeat", {}, message_id="h1")
    worker.read()
    log.now += 1234
    worker.settle()
    await series.project(log)
    here = await conversation(series.tables, "default", "CP1")

    async with serve(clickhouse_database.engine, 0) as http:
        dsn = f"http://127.0.0.1:{http.port}"
        client = await asyncio.to_thread(server_client, dsn, clickhouse_database.name)
        there = await conversation(ClickHouseTables(client), "default", "CP1")
        nothing = await conversation(ClickHouseTables(client), "another", "CP1")
        await asyncio.to_thread(client.close)

    assert there == here
    assert [item.latency_us for item in there.items] == [1234, None]
    assert nothing.items == []
    assert nothing.next is None
