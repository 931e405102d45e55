"""The opening handshake on real sockets: sub-protocols, passwords, refusals, durability."""

import asyncio
import base64
import time

import pytest
import websockets

from ingress.failures import DELAY_S, FREE, NAMES_MAX, WINDOW_S, Failures
from ingress.handshake import Refused, examine
from ingress.options import Options
from ingress.ports import Admission
from schemas.journal import AppendUnknown
from schemas.records import ConnectionClosed, ConnectionOpened, Record
from tests.ingress.node import (
    HEARTBEAT,
    PEPPER,
    Log,
    Node,
    Stations,
    basic,
    masked,
    request,
    serving,
)

KEY = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")
VECTOR = "Basic QUwxMDAwOgABAgMEBQYH////////////////"
"""OCPP-J 1.6, 6.2.2: user AL1000 with that key."""


async def status_of(node: Node, path: str = "/ocpp/CP1", authorization: str = "") -> int:
    try:
        async with await node.connect(path, authorization=authorization):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


async def refused(authorization: str) -> None:
    async with serving() as node:
        node.stations.register("CP1", b"p" * 16)
        node.stations.register("CP2", b"q" * 16)
        with pytest.raises(websockets.InvalidStatus) as answer:
            await node.connect("/ocpp/CP1", authorization=authorization)
        response = answer.value.response
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic")
        assert node.log.records == []


class Optimist(Log):
    """Accepts newcomers although it is down."""

    def accepts(self, tenant: str, station: str) -> bool:
        return True


class NoNewcomers(Log):
    """Takes records, and still accepts no newcomers."""

    def accepts(self, tenant: str, station: str) -> bool:
        return False


class Doubtful(Log):
    """Appends, and cannot say so."""

    async def append(self, record: Record) -> None:
        await super().append(record)
        raise AppendUnknown


class TestSubprotocol:
    """OCPP-J 1.6, 3.2; 2.0.1, part 4, 3.1.2."""

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [
            (["ocpp1.6"], "ocpp1.6"),
            (["ocpp1.6", "ocpp2.0.1"], "ocpp1.6"),
            (["ocpp2.0.1", "ocpp1.6"], "ocpp2.0.1"),
            (["ocpp9", "ocpp2.1", "ocpp2.1"], "ocpp2.1"),
        ],
    )
    async def test_the_first_offered_that_we_speak_is_chosen(
        self, offered: list[str], chosen: str
    ) -> None:
        async with serving() as node:
            async with await node.connect(protocols=offered) as station:
                assert station.subprotocol == chosen
            (opened,) = node.log.of(ConnectionOpened)
            assert "ocpp" + opened.protocol == chosen

    @pytest.mark.parametrize("offered", ["ocpp2.0", "OCPP1.6", "", ", ".join(["x"] * 1000)])
    async def test_with_none_in_common_it_is_completed_without_the_header_and_closed(
        self, offered: str
    ) -> None:
        async with serving() as node:
            station = await node.raw()
            station.write(request(protocol=offered))

            head = await station.head()
            first, payload = await station.frame()

            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"sec-websocket-protocol" not in head.lower()
            assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
            assert await station.rest() == b""
            await station.close()
            assert node.log.records == []

    async def test_stations_that_offer_none_may_be_taken_to_speak_1_6(self) -> None:
        async with serving(require_subprotocol=False) as node:
            async with await node.connect(protocols=()) as station:
                await station.send(HEARTBEAT)
                (heartbeat,) = await node.log.received()
            assert heartbeat.action == "Heartbeat"
            assert node.log.of(ConnectionOpened)[0].protocol == "1.6"


class TestPasswords:
    """OCPP-J 1.6, 6.2; 2.0.1 A00.FR.204."""

    async def test_a_05_the_specifications_own_example_is_accepted(self) -> None:
        async with serving(accept_unknown_stations=False) as node:
            node.stations.register("AL1000", KEY)

            assert await status_of(node, "/ocpp/AL1000", VECTOR) == 101
            (opened,) = node.log.of(ConnectionOpened)
            assert (opened.proof, opened.registered) == ("basic", True)

    @pytest.mark.parametrize("presented", [KEY, KEY.hex().encode(), KEY.hex().upper().encode()])
    @pytest.mark.parametrize("registered", [KEY, KEY.hex().encode()])
    async def test_a_key_is_accepted_as_bytes_and_as_digits(
        self, registered: bytes, presented: bytes
    ) -> None:
        async with serving() as node:
            node.stations.register("CP1", registered)

            assert await status_of(node, authorization=basic("CP1", presented)) == 101

    @pytest.mark.parametrize(
        "word", [b"with:colon:inside", "pässwörd-ünïcödé".encode(), b"\xff" * 20]
    )
    async def test_a_06_a_password_is_all_bytes_after_the_first_colon(self, word: bytes) -> None:
        async with serving() as node:
            node.stations.register("CP1", word)

            assert await status_of(node, authorization=basic("CP1", word)) == 101

    async def test_while_a_password_changes_both_are_accepted(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"o" * 16, b"n" * 16)

            assert await status_of(node, authorization=basic("CP1", b"o" * 16)) == 101
            assert await status_of(node, authorization=basic("CP1", b"n" * 16)) == 101

    @pytest.mark.parametrize(
        "authorization",
        [
            "basic",
            "Basic",
            "Basic !!!",
            "Bearer x",
            basic("CP1", b""),
            basic("", b"p" * 16),
            basic(b"CP1\x00", b"p" * 16),
            "Basic " + base64.b64encode(b"CP1").decode(),
            "Basic " + "A" * 8000,
        ],
    )
    async def test_a_07_what_is_no_proof_is_refused(self, authorization: str) -> None:
        await refused(authorization)

    async def test_a_01_without_a_proof_there_is_no_upgrade(self) -> None:
        await refused("")

    async def test_a_02_a_wrong_password_is_refused(self) -> None:
        await refused(basic("CP1", b"wrong"))

    async def test_a_03_another_station_with_its_own_password_is_refused(self) -> None:
        await refused(basic("CP2", b"q" * 16))

    @pytest.mark.parametrize("user", ["CP1Invalid", "cp1"])
    async def test_a_04_a_user_that_is_almost_the_station_is_refused(self, user: str) -> None:
        await refused(basic(user, b"p" * 16))

    async def test_a_07_two_headers_are_no_proof(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"p" * 16)
            header = "Authorization: " + basic("CP1", b"p" * 16)
            station = await node.raw()

            assert b" 401 " in await station.upgrade("/ocpp/CP1", header, header)
            await station.close()

    async def test_a_08_unknown_station_and_wrong_password_get_the_same_bytes(self) -> None:
        async with serving(accept_unknown_stations=False) as node:
            node.stations.register("CP1", b"p" * 16)
            answers = []
            for name in ("CP1", "CP2"):
                station = await node.raw()
                header = "Authorization: " + basic(name, b"wrong")
                station.write(request(f"/ocpp/{name}", header))
                answers.append(await station.rest())
                await station.close()

            assert answers[0] == answers[1]
            assert answers[0].startswith(b"HTTP/1.1 401 ")
            assert b'WWW-Authenticate: Basic realm="OCPP"' in answers[0]

    async def test_a_18_a_password_of_another_tenant_is_none(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"p" * 16, tenant="a")
            node.stations.register("CP1", b"q" * 16, tenant="b")

            assert await status_of(node, "/ocpp/a/CP1", basic("CP1", b"q" * 16)) == 401
            assert await status_of(node, "/ocpp/b/CP1", basic("CP1", b"q" * 16)) == 101

    async def test_a_station_without_a_password_is_marked_as_unproven(self) -> None:
        async with serving(accept_unknown_stations=False) as node:
            node.stations.register("CP1")

            assert await status_of(node) == 101
            (opened,) = node.log.of(ConnectionOpened)
            assert (opened.proof, opened.registered) == ("none", True)

    async def test_an_unknown_station_is_accepted_only_by_setting_and_is_marked(self) -> None:
        async with serving(accept_unknown_stations=True) as node:
            assert await status_of(node) == 101
            (opened,) = node.log.of(ConnectionOpened)
            assert (opened.proof, opened.registered) == ("none", False)
        async with serving(accept_unknown_stations=False) as node:
            assert await status_of(node) == 401

    async def test_a_station_that_may_not_connect_is_told_only_after_its_proof(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"p" * 16)
            known = node.stations.known["default", "CP1"]
            node.stations.known["default", "CP1"] = Admission(
                registered=True, verifiers=known.verifiers, refused="revoked"
            )

            assert await status_of(node, authorization=basic("CP1", b"x")) == 401
            assert await status_of(node, authorization=basic("CP1", b"p" * 16)) == 403


class TestRequests:
    """RFC 6455, 4.2.1; nothing is ever answered with a 5xx of ours."""

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (request("/ocpp/A%2FB"), 400),
            (request("/ocpp/A/"), 404),
            (request("/"), 404),
            (request().replace(b"GET", b"POST"), 405),
            (request().replace(b"13", b"12"), 400),
            (request().replace(b"Upgrade: websocket\r\n", b""), 426),
            (request().replace(b"Sec-WebSocket-Key", b"X"), 400),
            (request().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
            (b"nonsense\r\n\r\n", 400),
            (request("/ocpp/CP1", "X: " + "x" * 17_000), 431),
            (request("/ocpp/CP1", *["X: x"] * 300), 431),
            (b"GET /" + b"x" * 20_000, 431),
            (request("/ocpp/CP1", "Sec-WebSocket-Extensions: ;;;"), 400),
        ],
    )
    async def test_a_bad_request_is_refused(self, sent: bytes, status: int) -> None:
        async with serving() as node:
            station = await node.raw()
            station.write(sent)

            assert (await station.rest()).startswith(b"HTTP/1.1 %d " % status)
            await station.close()
            assert node.log.records == []

    async def test_a_request_may_come_byte_by_byte(self) -> None:
        async with serving() as node:
            station = await node.raw()
            for byte in request():
                station.write(bytes([byte]))
                await station.writer.drain()

            assert (await station.head()).startswith(b"HTTP/1.1 101 ")
            await station.close()

    @pytest.mark.parametrize("sent", [b"", request()[:-2]])
    async def test_a_request_that_does_not_end_is_cut_at_the_deadline(self, sent: bytes) -> None:
        async with serving(handshake_s=10.0) as node:
            station = await node.raw()
            station.write(sent)
            await node.until(lambda: node.server.counters()["sockets"] == 1)

            node.turn(10.0)

            await station.rest()
            await node.until(lambda: node.server.counters()["sockets"] == 0)
            assert node.server.counters()["handshakes"] == {"timeout": 1}
            await station.close()


class TestDurability:
    async def test_101_leaves_only_once_the_opening_is_durable(self) -> None:
        async with serving() as node:
            node.log.confirms.clear()
            station = await node.raw()
            station.write(request())
            await node.log.until(ConnectionOpened)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await station.reader.read(1)

            node.log.confirms.set()

            assert (await station.head()).startswith(b"HTTP/1.1 101 ")
            await station.close()

    async def test_frames_that_come_before_the_answer_are_not_lost(self) -> None:
        async with serving() as node:
            node.log.confirms.clear()
            station = await node.raw()
            station.write(request() + masked(HEARTBEAT.encode()))
            await node.log.until(ConnectionOpened)
            station.write(masked(HEARTBEAT.encode()) + masked(b"", 0x89))

            node.log.confirms.set()

            assert (await station.head()).startswith(b"HTTP/1.1 101 ")
            assert await station.frame() == (0x8A, b"")
            assert [record.number for record in await node.log.received(2)] == [1, 2]
            await station.close()

    async def test_while_the_log_is_told_nothing_is_read(self) -> None:
        async with serving() as node:
            node.log.confirms.clear()
            station = await node.raw()
            station.write(request())
            await node.log.until(ConnectionOpened)
            station.writer.transport.set_write_buffer_limits(0)
            station.write(bytes(64 * 2**20))

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await station.writer.drain()

            station.writer.transport.abort()
            node.log.confirms.set()

    async def test_who_is_gone_before_the_answer_is_closed_in_the_log(self) -> None:
        async with serving(handshake_s=10.0) as node:
            node.log.confirms.clear()
            station = await node.raw()
            station.write(request())
            (opened,) = await node.log.until(ConnectionOpened)
            node.turn(10.0)
            await station.rest()
            await station.close()

            node.log.confirms.set()

            (closed,) = await node.log.closed()
            assert closed.connection == opened.connection
            assert node.server.counters()["connections"] == 0

    async def test_a_log_that_is_too_slow_refuses_and_says_that_it_ended(self) -> None:
        async with serving(handshake_s=0.05, tick_s=10.0) as node:
            node.log.confirms.clear()
            station = await node.raw()

            assert b" 503 " in await station.upgrade()
            (closed,) = await node.log.closed()
            assert closed.connection == node.log.of(ConnectionOpened)[0].connection
            await station.close()

    async def test_while_the_log_is_down_handshakes_get_503_spread_over_time(self) -> None:
        async with serving() as node:
            node.log.down = True
            delays = set()
            for number in range(20):
                station = await node.raw()
                head = await station.upgrade(f"/ocpp/CP{number}")
                assert head.startswith(b"HTTP/1.1 503 ")
                delays.add(int(head.partition(b"Retry-After: ")[2].partition(b"\r\n")[0]))
                await station.close()

            assert len(delays) > 3
            assert min(delays) >= 5
            assert max(delays) <= 120

    async def test_a_partition_that_is_not_accepted_is_not_written_to(self) -> None:
        async with serving(NoNewcomers()) as node:
            assert await status_of(node) == 503
            assert node.log.records == []

    async def test_an_opening_of_unknown_fate_is_refused_and_closed(self) -> None:
        async with serving(Doubtful()) as node:
            assert await status_of(node) == 503

            (closed,) = await node.log.closed()
            assert closed.connection == node.log.of(ConnectionOpened)[0].connection

    async def test_while_the_directory_is_cold_stations_are_asked_to_come_again(self) -> None:
        async with serving() as node:
            node.stations.cold = True

            assert await status_of(node) == 503

    async def test_more_handshakes_than_the_bound_are_asked_to_come_again(self) -> None:
        async with serving(handshakes_max=1) as node:
            node.log.confirms.clear()
            first, second = await node.raw(), await node.raw()
            first.write(request("/ocpp/CP1"))
            await node.log.until(ConnectionOpened)

            assert b" 503 " in await second.upgrade("/ocpp/CP2")

            node.log.confirms.set()
            assert b" 101 " in await first.head()
            await first.close()
            await second.close()

    async def test_more_sockets_than_the_bound_are_asked_to_come_again(self) -> None:
        async with serving(connections_max=1) as node:
            async with await node.connect():
                station = await node.raw()
                assert (await station.rest()).startswith(b"HTTP/1.1 503 ")
                await station.close()
            await node.log.closed()
            assert await status_of(node) == 101

    async def test_d_09_a_tenant_has_its_share_of_the_sockets_and_others_get_in(self) -> None:
        async with serving(connections_max=5, tenant_share_percent=40) as node:
            async with (
                await node.connect("/ocpp/A/CP1"),
                await node.connect("/ocpp/A/CP2") as second,
            ):
                assert await status_of(node, "/ocpp/A/CP3") == 503
                assert await status_of(node, "/ocpp/B/CP1") == 101
                # Whoever has a connection replaces it.
                async with await node.connect("/ocpp/A/CP2"):
                    await second.wait_closed()
            await node.log.closed(4)
            assert await status_of(node, "/ocpp/A/CP3") == 101
            handshakes = node.server.counters()["handshakes"]
            assert isinstance(handshakes, dict)
            assert handshakes["too-many-of-tenant"] == 1

    async def test_an_opening_that_was_not_appended_leaves_no_trace(self) -> None:
        async with serving(Optimist()) as node:
            node.log.down = True

            assert await status_of(node) == 503

            assert node.log.of(ConnectionClosed) == []
            assert node.server.counters()["owed_records"] == 0


class TestAbuse:
    """Group A of the fault cases: whoever is refused costs little, and locks nobody out."""

    async def test_a_09_who_fails_in_a_station_s_name_waits_and_the_station_does_not(self) -> None:
        async with serving() as node, asyncio.TaskGroup() as strangers:
            node.stations.register("CP1", b"p" * 16)
            loop = asyncio.get_running_loop()
            began = loop.time()
            failing = [
                strangers.create_task(status_of(node, authorization=basic("CP1", b"x" * 16)))
                for _ in range(50)
            ]
            for _ in range(3):
                assert await status_of(node, authorization=basic("CP1", b"p" * 16)) == 101
            assert loop.time() - began < DELAY_S
            assert sum(each.done() for each in failing) <= FREE
        assert {each.result() for each in failing} == {401}
        assert loop.time() - began >= DELAY_S

    async def test_a_09_a_minute_later_nobody_waits_and_many_names_take_no_room(
        self,
    ) -> None:
        failures = Failures()
        for number in range(NAMES_MAX + FREE):
            assert failures.delay(("default", f"CP{number}"), 1.0) == 0
        delays = [failures.delay(("default", "CP1"), 2.0) for _ in range(FREE + 1)]

        assert delays == [0.0] * FREE + [DELAY_S]
        assert failures.delay(("default", "CP1"), 2.0 + WINDOW_S + 1) == 0
        assert failures.delay(("default", "CP1"), 2.0 + WINDOW_S + 1) == 0

    async def test_a_10_who_presents_nothing_is_refused_without_a_hash_and_at_little_cost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashed: list[bytes] = []

        def hashing(_verifier: str, password: bytes, _pepper: bytes) -> bool:
            hashed.append(password)
            return False

        monkeypatch.setattr("schemas.credentials.matches", hashing)
        stations = Stations()
        stations.register("CP1", b"p" * 16)
        options = Options(pepper=PEPPER)
        heads = [request(f"/ocpp/{name}") for name in ("CP1", "CP2")] * 250
        began = time.process_time()
        outcomes = {type(examine(head, options, stations)) for head in heads}
        spent = time.process_time() - began

        assert outcomes == {Refused}
        assert hashed == []
        assert spent / len(heads) < 0.002
        examine(request("/ocpp/CP2", "Authorization: " + basic("CP2", b"x")), options, stations)
        assert hashed == [b"x"]

    async def test_a_14_who_has_got_a_password_is_let_in_without_one_no_more(self) -> None:
        async with serving() as node:
            node.stations.register("CP1")
            assert await status_of(node) == 101
            node.stations.register("CP1", b"p" * 16)
            assert await status_of(node, authorization=basic("CP1", b"p" * 16)) == 101
            assert await status_of(node) == 401

    @pytest.mark.parametrize("how", ["blocked", "deregistered"])
    async def test_a_21_a_revoked_station_is_cut_within_a_minute_and_refused(
        self, how: str
    ) -> None:
        async with serving(accept_unknown_stations=False) as node:
            node.stations.register("CP1", b"p" * 16)
            node.stations.register("CP2", b"q" * 16)
            one = await node.connect("/ocpp/CP1", authorization=basic("CP1", b"p" * 16))
            two = await node.connect("/ocpp/CP2", authorization=basic("CP2", b"q" * 16))
            known = node.stations.known.pop(("default", "CP1"))
            if how == "blocked":
                revoked = Admission(registered=True, verifiers=known.verifiers, refused="blocked")
                node.stations.known["default", "CP1"] = revoked
            node.turn(60)

            async with asyncio.timeout(10):
                with pytest.raises(websockets.ConnectionClosed) as ended:
                    await one.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1008
            await two.send(HEARTBEAT)
            assert len(await node.log.received()) == 1
            status = await status_of(node, authorization=basic("CP1", b"p" * 16))
            assert status == (403 if how == "blocked" else 401)

    async def test_a_02_and_a_03_refusals_are_counted(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"p" * 16)
            assert await status_of(node, authorization=basic("CP1", b"x" * 16)) == 401
            assert node.server.counters()["handshakes"] == {"unauthorized": 1}

    @pytest.mark.parametrize(
        "password", [b"p" * 16, b"p" * 40, b"p" * 64, b"a:b:c" * 4, "pässwörd-pässwörd".encode()]
    )
    async def test_a_06_passwords_of_2_0_1_are_bytes_of_any_kind(self, password: bytes) -> None:
        async with serving() as node:
            node.stations.register("CP1", password)
            assert await status_of(node, authorization=basic("CP1", password)) == 101
            assert await status_of(node, authorization=basic("CP1", password + b"p")) == 401

    async def test_a_18_one_name_in_two_tenants_is_two_stations_at_once(self) -> None:
        async with serving() as node:
            node.stations.register("CP1", b"p" * 16, tenant="a")
            node.stations.register("CP1", b"q" * 16, tenant="b")
            one = await node.connect("/ocpp/a/CP1", authorization=basic("CP1", b"p" * 16))
            two = await node.connect("/ocpp/b/CP1", authorization=basic("CP1", b"q" * 16))
            for station in (one, two):
                await station.send(HEARTBEAT)
            told = await node.log.received(2)

            assert {record.tenant for record in told} == {"a", "b"}
            assert len({record.connection for record in told}) == 2
