"""The cases of group D against a real `up`: bounded in memory and processor, others unharmed."""

import asyncio
import resource
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.e2e.running import Up
from tests.e2e.watching import MIB, Watched, watched
from tests.ingress.node import HEARTBEAT, Raw, masked, request

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
SAID_BYTES_MAX = 20_000
"""Of log lines for a whole abuse: a peer must not fill the disk."""


def edge_of(up: Up) -> psutil.Process:
    process = up.child("edge")
    assert process is not None
    return process


@asynccontextmanager
async def abused(up: Up, *, grows_max: int = 5 * MIB) -> AsyncIterator[Watched]:
    async with watched(up.deployment.ocpp_url, edge_of(up), up.output) as found:
        yield found
    found.assert_others_unharmed()
    assert found.grown_bytes <= grows_max, found.grown_bytes / MIB
    assert found.said_bytes < SAID_BYTES_MAX


async def raw(up: Up) -> Raw:
    return Raw(*await asyncio.open_connection("127.0.0.1", up.deployment.ocpp_port))


async def upgraded(up: Up, name: str, *headers: str) -> Raw:
    peer = await raw(up)
    assert b" 101 " in await peer.upgrade(f"/ocpp/{name}", *headers)
    return peer


async def closing_code(peer: Raw) -> int:
    """Read until the close frame, whatever was answered before."""
    while (frame := await peer.frame())[0] != 0x88:
        pass
    return int.from_bytes(frame[1][:2], "big")


async def heartbeat(up: Up, name: str) -> str:
    async with connect(
        f"{up.deployment.ocpp_url}/{name}", subprotocols=[Subprotocol("ocpp1.6")]
    ) as station:
        return await asked(station)


async def asked(station: ClientConnection) -> str:
    await station.send(HEARTBEAT)
    async with asyncio.timeout(10):
        return str(await station.recv())


async def pour(peer: Raw, data: bytes, times: int) -> int:
    """Send it so many times, or until it is not taken any more; return how often it was."""
    for number in range(times):
        peer.write(data)
        try:
            async with asyncio.timeout(0.2):
                await peer.writer.drain()
        except (TimeoutError, ConnectionError):
            return number
    return times


async def cut(peer: Raw) -> None:
    peer.writer.transport.abort()
    await asyncio.sleep(0)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """60 KiB that are 60 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    zeros = bytes(MIB)
    packed = b"".join(packer.compress(zeros) for _ in range(60))
    return (packed + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_d_01_deflate_bombs_are_not_inflated(up: Up, bomb: bytes) -> None:
    assert len(bomb) < 100_000
    half = len(bomb) // 2

    async def explode(number: int) -> None:
        peer = await upgraded(up, f"BOMB-{number}", DEFLATE)
        pieces = [(bomb, 0xC1)] if number % 2 else [(bomb[:half], 0x41), (bomb[half:], 0x80)]
        peer.write(b"".join(masked(piece, first) for piece, first in pieces))
        assert await closing_code(peer) == 1009
        await peer.close()

    await explode(0)
    async with abused(up):
        for number in range(1, 21):
            await explode(number)


async def test_d_02_compressed_streams_hold_no_windows(up: Up) -> None:
    """What a connection costs, compression agreed upon: nothing near two windows of 32 KiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    text = HEARTBEAT.encode().ljust(2_000)
    packed = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    async with abused(up, grows_max=200 * 32 * 1024):
        peers = [await upgraded(up, f"PACKED-{number}", DEFLATE) for number in range(200)]
        for peer in peers:
            peer.write(masked(packed, 0xC1))
        for peer in peers:
            assert (await peer.frame())[0] in (0x81, 0xC1)
        for peer in peers:
            await peer.close()


@pytest.mark.parametrize("piece", [b"", b"x"], ids=["empty", "of one byte"])
async def test_d_04_fragments_without_end_are_cut_off(up: Up, piece: bytes) -> None:
    async with abused(up) as found:
        for number in range(5):
            peer = await upgraded(up, f"FRAGMENTS-{number}")
            peer.write(masked(piece, 0x01))
            await pour(peer, masked(piece, 0x00) * 1_000, 20)
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                assert await closing_code(peer) == 1008
            await peer.close()
    assert found.cpu_s < 1.0 + 0.5 * found.took_s


async def test_d_05_handshakes_that_do_not_end_hold_up_nobody(up: Up) -> None:
    async with abused(up, grows_max=10 * MIB):
        peers = [await raw(up) for _ in range(1_000)]
        for peer in peers:
            peer.write(b"GET /ocpp/LORIS HTTP/1.1\r\nX: ")
        for number in range(20):
            for peer in peers[:50]:
                peer.write(b"x")
            assert "currentTime" in await heartbeat(up, f"HONEST-{number}")
        for peer in peers:
            await peer.close()


@pytest.mark.parametrize(
    "head",
    [
        request("/ocpp/MANY", *(f"X-{number}: y" for number in range(300))),
        request("/ocpp/LONG", "X: " + "y" * 8_192, "Y: " + "y" * 8_192),
    ],
    ids=["300 headers", "lines of 8 KiB"],
)
async def test_d_05_a_head_too_large_is_refused(up: Up, head: bytes) -> None:
    peer = await raw(up)
    peer.write(head)
    assert (await peer.head()).split()[1] in (b"400", b"431")
    await peer.close()


async def test_d_06_who_never_reads_is_bounded_and_others_are_served(up: Up) -> None:
    """It asks without end for what it does not read: the kernel's buffers, then ours, fill."""
    async with abused(up):
        sockets = []
        for number in range(10):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            await asyncio.get_running_loop().sock_connect(
                peer, ("127.0.0.1", up.deployment.ocpp_port)
            )
            peer.send(request(f"/ocpp/DEAF-{number}"))
            sockets.append(peer)
        await asyncio.sleep(0.2)
        asking = masked(b"x" * 120, 0x89) * 200
        for _ in range(20):
            for peer in sockets:
                with suppress(BlockingIOError, ConnectionError):
                    peer.send(asking)
            await asyncio.sleep(0.02)
        for peer in sockets:
            peer.close()


@pytest.mark.parametrize("first", [0x89, 0x8A], ids=["pings", "pongs"])
async def test_d_07_a_flood_of_control_frames_is_slowed(up: Up, first: int) -> None:
    async with abused(up) as found:
        peer = await upgraded(up, "FLOOD-1")
        assert await pour(peer, masked(b"", first) * 5_000, 600) < 600
        await asyncio.sleep(0.3)
        await cut(peer)
    assert found.cpu_s < 1.0 + 0.5 * found.took_s


async def test_d_07_a_flood_of_closes_ends_at_the_first(up: Up) -> None:
    async with abused(up):
        for number in range(50):
            peer = await upgraded(up, f"CLOSES-{number}")
            await pour(peer, masked(b"\x03\xe8", 0x88) * 100, 1)
            assert await closing_code(peer) == 1000
            await peer.close()


async def test_d_08_a_flood_of_calls_is_read_slower_and_others_are_served(up: Up) -> None:
    async with abused(up, grows_max=20 * MIB):
        peer = await upgraded(up, "FLOOD-2")
        calls = masked(HEARTBEAT.encode().ljust(1_000)) * 100
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(peer.rest())
            # As fast as they are taken: the burst that is allowed, and what the kernels hold.
            assert await pour(peer, calls, 500) < 500
            await cut(peer)


async def test_d_10_without_descriptors_the_door_waits_and_nobody_is_cut(up: Up) -> None:
    edge = edge_of(up)
    usual = edge.rlimit(resource.RLIMIT_NOFILE)
    async with abused(up, grows_max=10 * MIB):
        edge.rlimit(resource.RLIMIT_NOFILE, (edge.num_fds() + 30, usual[1]))
        try:
            peers = [await raw(up) for _ in range(100)]
            for number, peer in enumerate(peers):
                peer.write(request(f"/ocpp/NOFILE-{number}"))
            await asyncio.sleep(1.5)
            for peer in peers:
                await cut(peer)
        finally:
            edge.rlimit(resource.RLIMIT_NOFILE, usual)
        async with asyncio.timeout(10):
            assert "currentTime" in await heartbeat(up, "AFTERWARDS")


async def test_d_11_a_message_of_ten_thousand_values_is_refused_by_its_size(up: Up) -> None:
    value = '{"value":"1234567","measurand":"Energy.Active.Import.Register","unit":"Wh"}'
    sampled = ",".join([value] * 10_000)
    meter = f'{{"timestamp":"2026-11-23T14:00:00Z","sampledValue":[{sampled}]}}'
    text = f'[2,"1","MeterValues",{{"connectorId":1,"meterValue":[{meter}]}}]'
    async with abused(up):
        for number in range(10):
            peer = await upgraded(up, f"VALUES-{number}")
            peer.write(masked(text.encode()))
            assert await closing_code(peer) == 1009
            await peer.close()


async def test_d_13_a_station_that_boots_without_end_costs_nobody_else(up: Up) -> None:
    boot = '[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
    async with abused(up, grows_max=10 * MIB):
        for _ in range(200):
            peer = await upgraded(up, "BOOTS")
            peer.write(masked(boot.encode()))
            await peer.frame()
            await peer.close()
    await asyncio.to_thread(up.wait_projected)
    (row,) = [row for row in up.get("/v1/stations")["items"] if row["station"] == "BOOTS"]
    assert row["vendor"] == "V"


@pytest.mark.parametrize(
    "name", ["e" + "\u0301" * 32_000, "\u202e" * 20_000, "Z" + "\u0353\u0489" * 15_000]
)
async def test_d_14_texts_of_odd_characters_cost_what_their_bytes_cost(up: Up, name: str) -> None:
    call = f'[2,"1","DataTransfer",{{"vendorId":"{name}"}}]'
    async with abused(up) as found:
        peer = await upgraded(up, "ODD")
        for _ in range(20):
            peer.write(masked(call.encode()))
            assert (await peer.frame())[0] == 0x81
        await peer.close()
    assert found.cpu_s < 1.0 + 0.5 * found.took_s


async def test_n_16_a_tenant_with_most_of_the_traffic_slows_nobody_else(up: Up) -> None:
    """As many CALLs as its stations may send, some 4,000 a second."""
    said = 0
    async with abused(up, grows_max=20 * MIB) as found:
        peers = [await upgraded(up, f"noisy/HURRY-{number}") for number in range(20)]
        async with asyncio.TaskGroup() as tasks:
            for peer in peers:
                tasks.create_task(peer.rest())
            for _ in range(60):
                for peer in peers:
                    peer.write(masked(HEARTBEAT.encode()) * 5)
                said += 5 * len(peers)
                await asyncio.sleep(0.025)
            for peer in peers:
                await cut(peer)
    assert said > 0.8 * (said + len(found.during)), (said, len(found.during))
