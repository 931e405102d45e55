"""The load generator tells whole, plausible sessions and counts every answer that is wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.frames import CALLS_PER_SESSION, SESSION_WH, Minutes, Script, transaction_id
from benchmarks.load import Orders, Result, generate
from benchmarks.rows import Row, markdown, replaced
from infra.simulator.answers import request_violation
from tests.infra.central_system import Book, Misbehaviour, central_system

NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)


def payload_of(frame: bytes) -> list[Any]:
    """Unmask as RFC 6455 says, whatever the mask is."""
    length, at = frame[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(frame[2:4], "big"), 4
    mask, body = frame[at : at + 4], frame[at + 4 :]
    assert frame[0] == 0x81
    assert frame[1] & 0x80
    assert len(body) == length
    text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))
    call: list[Any] = json.loads(text)
    return call


def tell(script: Script, sessions: int) -> list[list[Any]]:
    calls = []
    while script.sessions < sessions:
        calls.append(payload_of(script.next_call()))
        script.answered(b'[3,"x",{"transactionId":77,"idTagInfo":{"status":"Accepted"}}]')
    return calls


def test_every_frame_is_valid_by_the_official_schema() -> None:
    script = Script(3, Minutes(NOW), "abc")

    calls = [payload_of(script.boot()), payload_of(script.heartbeat()), *tell(script, 3)]

    assert [request_violation(action, payload) for _, _, action, payload in calls] == [None] * len(
        calls
    )
    assert len({message_id for _, message_id, _, _ in calls}) == len(calls)


def test_a_session_is_the_mix_with_a_growing_register() -> None:
    calls = tell(Script(3, Minutes(NOW), "abc"), 2)

    first, second = calls[:CALLS_PER_SESSION], calls[CALLS_PER_SESSION:]
    start, stop = first[1][3], first[-1][3]
    registers = [int(call[3]["meterValue"][0]["sampledValue"][0]["value"]) for call in first[2:8]]
    assert [call[2] for call in first] == [
        "Authorize",
        "StartTransaction",
        *["MeterValues"] * 6,
        "StopTransaction",
    ]
    assert start["meterStart"] < registers[0]
    assert registers == sorted(set(registers))
    assert registers[-1] == stop["meterStop"] == start["meterStart"] + SESSION_WH
    assert {call[3]["transactionId"] for call in first[2:]} == {77}
    assert second[1][3]["meterStart"] == stop["meterStop"]
    assert second[1][3]["timestamp"] > stop["timestamp"] > start["timestamp"]
    assert second[-1][3]["timestamp"] < "2026-05-04T12:00:30Z"


@pytest.mark.parametrize(
    "text",
    [b'{"transactionId":12,"x":1}', b'{"transactionId": 12}', b'{"transactionId" : 12 }'],
)
def test_the_transaction_id_is_read_however_it_is_spaced(text: bytes) -> None:
    assert transaction_id(text) == b"12"


def test_an_answer_without_a_transaction_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="not found"):
        transaction_id(b'{"idTagInfo":{}}')


async def load(book: Book, *, mode: str = "session", rate: float = 0.0) -> Result:
    async with central_system(book) as url:
        return await generate(
            Orders(url=url, stations=4, seconds=0.4, warmup_s=0.1, mode=mode, rate=rate)
        )


@pytest.mark.parametrize("rate", [0.0, 200.0])
async def test_what_the_generator_counts_is_what_the_server_heard(rate: float) -> None:
    book = Book()

    result = await load(book, rate=rate)

    assert result.errors == result.lost_connections == 0
    assert result.calls > 0
    assert result.sessions == len(book.stops) == len(book.starts) > 0
    assert result.energy_wh == book.energy_wh()
    assert 0 < result.p50_ms <= result.p99_ms <= result.max_ms


async def test_the_open_loop_keeps_its_rate() -> None:
    result = await load(Book(), mode="heartbeat", rate=100.0)

    assert 30 <= result.calls <= 42
    assert result.unsent == 0


async def test_wrong_answers_are_counted() -> None:
    result = await load(Book(misbehaviour=Misbehaviour(breaks_stops=True)))

    assert result.errors > 0
    assert result.sessions == 0
    assert "InternalError" in result.first_errors[0]


def test_a_table_is_renewed_in_its_place() -> None:
    old = replaced(
        "# Performance\n\nProse.\n", "a", markdown("A", [Row(name="x", command="c", figure="1")])
    )
    new = replaced(old + "\nMore.\n", "a", markdown("A", [Row(name="x", command="c", figure="2")]))

    assert "| x | 1 |" in old
    assert "| x | 2 |" in new
    assert "| x | 1 |" not in new
    assert new.startswith("# Performance\n\nProse.")
    assert new.endswith("More.\n")
