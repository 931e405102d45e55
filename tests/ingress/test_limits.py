"""Abuse and neglect: every bound closes, slows or refuses, and the node lives."""

import asyncio
import socket
import zlib

import pytest

from schemas.records import CALLRESULT, ConnectionOpened
from tests.ingress.node import HEARTBEAT, Answering, Node, Raw, masked, request, serving

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


async def upgraded(node: Node, *headers: str) -> Raw:
    station = await node.raw()
    assert b" 101 " in await station.upgrade("/ocpp/CP1", *headers)
    return station


async def closing_code(station: Raw) -> int:
    first, payload = await station.frame()
    assert first == 0x88
    return int.from_bytes(payload[:2], "big")


def deflated(payload: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class TestSize:
    @pytest.mark.parametrize(("length", "code"), [(999, 0), (1000, 0), (1001, 1009)])
    async def test_a_text_up_to_the_bound_is_read(self, length: int, code: int) -> None:
        async with serving(frame_bytes_max=1000) as node:
            station = await upgraded(node)
            station.write(masked(b"x" * length))

            if code:
                assert await closing_code(station) == code
            else:
                assert len((await node.log.received())[0].frame) == length
            await station.close()
            assert (await node.log.closed())[0].code in (code, 1006)

    async def test_a_day_of_samples_in_one_stop_is_read(self) -> None:
        sampled = '{"value":"1234567","measurand":"Energy.Active.Import.Register","unit":"Wh"}'
        value = f'{{"timestamp":"2026-11-23T14:00:00Z","sampledValue":[{sampled}]}}'
        data = ",".join([value] * 1440)
        stop = '"transactionId":1,"meterStop":1,"timestamp":"2026-11-23T14:00:00Z"'
        text = f'[2,"1","StopTransaction",{{{stop},"transactionData":[{data}]}}]'
        async with serving() as node, await node.connect() as station:
            await station.send(text)

            (record,) = await node.log.received()

            assert (record.frame, record.error) == (text, "")

    async def test_a_length_of_eight_bytes_that_lies_costs_nothing(self) -> None:
        async with serving() as node:
            station = await upgraded(node)
            station.write(b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4))

            assert await closing_code(station) == 1009
            await station.close()

    @pytest.mark.parametrize("zeros", [300_000, 60 * 2**20])
    async def test_a_deflate_bomb_is_not_inflated(self, zeros: int) -> None:
        async with serving() as node:
            station = await upgraded(node, DEFLATE)
            station.write(masked(deflated(bytes(zeros)), 0xC1))

            assert await closing_code(station) == 1009
            await station.close()

    async def test_a_bomb_in_fragments_is_not_inflated(self) -> None:
        async with serving(frame_bytes_max=10_000) as node:
            station = await upgraded(node, DEFLATE)
            packed = deflated(b"x" * 20_000)
            station.write(masked(packed[:10], 0x41) + masked(packed[10:], 0x80))

            assert await closing_code(station) == 1009
            await station.close()

    async def test_fragments_without_end_are_cut_off(self) -> None:
        async with serving(fragments_max=100) as node:
            station = await upgraded(node)
            station.write(masked(b"", 0x01) + masked(b"", 0x00) * 100)

            assert await closing_code(station) == 1008
            await station.close()


class TestProtocol:
    """RFC 6455, 5: who breaks it is told 1002 and nobody else notices."""

    @pytest.mark.parametrize(
        "sent",
        [
            b"\x81\x02{}",
            masked(b"{}", 0xC1),
            masked(b"{}", 0x83),
            masked(b"{}", 0x80),
            masked(b"{}", 0x01) + masked(b"{}", 0x81),
            masked(b"x" * 126, 0x89),
            masked(b"", 0x09),
            masked(b"\x03", 0x88),
            masked((999).to_bytes(2, "big"), 0x88),
        ],
        ids=[
            "unmasked",
            "reserved bit",
            "unknown opcode",
            "continuation of nothing",
            "text inside a fragmented text",
            "long ping",
            "fragmented ping",
            "close of one byte",
            "close code out of range",
        ],
    )
    async def test_a_broken_frame_ends_its_connection_only(self, sent: bytes) -> None:
        async with serving(Answering()) as node, await node.connect("/ocpp/other") as other:
            station = await upgraded(node)
            station.write(sent)

            assert await closing_code(station) == 1002
            await station.close()
            assert (await node.log.closed())[0].code == 1002

            await other.send(HEARTBEAT)
            assert "currentTime" in str(await other.recv())


class TestRate:
    async def test_a_flood_is_read_slower_and_nothing_is_dropped(self) -> None:
        async with serving(frames_per_s=100.0, frames_burst=50) as node:
            station = await upgraded(node)
            station.write(masked(HEARTBEAT.encode()) * 5000)
            await node.until(lambda: len(node.log.payloads) > 50)
            for _ in range(20):
                await asyncio.sleep(0.001)
                node.turn(0.25)
            seen = len(node.log.payloads)
            assert seen < 5000

            while len(node.log.payloads) < 5000:
                node.clock[0] += 60_000_000
                node.turn(0.25)
                await asyncio.sleep(0.001)

            assert [record.number for record in await node.log.received(5000)][-1] == 5000
            await station.close()

    async def test_a_flood_of_pings_is_slowed_too(self) -> None:
        async with serving(frames_per_s=100.0, frames_burst=50) as node:
            station = await upgraded(node)
            station.write(masked(b"", 0x89) * 200)
            await node.until(lambda: node.server.counters()["slowed"] == 1)
            await station.close()

    async def test_a_clock_that_is_set_back_slows_nobody_down_for_long(self) -> None:
        async with serving(frames_per_s=100.0, frames_burst=50) as node:
            station = await upgraded(node)
            station.write(masked(HEARTBEAT.encode()) * 60)
            await node.until(lambda: node.server.counters()["slowed"] == 1)

            node.clock[0] -= 3_600_000_000
            node.turn(0.25)

            assert node.server.counters()["slowed"] == 0
            await station.close()

    async def test_unreadable_frames_in_number_end_the_connection(self) -> None:
        async with serving(unreadable_per_minute_max=20) as node:
            station = await upgraded(node)
            station.write(masked(b"?") * 19)
            await node.log.received(19)
            node.clock[0] += 61_000_000
            station.write(masked(b"?") * 19)
            await node.log.received(38)

            station.write(masked(b"?"))

            assert await closing_code(station) == 1008
            await station.close()


class TestSilence:
    async def test_who_answered_once_and_then_is_silent_is_cut_at_the_deadline(self) -> None:
        async with serving(ping_s=45.0, pong_s=20.0) as node:
            station = await upgraded(node)
            await pinged(node, station)
            station.write(masked(b"", 0x8A))
            await node.until(lambda: node.server.counters()["answering_pings"] == 1)
            node.turn(20.0)

            node.turn(45.0 + 20.0)

            await station.rest()
            (closed,) = await node.log.closed()
            assert (closed.code, closed.reason) == (1006, "ping unanswered")
            await station.close()

    async def test_any_frame_is_a_sign_of_life(self) -> None:
        async with serving(ping_s=45.0, pong_s=20.0) as node:
            station = await upgraded(node)
            station.write(masked(b"", 0x8A))
            await node.until(lambda: node.server.counters()["answering_pings"] == 1)
            for count in range(1, 6):
                await pinged(node, station)
                station.write(masked(HEARTBEAT.encode()))
                await node.log.received(count)
                node.turn(20.0)

            station.write(masked(b"?", 0x89))
            assert await station.frame() == (0x8A, b"?")
            await station.close()

    async def test_who_never_answers_pings_is_given_longer(self) -> None:
        async with serving(ping_s=45.0, pong_s=20.0, silence_s=900.0) as node:
            station = await upgraded(node)
            node.turn(300.0)
            await asyncio.sleep(0)
            assert node.server.counters()["connections"] == 1

            node.turn(900.0)

            await station.rest()
            assert (await node.log.closed())[0].reason == "ping unanswered"
            await station.close()


class TestSlowReader:
    async def test_who_does_not_read_is_cut_and_holds_up_nobody(self) -> None:
        async with serving(Answering(), outbound_bytes_max=64 * 1024) as node:
            station = await clogged(node)

            node.turn(10.0)

            (closed,) = await node.log.closed()
            assert (closed.code, closed.reason) == (1006, "a slow reader")
            station.close()

    async def test_what_waits_for_a_slow_reader_is_bounded(self) -> None:
        async with serving(outbound_bytes_max=64 * 1024, outbound_stall_s=3600.0) as node:
            station = await clogged(node)
            (opened,) = node.log.of(ConnectionOpened)
            for offset in range(10_000, 10_010):
                node.server.deliver(
                    opened.connection, offset, "x" * 64 * 1024, message_type=CALLRESULT
                )

            (closed,) = await node.log.closed()
            assert (closed.code, closed.reason) == (1006, "a slow reader")
            station.close()

    async def test_who_reads_again_goes_on(self) -> None:
        async with serving(Answering(), outbound_bytes_max=64 * 1024) as node:
            station = await clogged(node)
            loop = asyncio.get_running_loop()
            while node.server.counters()["slowed"]:
                await loop.sock_recv(station, 2**20)

            node.turn(10.0)

            assert node.server.counters()["connections"] == 1
            station.close()


async def pinged(node: Node, station: Raw) -> None:
    """Turn the clockwork just until the next ping, and read it."""
    sent = node.server.counters()["pings"]
    while node.server.counters()["pings"] == sent:
        node.turn(0.25)
    assert await station.frame() == (0x89, b"")


async def clogged(node: Node) -> socket.socket:
    """Return a station that does not read, once the node's buffer for it is full."""
    loop = asyncio.get_running_loop()
    station = socket.socket()
    station.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    station.setblocking(False)
    await loop.sock_connect(station, ("127.0.0.1", node.port))
    await loop.sock_sendall(station, request())
    await node.log.until(ConnectionOpened)
    connection = node.log.of(ConnectionOpened)[0].connection
    await node.until(lambda: node.server.counters()["connections"] == 1)
    offset = 0
    while node.server.counters()["slowed"] == 0:
        offset += 1
        assert offset < 10_000
        node.server.deliver(connection, offset, "x" * 16_384, message_type=CALLRESULT)
        await asyncio.sleep(0)
    return station
