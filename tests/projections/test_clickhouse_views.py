"""What analysts read: exact to the watt-hour, each thing once, without knowing about FINAL."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from domain.cdr import cdr_of
from projections.clickhouse_schema import digest
from projections.clickhouse_sink import TABLES
from projections.run import Limits
from schemas.records import ConnectionClosed
from tests.domain.log import KEY, NOW, SECOND, Log, Worker, start, stop, working
from tests.engines import ClickHouseDatabase
from tests.projections.series import MemoryPositions, Series
from tests.projections.test_clickhouse_rows import begin, iso, metering, reg, sampled

pytestmark = pytest.mark.clickhouse
HOUR = 3600 * SECOND


@pytest.fixture
async def series(clickhouse_database: ClickHouseDatabase) -> Series:
    return await Series(clickhouse_database.client).prepare()


def say(log: Log, worker: Worker, action: str, payload: Any) -> None:
    log.calls(action, payload)
    worker.settle()


async def test_the_energy_of_an_hour_is_what_the_samples_at_its_edges_say(series: Series) -> None:
    log, worker = working()
    log.now += 2 * HOUR
    transaction_id = begin(log, worker, at="2026-11-23T09:30:00Z")
    for at, wh in (("10:00", "2000"), ("10:40", "5000.4"), ("11:20", "7000.6")):
        say(
            log,
            worker,
            "MeterValues",
            metering(transaction_id, sampled(f"2026-11-23T{at}:00Z", wh)),
        )
    say(log, worker, "StopTransaction", stop(transaction_id, at="2026-11-23T12:00:00Z"))

    await series.project(log)

    # 10:40 → 11:20 crosses the hour in its middle: 2000.2 Wh are split by time.
    assert series.by_hour() == {
        "2026-11-23T09": Decimal(1000),
        "2026-11-23T10": Decimal("4000.5"),
        "2026-11-23T11": Decimal("2999.5"),
    }
    rows = series.rows("SELECT interpolated_wh FROM energy_by_station_hour ORDER BY hour")
    assert [row["interpolated_wh"] for row in rows] == [0, Decimal("1000.1"), Decimal("1000.1")]


async def test_a_session_without_samples_is_split_by_time(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, at="2026-11-23T07:40:00Z")
    say(log, worker, "StopTransaction", stop(transaction_id, at="2026-11-23T09:00:00Z"))

    await series.project(log)

    assert series.by_hour() == {
        "2026-11-23T07": Decimal(2000),
        "2026-11-23T08": Decimal(6000),
    }


async def test_samples_of_another_base_make_no_energy(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, at="2026-11-23T08:00:00Z")
    for at, wh in (("08:20", "0"), ("08:30", "1" + "0" * 21), ("08:40", "500")):
        values = sampled(f"2026-11-23T{at}:00Z", wh)
        say(log, worker, "MeterValues", metering(transaction_id, values))
    say(log, worker, "StopTransaction", stop(transaction_id, at="2026-11-23T10:00:00Z"))

    await series.project(log)

    assert series.energy() == {str(transaction_id): 8000}
    assert series.by_hour() == {"2026-11-23T08": Decimal(4000), "2026-11-23T09": Decimal(4000)}


async def test_a_session_whose_register_fell_has_no_hours_until_its_energy_is_known(
    series: Series,
) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, at="2026-11-23T07:00:00Z")
    for at, wh in (("07:50", "8000"), ("08:50", "3000")):
        say(
            log,
            worker,
            "MeterValues",
            metering(transaction_id, sampled(f"2026-11-23T{at}:00Z", wh)),
        )
    say(log, worker, "StopTransaction", stop(transaction_id, at="2026-11-23T09:00:00Z"))

    await series.project(log)

    assert series.by_hour() == {}


async def test_a_curve_has_power_register_and_charge_by_time(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    power = {"measurand": "Power.Active.Import", "unit": "kW", "value": "11.04"}
    charge = {"measurand": "SoC", "unit": "Percent", "location": "EV", "value": "41"}
    phases = [
        {"measurand": "Power.Active.Import", "phase": phase, "unit": "W", "value": value}
        for phase, value in (("L1", "3680"), ("L2", "3670.5"), ("L3", "3660"))
    ]
    values = [
        sampled("2026-11-23T09:10:00Z", power, charge, reg("2000")),
        sampled("2026-11-23T09:20:00Z", *phases),
    ]
    for _ in range(2):
        say(log, worker, "MeterValues", metering(transaction_id, *values))

    await series.project(log)

    rows = series.rows(
        "SELECT time, power_w, register_wh, soc_percent FROM power_curve ORDER BY time"
    )
    assert [tuple(row.values())[1:] for row in rows] == [
        (None, 1000, None),
        (11_040, 2000, 41),
        (Decimal("11010.5"), None, None),
    ]


async def test_uptime_counts_status_and_connection(series: Series) -> None:
    log, worker = working()
    log.now = NOW + 2 * HOUR  # 12:00
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    say(log, worker, "StatusNotification", status)
    log.now += 6 * HOUR  # 18:00
    say(
        log,
        worker,
        "StatusNotification",
        {**status, "status": "Faulted", "errorCode": "GroundFailure"},
    )
    log.now += 1 * HOUR  # 19:00
    say(log, worker, "StatusNotification", status)
    log.now += 2 * HOUR  # 21:00
    log.append(
        ConnectionClosed(
            tenant="default", station="CP1", recorded_at=log.now, connection="c1", code=1006
        )
    )
    log.now += 6 * HOUR  # 03:00 on the next day
    log.opens("c2")
    log.now += 3 * HOUR  # 06:00
    log.calls(
        "StatusNotification", {**status, "connectorId": 0, "status": "Unavailable"}, connection="c2"
    )
    worker.settle()
    log.now += 6 * HOUR  # 12:00
    log.calls("Heartbeat", {}, connection="c2")
    worker.settle()

    await series.project(log)

    rows = series.rows("SELECT * FROM uptime_by_connector_day ORDER BY day")
    assert [(row["evse"], row["day"], row["observed_s"], row["up_s"]) for row in rows] == [
        (1, date(2026, 11, 23), 12 * 3600, 8 * 3600),
        (1, date(2026, 11, 24), 12 * 3600, 3 * 3600),
    ]
    assert rows[1]["uptime"] == 0.25


async def test_latencies_and_days_are_counted_per_tenant_and_action(series: Series) -> None:
    log, worker = working()
    for latency in (1_000, 2_000, 3_000):
        log.calls("Heartbeat", {})
        worker.read()
        log.now += latency
        worker.settle()

    await series.project(log)

    (row,) = series.rows("SELECT * FROM answer_latency_by_action")
    assert (row["action"], row["answered_by"], row["answers"]) == ("Heartbeat", "us", 3)
    assert (row["p50_ms"], row["p99_ms"], row["max_ms"]) == (2, 3, 3)
    (day,) = series.rows("SELECT * FROM messages_per_day")
    assert (day["day"], day["messages"], day["received"], day["sent"]) == (
        date(2026, 11, 23),
        *(6, 3, 3),
    )


async def test_every_view_explains_itself(series: Series) -> None:
    query = "SELECT name, comment FROM system.tables WHERE database = currentDatabase()"
    comments = {row["name"]: row["comment"] for row in series.rows(query)}

    assert len(comments) == len(TABLES) + 7
    assert all(comments.values())


Step = tuple[str, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "sample", "sample", "stop", "stop", "again", "again"]),
        st.integers(0, 1),
        st.integers(-100, 20_000),
        st.integers(1, 5_400),
    ),
    min_size=12,
    max_size=40,
)


def converse(history: list[Step]) -> tuple[Log, Worker]:
    """A station with two outlets starts, meters, stops, and says any of it again at any time."""
    log, worker = working()
    said: list[tuple[str, dict[str, Any]]] = []
    running: dict[int, int] = {}
    register = {0: 1_000, 1: 5_000_000}
    for kind, outlet, wh, seconds in history:
        log.now += seconds * SECOND
        at = iso(log.now)
        call: tuple[str, dict[str, Any]] | None = None
        if kind == "again" and said:
            call = said[(wh + seconds) % len(said)]
        elif kind == "start" or outlet not in running:
            kind = "start"
            payload = start(register[outlet], at, connectorId=outlet + 1)
            call = ("StartTransaction", payload)
        else:
            register[outlet] += wh
            value = sampled(at, f"{register[outlet]}.{seconds % 10}")
            if kind == "sample":
                call = ("MeterValues", metering(running[outlet], value, connectorId=outlet + 1))
            elif kind == "stop":
                payload = stop(running.pop(outlet), register[outlet], at, transactionData=[value])
                call = ("StopTransaction", payload)
        if call is not None:
            said.append(call)
            say(log, worker, *call)
            if kind == "start":
                running[outlet] = int(worker.frames()[-1][2]["transactionId"])
    return log, worker


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    # A history takes the engine a second: to shrink one would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=steps, batch=st.integers(15, 80))
@example(history=[("start", 0, 0, 1)] * 12, batch=15)
async def test_whatever_is_said_how_often_the_energy_is_that_of_the_cdrs(
    series: Series, history: list[Step], batch: int
) -> None:
    log, worker = converse(history)
    for table in TABLES:
        series.client.command(f"TRUNCATE TABLE {table.name}")
    series.journal = None

    await series.project(log, limits=Limits(batch_records=batch, batch_s=5.0))
    once = await digest(series.tables, {})
    await series.project(log, MemoryPositions())

    assert (await digest(series.tables, {})).tables == once.tables

    transactions = worker.station.transactions.known.values()
    cdrs = {t.transaction_id: cdr_of(*KEY, 1, t).energy_wh for t in transactions}
    energy = series.energy()
    # Of those long released the owner keeps no figures; their documents are in the log.
    assert {id: energy[id] for id in cdrs} == cdrs
    rows = series.rows("SELECT energy_wh, cdr_energy_wh, difference_wh FROM session_energy")
    assert all(row["energy_wh"] == row["cdr_energy_wh"] for row in rows)
    known = [wh for wh in energy.values() if wh is not None]
    assert sum(series.by_hour().values()) == sum(known)


async def test_the_queries_of_the_documentation_run(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    say(log, worker, "StopTransaction", stop(transaction_id))
    await series.project(log)
    text = (Path(__file__).parents[2] / "docs" / "analytics.md").read_text()

    queries = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)

    assert len(queries) >= 8
    for query in queries:
        series.rows(query)
    assert series.rows("SELECT * FROM session_energy WHERE difference_wh != 0") == []
