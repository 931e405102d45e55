"""How long stations wait when the owner of a partition with 10,000 stations is killed.

Another process has joined before and has nothing of the partition: no snapshot, so it folds the
whole log. Told to stop, an owner hands the partition over at once. A station asks for the time all
the while; its longest wait counts, and in it the time in which a death comes to light, which the
broker's session bounds.
"""

import asyncio
import signal
import time
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.deployed import deployed
from benchmarks.rows import Row
from benchmarks.running import idle
from tests.e2e.roles import Roles
from tests.kafka_broker import NoKafka

STATIONS = 10_000
TITLE = f"Take-over of a partition with {STATIONS:,} stations"
ANSWERED_WITHIN_S = 120.0
OURS = "partition 1 is ours"
JOINED_S = 5.0
COMMAND = "python -m benchmarks takeover"


def run() -> list[Row]:
    try:
        with deployed(partitions=1) as roles:
            roles.start("ingress")
            roles.start("domain")
            roles.wait_said("domain", OURS)
            roles.wait_said("ingress", "listening for stations")
            with idle(roles.ocpp_url, STATIONS):
                return _taken_over(roles)
    except NoKafka as error:
        return [Row(name="take-over on Kafka", command="", figure=f"not measured: {error}")]


def _taken_over(roles: Roles) -> list[Row]:
    usual_s = asyncio.run(_longest_wait_s(roles, lambda: time.sleep(JOINED_S)))
    roles.start("domain:2")
    time.sleep(JOINED_S)
    records = len(asyncio.run(roles.entries()))
    killed_s = asyncio.run(_longest_wait_s(roles, lambda: roles.stop("domain", signal.SIGKILL)))
    roles.start("domain")
    time.sleep(JOINED_S)
    handed_s = asyncio.run(_longest_wait_s(roles, lambda: roles.stop("domain:2")))
    return [
        Row(
            name="the longest wait of a station while nothing is wrong",
            command=COMMAND,
            figure=f"{usual_s:.2f} s",
        ),
        Row(
            name=f"the owner is killed; {records:,} records to fold",
            command=COMMAND,
            figure=f"{killed_s:.1f} s",
            asked="< 10 s",
        ),
        Row(
            name="the owner is told to stop",
            command=COMMAND,
            figure=f"{handed_s:.2f} s",
        ),
    ]


async def _longest_wait_s(roles: Roles, end_the_owner: Callable[[], object]) -> float:
    """Of a station that asks for the time all the while, until an answer after the end."""
    waits: list[float] = []
    async with (
        connect(
            f"{roles.ocpp_url}/PROBE", subprotocols=[Subprotocol("ocpp1.6")], ping_interval=None
        ) as station,
        asyncio.TaskGroup() as group,
    ):

        async def ask() -> None:
            began = time.perf_counter()
            await station.send('[2,"1","Heartbeat",{}]')
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await station.recv()
            waits.append(time.perf_counter() - began)

        await ask()
        ending = group.create_task(asyncio.to_thread(end_the_owner))
        while not ending.done():
            await ask()
        await ask()
    return max(waits[1:])
