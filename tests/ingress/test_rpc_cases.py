"""The RPC cases R-01 to R-21, each on a real socket of an embedded edge. R-05: test_error_codes."""

import asyncio
import contextlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError

from domain.answering import Context
from domain.routes import answer as decided
from domain.station import OpenCall, Station
from schemas import payloads
from schemas.records import CALLERROR, ConnectionOpened
from tests.edge_stations import (
    answers_until_heartbeat,
    asked,
    call,
    connected,
    hears,
    journal_of,
    moves_of,
    records_of,
    running,
    station_in,
)
from tests.ingress.node import Answering, Node, masked, request, serving

START = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-11-23T10:00:00Z"}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-11-23T10:00:00Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "T1"},
}
GARBAGE = ["not JSON", "{}", "[]", "[2]", '"x"', "5", "[null]", '{"a":[2,"1"]}', b"\x00\x01"]


def at_most(answers: list[Any], *allowed: Any) -> bool:
    return all(answer in allowed for answer in answers)


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_01_what_is_no_frame_is_ignored_or_refused_and_the_socket_lives(
    version: str, garbage: str | bytes, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        await station.send(garbage)
        answers = await answers_until_heartbeat(station)
    received, _, _ = await journal_of(tmp_path)

    assert received[0].violations
    assert received[0].message_type == 0
    if version == "1.6":
        assert answers == []
    else:
        [[message_type, message_id, code, _, details]] = answers
        assert (message_type, message_id, code) == (4, "-1", "RpcFrameworkError")
        assert details == {}


async def test_r_01_many_in_a_minute_end_the_connection_only(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at, "2.0.1") as station:
        for _ in range(30):
            await station.send("?")
        heard: list[Any] = []
        with contextlib.suppress(ConnectionClosedError):
            while True:
                heard.append(await hears(station))
        assert len(heard) <= 20
        assert station.close_code == 1008
        async with connected(at, "2.0.1") as again:
            assert await answers_until_heartbeat(again) == []


@pytest.mark.parametrize(
    "message_id", [None, 5, {}, [], "", "x" * 37, "x" * 200_000, "\x00", True, 1.5]
)
@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_02_an_id_that_is_none_is_never_echoed(
    version: str, message_id: Any, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        await station.send(json.dumps([2, message_id, "Heartbeat", {}]))
        answers = await answers_until_heartbeat(station)

    echoed = message_id == 5 or (version == "1.6" and message_id == "x" * 37)
    is_let = echoed and message_id != 5
    for answer in answers:
        assert answer[1] == (message_id if echoed else "-1")
        assert answer[0] == (3 if is_let else 4)
    assert len(answers) == (1 if version != "1.6" or echoed else 0)


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [("1.6", "StartTransaction", START), ("2.0.1", "TransactionEvent", EVENT)],
)
async def test_r_02_a_money_message_is_answered_under_a_number(
    version: str, action: str, payload: Any, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        for _ in range(2):
            await station.send(orjson.dumps([2, 7, action, payload]).decode())
        first, second = await answers_until_heartbeat(station)
        assert len(station_in(at).transactions.known) == 1
    assert first == second
    assert first[:2] == [3, 7]


async def test_r_02_an_emoji_is_an_id(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        assert (await call(station, "🔌", "Heartbeat", {}))[:2] == [3, "🔌"]


@pytest.mark.parametrize("message_type", [0, 1, 5, 6, 7, "2", 2.0, -1, None, 10**30, 10**40])
@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_03_another_message_type_is_met_as_its_version_says(
    version: str, message_type: Any, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        await station.send(json.dumps([message_type, "m1", "Heartbeat", {}]))
        answers = await answers_until_heartbeat(station)
    received, _, _ = await journal_of(tmp_path)

    if version == "2.0.1":
        [[kind, message_id, code, *_]] = answers
        readable = message_type != 10**40
        assert (kind, message_id) == (4, "m1" if readable else "-1")
        assert code == ("MessageTypeNotSupported" if readable else "RpcFrameworkError")
    elif message_type == 10**40 and version == "2.1":
        assert answers[0][:3] == [4, "-1", "RpcFrameworkError"]
    else:
        assert answers == []
    is_known = version == "2.1" and message_type in (5, 6)
    assert received[0].violations or is_known


@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_04_unknown_is_not_implemented_and_known_but_ours_is_not_supported(
    version: str, tmp_path: Path
) -> None:
    ours = {"type": "Soft"} if version == "1.6" else {"type": "Immediate"}
    async with running(tmp_path) as at, connected(at, version) as station:
        for action in ("Nope", "heartbeat", "HeartBeat", "constructor", "__class__", "toString"):
            answer = await call(station, f"m{action}", action, {})
            assert (answer[0], answer[2]) == (4, "NotImplemented")
        answer = await call(station, "m", "Reset", ours)
        assert (answer[0], answer[2]) == (4, "NotSupported")


@pytest.mark.parametrize(
    "value",
    [
        "[" * 1025 + "]" * 1025,
        "[" * 100_000 + "]" * 100_000,
        "9" * 5_000,
        "NaN",
        "-Infinity",
        "1e400",
        '"\\ud800"',
        '"\\u0000"',
    ],
    ids=["deep", "deeper", "digits", "nan", "infinity", "exponent", "surrogate", "nul"],
)
@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_06_json_that_nobody_should_read_gets_one_error(
    version: str, value: str, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        await station.send(f'[2,"m1","DataTransfer",{{"vendorId":"V","data":{value}}}]')
        [answer] = await answers_until_heartbeat(station)
        assert at.log.owners[0].poisoned == {}

    assert answer[:3] == [4, "m1", payloads.formation_violation(version)]


async def test_r_06_a_member_that_stands_twice_and_a_byte_order_mark(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        await station.send('\ufeff[2,"bom","SignCertificate",{"csr":"C"}]')
        await station.send('[2,"two","DataTransfer",{"vendorId":"V","vendorId":"W"}]')
        bom, two = await answers_until_heartbeat(station)
    received, _, _ = await journal_of(tmp_path)

    assert bom[:3] == [4, "bom", "FormationViolation"]
    assert two[0] == 3
    assert received[0].frame.startswith("\ufeff")


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [("1.6", "StartTransaction", START), ("2.0.1", "TransactionEvent", EVENT)],
)
async def test_r_07_the_same_id_twice_in_flight_is_one_effect_and_equal_answers(
    version: str, action: str, payload: Any, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        for _ in range(2):
            await station.send(orjson.dumps([2, "same", action, payload]).decode())
        first, second = await answers_until_heartbeat(station)
        assert first == second
        assert first[:2] == [3, "same"]
        assert len(station_in(at).transactions.known) == 1


async def test_r_08_the_same_id_later_gets_the_stored_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        first = await call(station, "same", "StartTransaction", START)
        await call(station, "other", "Heartbeat", {})
        assert await call(station, "same", "StartTransaction", START) == first
        assert len(station_in(at).transactions.known) == 1


async def test_r_09_the_same_id_with_another_payload_is_flagged_and_refused_or_read(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at:
        for version, code in (("1.6", "GenericError"), ("2.0.1", "RpcFrameworkError")):
            async with connected(at, version, f"R09-{version}") as station:
                await call(station, "same", "Heartbeat", {})
                answer = await call(station, "same", "SignCertificate", {"csr": "C"})
                assert answer[:3] == [4, "same", code]
        async with connected(at) as station:
            first = await call(station, "same", "StartTransaction", START)
            other = await call(station, "same", "StartTransaction", START | {"idTag": "U"})
    received, _, _ = await journal_of(tmp_path)

    # Money is known by what it says, whatever its id.
    assert first[0] == other[0] == 3
    assert first[2]["transactionId"] != other[2]["transactionId"]
    assert received[1].error == "GenericError"
    assert "message id" in received[1].violations[0]


async def test_r_10_the_same_content_under_a_new_id_gets_the_same_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        first = await call(station, "1", "StartTransaction", START)
        second = await call(station, "2", "StartTransaction", START)
        assert first[2] == second[2]
        assert len(station_in(at).transactions.known) == 1


async def test_r_11_an_id_on_a_new_connection_means_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as at:
        async with connected(at) as station:
            first = await call(station, "1", "StartTransaction", START)
        async with connected(at) as station:
            again = START | {"timestamp": "2026-11-23T11:00:00Z"}
            second = await call(station, "1", "StartTransaction", again)
    received, _, _ = await journal_of(tmp_path)

    assert first[2]["transactionId"] != second[2]["transactionId"]
    assert [record.error for record in received] == ["", ""]


async def test_r_12_fifty_calls_without_waiting_are_answered_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        for number in range(50):
            frame = [2, f"m{number}", "DataTransfer", {"vendorId": f"v{number}"}]
            await station.send(orjson.dumps(frame).decode())
        answers = await answers_until_heartbeat(station)

        assert [answer[1] for answer in answers] == [f"m{number}" for number in range(50)]
        assert station_in(at).open_calls == {}


@pytest.mark.parametrize(
    "stray", ['[3,"nobody",{"status":"Accepted"}]', '[4,"nobody","GenericError","",{}]']
)
async def test_r_13_an_answer_to_nothing_does_not_touch_the_pending_call(
    stray: str, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        await answers_until_heartbeat(station)
        await asked(at, "k1", "ClearCache")
        assert (await hears(station))[:2] == [2, "k1"]
        await station.send(stray)
        assert await answers_until_heartbeat(station) == []
        assert station_in(at).in_flight == "k1"
        await station.send('[3,"k1",{"status":"Accepted"}]')
        await answers_until_heartbeat(station)
    _, _, facts = await journal_of(tmp_path)

    assert moves_of(facts, "k1")[-1].fate == "answered"


@pytest.mark.slow
async def test_r_14_unsolicited_results_without_end_take_no_memory(tmp_path: Path) -> None:
    async with serving(Answering(), frames_per_s=1e6) as node:
        station = await node.raw()
        await station.upgrade()
        results = masked(b'[3,"nobody",{"status":"Accepted"}]') * 1_000
        station.write(results)
        await counted(node, 1_000)
        node.log.records.clear()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for thousands in range(2, 31):
            node.clock[0] += 60_000_000
            station.write(results)
            await counted(node, 1_000 * thousands)
            node.log.records.clear()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        station.write(masked(b'[2,"m1","Heartbeat",{}]'))
        assert b"currentTime" in (await station.frame())[1]
        await station.close()
    assert grown < 300_000


async def counted(node: Node, frames: int) -> None:
    # What they say is kept by the test's log only.
    await node.until(lambda: node.server.counters()["frames"] == {("CALLRESULT", ""): frames})
    node.log.payloads.clear()


async def test_r_14_the_owner_keeps_nothing_of_them(tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        await answers_until_heartbeat(station)
        before = len(str(station_in(at)))
        for number in range(1_500):
            await station.send(f'[3,"nobody{number}",{{"status":"Accepted"}}]')
        assert await answers_until_heartbeat(station) == []
        assert len(str(station_in(at))) < before + 200


async def test_r_15_a_late_answer_is_noted_once_and_of_another_station_not(tmp_path: Path) -> None:
    async with (
        running(tmp_path, answer_timeout_us=300_000) as at,
        connected(at) as station,
        connected(at, name="OTHER") as other,
    ):
        await answers_until_heartbeat(station)
        await asked(at, "k1", "ClearCache")
        assert (await hears(station))[1] == "k1"
        await other.send('[3,"k1",{"status":"Accepted"}]')
        await answers_until_heartbeat(other)
        await until(lambda: not station_in(at).in_flight)
        for _ in range(2):
            await station.send('[3,"k1",{"status":"Accepted"}]')
        await answers_until_heartbeat(station)
    _, _, facts = await journal_of(tmp_path)

    fates = [(command.fate, command.late) for command in moves_of(facts, "k1")]
    assert fates[-1] == ("timed_out", True)
    assert moves_of(facts, "k1")[-1].answered > 0


@pytest.mark.parametrize(
    ("reply", "fate", "code"),
    [
        ("", "timed_out", ""),
        ('[4,"k1","NotSupported","no",{}]', "answered", "NotSupported"),
        ('[3,"k1",{"status":5}]', "answered", ""),
    ],
)
async def test_r_16_whatever_the_station_replies_the_next_call_follows(
    reply: str, fate: str, code: str, tmp_path: Path
) -> None:
    async with running(tmp_path, answer_timeout_us=300_000) as at, connected(at) as station:
        await answers_until_heartbeat(station)
        await asked(at, "k1", "ClearCache")
        await asked(at, "k2", "ClearCache")
        assert (await hears(station))[1] == "k1"
        if reply:
            await station.send(reply)
        async with asyncio.timeout(5):
            assert (await hears(station))[1] == "k2"
    _, _, facts = await journal_of(tmp_path)

    settled = next(command for command in moves_of(facts, "k1")[::-1])
    assert (settled.fate, settled.error_code) == (fate, code)
    if '"status":5' in reply:
        assert "schema" in settled.error_description


@pytest.mark.parametrize("times", [500, pytest.param(10_000, marks=pytest.mark.long)])
async def test_r_17_calls_that_cross_are_both_answered(times: int, tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at) as station:
        await answers_until_heartbeat(station)
        for number in range(times):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asked(at, f"k{number}", "ClearCache"))
                await station.send(f'[2,"m{number}","Heartbeat",{{}}]')
                await crossing(station, number)
    _, _, facts = await journal_of(tmp_path)

    assert moves_of(facts, f"k{times - 1}")[-1].fate == "answered"


async def crossing(station: ClientConnection, number: int) -> None:
    seen: set[str] = set()
    while seen != {f"k{number}", f"m{number}"}:
        frame = await hears(station)
        seen.add(frame[1])
        if frame[0] == 2:
            await station.send(f'[3,"{frame[1]}",{{"status":"Accepted"}}]')


async def test_r_18_a_send_is_never_answered_and_a_result_error_is_kept(tmp_path: Path) -> None:
    stream = {"id": 1, "pending": 0, "basetime": "2026-11-23T10:00:00Z"}
    stream |= {"data": [{"t": 1, "v": "1"}]}
    frames = [
        orjson.dumps([6, "s1", "NotifyPeriodicEventStream", stream]).decode(),
        '[6,"s2","NotifyPeriodicEventStream",{"odd":1}]',
        '[6,"s3","Nope",{}]',
        '[5,"e1","FormatViolation","no",{}]',
    ]
    async with running(tmp_path) as at, connected(at, "2.1") as station:
        for frame in frames:
            await station.send(frame)
        assert await answers_until_heartbeat(station) == []
    received, _, _ = await journal_of(tmp_path)

    assert [record.frame for record in received[:4]] == frames
    assert [record.message_type for record in received[:4]] == [6, 6, 6, 5]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("", None),
        ("ocpp9", None),
        ("OCPP1.6", None),
        ("x, " * 3_000 + "y", None),
        ("ocpp1.6, ocpp2.0.1", "ocpp1.6"),
        ("ocpp2.0.1, ocpp1.6", "ocpp2.0.1"),
        ("ocpp2.1, ocpp2.1", "ocpp2.1"),
    ],
)
async def test_r_19_the_stations_preference_counts_and_none_in_common_ends_it(
    offered: str, chosen: str | None
) -> None:
    async with serving() as node:
        station = await node.raw()
        station.write(request(protocol=offered))
        head = (await station.head()).lower()
        assert b" 101 " in head
        if chosen is None:
            assert b"sec-websocket-protocol" not in head
            assert (await station.frame())[0] == 0x88
            assert await station.rest() == b""
        else:
            assert f"sec-websocket-protocol: {chosen}".encode() in head
            (opened,) = node.log.of(ConnectionOpened)
            assert opened.protocol == chosen.removeprefix("ocpp")
        await station.close()
        await node.until(lambda: node.server.counters()["sockets"] == 0)


def open_call(action: str, payload: Any) -> OpenCall:
    frame = json.dumps([2, "m1", action, payload])
    return OpenCall(1, 1, "c1", "m1", action, "", "", frame, superseded=False, payload=payload)


def failing(_: dict[str, Any]) -> Context:
    raise RuntimeError("SELECT password FROM vault; /etc/chargeledger/pepper.key")


def test_r_20_our_own_failure_is_told_in_fixed_words() -> None:
    answered = decided(open_call("Authorize", {"idTag": "T"}), Station("t", "s", 1), failing)

    assert answered.message_type == CALLERROR
    assert json.loads(answered.frame) == [
        4, "m1", "InternalError", "the answer could not be decided", {},
    ]  # fmt: skip


def test_r_20_a_money_message_gets_no_error_for_our_own_failure() -> None:
    with pytest.raises(RuntimeError):
        decided(open_call("StartTransaction", START), Station("t", "s", 1), failing)


@pytest.mark.parametrize(
    "odd", ['"\\\\"', "\\u2028", "\\u0007", "\\ud83d\\ude00", "é" * 500, "</script>", "%s{}"]
)
@pytest.mark.parametrize("version", payloads.VERSIONS)
async def test_r_21_an_error_about_anything_can_be_written(
    version: str, odd: str, tmp_path: Path
) -> None:
    async with running(tmp_path) as at, connected(at, version) as station:
        text = odd.replace('"', "")
        await station.send(f'[2,"m1","SignCertificate",{{"csr":{{"{text}":"{text}"}}}}]')
        [answer] = await answers_until_heartbeat(station)

    assert answer[:2] == [4, "m1"]
    assert len(answer[3]) <= 255
    assert answer[4] == {}
    assert all(record is not None for _, record in await records_of(tmp_path))


async def until(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - no record tells the test of it
            await asyncio.sleep(0.01)
