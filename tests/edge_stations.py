"""An embedded edge in the test's own loop, stations on its sockets, and what its journal has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from domain.answering import Policy
from domain.commands import Command, CommandMoved
from domain.conversation import fold
from domain.facts import Fact
from domain.log_filter import LogFilter
from domain.station import Station
from infra.edge import Edge, edge
from infra.journal_sqlite import SqliteJournal
from schemas.journal import REGISTRY_PARTITION
from schemas.records import (
    CommandRequested,
    MessageReceived,
    MessageSent,
    Record,
    StationRegistered,
    decode,
    encode,
)
from tests.infra.test_edge import options

ENOUGH_S = 30.0
NAME = "QUIRK"
FAR = 2**60


@asynccontextmanager
async def running(directory: Path, **policy: Any) -> AsyncIterator[Edge]:
    stop, ready = asyncio.Event(), asyncio.Event()
    rules = Policy(**{"accept_unknown_tokens": True, "settle_us": 0} | policy)
    chosen = replace(options(directory), policy=rules)
    async with edge(chosen) as started, asyncio.TaskGroup() as tasks:
        tasks.create_task(started.run(stop, lambda _: ready.set()))
        await ready.wait()
        try:
            yield started
        finally:
            stop.set()


@asynccontextmanager
async def connected(
    at: Edge, protocol: str = "1.6", name: str = NAME
) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{at.port}/ocpp/{name}"
    async with connect(
        url, subprotocols=[Subprotocol(f"ocpp{protocol}")], ping_interval=None
    ) as station:
        yield station


async def hears(station: ClientConnection) -> Any:
    async with asyncio.timeout(ENOUGH_S):
        return orjson.loads(await station.recv())


async def call(station: ClientConnection, message_id: str, action: str, payload: Any) -> Any:
    await station.send(orjson.dumps([2, message_id, action, payload]).decode())
    return await hears(station)


async def answers_until_heartbeat(station: ClientConnection) -> list[Any]:
    """Tell a heartbeat; return what came before its answer. The connection lives."""
    await station.send('[2,"after all","Heartbeat",{}]')
    answers = []
    while (answer := await hears(station))[1] != "after all":
        answers.append(answer)
    assert answer[0] == 3
    return answers


async def records_of(directory: Path, name: str = NAME) -> list[tuple[int, Record]]:
    """Return what counts in the log of a station."""
    journal = await SqliteJournal.open_read_only(directory)
    reader, log_filter = journal.reader({1: 0}), LogFilter()
    found: list[tuple[int, Record]] = []
    while entries := await reader.poll(records_max=1_000, timeout_s=0.1):
        for entry in entries:
            record = decode(entry.value)
            if log_filter.admit(entry.offset, record) and record.station == name:
                found.append((entry.offset, record))
    await reader.close()
    await journal.close()
    return found


async def journal_of(
    directory: Path, name: str = NAME
) -> tuple[list[MessageReceived], list[MessageSent], list[Fact]]:
    """Return the frames of both directions, and what a view of the log is told."""
    station, facts = Station("default", name, 1), []
    records = await records_of(directory, name)
    for offset, record in records:
        facts += fold(station, offset, record)
    values = [record for _, record in records]
    received = [record for record in values if isinstance(record, MessageReceived)]
    return received, [record for record in values if isinstance(record, MessageSent)], facts


def moves_of(facts: list[Fact], command_id: str) -> list[Command]:
    moved = [fact.command for fact in facts if isinstance(fact, CommandMoved)]
    return [command for command in moved if command.command_id == command_id]


def station_in(at: Edge, name: str = NAME) -> Station:
    return at.log.owners[0].stations["default", name]


async def registered(at: Edge, **attributes: Any) -> None:
    record = StationRegistered(
        tenant="default", station=NAME, recorded_at=1, actor="a", attributes=attributes
    )
    await appended(at, record, REGISTRY_PARTITION)


async def asked(at: Edge, command_id: str, action: str, payload: Any = None) -> None:
    """An operator asks it of the station."""
    record = CommandRequested(
        tenant="default",
        station=NAME,
        recorded_at=1,
        command_id=command_id,
        action=action,
        payload=msgspec.Raw(msgspec.json.encode(payload or {})),
        payload_digest="",
        actor="somebody",
        expires_at=FAR,
    )
    await appended(at, record, 1)


_sequence = iter(range(1, 10**9))


async def appended(at: Edge, record: Record, partition: int) -> None:
    """As the API appends."""
    await at.log.append_values(partition, [encode(record, "0123456789ab", next(_sequence))])
