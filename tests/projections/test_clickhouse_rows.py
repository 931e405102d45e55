"""What a conversation leaves in ClickHouse, row by row, and what repetition does to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from projections.clickhouse_schema import digest
from projections.clickhouse_sink import NAME, TABLES
from schemas.records import CALL, CALLRESULT, ConnectionClosed, MessageReceived
from tests.domain.log import SECOND, Log, Worker, start, stop, working
from tests.engines import ClickHouseDatabase
from tests.projections.series import (
    SMALL,
    CrashingPositions,
    FlakyPositions,
    Killed,
    MemoryPositions,
    Series,
)

pytestmark = pytest.mark.clickhouse

SAMPLES = "SELECT * FROM meter_values FINAL WHERE source = 'sample' ORDER BY offset, `index`"


@pytest.fixture
async def series(clickhouse_database: ClickHouseDatabase) -> Series:
    return await Series(clickhouse_database.client).prepare()


def iso(at: int) -> str:
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()
    return text.replace("+00:00", "Z")


def at(hour: int, minute: int = 0) -> datetime:
    """As the client returns UTC: without a zone."""
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC).replace(tzinfo=None)


def sampled(at: str, *values: Any) -> dict[str, Any]:
    return {"timestamp": at, "sampledValue": [v if isinstance(v, dict) else reg(v) for v in values]}


def reg(value: str) -> dict[str, Any]:
    return {"value": value, "measurand": "Energy.Active.Import.Register", "unit": "Wh"}


def metering(transaction_id: int, *values: Any, **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "transactionId": transaction_id, "meterValue": list(values), **more}


def begin(log: Log, worker: Worker, **more: Any) -> int:
    """Start a transaction; return its id."""
    log.calls("StartTransaction", start(**more))
    worker.settle()
    return int(worker.frames()[-1][2]["transactionId"])


def a_session(log: Log, worker: Worker) -> int:
    """A session of an hour and 8 kWh; the station's clock is an hour late."""
    transaction_id = begin(log, worker, at=iso(log.now - 3600 * SECOND))
    for wh in ("3000", "5000.5", "7000"):
        log.now += 900 * SECOND
        values = sampled(iso(log.now - 3600 * SECOND), wh)
        log.calls("MeterValues", metering(transaction_id, values))
        worker.settle()
    log.now += 900 * SECOND
    at = iso(log.now - 3600 * SECOND)
    log.calls("StopTransaction", stop(transaction_id, at=at, reason="Local"))
    worker.settle()
    return transaction_id


async def test_the_columns_of_the_rows_are_those_of_the_tables(series: Series) -> None:
    for table in TABLES:
        described = series.rows(f"DESCRIBE TABLE {table.name}")
        inserted = [row for row in described if not row["default_expression"]]
        names = {row["name"] for row in inserted}
        if table.name == "meter_values":
            names.add("number")
        assert {name for name, _ in table.columns} == names


async def test_a_session_is_rows_of_samples_and_registers(series: Series) -> None:
    log, worker = working()
    transaction_id = a_session(log, worker)

    await series.project(log)

    rows = series.rows("SELECT * FROM meter_values ORDER BY offset, `index`")
    assert [(row["source"], row["context"], row["value"]) for row in rows] == [
        ("register_start", "Transaction.Begin", Decimal(1000)),
        ("sample", "Sample.Periodic", Decimal(3000)),
        ("sample", "Sample.Periodic", Decimal("5000.5")),
        ("sample", "Sample.Periodic", Decimal(7000)),
        ("register_stop", "Transaction.End", Decimal(9000)),
    ]
    assert {row["transaction_id"] for row in rows} == {str(transaction_id)}
    assert {(row["tenant"], row["station"], row["evse"]) for row in rows} == {("default", "CP1", 1)}
    assert rows[1]["at"] == at(9, 15)
    assert rows[1]["recorded_at"] == at(10, 15)
    assert series.energy() == {str(transaction_id): 8000}
    (session,) = series.rows("SELECT * FROM sessions FINAL")
    assert (session["state"], session["energy_wh"], session["meter_stop_wh"]) == (
        "FINAL",
        8000,
        9000,
    )
    assert session["started_at"] == at(9)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_every_frame_is_a_row_with_its_version_and_the_latency_of_its_answer(
    series: Series, version: str
) -> None:
    log, worker = working(protocol=version)
    log.calls("Heartbeat", {}, message_id="h1")
    worker.read()
    log.now += 1500
    worker.settle()
    kind = "Soft" if version == "1.6" else "OnIdle"
    log.requests("Reset", {"type": kind}, version=version)
    worker.settle()
    log.now += 2 * SECOND
    log.says([3, "k1", {"status": "Accepted"}])
    log.says([2, "x", "Nonsense", {}], error="NotImplemented")
    worker.settle()

    await series.project(log)

    rows = series.rows("SELECT * FROM messages ORDER BY offset")
    assert [
        (row["direction"], row["type"], row["action"], row["latency_us"], row["error"])
        for row in rows
    ] == [
        ("in", "CALL", "Heartbeat", None, ""),
        ("out", "CALLRESULT", "Heartbeat", 1500, ""),
        ("out", "CALL", "Reset", None, ""),
        ("in", "CALLRESULT", "Reset", 2 * SECOND, ""),
        ("in", "CALL", "Nonsense", None, "NotImplemented"),
        ("out", "CALLERROR", "Nonsense", 0, "NotImplemented"),
    ]
    assert rows[0]["frame"] == '[2,"h1","Heartbeat",{}]'
    assert [row["version"] for row in rows] == [version] * 6


@pytest.mark.parametrize("column", ["version", "violations"])
async def test_a_table_without_a_column_gets_it_at_a_start(series: Series, column: str) -> None:
    series.client.command(f"ALTER TABLE messages DROP COLUMN {column}")

    await series.prepare()

    assert series.rows(f"SELECT {column} FROM messages") == []


async def test_a_frame_with_control_characters_is_kept_as_it_is(series: Series) -> None:
    log, worker = working()
    frame = '[2,"x","Heartbeat",{"a":"\x00\x1f\\u0000\\ud800"}]\r\n\x00'
    log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection="c1",
            number=1,
            frame=frame,
            error="FormationViolation",
        )
    )
    worker.settle()

    await series.project(log)

    assert series.value("SELECT frame FROM messages") == frame


async def test_a_frame_that_was_no_text_is_kept_too(series: Series) -> None:
    log, worker = working()
    log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection="c1",
            number=1,
            frame_base64="AAEC/w==",
            error="RpcFrameworkError",
        )
    )
    worker.settle()

    await series.project(log)

    (row,) = series.rows("SELECT * FROM messages")
    assert (row["type"], row["frame"], row["frame_base64"]) == ("unreadable", "", "AAEC/w==")
    assert row["error"] == "RpcFrameworkError"


async def test_a_superseded_connection_changes_no_status(series: Series) -> None:
    log, worker = working()
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    log.calls("StatusNotification", status)
    worker.settle()
    log.opens("c2")
    log.calls("StatusNotification", {**status, "status": "Faulted"}, connection="c1")
    log.append(
        ConnectionClosed(
            tenant="default", station="CP1", recorded_at=log.now, connection="c1", code=1000
        )
    )
    worker.settle()

    await series.project(log)

    rows = series.rows("SELECT * FROM connector_status FINAL ORDER BY offset")
    assert [(row["source"], row["status"], row["connected"]) for row in rows] == [
        ("status", "Available", True),
        ("connection", "Available", True),
    ]


async def test_a_frame_is_kept_character_for_character(series: Series) -> None:
    log, worker = working()
    info = "tab\there, quote ', backslash \\ and ü, 💡, \u2028 {x:String} \\N"
    payload = {"connectorId": 1, "status": "Faulted", "errorCode": "OtherError", "info": info}
    log.calls("StatusNotification", payload, message_id="\\N'%s")
    worker.settle()

    await series.project(log)

    received = log.read(2)
    (row,) = series.rows("SELECT * FROM messages WHERE direction = 'in'")
    assert row["frame"] == received.frame  # type: ignore[union-attr]
    assert row["message_id"] == "\\N'%s"
    assert series.value("SELECT detail FROM connector_status FINAL") == info


async def test_what_is_no_number_keeps_its_text_and_no_value(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    values = ["garbage", "", "1,5", "NaN", "-0.5", "1" * 29, "0.12345678901234567", 7, None]
    sampled_values = [{"value": value, "measurand": "SoC"} for value in values]
    log.calls(
        "MeterValues",
        metering(
            transaction_id, {"timestamp": "2026-11-23T09:10:00Z", "sampledValue": sampled_values}
        ),
    )
    worker.settle()

    await series.project(log)

    rows = series.rows(SAMPLES)
    assert [row["value"] for row in rows] == [
        *(None, None, None, None),
        Decimal("-0.5"),
        None,
        Decimal("0.1234567890123456"),
        Decimal(7),
        None,
    ]
    assert [row["raw"] for row in rows][:6] == values[:6]


async def test_kilowatt_hours_become_exact_watt_hours(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    value = {"value": "0.2597", "measurand": "Energy.Active.Import.Register", "unit": "kWh"}
    log.calls("MeterValues", metering(transaction_id, sampled("2026-11-23T09:10:00Z", value)))
    worker.settle()

    await series.project(log)

    (row,) = series.rows(SAMPLES)
    assert (row["value"], row["unit"], row["raw"]) == (Decimal("259.7"), "Wh", "0.2597")


@pytest.mark.parametrize(
    "clock", ["1970-01-01T00:10:00Z", "2099-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
)
async def test_a_wrong_clock_spreads_no_partitions_and_costs_no_energy(
    series: Series, clock: str
) -> None:
    log, worker = working()
    transaction_id = begin(log, worker, at=clock)
    log.now += 600 * SECOND
    log.calls("MeterValues", metering(transaction_id, sampled(clock, "4000")))
    worker.settle()
    log.now += 600 * SECOND
    log.calls("StopTransaction", stop(transaction_id, at=clock))
    worker.settle()

    await series.project(log)

    assert series.value("SELECT uniqExact(_partition_id) FROM meter_values") == 1
    year = series.value("SELECT toYear(time) FROM meter_values WHERE source = 'sample'")
    assert year == 2026
    assert series.energy() == {str(transaction_id): 8000}
    assert series.by_hour() == {"2026-11-23T10": Decimal(8000)}


async def test_a_start_a_sample_and_a_stop_that_are_sent_again_count_once(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    values = metering(transaction_id, sampled("2026-11-23T09:30:00Z", "5000"))
    for _ in range(3):
        log.calls("StartTransaction", start())
        log.calls("MeterValues", values)
        worker.settle()
    for _ in range(2):
        log.calls("StopTransaction", stop(transaction_id, transactionData=values["meterValue"]))
        worker.settle()

    await series.project(log)

    assert series.value("SELECT count() FROM meter_values FINAL") == 4 + 3 + 2 * 2
    assert series.value("SELECT uniqExact(sample_key) FROM meter_values WHERE value = 5000") == 1
    assert series.rows("SELECT source, count() AS n FROM samples GROUP BY source ORDER BY 1") == [
        {"source": "register_start", "n": 1},
        {"source": "register_stop", "n": 1},
        {"source": "sample", "n": 1},
    ]
    assert series.energy() == {str(transaction_id): 8000}
    assert sum(series.by_hour().values()) == 8000


async def test_two_samples_that_say_the_same_without_a_time_are_two(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    for _ in range(2):
        log.calls("MeterValues", metering(transaction_id, sampled("", "5000")))
        worker.settle()

    await series.project(log)

    assert series.value("SELECT uniqExact(sample_key) FROM meter_values WHERE value = 5000") == 2


async def test_a_contradicting_stop_does_not_change_the_energy(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()
    log.calls("StopTransaction", stop(transaction_id, meter_stop=99_000))
    worker.settle()

    await series.project(log)

    assert series.energy() == {str(transaction_id): 8000}
    assert series.value("SELECT count() FROM samples") == 2
    assert sum(series.by_hour().values()) == 8000


async def test_a_start_with_another_register_does_not_change_the_energy(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    assert begin(log, worker, meter_start=1500) == transaction_id
    assert begin(log, worker, meter_start=500) == transaction_id
    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()

    await series.project(log)

    assert series.energy() == {str(transaction_id): 8000}
    assert series.value("SELECT count() FROM samples") == 2
    assert sum(series.by_hour().values()) == 8000


async def test_a_regressing_register_has_no_energy(series: Series) -> None:
    log, worker = working()
    transaction_id = begin(log, worker)
    log.calls("StopTransaction", stop(transaction_id, meter_stop=500))
    worker.settle()

    await series.project(log)

    assert series.energy() == {str(transaction_id): None}
    assert series.by_hour() == {}
    assert series.value("SELECT toString(state) FROM sessions FINAL") == "HELD"


async def test_a_kill_between_insert_and_position_leaves_the_same_content(series: Series) -> None:
    log, worker = working()
    for _ in range(3):
        a_session(log, worker)
    positions = CrashingPositions(after=2)

    with pytest.RaisesGroup(Killed):
        await series.project(log, positions, limits=SMALL)
    stored = positions.stored[NAME].positions[1]
    repeated = series.value(f"SELECT count() FROM messages WHERE offset >= {stored}")
    assert repeated > 0
    positions.left = -1
    await series.project(log, positions, limits=SMALL)

    assert series.value("SELECT count() FROM messages FINAL") == len(frames_of(log))
    assert list(series.energy().values()) == [8000, 8000, 8000]
    assert series.value("SELECT sum(messages) FROM messages_per_day") == len(frames_of(log))
    assert (
        series.value("SELECT countIf(latency_us IS NULL) FROM messages FINAL WHERE type = 3") == 0
    )
    assert series.value("SELECT countIf(version != '1.6') FROM messages FINAL") == 0


async def test_every_cut_and_restart_gives_the_content_of_one_pass(
    clickhouse_database: ClickHouseDatabase, series: Series
) -> None:
    log, worker = working()
    lengths = []
    positions = FlakyPositions()
    for _ in range(4):
        log.calls(
            "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
        )
        worker.settle()
        a_session(log, worker)
        log.calls("Heartbeat", {})
        lengths.append(len(log.values))
        await series.project(log, positions, limits=SMALL)
    worker.settle()
    await series.project(log, positions, limits=SMALL)
    in_pieces = await digest(series.tables, {})

    for table in TABLES:
        series.client.command(f"TRUNCATE TABLE {table.name}")
    await series.project(log, MemoryPositions())

    assert await digest(series.tables, {}) == in_pieces


def frames_of(log: Log) -> list[int]:
    kinds = (CALL, CALLRESULT)
    records = ((offset, log.read(offset)) for offset in range(len(log.values)))
    return [offset for offset, record in records if getattr(record, "message_type", 0) in kinds]
