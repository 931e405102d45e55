"""The embedded edge: what leaves it is in the log, and what it knew it knows again."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import Raw
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.answering import Policy
from infra import clock
from infra.edge import Edge, EdgeOptions, edge
from infra.journal_sqlite import SqliteJournal
from infra.metrics import edge_metrics
from ingress.options import Options
from schemas.journal import Unavailable
from schemas.records import (
    CommandRequested,
    ConnectionLost,
    MessageReceived,
    MessageSent,
    decode,
    encode,
)

ENOUGH_S = 20.0


class NoSecrets:
    def digest(self, secret: str) -> str:
        raise AssertionError("no secret was told")

    async def reveal(self, secret_id: str) -> str:
        raise KeyError(secret_id)


def options(directory: Path) -> EdgeOptions:
    return EdgeOptions(
        data=directory,
        port=0,
        policy=Policy(accept_unknown_tokens=True, settle_us=0),
        ingress=Options(accept_unknown_stations=True, hold_s=1.0),
        id_key=b"k" * 32,
        verifier=lambda _: None,
        secrets=NoSecrets(),
    )


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Edge]:
    stop, ready = asyncio.Event(), asyncio.Event()
    async with edge(options(directory)) as started, asyncio.TaskGroup() as tasks:
        tasks.create_task(started.run(stop, lambda _: ready.set()))
        await ready.wait()
        try:
            yield started
        finally:
            stop.set()


def station(at: Edge, name: str = "CP1") -> connect:
    url = f"ws://127.0.0.1:{at.port}/ocpp/{name}"
    return connect(url, subprotocols=[Subprotocol("ocpp1.6")], open_timeout=ENOUGH_S)


async def call(socket: ClientConnection, message_id: str, action: str, payload: Any) -> Any:
    await socket.send(orjson.dumps([2, message_id, action, payload]).decode())
    async with asyncio.timeout(ENOUGH_S):
        return orjson.loads(await socket.recv())


async def test_while_the_registry_is_folded_anew_nobody_is_told_that_it_is_unknown(
    tmp_path: Path,
) -> None:
    known_only = replace(options(tmp_path), ingress=Options(accept_unknown_stations=False))
    stop, ready = asyncio.Event(), asyncio.Event()
    async with edge(known_only) as at, asyncio.TaskGroup() as tasks:
        tasks.create_task(at.run(stop, lambda _: ready.set()))
        await ready.wait()
        assert await refused_with(at) == 401
        at.log.fail(Unavailable("the disk is away"))
        assert await refused_with(at) == 503
        stop.set()


async def refused_with(at: Edge) -> int:
    try:
        async with asyncio.timeout(ENOUGH_S):
            await connect(
                f"ws://127.0.0.1:{at.port}/ocpp/CP1",
                subprotocols=[Subprotocol("ocpp1.6")],
                process_exception=lambda error: error,
            )
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


async def knock_until_refused(at: Edge) -> None:
    while True:
        async with station(at, "CP2"):
            pass


async def call_once_open(at: Edge, message_id: str, action: str, payload: Any) -> Any:
    # The client comes again for as long as it gets a 503.
    async with asyncio.timeout(ENOUGH_S):
        async for socket in station(at):
            async with socket:
                return await call(socket, message_id, action, payload)


START = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-11-23T10:00:00Z"}


async def frames(directory: Path) -> list[MessageReceived | MessageSent | ConnectionLost]:
    journal = await SqliteJournal.open_read_only(directory)
    reader = journal.reader({1: 0})
    found = []
    while entries := await reader.poll(records_max=1_000, timeout_s=0.1):
        for entry in entries:
            record = decode(entry.value)
            if isinstance(record, MessageReceived | MessageSent | ConnectionLost):
                found.append(record)
    await reader.close()
    await journal.close()
    return found


@contextmanager
def no_room_on_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_an_answer_is_in_the_log_with_its_call_when_the_station_has_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at, station(at) as socket:
        answer = await call(socket, "b", "Heartbeat", {})
        received, sent = await frames(tmp_path)
        assert isinstance(received, MessageReceived)
        assert received.frame == '[2,"b","Heartbeat",{}]'
        assert isinstance(sent, MessageSent)
        assert orjson.loads(sent.frame) == answer


async def test_a_station_gets_its_transaction_id_again_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as at, station(at) as socket:
        first = await call(socket, "1", "StartTransaction", START)
    async with running(tmp_path) as at:
        restored = at.log.owners[0].stations["default", "CP1"].transactions
        assert list(restored.known) == [str(first[2]["transactionId"])]
        async with station(at) as socket:
            again = await call(socket, "2", "StartTransaction", START)
    assert again[2] == first[2]


async def test_a_restart_without_snapshots_folds_the_same_state(tmp_path: Path) -> None:
    async with running(tmp_path) as at, station(at) as socket:
        await call(socket, "1", "StartTransaction", START)
    (tmp_path / "snapshots.sqlite").unlink()
    async with running(tmp_path) as at:
        known = at.log.owners[0].stations["default", "CP1"].transactions.known
        [folded] = known.values()
        assert folded.meter_start_wh == 5


async def test_nothing_is_answered_while_the_log_cannot_be_written_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at:
        async with station(at) as socket:
            await call(socket, "1", "Heartbeat", {})
            with no_room_on_disk():
                await socket.send(orjson.dumps([2, "2", "StartTransaction", START]).decode())
                with pytest.raises(InvalidStatus) as refused:
                    await knock_until_refused(at)
                assert refused.value.response.status_code == 503
                with pytest.raises(ConnectionClosed) as closed:
                    async with asyncio.timeout(ENOUGH_S):
                        await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
        assert (await call_once_open(at, "3", "StartTransaction", START))[0] == 3
    answered = [r for r in await frames(tmp_path) if isinstance(r, MessageSent)]
    assert [record.message_id for record in answered] == ["1", "3"]


async def test_a_connection_whose_node_is_gone_is_lost_in_the_log(tmp_path: Path) -> None:
    async with running(tmp_path) as at, station(at) as socket:
        await call(socket, "1", "Heartbeat", {})
        await at.snapshot(at.log.owners[0])
        at.log.end_connections(at.log.owners[0], lambda node: node == at.node, 1)
        await call(socket, "2", "Heartbeat", {})
    assert any(isinstance(record, ConnectionLost) for record in await frames(tmp_path))


async def test_the_edges_figures_are_prometheus_text(tmp_path: Path) -> None:
    async with running(tmp_path) as at, station(at) as socket:
        await call(socket, "1", "Heartbeat", {})
        families = {f.name: f for f in text_string_to_metric_families(edge_metrics(at))}
        samples = families["chargeledger_answer_seconds"].samples
        assert [s.value for s in samples if s.name.endswith("_count")] == [1.0]
        assert [s.value > 0 for s in samples if s.name.endswith("_sum")] == [True]
        assert families["chargeledger_connections"].samples[0].value == 1.0


async def test_a_station_is_told_at_its_next_connection_what_an_operator_wanted_meanwhile(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at:
        async with station(at) as socket:
            await call(socket, "1", "Heartbeat", {})
        now = clock.now_us()
        wanted = CommandRequested(
            tenant="default",
            station="CP1",
            recorded_at=now,
            command_id="k1",
            action="ClearCache",
            payload=Raw(b"{}"),
            payload_digest="",
            expires_at=now + 60_000_000,
            actor="operator",
        )
        await at.log.append_values(1, [encode(wanted, "api", 1)])

        async with station(at) as socket, asyncio.timeout(ENOUGH_S):
            told = orjson.loads(await socket.recv())

    assert told == [2, "k1", "ClearCache", {}]


async def test_an_edge_that_could_not_queue_what_it_folded_ends_and_the_next_folds_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> int:
        raise ValueError("no batch")

    async def run_into_it() -> None:
        async with running(tmp_path) as at, station(at) as socket:
            await call(socket, "1", "Heartbeat", {})
            with monkeypatch.context() as patched:
                patched.setattr(at.journal, "enqueue", refuses)
                await socket.send(orjson.dumps([2, "2", "StartTransaction", START]).decode())
                with pytest.raises(ConnectionClosed):
                    async with asyncio.timeout(ENOUGH_S):
                        await socket.recv()

    with pytest.raises(ExceptionGroup) as raised:
        await run_into_it()
    assert raised.group_contains(ValueError, match="no batch")

    async with running(tmp_path) as at:
        assert not at.log.owners[0].stations["default", "CP1"].transactions.known
        assert (await call_once_open(at, "2", "StartTransaction", START))[0] == 3
