"""The load generator: a process of its own that keeps stations talking and measures the answers.

`python -m benchmarks.load --url ws://127.0.0.1:PORT/ocpp --stations 100 --seconds 10`

Closed loop: each station has one CALL in flight and sends the next when it is answered. With
`--rate` open loop: CALLs are due at a fixed total rate, and a latency counts from when its CALL
was due. Mode `idle` holds the connections with a heartbeat each 30 s. After the measured time the
sessions begun are told to their end, so that sessions and Wh can be compared with what was billed.

Prints one JSON line when all stations are connected and one with the result at the end.
"""

import argparse
import asyncio
import gc
import json
import resource
from array import array
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from secrets import token_hex
from time import perf_counter, process_time
from urllib.parse import urlsplit

import uvloop

from benchmarks.client import Client
from benchmarks.frames import SESSION_WH, Minutes, Script

HEARTBEAT_EVERY_S = 30.0
CONNECTING_MAX = 100
TICK_S = 0.001
DRAIN_MAX_S = 20.0
CONNECTING_MAX_S = 20.0
ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    url: str
    stations: int
    seconds: float
    warmup_s: float
    mode: str
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    mode: str
    stations: int
    seconds: float
    calls: int
    calls_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    first_errors: list[str]
    lost_connections: int
    # Open loop: CALLs that were due at the end and had not left.
    unsent: int
    cpu_s: float
    cpu_us_per_call: float
    # Of the whole run, warm-up and drain included; all of them acknowledged.
    sessions: int
    energy_wh: int


class Load:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._heartbeats = orders.mode != "session"
        self._clients: list[Client] = []
        self._latencies = array("d")
        self._errors = 0
        self._first_errors: list[str] = []
        self._stopping = False
        self._working = 0
        self._drained = asyncio.Event()
        self._sessions = 0
        self._idle: deque[Client] = deque()
        self._rate = orders.stations / HEARTBEAT_EVERY_S if orders.mode == "idle" else orders.rate
        self._began = 0.0
        self._sent = 0

    async def connect(self) -> None:
        parts = urlsplit(self._orders.url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        run = token_hex(3)
        minutes = Minutes(datetime.now(UTC))  # noqa: TID251 - a process of its own.
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(CONNECTING_MAX)

        async def one(number: int) -> None:
            booted: asyncio.Future[bytes] = loop.create_future()
            path = f"{parts.path.rstrip('/')}/L{run}-{number:05d}"
            client = Client(
                Script(number, minutes, run),
                f"{host}:{port}",
                path,
                lambda _, text: None if booted.done() else booted.set_result(text),
            )
            async with gate:
                await loop.create_connection(lambda: client, host, port)
                await asyncio.wait_for(client.opened, CONNECTING_MAX_S)
                client.call(client.script.boot(), perf_counter())
                await asyncio.wait_for(booted, CONNECTING_MAX_S)
            client.heard = self._answered
            self._clients.append(client)

        async with asyncio.TaskGroup() as group:
            for number in range(self._orders.stations):
                group.create_task(one(number))

    async def run(self) -> Result:
        if self._rate:
            self._begin_open_loop()
        else:
            self._working = len(self._clients)
            for client in self._clients:
                self._next(client)
        await asyncio.sleep(self._orders.warmup_s)
        self._latencies = array("d")
        cpu, began = process_time(), perf_counter()
        await asyncio.sleep(self._orders.seconds)
        seconds, cpu_s = perf_counter() - began, process_time() - cpu
        measured, self._latencies = self._latencies, array("d")
        unsent = max(0, self._due(perf_counter()) - self._sent) if self._rate else 0
        await self._drain()
        ordered = sorted(measured)
        return Result(
            mode=self._orders.mode,
            stations=self._orders.stations,
            seconds=round(seconds, 3),
            calls=len(ordered),
            calls_per_s=round(len(ordered) / seconds, 1),
            p50_ms=_quantile_ms(ordered, 0.5),
            p99_ms=_quantile_ms(ordered, 0.99),
            max_ms=_quantile_ms(ordered, 1.0),
            errors=self._errors,
            first_errors=self._first_errors,
            lost_connections=sum(client.lost for client in self._clients),
            unsent=unsent,
            cpu_s=round(cpu_s, 3),
            cpu_us_per_call=round(cpu_s * 1e6 / max(1, len(ordered)), 2),
            sessions=self._sessions,
            energy_wh=self._sessions * SESSION_WH,
        )

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _answered(self, client: Client, text: bytes) -> None:
        now = perf_counter()
        script = client.script
        if self._taken(script, text):
            self._latencies.append(now - client.since)
        else:
            self._wrong(text)
            script.abandon()
        if self._stopping and (self._heartbeats or script.step == 0):
            self._working -= 1
            if self._working == 0:
                self._drained.set()
        elif self._rate and not self._stopping:
            self._idle.append(client)
            self._release(now)
        else:
            client.call(script.heartbeat() if self._heartbeats else script.next_call(), now)

    def _taken(self, script: Script, text: bytes) -> bool:
        """Whether the text is the right answer; a session that it ends is counted."""
        prefix = b'[3,"%b"' % script.message_id
        if not text.startswith(prefix) and not _is_result(text, script.message_id):
            return False
        if not self._heartbeats:
            try:
                self._sessions += script.answered(text)
            except ValueError:
                return False
        return True

    def _next(self, client: Client) -> None:
        frame = client.script.heartbeat() if self._heartbeats else client.script.next_call()
        client.call(frame, perf_counter())

    def _wrong(self, text: bytes) -> None:
        self._errors += 1
        if len(self._first_errors) < ERRORS_SHOWN:
            self._first_errors.append(text[:200].decode("utf-8", "replace"))

    def _begin_open_loop(self) -> None:
        self._idle.extend(self._clients)
        self._began = perf_counter()
        self._tick()

    def _tick(self) -> None:
        if not self._stopping:
            self._release(perf_counter())
            asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _due(self, now: float) -> int:
        return int((now - self._began) * self._rate) + 1

    def _release(self, now: float) -> None:
        due = self._due(now)
        while self._sent < due and self._idle:
            client = self._idle.popleft()
            script = client.script
            frame = script.heartbeat() if self._heartbeats else script.next_call()
            client.call(frame, self._began + self._sent / self._rate)
            self._sent += 1

    async def _drain(self) -> None:
        self._stopping = True
        if self._rate:
            waiting = [client for client in self._idle if client.script.step != 0]
            self._working = len(self._clients) - len(self._idle) + len(waiting)
            for client in waiting:
                self._next(client)
        self._working -= sum(client.lost for client in self._clients)
        if self._working > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), DRAIN_MAX_S)


def _is_result(text: bytes, message_id: bytes) -> bool:
    """For servers that write spaces into their JSON."""
    try:
        frame = json.loads(text)
    except ValueError:
        return False
    return isinstance(frame, list) and frame[:2] == [3, message_id.decode()]


def _quantile_ms(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3, 3)


async def generate(orders: Orders) -> Result:
    load = Load(orders)
    await load.connect()
    print(json.dumps({"connected": orders.stations}), flush=True)
    gc.collect()
    gc.disable()
    try:
        return await load.run()
    finally:
        load.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warmup", type=float, default=2.0)
    parser.add_argument("--mode", choices=["session", "heartbeat", "idle"], default="session")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="CALLs per second in all; 0: closed"
    )
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    orders = Orders(
        url=arguments.url,
        stations=arguments.stations,
        seconds=arguments.seconds,
        warmup_s=arguments.warmup,
        mode=arguments.mode,
        rate=arguments.rate,
    )
    print(json.dumps(asdict(uvloop.run(generate(orders)))), flush=True)


if __name__ == "__main__":
    main()
