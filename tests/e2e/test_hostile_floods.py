"""The cases D-03, D-12 and D-15 against a real `up`: sizes at the limit, labels, log lines."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from random import Random

import httpx
import pytest

from ingress.options import Options
from tests.e2e.running import Up
from tests.e2e.test_hostile_peers import abused, closing_code, cut, raw, upgraded
from tests.ingress.node import HEARTBEAT, masked, request

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

FRAME_BYTES_MAX = Options().frame_bytes_max
KIB = 1024


async def test_d_03_a_text_as_large_as_it_may_be_is_answered_and_one_byte_more_is_not(
    up: Up,
) -> None:
    assert FRAME_BYTES_MAX >= 128 * KIB
    for size in (65_000, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX):
        peer = await upgraded(up, f"SIZE-{size}")
        peer.write(masked(HEARTBEAT.encode().ljust(size)))
        first, answer = await peer.frame()
        assert (first, answer[:6]) == (0x81, b'[3,"1"')
        await peer.close()
    peer = await upgraded(up, "SIZE-TOO-LARGE")
    peer.write(masked(HEARTBEAT.encode().ljust(FRAME_BYTES_MAX + 1)))
    assert await closing_code(peer) == 1009
    await peer.close()


async def series_of(up: Up) -> set[str]:
    async with httpx.AsyncClient(timeout=30) as client:
        text = (await client.get(f"{up.api_url}/metrics")).text
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


async def invent(up: Up, station: str, names: Iterable[str]) -> None:
    peer = await upgraded(up, station)
    for name in names:
        peer.write(masked(f'[2,"a","DataTransfer",{{"vendorId":"{name}"}}]'.encode()))
        await peer.frame()
        peer.write(masked(f'[2,"b","Invented{name[:20]}",{{}}]'.encode()))
        await peer.frame()
    await peer.close()


async def test_d_12_names_that_peers_invent_make_no_labels(up: Up) -> None:
    random = Random(12)
    names = [f"{random.getrandbits(64):016x}" for _ in range(400)]
    await invent(up, "LABELS", ["usual", "u" * 300])
    # Twice, for the asking is counted, too.
    before = await series_of(up) | await series_of(up)
    assert any("DataTransfer" in each for each in before)
    for number in range(10):
        first, *rest = names[40 * number : 40 * number + 40]
        await invent(up, f"LABELS-{number}", [first.ljust(100 * KIB, "v"), *rest])

    made = await series_of(up) - before
    assert len(made) <= 10, sorted(made)


async def knock_at_no_door(up: Up, _: int) -> None:
    peer = await raw(up)
    peer.write(request("/"))
    assert b" 404 " in await peer.head()
    await cut(peer)


async def come_without_a_protocol(up: Up, number: int) -> None:
    peer = await raw(up)
    peer.write(b"\x16\x03\x01 no HTTP at all %d\r\n\r\n" % number)
    assert (await peer.head()).split()[1] == b"400"
    await cut(peer)


async def come_and_go(up: Up, number: int) -> None:
    await cut(await upgraded(up, f"GONE-{number}"))


async def say_what_is_no_json(up: Up, number: int) -> None:
    peer = await upgraded(up, f"BABBLE-{number}")
    peer.write(masked(b"{") * 30)
    assert await closing_code(peer) == 1008
    await peer.close()


async def break_the_schema(up: Up, number: int) -> None:
    peer = await upgraded(up, f"WRONG-{number % 10}")
    peer.write(masked(b'[2,"1","StatusNotification",{"connectorId":"x"}]'))
    await peer.frame()
    await cut(peer)


@pytest.mark.parametrize(
    "abuse",
    [
        knock_at_no_door,
        come_without_a_protocol,
        come_and_go,
        say_what_is_no_json,
        break_the_schema,
    ],
)
async def test_d_15_abuse_writes_no_log_lines(
    up: Up, abuse: Callable[[Up, int], Coroutine[None, None, None]]
) -> None:
    async with abused(up, grows_max=10 * KIB * KIB) as found:
        for number in range(0, 200, 10):
            async with asyncio.TaskGroup() as group:
                for each in range(number, number + 10):
                    group.create_task(abuse(up, each))
    assert found.said_bytes < 5 * KIB
