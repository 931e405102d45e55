"""Deliveries: on the connection they name, in order, once, in time, with their secrets."""

import asyncio
import base64

import pytest
from websockets.asyncio.client import ClientConnection

from schemas.journal import Unavailable
from schemas.records import CALL, CALLRESULT, ConnectionOpened, DeliveryFailed
from tests.ingress.node import NOW_US, Node, request, serving

CALL_FRAME = '[2,"c","Reset",{"type":"Soft"}]'
PASSWORD_FRAME = '[2,"k","ChangeConfiguration",{"key":"AuthorizationKey","value":"secret:one"}]'


def connection_of(node: Node) -> str:
    return node.log.of(ConnectionOpened)[-1].connection


async def next_texts(station: ClientConnection, count: int) -> list[str]:
    async with asyncio.timeout(20):
        return [str(await station.recv()) for _ in range(count)]


class TestWriting:
    async def test_frames_of_one_turn_arrive_in_order(self) -> None:
        async with serving() as node, await node.connect() as station:
            texts = [f'[3,"{number}",{{}}]' for number in range(100)] + ["x" * 70_000]
            for offset, text in enumerate(texts):
                assert node.server.deliver(
                    connection_of(node), offset, text, message_type=CALLRESULT
                )

            assert await next_texts(station, 101) == texts

    async def test_a_repeat_is_not_written_again_and_fails_nothing(self) -> None:
        async with serving() as node, await node.connect() as station:
            connection = connection_of(node)
            assert node.server.deliver(connection, 7, CALL_FRAME, message_type=CALL)

            assert not node.server.deliver(connection, 7, CALL_FRAME, message_type=CALL)
            assert not node.server.deliver(connection, 3, CALL_FRAME, message_type=CALL)
            assert node.server.deliver(connection, 8, "[3]", message_type=CALLRESULT)

            assert await next_texts(station, 2) == [CALL_FRAME, "[3]"]
            assert node.log.of(DeliveryFailed) == []

    async def test_a_call_is_written_until_its_deadline(self) -> None:
        async with serving() as node, await node.connect() as station:
            connection = connection_of(node)
            assert node.server.deliver(
                connection, 1, CALL_FRAME, message_type=CALL, deadline_us=NOW_US
            )
            node.clock[0] += 1
            assert not node.server.deliver(
                connection, 2, CALL_FRAME, message_type=CALL, deadline_us=NOW_US
            )

            (failed,) = node.log.of(DeliveryFailed)
            assert (failed.connection, failed.delivery) == (connection, 2)
            assert failed.reason == "its deadline has passed"
            assert await next_texts(station, 1) == [CALL_FRAME]

    async def test_an_answer_knows_no_deadline(self) -> None:
        async with serving() as node, await node.connect() as station:
            assert node.server.deliver(
                connection_of(node), 1, "[3]", message_type=CALLRESULT, deadline_us=1
            )
            assert await next_texts(station, 1) == ["[3]"]


class TestNotWriting:
    async def test_a_call_for_a_connection_that_is_gone_fails(self) -> None:
        async with serving() as node:
            async with await node.connect():
                connection = connection_of(node)
            await node.log.closed()

            assert not node.server.deliver(
                connection, 1, CALL_FRAME, message_type=CALL, tenant="default", station="CP1"
            )

            (failed,) = node.log.of(DeliveryFailed)
            assert (failed.tenant, failed.station) == ("default", "CP1")
            assert failed.delivery == 1

    async def test_an_answer_for_a_connection_that_is_gone_is_dropped_quietly(self) -> None:
        async with serving() as node:
            assert not node.server.deliver(
                "gone", 1, "[3]", message_type=CALLRESULT, tenant="default", station="CP1"
            )
            assert node.log.records == []

    async def test_a_call_for_a_connection_that_is_closing_fails(self) -> None:
        async with serving() as node:
            station = await node.raw()
            await station.upgrade()
            node.server.close_replaced(connection_of(node))

            assert not node.server.deliver(connection_of(node), 1, CALL_FRAME, message_type=CALL)

            assert [record.delivery for record in node.log.of(DeliveryFailed)] == [1]
            await station.close()

    async def test_a_delivery_never_moves_to_the_stations_newer_connection(self) -> None:
        async with serving() as node:
            old = await node.raw()
            await old.upgrade()
            connection = connection_of(node)
            async with await node.connect() as new:
                await old.frame()

                assert not node.server.deliver(connection, 1, CALL_FRAME, message_type=CALL)
                assert node.server.deliver(connection_of(node), 2, "[3]", message_type=CALLRESULT)

                assert await next_texts(new, 1) == ["[3]"]
                assert [record.connection for record in node.log.of(DeliveryFailed)] == [connection]
            await old.close()

    async def test_a_failure_is_told_once_the_log_is_up_again(self) -> None:
        async with serving() as node:
            node.log.down = True
            node.server.deliver(
                "gone", 1, CALL_FRAME, message_type=CALL, tenant="default", station="CP1"
            )
            node.log.down = False

            node.turn(0.25)

            assert [record.delivery for record in node.log.of(DeliveryFailed)] == [1]


class TestSecrets:
    async def test_a_secret_is_filled_in_and_everything_behind_it_waits(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.secrets["one"] = 'pass"word\\'
            connection = connection_of(node)
            assert node.server.deliver(
                connection, 1, PASSWORD_FRAME, message_type=CALL, secrets=("one",)
            )
            for offset in (2, 3):
                assert node.server.deliver(
                    connection, offset, f"[{offset}]", message_type=CALLRESULT
                )

            node.vault.opens.set()

            first, *others = await next_texts(station, 3)
            assert first == PASSWORD_FRAME.replace('"secret:one"', '"pass\\"word\\\\"')
            assert others == ["[2]", "[3]"]

    async def test_a_repeat_of_what_waits_is_a_repeat(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.secrets["one"] = "p"
            for _ in range(2):
                node.server.deliver(
                    connection_of(node), 1, PASSWORD_FRAME, message_type=CALL, secrets=("one",)
                )
            node.vault.opens.set()
            assert "p" in (await next_texts(station, 1))[0]

            node.server.deliver(connection_of(node), 2, "[3]", message_type=CALLRESULT)

            assert await next_texts(station, 1) == ["[3]"]

    async def test_a_secret_that_the_station_gives_back_is_not_kept(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.secrets["one"] = "a-long-password"
            node.vault.opens.set()
            node.server.deliver(
                connection_of(node), 1, PASSWORD_FRAME, message_type=CALL, secrets=("one",)
            )
            told = await station.recv()
            await station.send(told)
            await station.send('[4,"k","GenericError","a-long-password is no key",{}]')
            await station.send(b'[3,"k",{"was":"a-long-password"}]')
            records = await node.log.received(3)

            mark = f"redacted:{node.vault.digest('a-long-password')}"
            assert "a-long-password" in str(told)
            assert "a-long-password" not in repr(records) + repr(node.log.payloads)
            assert [record.redactions for record in records] == [1, 1, 1]
            assert records[1].frame == f'[4,"k","GenericError","{mark} is no key",{{}}]'
            assert b"a-long-password" not in base64.b64decode(records[2].frame_base64)

            await station.close(1000, "bye a-long-password")
            (closed,) = await node.log.closed()
            assert closed.reason == f"bye {mark}"

    async def test_a_secret_that_is_gone_fails_its_call_and_nothing_else(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.opens.set()
            node.server.deliver(
                connection_of(node), 1, PASSWORD_FRAME, message_type=CALL, secrets=("one",)
            )
            node.server.deliver(connection_of(node), 2, "[3]", message_type=CALLRESULT)

            assert await next_texts(station, 1) == ["[3]"]
            assert [record.delivery for record in node.log.of(DeliveryFailed)] == [1]

    async def test_an_answer_whose_secret_is_gone_is_not_owed_any_more(self) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.opens.set()
            await station.send('[2,"d","DataTransfer",{"vendorId":"V"}]')
            await node.log.received()
            [connection] = node.server._by_id.values()  # noqa: SLF001
            owed = connection.owed
            frame = '[3,"d",{"status":"Accepted","data":"secret:one"}]'
            node.server.deliver(connection.id, 1, frame, message_type=CALLRESULT, secrets=("one",))
            node.server.deliver(connection.id, 2, CALL_FRAME, message_type=CALL)

            assert await next_texts(station, 1) == [CALL_FRAME]
            assert (owed, connection.owed) == (1, 0)
            assert node.log.of(DeliveryFailed) == []

    async def test_a_secret_that_comes_after_the_deadline_is_not_written(self) -> None:
        async with serving() as node, await node.connect():
            node.vault.secrets["one"] = "p"
            node.server.deliver(
                connection_of(node),
                1,
                PASSWORD_FRAME,
                message_type=CALL,
                deadline_us=NOW_US,
                secrets=("one",),
            )
            node.clock[0] += 1
            node.vault.opens.set()

            (failed,) = await node.log.until(DeliveryFailed)

            assert failed.reason == "its deadline has passed"

    @pytest.mark.parametrize("error", [Unavailable(), KeyError("one")])
    async def test_a_frame_never_leaves_with_the_name_of_a_secret_in_it(
        self, error: Exception
    ) -> None:
        async with serving() as node, await node.connect() as station:
            node.vault.fails = error
            node.vault.opens.set()
            node.server.deliver(
                connection_of(node), 1, PASSWORD_FRAME, message_type=CALL, secrets=("one",)
            )
            node.server.deliver(connection_of(node), 2, "[3]", message_type=CALLRESULT)

            assert await next_texts(station, 1) == ["[3]"]


async def test_what_comes_while_the_connection_opens_is_written_once_it_is_open() -> None:
    async with serving() as node:
        node.log.confirms.clear()
        async with asyncio.TaskGroup() as tasks:
            connecting = tasks.create_task(node.connect())
            (opened,) = await node.log.until(ConnectionOpened)
            assert node.server.deliver(opened.connection, 7, CALL_FRAME, message_type=CALL)
            node.log.confirms.set()
        async with connecting.result() as station:
            assert await station.recv() == CALL_FRAME
        assert node.log.of(DeliveryFailed) == []


async def test_what_comes_for_an_opening_that_fails_has_failed() -> None:
    async with serving(handshake_s=0.05) as node:
        node.log.confirms.clear()
        station = await node.raw()
        station.write(request())
        (opened,) = await node.log.until(ConnectionOpened)
        node.server.deliver(
            opened.connection, 7, CALL_FRAME, message_type=CALL, tenant="default", station="CP1"
        )
        (failed,) = await node.log.until(DeliveryFailed)
        assert (failed.connection, failed.delivery) == (opened.connection, 7)
        await station.close()
