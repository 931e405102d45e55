"""A simulated station answers the central system's CALLs, and does what it has answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from ocpp.v16 import call

from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from tests.infra.central_system import Book, Point, central_system

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WAIT_S = 10.0


class Witnessed:
    """A fleet of one that stays connected, and what the central system has of it."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.report: SimulationReport | None = None

    @property
    def point(self) -> Point:
        return self.book.points["SIM-0001"]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.book.news.clear()
                await self.book.news.wait()

    def statuses(self, connector_id: int) -> list[str]:
        return [
            status["status"]
            for status in self.book.heard_of("StatusNotification")
            if status["connector_id"] == connector_id
        ]

    def errors(self) -> list[str]:
        return [frame for frame in self.book.frames if frame.startswith("[4,")]

    async def ask(self, request: Any) -> Any:
        return await self.point.call(request, suppress=False)


@asynccontextmanager
async def one_station() -> AsyncIterator[Witnessed]:
    witnessed = Witnessed(Book())
    stop = asyncio.Event()

    def ignore(_: Progress) -> None:
        return None

    async with central_system(witnessed.book) as url:
        options = SimulationOptions(url=url, stations=1, sessions=0, endless=True)

        async def live() -> None:
            witnessed.report = await simulate(options, ignore, now=NOW, stop=stop)

        async with asyncio.TaskGroup() as group:
            group.create_task(live())
            await witnessed.until(lambda: witnessed.statuses(2))
            yield witnessed
            stop.set()
    assert witnessed.report is not None
    assert witnessed.report.ok, witnessed.report


async def test_a_remote_start_begins_a_transaction_and_a_remote_stop_ends_it() -> None:
    async with one_station() as station:
        book = station.book

        started = await station.ask(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=2))
        await station.until(lambda: "Charging" in station.statuses(2))
        (number,) = book.starts
        stopped = await station.ask(call.RemoteStopTransaction(transaction_id=number))
        await station.until(lambda: book.stops)
        unknown = await station.ask(call.RemoteStopTransaction(transaction_id=number))

    assert (started.status, stopped.status, unknown.status) == ("Accepted", "Accepted", "Rejected")
    assert book.starts[number]["id_tag"] == "REMOTE"
    assert book.starts[number]["connector_id"] == 2
    assert book.stops[number]["reason"] == "Remote"
    assert book.heard_of("Authorize") == []


async def test_a_reset_ends_the_session_and_boots_again() -> None:
    async with one_station() as station:
        await station.ask(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=1))
        await station.until(lambda: "Charging" in station.statuses(1))

        answer = await station.ask(call.Reset(type="Hard"))
        await station.until(lambda: len(station.book.heard_of("BootNotification")) == 2)
        await station.until(lambda: station.book.stops)

    assert answer.status == "Accepted"
    assert next(iter(station.book.stops.values()))["reason"] == "HardReset"
    assert station.report is not None
    assert station.report.connections == 2


async def test_an_inoperative_connector_is_unavailable_until_it_is_operative() -> None:
    async with one_station() as station:
        off = await station.ask(call.ChangeAvailability(connector_id=1, type="Inoperative"))
        await station.until(lambda: station.statuses(1)[-1] == "Unavailable")
        refused = await station.ask(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=1))
        on = await station.ask(call.ChangeAvailability(connector_id=0, type="Operative"))
        await station.until(lambda: station.statuses(1)[-1] == "Available")

    assert (off.status, refused.status, on.status) == ("Accepted", "Rejected", "Accepted")


async def test_a_connector_in_use_becomes_unavailable_after_its_session() -> None:
    async with one_station() as station:
        await station.ask(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=1))
        await station.until(lambda: station.book.starts)

        answer = await station.ask(call.ChangeAvailability(connector_id=1, type="Inoperative"))
        unlocked = await station.ask(call.UnlockConnector(connector_id=1))
        await station.until(lambda: station.statuses(1)[-1] == "Unavailable")

    assert (answer.status, unlocked.status) == ("Scheduled", "Unlocked")
    assert station.book.stops[1]["reason"] == "UnlockCommand"


async def test_the_configuration_can_be_read_and_changed() -> None:
    async with one_station() as station:
        changed = [
            (await station.ask(call.ChangeConfiguration(key=key, value=value))).status
            for key, value in (
                ("ConnectionTimeOut", "90"),
                ("ConnectionTimeOut", "soon"),
                ("NumberOfConnectors", "7"),
                ("NoSuchKey", "1"),
                ("AuthorizationKey", "a-secret-of-16-b"),
            )
        ]
        read = await station.ask(call.GetConfiguration(key=["ConnectionTimeOut", "NoSuchKey"]))
        whole = await station.ask(call.GetConfiguration())

    assert changed == ["Accepted", "Rejected", "Rejected", "NotSupported", "Accepted"]
    assert [(each["key"], each["value"]) for each in read.configuration_key] == [
        ("ConnectionTimeOut", "90")
    ]
    assert read.unknown_key == ["NoSuchKey"]
    assert "AuthorizationKey" not in [each["key"] for each in whole.configuration_key]


async def test_a_triggered_message_is_sent() -> None:
    async with one_station() as station:
        book = station.book
        before = len(book.heard_of("StatusNotification"))

        for message in ("Heartbeat", "MeterValues", "FirmwareStatusNotification"):
            answer = await station.ask(call.TriggerMessage(requested_message=message))
            assert answer.status == "Accepted"
            await station.until(lambda message=message: book.heard_of(message))  # type: ignore[misc]
        await station.ask(call.TriggerMessage("StatusNotification", connector_id=2))
        await station.until(lambda: len(book.heard_of("StatusNotification")) > before)
        unknown = await station.ask(call.TriggerMessage("Heartbeat", connector_id=9))

    assert book.heard_of("StatusNotification")[-1]["connector_id"] == 2
    assert unknown.status == "Rejected"


async def test_data_transfer_and_clear_cache_are_answered() -> None:
    async with one_station() as station:
        ours = await station.ask(call.DataTransfer(vendor_id="ChargeLedger", data="x"))
        theirs = await station.ask(call.DataTransfer(vendor_id="Other"))
        cleared = await station.ask(call.ClearCache())

    assert (ours.status, ours.data, theirs.status) == ("Accepted", "x", "UnknownVendorId")
    assert cleared.status == "Accepted"
    assert station.report is not None
    assert station.report.commands_by_action == {"DataTransfer": 2, "ClearCache": 1}


async def test_a_command_the_station_lacks_is_refused_by_the_right_error() -> None:
    async with one_station() as station:
        connection = station.point._connection  # noqa: SLF001 - to send what `ocpp` would not.
        await connection.send('[2,"a","Authorize",{"idTag":"A"}]')
        await connection.send('[2,"b","MakeCoffee",{}]')
        await station.until(lambda: len(station.errors()) == 2)

    assert '"NotSupported"' in station.errors()[0]
    assert '"NotImplemented"' in station.errors()[1]


async def test_heartbeats_come_at_the_interval_of_the_boot_answer() -> None:
    book = Book(heartbeat_s=1)
    stop = asyncio.Event()
    async with central_system(book) as url:
        options = SimulationOptions(url=url, stations=1, sessions=0, endless=True)

        def watch(_: Progress) -> None:
            if len(book.heard_of("Heartbeat")) >= 2:
                stop.set()

        async with asyncio.timeout(WAIT_S):
            report = await simulate(options, watch, now=NOW, stop=stop)

    assert report.ok, report
