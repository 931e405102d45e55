"""The evidence of a CDR: the same bytes from the views and from the log, and nothing left out."""

import base64
import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from infra.journal_evidence import evidence_in
from infra.read_store import PostgresReadStore
from projections import evidence
from projections.clickhouse_sink import ClickHouseSink
from projections.evidence import SeriesBehind, TooManyFrames, evidence_of
from projections.run import Limits, Projection
from schemas.cdr import cdr_id
from schemas.records import MessageReceived, MessageSent, decode
from tests.domain.test_calibrated_stations import CONTAINERS, KEBA, signed
from tests.engines import ClickHouseDatabase
from tests.projections.projecting import heads, project
from tests.projections.series import Series
from tests.projections.world import TENANT, World

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse]


@pytest.fixture
async def series(clickhouse_database: ClickHouseDatabase) -> Series:
    return await Series(clickhouse_database.client).prepare()


async def charged(settle_us: int = 0) -> tuple[World, str]:
    """A signed session beside the traffic of other stations and of the time around it."""
    world = await World(settle_us=settle_us).start()
    await world.registers("CP1", eichrecht=True, public_key_hex=CONTAINERS[KEBA][0]["key"])
    for station in ("CP1", "CP2"):
        await world.opens(station)
        await world.calls(station, "Heartbeat", {})
    await world.session("CP2")
    transaction_id = await world.starts("CP1", 259)
    await world.calls("CP1", "Heartbeat", {})
    await world.says("CP1", [3, 'é"\\ ', {"odd": "| \u2028"}])
    await world.samples("CP1", transaction_id, 259)
    values = [
        {"timestamp": "2026-11-23T10:00:00Z", "sampledValue": [signed(CONTAINERS[KEBA][0]["text"])]}
    ]
    await world.stops("CP1", transaction_id, 259, transactionData=values)
    await world.calls("CP1", "Heartbeat", {})
    return world, cdr_id(TENANT, "CP1", str(transaction_id))


async def project_series(
    world: World, series: Series, store: PostgresReadStore, until: dict[int, int] | None = None
) -> None:
    sink = ClickHouseSink(series.tables, store)
    limits = Limits(batch_records=5)
    end = until or await heads(world)
    await Projection(world.journal, sink, store, limits=limits, until=end).run()


def opened(made: bytes) -> dict[str, Any]:
    bundle: dict[str, Any] = msgspec.json.decode(made)
    inner = msgspec.json.decode(made, type=evidence.Bundle).evidence
    assert sha256(bytes(inner)).hexdigest() == bundle["sha256"]
    return dict(bundle["evidence"])


async def test_the_views_and_the_log_give_the_same_bytes(
    store: PostgresReadStore, series: Series
) -> None:
    world, cdr = await charged()
    await project(world, store)
    await project_series(world, series, store)
    from_views = await evidence_of(store, series.tables, TENANT, cdr)
    from_log = await evidence_in(world.journal, TENANT, cdr)
    assert from_views is not None
    assert from_views == from_log


async def test_it_holds_every_frame_of_the_session_as_it_was_on_the_wire(
    store: PostgresReadStore, series: Series
) -> None:
    world, cdr = await charged()
    found = await evidence_in(world.journal, TENANT, cdr)
    assert found is not None
    told = opened(found)
    partition = world.partition("CP1")
    first = int(told["positions"]["start"].split(":")[1])
    last = int(told["revisions"][-1]["record"].split(":")[1])
    frames = []
    for offset in range(first, last + 1):
        record = decode(world.values[partition][offset])
        if isinstance(record, MessageReceived | MessageSent) and record.station == "CP1":
            frames.append((f"{partition}:{offset}", record.frame))
    assert [(each["position"], each["frame"]) for each in told["frames"]] == frames
    assert any("odd" in frame for _, frame in frames)
    for each in told["frames"]:
        assert sha256(each["frame"].encode()).hexdigest() == each["sha256"]
    assert told["frames"][0]["station_time"].startswith("2026-11-23T")
    assert told["frames"][0]["recorded_at"].startswith("2026-11-23T")
    assert {each["direction"] for each in told["frames"]} == {"in", "out"}


async def test_it_holds_every_revision_and_the_signed_values_to_the_letter() -> None:
    world, cdr = await charged()
    found = await evidence_in(world.journal, TENANT, cdr)
    assert found is not None
    told = opened(found)
    assert [each["revision"] for each in told["revisions"]] == [1, 2, 3, 4]
    assert [each["state"] for each in told["revisions"]] == ["OPEN", "OPEN", "OPEN", "FINAL"]
    assert told["revisions"][-1]["document"] == told["cdr"]
    assert told["cdr"]["energy_wh"] == "0.1"
    value = told["signed_values"][0]
    assert sha256(value["text"].encode()).hexdigest() == value["sha256"]
    inner = json.loads(value["text"])["signedMeterData"]
    assert base64.b64decode(inner).decode() == CONTAINERS[KEBA][0]["text"]


async def test_frames_that_are_not_there_yet_are_waited_for(
    store: PostgresReadStore, series: Series
) -> None:
    world, cdr = await charged()
    await project(world, store)
    with pytest.raises(SeriesBehind):
        await evidence_of(store, series.tables, TENANT, cdr)
    partition = world.partition("CP1")
    made = await evidence_in(world.journal, TENANT, cdr)
    assert made is not None
    last = int(opened(made)["revisions"][-1]["record"].split(":")[1])
    await project_series(world, series, store, {partition: last})
    with pytest.raises(SeriesBehind):
        await evidence_of(store, series.tables, TENANT, cdr)
    await project_series(world, series, store)
    assert await evidence_of(store, series.tables, TENANT, cdr) == made


async def test_another_tenant_has_no_such_cdr(store: PostgresReadStore, series: Series) -> None:
    world, cdr = await charged()
    await project(world, store)
    assert await evidence_of(store, series.tables, "other", cdr) is None
    assert await evidence_in(world.journal, "other", cdr) is None


async def test_more_frames_than_an_answer_may_hold_are_refused(
    store: PostgresReadStore, series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, cdr = await charged()
    await project(world, store)
    await project_series(world, series, store)
    monkeypatch.setattr(evidence, "FRAMES_MAX", 3)
    with pytest.raises(TooManyFrames):
        await evidence_of(store, series.tables, TENANT, cdr)


async def test_a_rebuild_gives_the_same_bundle(store: PostgresReadStore, series: Series) -> None:
    world, cdr = await charged()
    await project(world, store)
    await project_series(world, series, store)
    before = await evidence_of(store, series.tables, TENANT, cdr)
    await store.forget("read", tables=True)
    await project(world, store)
    assert await evidence_of(store, series.tables, TENANT, cdr) == before
