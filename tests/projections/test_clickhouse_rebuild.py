"""The series rebuilt from the log are the same, whatever happens on the way."""

import pytest

from infra.migrations import migrate
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from projections.clickhouse_rebuild import REBUILD_NAME, rebuild
from projections.clickhouse_sink import NAME, TABLES
from projections.ports import RebuildNeeded
from tests.domain.log import SECOND, working
from tests.engines import ClickHouseDatabase, PostgresDatabase
from tests.projections.series import SMALL, CrashingPositions, Killed, MemoryPositions, Series
from tests.projections.test_clickhouse_rows import a_session, begin, iso, metering, sampled

pytestmark = pytest.mark.clickhouse
COUNT = "SELECT count() FROM messages FINAL"


@pytest.fixture
async def series(clickhouse_database: ClickHouseDatabase) -> Series:
    return await Series(clickhouse_database.client).prepare()


def tables_left(series: Series) -> set[str]:
    query = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View'"
    return {row["name"] for row in series.rows(query)}


async def test_a_rebuild_gives_the_same_digest_and_the_projection_goes_on(series: Series) -> None:
    log, worker = working()
    positions = MemoryPositions()
    for _ in range(3):
        a_session(log, worker)
    transaction_id = begin(log, worker, at=iso(log.now))
    await series.project(log, positions, limits=SMALL)
    position = positions.stored[NAME].positions
    log.now += 60 * SECOND
    log.calls("MeterValues", metering(transaction_id, sampled(iso(log.now), "2000")))
    worker.settle()
    progress: list[tuple[int, int]] = []
    full = series.value(COUNT)
    seen: set[int] = set()

    def note(done: int, total: int) -> None:
        progress.append((done, total))
        seen.add(series.value(COUNT))

    journal = await series.journal_of(log)
    rebuilt = await rebuild(journal, series.tables, positions, on_progress=note, limits=SMALL)

    assert rebuilt.is_same
    assert rebuilt.before.positions == position
    assert positions.stored[NAME].positions == position
    assert progress[-1][0] == progress[-1][1] == position[1]
    assert seen == {full}
    assert tables_left(series) == {table.name for table in TABLES}
    assert REBUILD_NAME not in positions.stored
    await series.project(log, positions)
    assert series.value(COUNT) == full + 2
    curve = series.rows(
        "SELECT time FROM power_curve WHERE transaction_id = {id:String}", id=str(transaction_id)
    )
    assert len(curve) == 2


async def test_a_rebuild_mends_rows_and_says_that_they_differed(series: Series) -> None:
    log, worker = working()
    positions = MemoryPositions()
    transaction_id = a_session(log, worker)
    await series.project(log, positions)
    series.client.command(
        "INSERT INTO meter_values"
        " (tenant, station, transaction_id, source, raw, number, partition, offset)"
        f" VALUES ('default', 'CP1', '{transaction_id}', 'sample', '9', '9', 1, 999)"
    )

    journal = await series.journal_of(log)
    rebuilt = await rebuild(journal, series.tables, positions)

    assert not rebuilt.is_same
    differing = [
        name for name, text in rebuilt.before.tables.items() if text != rebuilt.after.tables[name]
    ]
    assert differing == ["meter_values"]
    assert series.value("SELECT count() FROM meter_values WHERE offset = 999") == 0
    again = await rebuild(journal, series.tables, positions)
    assert again.is_same
    assert again.before.value == rebuilt.after.value


async def test_a_rebuild_that_dies_leaves_what_was_there(series: Series) -> None:
    log, worker = working()
    positions = CrashingPositions(after=-1)
    a_session(log, worker)
    await series.project(log, positions)
    position = positions.stored[NAME]
    full = series.value(COUNT)
    journal = await series.journal_of(log)
    positions.left = 1

    with pytest.RaisesGroup(Killed):
        await rebuild(journal, series.tables, positions, limits=SMALL)

    positions.left = -1
    assert series.value(COUNT) == full
    assert positions.stored[NAME] == position
    a_session(log, worker)
    await series.project(log, positions)
    assert list(series.energy().values()) == [8000, 8000]
    assert (await rebuild(journal, series.tables, positions)).is_same
    assert tables_left(series) == {table.name for table in TABLES}


async def test_rows_of_another_version_of_the_fold_are_refused_and_rebuilt(series: Series) -> None:
    log, worker = working()
    positions = MemoryPositions()
    a_session(log, worker)
    await series.project(log, positions)
    old = positions.stored[NAME]
    positions.stored[NAME] = type(old)(
        journal_id=old.journal_id,
        fold_version=old.fold_version - 1,
        positions=old.positions,
        recorded_at=old.recorded_at,
        checkpoint=old.checkpoint,
    )

    with pytest.raises(RebuildNeeded):
        await series.project(log, positions)
    series.client.command("ALTER TABLE meter_values DROP COLUMN sample_key")
    rebuilt = await rebuild(await series.journal_of(log), series.tables, positions)

    assert not rebuilt.is_same
    assert rebuilt.before.interpretation == old.fold_version - 1
    assert series.value("SELECT count() FROM samples") == 5
    assert positions.stored[NAME].fold_version == old.fold_version
    await series.project(log, positions)


@pytest.mark.postgres
async def test_positions_in_postgres_are_taken_over(
    series: Series, postgres_database: PostgresDatabase
) -> None:
    await migrate(postgres_database.dsn)
    log, worker = working()
    transaction_id = begin(log, worker, at=iso(log.now))
    async with Postgres(postgres_database.dsn) as postgres:
        store = PostgresReadStore(postgres)
        await series.project(log, store)
        before = await store.load(NAME)

        journal = await series.journal_of(log)
        rebuilding = PostgresReadStore(postgres, is_rebuild=True)
        rebuilt = await rebuild(journal, series.tables, rebuilding)

        after = await store.load(NAME)
        assert rebuilt.is_same
        assert before is not None
        assert after is not None
        assert (after.positions, after.journal_id) == (before.positions, before.journal_id)
        assert await store.load(REBUILD_NAME) is None
        a_session(log, worker)
        await series.project(log, store)
    assert len(series.energy()) == 2
    assert series.energy()[str(transaction_id)] is None
