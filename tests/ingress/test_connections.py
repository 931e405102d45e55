"""An open connection: what is posted, who wins, how it ends."""

import asyncio
import base64
from contextlib import suppress
from itertools import pairwise

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from schemas import frames
from schemas.records import ConnectionClosed, ConnectionOpened, MessageReceived, Record
from tests.ingress.node import (
    HEARTBEAT,
    NOW_US,
    Answering,
    Log,
    Node,
    Raw,
    masked,
    request,
    serving,
)

BOOT = '[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'


async def upgraded(node: Node, path: str = "/ocpp/CP1") -> Raw:
    station = await node.raw()
    assert b" 101 " in await station.upgrade(path)
    return station


async def ended(station: ClientConnection) -> tuple[int, str]:
    """Read to the end; return what the node said in closing."""
    async with asyncio.timeout(20):
        with suppress(websockets.ConnectionClosed):
            while await station.recv():
                pass
        await station.wait_closed()
    return station.close_code or 0, station.close_reason or ""


class TestReceiving:
    async def test_each_text_is_one_record_with_its_verdict_and_payload(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.clock[0] = NOW_US + 7
            for text in (BOOT, HEARTBEAT, '[3,"x",{}]', "nonsense", '[2,"n","Nope",{}]'):
                await station.send(text)

            records = await node.log.received(5)

            assert [record.number for record in records] == [1, 2, 3, 4, 5]
            assert [record.frame for record in records][:2] == [BOOT, HEARTBEAT]
            assert [record.message_type for record in records] == [2, 2, 3, 0, 2]
            assert [record.message_id for record in records] == ["b", "1", "x", "", "n"]
            assert records[0].action == "BootNotification"
            assert [bool(record.error) for record in records] == [False] * 3 + [True] * 2
            assert records[0].recorded_at == NOW_US + 7
            assert node.log.payloads == [frames.payload_of(record) for record in records]
            assert {record.connection for record in records} == {
                node.log.of(ConnectionOpened)[0].connection
            }

    async def test_frames_cut_anywhere_are_put_together(self) -> None:
        async with serving() as node:
            station = await upgraded(node)
            texts = [HEARTBEAT, text_of_length(200), text_of_length(70_000), BOOT]
            stream = b"".join(masked(text.encode()) for text in texts)
            cuts = [0, 1, 2, 5, 6, 7, 30, 40, 41, 42, 300, 301, 65_000, 70_400, len(stream)]
            for start, end in pairwise(cuts):
                station.write(stream[start:end])
                await station.writer.drain()
                await asyncio.sleep(0)

            assert [record.frame for record in await node.log.received(4)] == texts
            await station.close()

    async def test_fragments_and_control_frames_between_them_are_put_together(self) -> None:
        async with serving() as node:
            station = await upgraded(node)
            station.write(masked(HEARTBEAT[:5].encode(), 0x01) + masked(b"?", 0x89))
            station.write(masked(HEARTBEAT[5:9].encode(), 0x00) + masked(b"", 0x00))
            station.write(masked(HEARTBEAT[9:].encode(), 0x80) + masked(BOOT.encode()))

            assert await station.frame() == (0x8A, b"?")
            assert [record.frame for record in await node.log.received(2)] == [HEARTBEAT, BOOT]
            await station.close()

    @pytest.mark.parametrize("compression", ["deflate", None])
    async def test_compression_is_a_matter_of_the_wire(self, compression: str | None) -> None:
        async with (
            serving(Answering()) as node,
            await node.connect(compression=compression) as station,
        ):
            await station.send(text_of_length(5000))

            assert "currentTime" in str(await station.recv())
            assert (await node.log.received())[0].frame == text_of_length(5000)

    async def test_compression_is_offered_without_context_takeover(self) -> None:
        async with serving() as node:
            station = await node.raw()
            offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

            head = await station.upgrade("/ocpp/CP1", offer)

            assert b"server_no_context_takeover; client_no_context_takeover" in head
            await station.close()

    async def test_a_binary_frame_is_kept_in_base64(self) -> None:
        async with serving() as node, await node.connect() as station:
            await station.send(b"\x00\xff")

            (record,) = await node.log.received()

            assert (record.frame, record.message_type) == ("", 0)
            assert base64.b64decode(record.frame_base64) == b"\x00\xff"
            assert record.error == "FormationViolation"

    async def test_a_text_that_would_swell_in_the_record_is_kept_in_base64(self) -> None:
        async with serving() as node, await node.connect() as station:
            await station.send("\x01" * 1000)

            (record,) = await node.log.received()

            assert base64.b64decode(record.frame_base64) == b"\x01" * 1000

    async def test_a_text_that_is_not_utf8_is_kept_and_its_socket_closed(self) -> None:
        async with serving() as node:
            station = await upgraded(node)
            station.write(masked(b"\xff\xfe"))

            first, payload = await station.frame()

            assert (first, payload[:2]) == (0x88, (1007).to_bytes(2, "big"))
            assert (await node.log.received())[0].frame_base64
            await station.close()
            assert (await node.log.closed())[0].code == 1007

    async def test_malformed_texts_never_end_the_connection(self) -> None:
        corpus = ["{", "[]", "[2]", "[" * 5000, "[2,null]", '[2,"1"]', "[9]", '["2"]', "1e999", ""]
        async with serving(Answering()) as node, await node.connect() as station:
            for text in corpus:
                await station.send(text)
            await station.send(HEARTBEAT)

            assert "currentTime" in str(await station.recv())
            assert len(await node.log.received(11)) == 11

    async def test_what_was_seen_is_counted_by_names_that_stations_cannot_choose(self) -> None:
        async with serving() as node, await node.connect() as station:
            for text in (HEARTBEAT, '[2,"1","A",{}]', '[2,"1","B",{}]', "x"):
                await station.send(text)
            await node.log.received(4)

            assert node.server.counters()["frames"] == {
                ("Heartbeat", ""): 1,
                ("CALL", "NotImplemented"): 2,
                ("unreadable", "FormationViolation"): 1,
            }


class TestNewestWins:
    async def test_a_newer_connection_replaces_the_older(self) -> None:
        async with (
            serving(Answering()) as node,
            await node.connect() as old,
            await node.connect() as new,
        ):
            assert await ended(old) == (1008, "replaced by a newer connection")
            (closed,) = await node.log.closed()
            first, second = node.log.of(ConnectionOpened)
            assert closed.connection == first.connection

            await new.send(HEARTBEAT)

            assert "currentTime" in str(await new.recv())
            assert node.server.connection_of("default", "CP1") == second.connection

    async def test_an_old_socket_that_ends_late_does_not_take_the_new_one_with_it(self) -> None:
        async with serving(Answering()) as node:
            old = await upgraded(node)
            async with await node.connect() as new:
                assert (await old.frame())[0] == 0x88
                await old.close()
                await node.log.closed()

                await new.send(HEARTBEAT)

                assert "currentTime" in str(await new.recv())
                assert node.server.counters()["connections"] == 1

    async def test_frames_of_the_old_socket_still_count(self) -> None:
        async with serving() as node:
            old = await upgraded(node)
            async with await node.connect():
                await old.frame()
                old.write(masked(HEARTBEAT.encode()))

                (record,) = await node.log.received()

                assert record.connection == node.log.of(ConnectionOpened)[0].connection
                await old.close()

    async def test_a_half_open_old_socket_is_cut_after_a_while(self) -> None:
        async with serving(closing_s=2.0) as node:
            old = await upgraded(node)
            async with await node.connect():
                await old.frame()

                node.turn(2.0)

                assert await old.rest() == b""
                assert (await node.log.closed())[0].code == 1008
                await old.close()

    async def test_a_refused_newcomer_leaves_the_old_connection_alone(self) -> None:
        async with serving(Answering()) as node, await node.connect() as station:
            node.stations.register("CP1", b"p" * 16)
            with pytest.raises(websockets.InvalidStatus):
                await node.connect()

            await station.send(HEARTBEAT)

            assert "currentTime" in str(await station.recv())

    async def test_the_newest_is_the_last_appended_whichever_is_confirmed_first(self) -> None:
        log = Backwards()
        async with serving(log) as node:
            stations = [await node.raw() for _ in range(3)]
            for count, station in enumerate(stations, 1):
                station.write(request())
                await log.until(ConnectionOpened, count)

            for confirmed in reversed(log.each):
                confirmed.set()
            await node.until(lambda: node.server.counters()["handshakes"] == {"opened": 3})

            first, second, newest = log.of(ConnectionOpened)
            assert node.server.connection_of("default", "CP1") == newest.connection
            for station in stations[:2]:
                assert b" 101 " in await station.head()
                assert (await station.frame())[0] == 0x88
                await station.close()
            closed = await log.closed(2)
            assert {end.connection for end in closed} == {first.connection, second.connection}
            await stations[2].close()

    async def test_tenants_do_not_replace_each_other(self) -> None:
        async with (
            serving(Answering()) as node,
            await node.connect("/ocpp/a/CP1") as one,
            await node.connect("/ocpp/b/CP1"),
        ):
            await one.send(HEARTBEAT)

            assert "currentTime" in str(await one.recv())


class TestTheEnd:
    @pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4000, "own")])
    async def test_the_record_says_what_the_station_said(self, code: int, reason: str) -> None:
        async with serving() as node:
            station = await node.connect()
            await station.close(code, reason)

            (closed,) = await node.log.closed()

            assert (closed.code, closed.reason) == (code, reason)

    async def test_a_socket_that_breaks_is_an_abnormal_end(self) -> None:
        async with serving() as node:
            station = await upgraded(node)
            station.writer.transport.abort()

            (closed,) = await node.log.closed()

            assert closed.code == 1006

    async def test_the_node_can_close_one_some_or_all(self) -> None:
        async with (
            serving() as node,
            await node.connect("/ocpp/A") as a,
            await node.connect("/ocpp/B") as b,
            await node.connect("/ocpp/C") as c,
        ):
            opened = node.log.of(ConnectionOpened)
            assert node.server.close_replaced(opened[0].connection)
            assert await ended(a) == (1008, "replaced by a newer connection")
            assert not node.server.close_replaced(opened[0].connection)

            assert node.server.close_where(lambda _, station: station == "B") == 1
            assert await ended(b) == (1013, "")

            node.server.close_all(1013, "no log")
            assert await ended(c) == (1013, "no log")

    async def test_a_restart_closes_everything_and_says_so(self) -> None:
        async with serving() as node:
            stations = [await node.connect(f"/ocpp/CP{number}") for number in range(10)]
            ends = asyncio.gather(*(ended(station) for station in stations))

            await node.server.close()

            assert set(await ends) == {(1012, "restarting")}
            assert [record.code for record in node.log.of(ConnectionClosed)] == [1012] * 10
            with pytest.raises(OSError, match="Connect"):
                await node.raw()

    async def test_a_restart_does_not_wait_for_who_does_not_answer(self) -> None:
        async with serving(drain_s=0.05) as node:
            station = await upgraded(node)

            await node.server.close()

            assert [record.code for record in node.log.of(ConnectionClosed)] == [1012]
            await station.close()


class TestTheLogIsDown:
    async def test_nothing_is_answered_and_what_came_is_kept_until_it_is_up_again(self) -> None:
        async with serving(Answering()) as node, await node.connect() as station:
            node.log.down = True
            await station.send(HEARTBEAT)
            await station.send(BOOT)
            await node.until(lambda: node.server.counters()["held"] == 1)

            node.log.down = False
            node.turn(0.25)

            assert [await station.recv(), await station.recv()]
            assert [record.number for record in node.log.of(MessageReceived)] == [1, 2]

    async def test_after_a_while_the_socket_is_closed_to_be_tried_again(self) -> None:
        async with serving(hold_s=20.0) as node, await node.connect() as station:
            node.log.down = True
            await station.send(HEARTBEAT)
            await node.until(lambda: node.server.counters()["held"] == 1)

            node.turn(20.0)

            assert await ended(station) == (1013, "the log cannot be written")

    async def test_what_it_did_not_take_before_the_close_does_not_come_after_it(self) -> None:
        async with serving() as node:
            station = await node.connect()
            node.log.down = True
            await station.send(HEARTBEAT)
            await node.until(lambda: node.server.counters()["held"] == 1)
            node.server.close_all(1013, "the journal cannot be written")
            node.log.down = False

            assert await ended(station) == (1013, "the journal cannot be written")
            await node.log.closed()
            assert node.log.of(MessageReceived) == []

    async def test_the_end_is_told_once_the_log_is_up_again(self) -> None:
        async with serving() as node:
            station = await node.connect()
            node.log.down = True
            await station.close()
            await node.until(lambda: node.server.counters()["owed_records"] == 1)

            node.log.down = False
            node.turn(0.25)

            assert [record.code for record in node.log.of(ConnectionClosed)] == [1000]
            assert node.server.counters()["owed_records"] == 0


def text_of_length(length: int) -> str:
    return f'[2,"d","DataTransfer",{{"vendorId":"v","data":"{"y" * length}"}}]'


class Backwards(Log):
    """Confirms openings in the order that the test likes."""

    def __init__(self) -> None:
        super().__init__()
        self.each: list[asyncio.Event] = []

    async def append(self, record: Record) -> None:
        await super().append(record)
        self.each.append(asyncio.Event())
        await self.each[-1].wait()
