"""One run: stations, operators and an administrator at work while things break, then the verdict.

Nothing is judged while it runs: what everybody was told is kept as files, and the checker reads
those.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random

import httpx

from infra.clock import now
from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions
from tests.chaos.checking import Report, report_on
from tests.chaos.evidence import Shown, Views, keep
from tests.chaos.faults import Faults
from tests.chaos.machines import Machines, machines
from tests.e2e.commanding import commanded, commanding
from tests.e2e.running import NotInTime, eventually

CHARGING, IDLE = 8, 4
SPEED = 900.0
SESSIONS_BESIDE = 300
"""A session takes two seconds or three: one for each second of the run, and these, are enough."""
ANSWER_TIMEOUT_S = 10.0
HEALED_WITHIN_S = 90.0
SHOWN_WITHIN_S = 45.0
TOKENS = 5
ADMINISTERS_EVERY_S = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    seed: int
    seconds: float
    every_s: float = 2.0
    longest_s: float = 20.0
    kinds: Sequence[str] = ()


@dataclass(slots=True)
class _Fleet:
    """Stations that live for as long as the block lasts, and then tell the rest."""

    progress: list[Progress] = field(default_factory=list)

    def watch(self, progress: Progress) -> None:
        self.progress[:] = [progress]

    @property
    def connected(self) -> int:
        return self.progress[0].connected if self.progress else 0

    @asynccontextmanager
    async def living(self, options: SimulationOptions) -> AsyncIterator["_Fleet"]:
        stop = asyncio.Event()

        async def live() -> None:
            await simulate(options, self.watch, now=now(), stop=stop)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(live())
            yield self
            stop.set()
            done, _ = await asyncio.wait([task], timeout=HEALED_WITHIN_S)
            if not done:
                # What they could not tell is found in their record.
                task.cancel()


@dataclass(slots=True)
class _Administrator:
    """Writes id tokens, each again and again until it is acknowledged."""

    url: str
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    """What may be read of each: the last group acknowledged, and what is under way."""

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as api:
            for number in count():
                uid, group = f"CHAOS-{number % TOKENS}", f"GROUP-{number}"
                self.acknowledged.setdefault(uid, ["none"]).append(group)
                while not await self._put(api, uid, group):  # noqa: ASYNC110 - asked, not told.
                    await asyncio.sleep(ADMINISTERS_EVERY_S)
                self.acknowledged[uid] = [group]
                await asyncio.sleep(ADMINISTERS_EVERY_S)

    async def _put(self, api: httpx.AsyncClient, uid: str, group: str) -> bool:
        wanted = {"status": "Accepted", "group": group}
        try:
            return (await api.put(f"/v1/id-tokens/{uid}", json=wanted)).is_success
        except httpx.HTTPError:
            return False


async def wreak(chaos: Chaos, directory: Path, say: Say) -> Report:
    """Run in an empty directory, which has the evidence afterwards.

    Raises:
        NoKafka: a broker cannot be had here.
    """
    evidence = directory / "evidence"
    evidence.mkdir()
    async with machines(directory / "machines") as deployment:
        for lack in deployment.missing:
            say(lack)
        await asyncio.to_thread(deployment.roles.wait_ready)
        say(f"seed {chaos.seed}: {chaos.seconds:g} s")
        await _live_through(deployment, chaos, evidence, say)
    return await asyncio.to_thread(report_on, evidence)


async def _live_through(deployment: Machines, chaos: Chaos, evidence: Path, say: Say) -> None:
    charging, idle = _options(deployment, chaos, evidence)
    stations = [
        f"{options.name_prefix}{number:04d}"
        for options in (charging, idle)
        for number in range(1, options.stations + 1)
    ]
    administrator = _Administrator(deployment.roles.api_url)
    faults = Faults(deployment, Random(chaos.seed), say, chaos.longest_s)
    taken: list[str] = []
    registry: list[Shown] = []
    async with _Fleet().living(charging), _Fleet().living(idle) as watchers:
        try:
            async with (
                commanding(deployment.roles, stations) as taken,
                asyncio.TaskGroup() as group,
            ):
                administering = group.create_task(administrator.run())
                await faults.run(chaos.seconds, chaos.every_s, chaos.kinds)
                await _heal(deployment, say)
                administering.cancel()
        except NotInTime as error:
            say(str(error))
        names = stations[charging.stations :]
        registry += await _shown(deployment, names, "online", lambda: watchers.connected == IDLE)
        say("the stations tell the rest")
    registry += await _shown(deployment, stations, "offline", lambda: True)
    await asyncio.to_thread(deployment.roles.wait_projected, HEALED_WITHIN_S)
    registry += await asyncio.to_thread(_tokens, deployment, administrator)
    await _collect(deployment, evidence, taken, registry)


def _options(
    deployment: Machines, chaos: Chaos, evidence: Path
) -> tuple[SimulationOptions, SimulationOptions]:
    charging = SimulationOptions(
        url=deployment.ocpp_url,
        stations=CHARGING,
        sessions=int(chaos.seconds) + SESSIONS_BESIDE,
        speed=SPEED,
        mishaps=0.1,
        seed=chaos.seed,
        name_prefix=f"CHAOS-{chaos.seed}-",
        answer_timeout_s=ANSWER_TIMEOUT_S,
        give_up_s=None,
        silence_s=None,
        oplog=evidence / "oplog-charging.jsonl",
        keep_operations=False,
    )
    idle = replace(
        charging,
        stations=IDLE,
        sessions=0,
        endless=True,
        speed=1.0,
        mishaps=0.0,
        name_prefix=f"IDLE-{chaos.seed}-",
        oplog=evidence / "oplog-idle.jsonl",
    )
    return charging, idle


async def _heal(deployment: Machines, say: Say) -> None:
    say("healing")
    for link in deployment.links.values():
        link.heal()
    await asyncio.to_thread(deployment.start_what_ended)
    await asyncio.to_thread(deployment.roles.wait_ready)


async def _shown(
    deployment: Machines, stations: Sequence[str], right: str, is_so: Callable[[], bool]
) -> list[Shown]:
    """Return what the API shows of them once it is right, or when that takes too long."""

    def look() -> list[Shown]:
        rows = deployment.roles.get("/v1/stations", limit=1_000)["items"]
        online = {row["station"]: "online" if row["online"] else "offline" for row in rows}
        return [
            Shown(name=name, shown=online.get(name, "unknown"), right=[right]) for name in stations
        ]

    def all_right() -> bool | None:
        return True if is_so() and all(right in each.shown for each in look()) else None

    with suppress(NotInTime):
        await asyncio.to_thread(eventually, all_right, f"all are {right}", SHOWN_WITHIN_S)
    return await asyncio.to_thread(look)


def _tokens(deployment: Machines, administrator: _Administrator) -> list[Shown]:
    items = deployment.roles.get("/v1/id-tokens", limit=1_000)["items"]
    groups = {row["uid"]: row["group"] for row in items}
    return [
        Shown(name=uid, shown=groups.get(uid, "none"), right=right)
        for uid, right in administrator.acknowledged.items()
    ]


async def _collect(
    deployment: Machines, evidence: Path, taken: Sequence[str], registry: list[Shown]
) -> None:
    roles = deployment.roles
    views = Views(
        cdrs=await asyncio.to_thread(roles.cdrs),
        series=await asyncio.to_thread(roles.series),
        commands=await asyncio.to_thread(commanded, roles, taken),
        registry=registry,
    )
    keep(evidence, await roles.entries(), views)
