"""Habits of real stations at the handshake and below OCPP, on real sockets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ingress.ports import Admission
from schemas import switches, tolerance
from schemas.credentials import make_verifier
from schemas.records import ConnectionClosed, ConnectionOpened
from schemas.switches import Switches
from tests.ingress.node import HEARTBEAT, PEPPER, Answering, Node, basic, masked, request, serving
from tests.quirks import QUIRKS, told

HANDSHAKES = {52, 78, 80, 86}
HABITS = {87, 88, 89}


def test_every_habit_has_its_test_here() -> None:
    assert {quirk.number for quirk in told("handshake")} == HANDSHAKES
    assert {quirk.number for quirk in told("websocket")} == HABITS
    assert len(QUIRKS) == 91


def switched(node: Node, station: str = "CP1", **switches: Any) -> None:
    node.stations.known["default", station] = Admission(
        registered=True, switches=Switches(**switches)
    )


async def test_quirk_52_a_line_break_after_the_password_is_not_part_of_it() -> None:
    async with serving(accept_unknown_stations=False) as node:
        verifier = make_verifier(b"attack", PEPPER, bytes(16))
        name = "782184F83BBCXXX"
        node.stations.known["default", name] = Admission(registered=True, verifiers=(verifier,))
        station = await node.raw()
        station.write(QUIRKS[52].frame.encode())

        assert b" 101 " in await station.head()
        (opened,) = node.log.of(ConnectionOpened)
        assert (opened.station, opened.proof) == (name, "basic")
        assert set(opened.violations) == {
            tolerance.PASSWORD_LINE_BREAK.flag,
            tolerance.URL_IN_PATH.flag,
        }
        await station.close()


async def test_a_password_that_is_wrong_is_wrong_with_a_line_break_too() -> None:
    async with serving(accept_unknown_stations=False) as node:
        node.stations.register("CP1", b"attack-attack-attack")
        station = await node.raw()
        head = await station.upgrade("/ocpp/CP1", f"Authorization: {basic('CP1', b'attack')}")
        assert b" 401 " in head
        again = await node.raw()
        proof = basic("CP1", b"attack-attack-attack\n\n ")
        assert b" 401 " in await again.upgrade("/ocpp/CP1", f"Authorization: {proof}")
        await station.close()
        await again.close()


async def test_quirk_78_a_station_that_connects_and_says_nothing_stays() -> None:
    async with serving() as node, await node.connect():
        node.turn(300.0)
        await asyncio.sleep(0.01)

        assert node.server.counters()["connections"] == 1
        assert node.log.of(ConnectionClosed) == []


async def test_quirk_80_a_listener_may_let_in_who_offers_no_sub_protocol() -> None:
    async with serving() as node:
        strict = await node.raw()
        strict.write(request("/ocpp/WIRELANE1", protocol=""))
        await strict.head()
        assert (await strict.frame())[0] == 0x88

        node.port = await node.server.listen("127.0.0.1", 0, require_subprotocol=False)
        async with await node.connect("/ocpp/WIRELANE1", protocols=()) as station:
            await station.send(HEARTBEAT)
            await node.log.received()
        (opened,) = node.log.of(ConnectionOpened)
        assert opened.violations == (tolerance.NO_SUBPROTOCOL.flag,)
        await strict.close()


@pytest.mark.parametrize("offered", [(), ("ocpp1.5",)])
async def test_a_station_of_a_known_version_need_offer_none(offered: tuple[str, ...]) -> None:
    async with serving() as node:
        switched(node, speaks="2.0.1")
        async with await node.connect(protocols=offered) as station:
            await station.send('[2,"1","NotifyEvent",{}]')
            (received,) = await node.log.received()
    assert received.protocol == "2.0.1"


@pytest.mark.parametrize(
    ("path", "tenant", "station"),
    [
        ("/ws://192.168.1.2:9000/CP_1/SERIAL_1234", "default", "SERIAL_1234"),
        ("/ws:/192.168.1.2:9000/SERIAL_1234", "default", "SERIAL_1234"),
        ("/wss://csms.example/ocpp/SERIAL_1234", "default", "SERIAL_1234"),
        ("/wss://csms.example/ocpp/acme/SERIAL_1234", "acme", "SERIAL_1234"),
        ("/SERIAL_1234", "default", "SERIAL_1234"),
    ],
)
async def test_quirk_86_a_url_in_the_path_names_one_station(
    path: str, tenant: str, station: str
) -> None:
    async with serving() as node:
        raw = await node.raw()
        assert b" 101 " in await raw.upgrade(path)
        (opened,) = node.log.of(ConnectionOpened)
        assert (opened.tenant, opened.station) == (tenant, station)
        assert opened.violations == (tolerance.URL_IN_PATH.flag,)
        await raw.close()


async def test_quirk_87_a_reserved_bit_ends_its_connection_and_the_next_is_taken() -> None:
    async with serving(Answering()) as node:
        broken = await node.raw()
        await broken.upgrade()
        broken.write(masked(HEARTBEAT.encode(), 0xC1))
        async with await node.connect() as station:
            await station.send(HEARTBEAT)
            assert "currentTime" in str(await station.recv())
        first, payload = await broken.frame()
        assert first == 0x88
        assert int.from_bytes(payload[:2], "big") in (1002, 1008)
        await broken.close()


async def test_quirk_88_a_station_that_knows_no_close_frame_is_hung_up_on() -> None:
    async with serving() as node:
        switched(node, cut_not_closed=True)
        station = await node.raw()
        await station.upgrade()
        await node.until(lambda: node.server.counters()["connections"] == 1)

        assert node.server.close_all(1012, "restarting") == 1

        assert await station.rest() == b""
        (closed,) = await node.log.closed()
        assert (closed.code, closed.reason) == (1012, "restarting")
        await station.close()


async def test_quirk_89_who_answers_no_ping_and_still_talks_stays() -> None:
    async with serving(ping_s=45.0, pong_s=20.0, silence_s=900.0) as node:
        station = await node.raw()
        await station.upgrade()
        for count in range(1, 40):
            station.write(masked(HEARTBEAT.encode()))
            await node.log.received(count)
            node.turn(45.0)
        assert node.server.counters()["connections"] == 1
        assert node.server.counters()["answering_pings"] == 0
        await station.close()


async def test_a_station_that_must_not_be_pinged_is_not_and_is_cut_after_long_silence() -> None:
    async with serving(ping_s=45.0, pong_s=20.0, silence_s=900.0) as node:
        switched(node, never_pinged=True)
        station = await node.raw()
        await station.upgrade()
        await node.until(lambda: node.server.counters()["connections"] == 1)

        node.turn(600.0)
        assert node.server.counters()["connections"] == 1
        node.turn(600.0)

        assert await station.rest() == b""
        assert node.server.counters()["pings"] == 0
        await station.close()


async def test_the_id_of_the_call_before_is_flagged_unless_the_station_is_known_for_it() -> None:
    other = '[2,"1","DataTransfer",{"vendorId":"V"}]'
    async with serving() as node:
        switched(node, "CP2", reuses_message_ids=True)
        for path in ("/ocpp/CP1", "/ocpp/CP2"):
            async with await node.connect(path) as station:
                for text in (HEARTBEAT, HEARTBEAT, other):
                    await station.send(text)
                await node.log.received(3 if path.endswith("1") else 6)
        errors = [record.error for record in await node.log.received(6)]
    assert errors == ["", "", "GenericError", "", "", ""]


def test_the_page_has_every_rule_and_every_switch() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tolerance.md").read_text("utf-8")

    assert tolerance.table() in page
    assert switches.table() in page


def test_a_rule_says_all_that_the_page_needs() -> None:
    for rule in tolerance.RULES.values():
        assert rule.oddity.endswith(".")
        assert rule.done.endswith(".")
        assert rule.why.endswith(".")
        assert rule.switch in ("", *Switches.__struct_fields__)
    assert {rule.switch for rule in tolerance.RULES.values()} > set(Switches.__struct_fields__)
