"""A simulated fleet against a central system over real sockets: what it tells and what it finds."""

import asyncio
import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.simulator.csv_sessions import whole_wh
from infra.simulator.fleet import simulate
from infra.simulator.oplog import Outcome
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from tests.infra.central_system import Book, Misbehaviour, central_system

SAMPLE = Path(__file__).parent.parent / "data" / "epfl_dc_sessions_sample.csv"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OPTIONS = SimulationOptions(url="", stations=2, sessions=3)


async def run(book: Book, options: SimulationOptions = OPTIONS) -> SimulationReport:
    async with central_system(book) as url:
        return await simulate(replace(options, url=url), lambda _: None, now=NOW)


async def test_every_session_is_told_from_boot_to_available() -> None:
    book = Book()

    report = await run(book, replace(OPTIONS, stations=1, sessions=1, connectors=1))

    assert report.ok, report
    actions = [action for _, action, _ in book.heard]
    assert [action for action in actions if action != "MeterValues"] == [
        "BootNotification",
        "StatusNotification",
        "StatusNotification",
        "Authorize",
        "StatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "StatusNotification",
        "StatusNotification",
    ]
    assert [status["status"] for status in book.heard_of("StatusNotification")] == [
        "Available",
        "Available",
        "Preparing",
        "Charging",
        "Finishing",
        "Available",
    ]
    assert actions.count("MeterValues") > 3
    assert "transaction_data" in book.stops[1]


async def test_the_report_counts_what_the_central_system_heard() -> None:
    book = Book()
    seen: list[Progress] = []

    async with central_system(book) as url:
        report = await simulate(replace(OPTIONS, url=url), seen.append, now=NOW)

    assert report.ok, report
    assert report.sessions == len(book.stops) == 6
    assert report.energy_wh == book.energy_wh() > 0
    assert report.answers == len(book.heard) == len(report.operations)
    assert seen[-1].sessions == 6
    assert seen[-1].energy_wh == report.energy_wh


async def test_the_register_is_continuous_over_the_sessions_of_a_connector() -> None:
    book = Book()

    report = await run(book, replace(OPTIONS, stations=1, sessions=4, connectors=1))

    stops = [each.meter_stop_wh for each in report.transactions]
    starts = [each.meter_start_wh for each in report.transactions]
    assert starts[1:] == stops[:-1]


async def test_the_same_seed_tells_the_same_sessions() -> None:
    first, second = await run(Book()), await run(Book())
    other = await run(Book(), replace(OPTIONS, seed=2))

    assert first.energy_wh == second.energy_wh != other.energy_wh


async def test_the_file_is_replayed_to_the_watt_hour() -> None:
    book = Book()
    with SAMPLE.open(newline="") as file:
        expected = sum(whole_wh(cells["Energy (Wh)"]) for cells in csv.DictReader(file))

    report = await run(book, replace(OPTIONS, from_csv=SAMPLE, stations=2))

    assert report.ok, report
    assert report.sessions == report.sessions_expected == 40
    assert report.energy_wh == book.energy_wh() == expected


async def test_a_finite_speed_paces_the_sessions() -> None:
    book = Book()
    options = replace(OPTIONS, stations=1, sessions=1, connectors=1, speed=20_000.0)

    report = await run(book, options)

    assert report.ok, report
    (transaction,) = report.transactions
    assert transaction.ended_at is not None
    virtual_s = (transaction.ended_at - transaction.started_at).total_seconds()
    assert report.duration_s >= virtual_s / 20_000
    assert transaction.ended_at <= datetime(2026, 5, 4, 12, 0, 5, tzinfo=UTC)


async def test_lost_connections_lose_and_double_nothing() -> None:
    book = Book(misbehaviour=Misbehaviour(dies_after=5))

    report = await run(book)

    assert report.ok, report
    assert report.interrupted > 0
    assert report.connections > 2
    assert len(book.starts) == len(book.stops) == 6
    assert report.energy_wh == book.energy_wh()


async def test_a_central_system_may_die_and_come_back() -> None:
    book = Book()
    reports: list[SimulationReport] = []
    done = asyncio.Event()

    async def live(url: str) -> None:
        options = replace(OPTIONS, url=url, sessions=8, mishaps=0.2)
        reports.append(await simulate(options, lambda _: None, now=NOW))
        done.set()

    async with asyncio.TaskGroup() as group:
        async with central_system(book) as url:
            group.create_task(live(url))
            while len(book.stops) < 3:
                book.news.clear()
                await book.news.wait()
            for point in book.points.values():
                point.abort()
        async with central_system(book, port=int(url.split(":")[2].split("/")[0])):
            while len(book.stops) < 16:
                book.news.clear()
                await book.news.wait()
            # The last answers are on their way; the server stays until the fleet has them.
            await done.wait()

    (report,) = reports
    assert report.ok, report
    assert report.interrupted > 0
    assert report.sessions == len(book.stops) == len(book.starts) == 16
    assert report.energy_wh == book.energy_wh()


async def test_stopped_stations_come_back_to_tell_the_rest() -> None:
    book, stop = Book(), asyncio.Event()
    options = replace(OPTIONS, sessions=40, speed=900.0, mishaps=1.0, silence_s=None)

    def stop_when_one_is_away(progress: Progress) -> None:
        if book.starts and progress.connected < options.stations:
            stop.set()

    async with central_system(book) as url, asyncio.TaskGroup() as group:
        living = group.create_task(
            simulate(replace(options, url=url), stop_when_one_is_away, now=NOW, stop=stop)
        )
        await stop.wait()
        report = await asyncio.wait_for(living, 2)

    assert report.transactions
    assert all(each.start_acked and each.stop_acked for each in report.transactions)


@pytest.mark.parametrize("silence_s", [None, 0.05])
async def test_stopped_stations_wait_for_an_absent_central_system(silence_s: float | None) -> None:
    book, stop = Book(), asyncio.Event()
    options = replace(OPTIONS, sessions=100, speed=900.0, silence_s=silence_s)

    async with asyncio.TaskGroup() as group:
        async with central_system(book) as url:
            living = group.create_task(
                simulate(replace(options, url=url), lambda _: None, now=NOW, stop=stop)
            )
            while not book.starts:
                book.news.clear()
                await book.news.wait()
            for point in book.points.values():
                point.abort()
        stop.set()
        await asyncio.sleep(0.3)
        async with central_system(book, port=int(url.split(":")[2].split("/")[0])):
            report = await living

    told = [each.start_acked and each.stop_acked for each in report.transactions]
    assert all(told) == (report.missing == 0) == (silence_s is None)


async def test_a_message_told_again_has_the_same_content_and_a_new_id() -> None:
    report = await run(Book(misbehaviour=Misbehaviour(dies_after=5)))

    interrupted = [
        each
        for each in report.operations
        if each.outcome is Outcome.INTERRUPTED and "Transaction" in each.action
    ]
    assert interrupted
    for lost in interrupted:
        again = [
            each
            for each in report.operations
            if (each.station, each.action, each.payload)
            == (lost.station, lost.action, lost.payload)
        ]
        assert again[-1].outcome is Outcome.ANSWERED
        assert len({each.message_id for each in again}) == len(again) > 1


async def test_mishaps_do_not_spoil_a_right_central_system() -> None:
    report = await run(Book(), replace(OPTIONS, sessions=8, mishaps=1.0))

    assert report.ok, report
    assert report.answers_by_action["StopTransaction"] > report.sessions


async def test_a_pending_station_boots_again() -> None:
    book = Book(misbehaviour=Misbehaviour(pending_boots=1))

    report = await run(book, replace(OPTIONS, stations=1, sessions=1))

    assert report.ok, report
    assert len(book.heard_of("BootNotification")) == 2


@pytest.mark.parametrize(
    ("misbehaviour", "finding"),
    [
        (Misbehaviour(forgets_starts=True), "a repeated Start got"),
        (Misbehaviour(same_id_for_all=True), "was given before"),
        (Misbehaviour(refuses_tokens=True), "idTagInfo.status is Blocked"),
        (Misbehaviour(breaks_stops=True), "StopTransaction got a CALLERROR"),
    ],
)
async def test_a_wrong_answer_is_found(misbehaviour: Misbehaviour, finding: str) -> None:
    options = replace(OPTIONS, stations=1, sessions=6, mishaps=0.9)

    report = await run(Book(misbehaviour=misbehaviour), options)

    assert not report.ok
    assert any(finding in sentence for sentence in report.wrong), report.wrong


async def test_a_missing_answer_is_found() -> None:
    options = replace(
        OPTIONS, stations=1, sessions=1, answer_timeout_s=0.1, give_up_s=0.5, mishaps=0.0
    )

    report = await run(Book(misbehaviour=Misbehaviour(never_answers="StopTransaction")), options)

    assert not report.ok
    assert report.missing > 0
    assert report.sessions == 0


async def test_a_central_system_that_is_away_is_given_up() -> None:
    options = replace(OPTIONS, url="ws://127.0.0.1:1/ocpp", give_up_s=0.3)

    report = await simulate(options, lambda _: None, now=NOW)

    assert not report.ok
    assert "no answer for" in report.wrong[0]


async def test_the_op_log_file_holds_every_exchange(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"

    report = await run(Book(), replace(OPTIONS, oplog=path, keep_operations=False))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    calls = [line for line in lines if line["kind"] == "operation"]
    ended = [line for line in lines if line["kind"] == "transaction" and line["stop_acked"]]
    assert len(calls) == report.answers
    assert all(line["outcome"] == "answered" for line in calls)
    assert sum(line["energy_wh"] for line in ended) == report.energy_wh
    assert report.operations == ()
