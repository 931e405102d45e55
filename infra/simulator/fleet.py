"""A fleet of simulated stations against one central system, and what came of it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from random import Random

from infra.simulator.answers import Findings
from infra.simulator.call_lane import Witness
from infra.simulator.connector import Connector
from infra.simulator.csv_sessions import plans_by_station, read_rows
from infra.simulator.dialects import dialect
from infra.simulator.oplog import OpLog, Outcome
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from infra.simulator.session import Habits, SessionPlan, plan_sessions
from infra.simulator.station import GaveUp, Station, StationOptions
from infra.simulator.virtual_clock import VirtualClock

PROGRESS_EVERY_S = 0.2
CONNECTING_SPREAD_S = 0.005
# A session of the demonstration is over in half a minute of real time, so that its CDR is seen.
DEMO = Habits(direct_current=False, duration_s=(20, 40), pause_s=(3, 12))
DEMO_SAMPLE_EVERY_S = 5
USUAL = Habits(direct_current=False, duration_s=(300, 3600), pause_s=(60, 900))
USUAL_SAMPLE_EVERY_S = 60
BEFORE_THE_FIRST = timedelta(seconds=30)
REGISTER_FIRST_WH_MAX = 50_000_000


async def simulate(
    options: SimulationOptions,
    progress: Callable[[Progress], None],
    *,
    now: datetime,
    stop: asyncio.Event | None = None,
) -> SimulationReport:
    """Run until every session is over and acknowledged, or until `stop` is set.

    After `stop` running sessions end, what is queued is still told for as long as somebody answers,
    and the report is returned.

    Raises:
        UnreadableCsv: `from_csv` cannot be read.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with OpLog(options.oplog, keep=options.keep_operations) as oplog:
        witness = Witness(
            oplog=oplog,
            findings=Findings(),
            wall=lambda: now + timedelta(seconds=loop.time() - began_s),
        )
        stations, expected = _fleet(options, witness, now)

        def state() -> Progress:
            return Progress(
                sessions=oplog.sessions,
                sessions_expected=expected,
                energy_wh=oplog.energy_wh,
                answers=oplog.answers_by_action.total(),
                connected=sum(station.connected for station in stations),
                wrong=witness.findings.count,
                trouble=_trouble(stations),
            )

        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(_tick(lambda: progress(state())))
            async with asyncio.TaskGroup() as running:
                living = [
                    running.create_task(_live(station, number * CONNECTING_SPREAD_S))
                    for number, station in enumerate(stations)
                ]
                stopper = group.create_task(
                    _stop_all(stations, living, stop, options.silence_s, oplog)
                )
            ticker.cancel()
            stopper.cancel()
        progress(state())
        return _report(oplog, witness.findings, stations, expected, loop.time() - began_s)


def _report(
    oplog: OpLog,
    findings: Findings,
    stations: Sequence[Station],
    expected: int | None,
    duration_s: float,
) -> SimulationReport:
    return SimulationReport(
        sessions=oplog.sessions,
        sessions_expected=expected,
        energy_wh=oplog.energy_wh,
        answers_by_action=dict(oplog.answers_by_action),
        commands_by_action=dict(oplog.commands_by_action),
        wrong=tuple(findings.wrong),
        wrong_count=findings.count,
        missing=oplog.outcomes[Outcome.MISSING] + sum(len(each.outbox) for each in stations),
        interrupted=oplog.outcomes[Outcome.INTERRUPTED],
        connections=sum(station.connections for station in stations),
        duration_s=duration_s,
        transactions=tuple(oplog.transactions),
        operations=tuple(oplog.operations),
    )


async def _live(station: Station, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    try:
        await station.run()
    except GaveUp as error:
        station.wrong(str(error))


async def _tick(report: Callable[[], None]) -> None:
    while True:
        report()
        await asyncio.sleep(PROGRESS_EVERY_S)


async def _stop_all(
    stations: Sequence[Station],
    living: "Sequence[asyncio.Task[None]]",
    stop: asyncio.Event | None,
    silence_s: float | None,
    oplog: OpLog,
) -> None:
    if stop is None:
        return
    await stop.wait()
    for station in stations:
        station.stay()
        for connector in station.connectors:
            connector.close()
    if silence_s is None:
        return
    answers = -1
    # Silence has no event to wait for.
    while answers != (answers := oplog.answers_by_action.total()):  # noqa: ASYNC110
        await asyncio.sleep(silence_s)
    for task in living:
        task.cancel()


def _trouble(stations: Sequence[Station]) -> str:
    if any(station.connected for station in stations):
        return ""
    return next((station.trouble for station in stations if station.trouble), "")


def _fleet(
    options: SimulationOptions, witness: Witness, now: datetime
) -> tuple[list[Station], int | None]:
    if options.from_csv is not None:
        plans = plans_by_station(
            read_rows(options.from_csv),
            now=now,
            prefix=options.name_prefix,
            id_tokens=options.id_tokens,
            spread=max(1, options.stations),
        )
        stations = [
            _replaying(name, of_station, options, witness) for name, of_station in plans.items()
        ]
        return stations, sum(len(of_station) for of_station in plans.values())
    stations = [_inventing(number, options, witness, now) for number in range(options.stations)]
    return stations, None if options.endless else options.stations * options.sessions


def _station(name: str, options: SimulationOptions, witness: Witness) -> Station:
    url = options.url.rstrip("/")
    return Station(
        StationOptions(
            name=name,
            url=url if options.tenant is None else f"{url}/{options.tenant}",
            password=options.password,
            answer_timeout_s=options.answer_timeout_s,
            give_up_s=options.give_up_s,
        ),
        dialect(options.protocol),
        witness,
        Random(f"{options.seed}/{name}"),
    )


def _replaying(
    name: str,
    plans: Sequence[SessionPlan],
    options: SimulationOptions,
    witness: Witness,
) -> Station:
    station = _station(name, options, witness)
    habits = replace(USUAL, direct_current=True)
    station.connectors = [
        _connector(station, number, habits, [p for p in plans if p.connector_id == number], options)
        for number in sorted({plan.connector_id for plan in plans})
    ]
    return station


def _inventing(number: int, options: SimulationOptions, witness: Witness, now: datetime) -> Station:
    station = _station(f"{options.name_prefix}{number + 1:04d}", options, witness)
    usual = DEMO if options.endless else USUAL
    habits = replace(usual, direct_current=number % 2 == 0, mishaps=options.mishaps)
    connectors = []
    for connector_id in range(1, options.connectors + 1):
        endless_plans = plan_sessions(
            station.random,
            habits,
            start=now,
            connector_id=connector_id,
            id_tokens=options.id_tokens,
        )
        if options.endless:
            connectors.append(_demonstrating(station, connector_id, habits, endless_plans, options))
            continue
        # The sessions of a station are dealt out to its connectors.
        share = len(range(connector_id - 1, options.sessions, options.connectors))
        plans = ending_now(list(islice(endless_plans, share)), now, _speed(options))
        connectors.append(_connector(station, connector_id, habits, plans, options))
    station.connectors = connectors
    return station


def ending_now(plans: Sequence[SessionPlan], now: datetime, speed: float) -> list[SessionPlan]:
    """Shift plans that begin now so that the last one ends when it will be over in real time."""
    if not plans:
        return []
    length = plans[-1].ended_at - now
    shift = timedelta(seconds=int(length.total_seconds() * (1 - 1 / speed)))
    return [replace(plan, started_at=plan.started_at - shift) for plan in plans]


def _connector(
    station: Station,
    number: int,
    habits: Habits,
    plans: Sequence[SessionPlan],
    options: SimulationOptions,
) -> Connector:
    wall = station.witness.wall()
    start = plans[0].started_at - BEFORE_THE_FIRST if plans else wall
    return Connector(
        station,
        number,
        clock=VirtualClock(start, _speed(options), asyncio.get_running_loop().time),
        habits=habits,
        plans=plans,
        register_wh=station.random.randrange(REGISTER_FIRST_WH_MAX),
        sample_every_s=USUAL_SAMPLE_EVERY_S,
    )


def _demonstrating(
    station: Station,
    number: int,
    habits: Habits,
    plans: Iterable[SessionPlan],
    options: SimulationOptions,
) -> Connector:
    return Connector(
        station,
        number,
        clock=VirtualClock(station.witness.wall(), 1.0, asyncio.get_running_loop().time),
        habits=habits,
        plans=plans if options.sessions > 0 else (),
        register_wh=station.random.randrange(REGISTER_FIRST_WH_MAX),
        sample_every_s=DEMO_SAMPLE_EVERY_S,
        stays=True,
    )


def _speed(options: SimulationOptions) -> float:
    return options.speed or inf
