"""Billing's feed: nothing is skipped, whatever the page size, while revisions move."""

import random

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.read_store import PostgresReadStore
from projections import cdrs
from projections.cdrs import CdrRow
from projections.times import utc
from schemas import positions
from tests.engines import PostgresDatabase
from tests.projections.projecting import project
from tests.projections.world import NOW, SECOND, World

vectors = st.dictionaries(
    st.integers(0, 1000),
    st.tuples(st.integers(-1, 2**53), st.integers(-1, 2**31)),
    max_size=40,
)


@given(vectors)
def test_a_position_is_read_as_it_was_written(vector: dict[int, tuple[int, int]]) -> None:
    text = positions.encode(vector)

    assert positions.decode(text) == vector
    assert text.isascii()
    assert not set(text) & set("/+&=?# %")


@given(st.text())
def test_what_is_no_position_is_refused(text: str) -> None:
    try:
        vector = positions.decode(text)
    except positions.UnreadablePosition:
        return
    assert positions.decode(positions.encode(vector)) == vector


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(5))
async def test_a_consumer_with_random_pages_sees_every_cdr_as_it_is_in_the_end(
    store: PostgresReadStore, seed: int
) -> None:
    chance = random.Random(seed)
    world = await World(partitions=3).start()
    names = [f"CP{number}" for number in range(6)]
    running: dict[str, int] = {}
    for name in names:
        await world.opens(name)
    seen: list[CdrRow] = []
    after = None
    for _ in range(25):
        for _ in range(chance.randrange(6)):
            await _something_happens(world, chance.choice(names), running, chance)
        await project(world, store)
        for _ in range(chance.randrange(3)):
            page = await cdrs.feed(store, "default", after=after, limit=chance.randrange(1, 5))
            seen += page.items
            after = page.next
    while (page := await cdrs.feed(store, "default", after=after, limit=3)).items:
        seen += page.items
        after = page.next

    everything = (await cdrs.feed(store, "default", limit=10_000)).items
    latest = {item.cdr.id: item for item in seen}
    assert {id: item.cdr for id, item in latest.items()} == {
        item.cdr.id: item.cdr for item in everything
    }
    assert len({(item.cdr.id, item.cdr.revision) for item in seen}) == len(seen)
    finals = [item.cdr.id for item in seen if item.cdr.state == "FINAL"]
    assert len(finals) == len(set(finals))
    assert page.next == after


async def _something_happens(
    world: World, name: str, running: dict[str, int], chance: random.Random
) -> None:
    meter = world.now // SECOND % 1_000_000
    if name not in running or chance.random() < 0.1:
        running[name] = await world.starts(name, meter, idTag=chance.choice(["A", "B"]))
    elif chance.random() < 0.5:
        await world.samples(name, running[name], meter)
    else:
        await world.stops(name, running.pop(name), chance.choice([meter + 5, -1]))


@pytest.mark.postgres
async def test_a_position_within_a_page_goes_on_right_there(store: PostgresReadStore) -> None:
    world = await World(partitions=3).start()
    for number in range(6):
        await world.opens(f"CP{number}")
        await world.session(f"CP{number}", meter=number)
    await project(world, store)
    whole = await cdrs.feed(store, "default")

    for index, item in enumerate(whole.items):
        rest = await cdrs.feed(store, "default", after=item.position)
        assert rest.items == whole.items[index + 1 :] or {r.cdr.id for r in rest.items} == {
            r.cdr.id for r in whole.items[index + 1 :]
        }
    again = await cdrs.feed(store, "default", after=whole.next)
    assert (again.items, again.next) == ([], whole.next)


@pytest.mark.postgres
async def test_the_feed_can_be_narrowed(store: PostgresReadStore) -> None:
    world = await World().start()
    for name in ("CP1", "CP2"):
        await world.opens(name)
        await world.session(name)
        await world.starts(name, meter=50_000, idTag="Other")
    await project(world, store)

    async def count(**filters: object) -> int:
        return len((await cdrs.feed(store, "default", **filters)).items)  # type: ignore[arg-type] # Any filter.

    assert await count() == 4
    assert await count(state="FINAL") == 2
    assert await count(station="CP1") == 2
    assert await count(station="CP1", state="OPEN") == 1
    assert await count(id_token="oTHER") == 2
    assert await count(started_from=utc(NOW)) == 4
    assert await count(started_to=utc(NOW)) == 0
    assert await count(started_from=utc(NOW), started_to=utc(NOW + 3600 * SECOND)) == 4


@pytest.mark.postgres
async def test_a_tenant_sees_its_own(store: PostgresReadStore) -> None:
    world = await World().start()
    for tenant in ("default", "other"):
        await world.opens("CP1", tenant)
        transaction_id = await world.starts("CP1", meter=len(tenant), tenant=tenant)
        await world.stops("CP1", transaction_id, 9000, tenant=tenant)
    await project(world, store)

    [mine] = (await cdrs.feed(store, "default")).items
    [theirs] = (await cdrs.feed(store, "other")).items

    assert (mine.cdr.tenant, theirs.cdr.tenant) == ("default", "other")
    assert await cdrs.find_cdr(store, "default", theirs.cdr.id) is None
    assert (await cdrs.feed(store, "nobody")).items == []


@pytest.mark.postgres
async def test_billing_reads_cdrs_in_sql_with_a_word_on_every_column(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.session("CP1", energy=8000)
    await project(world, store)

    with psycopg.connect(postgres_database.billing_dsn) as billing:
        found = billing.execute("SELECT state, energy_wh, started_at FROM cdrs").fetchall()
        assert found == [("FINAL", 8000, utc(NOW))]
        silent = billing.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'billing' AND col_description("
            "(quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass,"
            " ordinal_position) IS NULL"
        ).fetchall()
        assert silent == []
        for table in ("stations", "transactions", "orphans"):
            billing.execute(f"SELECT * FROM {table}")
