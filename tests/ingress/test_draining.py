"""N-09: a node that is told to stop finishes what is under way and closes one after the other."""

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection

from schemas.records import CALL, CALLRESULT, ConnectionClosed, ConnectionOpened
from tests.ingress.node import HEARTBEAT, Answering, Node, serving
from tests.ingress.test_connections import ended

RESTART = (1012, "restarting")
ANSWER = '[3,"1",{"currentTime":"2026-11-23T14:00:00Z"}]'
RESET = '[2,"k1","Reset",{"type":"Soft"}]'


async def connection_id(node: Node) -> str:
    return (await node.log.until(ConnectionOpened))[-1].connection


async def is_still_open(station: ClientConnection) -> bool:
    try:
        async with asyncio.timeout(0.4):
            await station.wait_closed()
    except TimeoutError:
        return True
    return False


async def test_a_call_that_came_is_answered_before_its_socket_is_closed() -> None:
    async with serving(drain_finish_s=10.0) as node, asyncio.TaskGroup() as group:
        station = await node.connect()
        connection = await connection_id(node)
        await station.send(HEARTBEAT)
        await node.log.received()
        closing = group.create_task(node.server.close())
        assert await is_still_open(station)

        node.server.deliver(connection, 7, ANSWER, message_type=CALLRESULT)
        async with asyncio.timeout(5):
            assert await station.recv() == ANSWER
            assert await ended(station) == RESTART
            await closing


async def test_what_we_asked_is_answered_before_the_socket_is_closed() -> None:
    async with serving(drain_finish_s=10.0) as node, asyncio.TaskGroup() as group:
        station = await node.connect()
        node.server.deliver(await connection_id(node), 7, RESET, message_type=CALL)
        assert await station.recv() == RESET
        group.create_task(node.server.close())
        assert await is_still_open(station)

        await station.send('[3,"k1",{"status":"Accepted"}]')
        async with asyncio.timeout(5):
            (answer,) = await node.log.received()
            assert answer.message_id == "k1"
            assert await ended(station) == RESTART


async def test_an_idle_connection_does_not_wait_for_others() -> None:
    async with serving(Answering(), drain_finish_s=10.0) as node:
        station = await node.connect()
        await station.send(HEARTBEAT)
        await station.recv()
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            group.create_task(node.server.close())
            assert await ended(station) == RESTART


async def test_nobody_waits_for_ever_for_what_is_never_answered() -> None:
    async with serving(drain_finish_s=0.3) as node:
        station = await node.connect()
        await station.send(HEARTBEAT)
        await node.log.received()
        begun = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(node.server.close())
            assert await ended(station) == RESTART
        assert 0.3 <= asyncio.get_running_loop().time() - begun < 3.0


async def test_connections_are_closed_one_after_the_other_while_the_door_is_shut() -> None:
    async with serving(drain_spread_s=1.5) as node:
        stations = [await node.connect(f"/ocpp/CP{number}") for number in range(30)]
        now = asyncio.get_running_loop().time
        begun, at = now(), []

        async def end(station: ClientConnection) -> None:
            assert await ended(station) == RESTART
            at.append(now() - begun)

        async with asyncio.TaskGroup() as group:
            group.create_task(node.server.close())
            for station in stations:
                group.create_task(end(station))
            await asyncio.sleep(0.2)
            with pytest.raises(OSError, match="Connect"):
                await node.raw()

    assert [record.code for record in node.log.of(ConnectionClosed)] == [1012] * 30
    thirds = [sum(low <= each < low + 0.5 for each in at) for low in (0.0, 0.5, 1.0)]
    assert min(thirds) >= 4, at
    assert max(at) < 4.0


async def test_a_node_that_fails_keeps_nobody_waiting() -> None:
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ZeroDivisionError):
        await fail()
    assert asyncio.get_running_loop().time() - begun < 8.0


async def fail() -> None:
    async with serving(drain_finish_s=30.0, drain_spread_s=30.0) as node:
        station = await node.connect()
        await station.send(HEARTBEAT)
        await node.log.received()
        raise ZeroDivisionError
