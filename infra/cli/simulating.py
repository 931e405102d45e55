"""`chargeledger simulate`: a fleet against a running deployment, with progress and a verdict."""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

from rich.progress import Progress as Bars
from rich.progress import TaskID

from infra import clock
from infra.child import stop_on
from infra.cli.bars import progress_bar
from infra.cli.failures import Failed
from infra.deployment import Layout
from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from schemas.names import is_name

WRONG_SHOWN = 20
TROUBLE_TOLD_AFTER_S = 2.0
"""A deployment that is being started again is back sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateWish:
    stations: int
    sessions: int
    speed: float
    from_csv: Path | None
    tenant: str
    prefix: str
    seed: int
    mishaps: float
    password: str
    protocol: str


def run_simulate(wish: SimulateWish, url: str, data: Path) -> None:
    if not is_name(f"{wish.prefix}0001"):
        raise Failed(f"--prefix {wish.prefix!r}: no station can be named {wish.prefix}0001")
    options = SimulationOptions(
        url=checked_url(url) if url else _url_of(data),
        tenant=None if wish.tenant == "default" else wish.tenant,
        stations=wish.stations,
        sessions=wish.sessions,
        speed=wish.speed or inf,
        from_csv=wish.from_csv,
        name_prefix=wish.prefix,
        seed=wish.seed,
        mishaps=wish.mishaps,
        password=wish.password or None,
        protocol=wish.protocol,
        keep_operations=False,
    )
    report = asyncio.run(_simulate(options))
    sys.stdout.write(summary(report))
    if not report.ok:
        sys.exit(1)


def checked_url(url: str) -> str:
    """Raises Failed: no station could ever connect there."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise Failed(f"--url {url!r}: stations connect to ws://HOST:PORT/ocpp, or wss://")
    return url


class Troubles:
    """Says why nobody is connected, once that lasts; the same again only when it has ended."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since_s: float | None = None
        self._told = ""

    def look(self, trouble: str, at_s: float) -> None:
        if not trouble:
            self._since_s, self._told = None, ""
            return
        self._since_s = at_s if self._since_s is None else self._since_s
        if trouble != self._told and at_s - self._since_s >= TROUBLE_TOLD_AFTER_S:
            self._told = trouble
            self._say(f"no station can connect: {trouble}; they keep trying, Ctrl-C ends it")


def summary(report: SimulationReport) -> str:
    expected = "" if report.sessions_expected is None else f" of {report.sessions_expected}"
    actions = ", ".join(f"{name} {n}" for name, n in sorted(report.answers_by_action.items()))
    lines = [
        f"sessions   {report.sessions}{expected}",
        f"energy     {report.energy_wh} Wh",
        f"answers    {report.answers} ({actions})",
        f"wrong      {report.wrong_count}",
        f"missing    {report.missing}",
        f"took       {report.duration_s:.1f} s, {report.answers / report.duration_s:.0f} answers/s,"
        f" {report.connections} connections, {report.interrupted} CALLs interrupted and told again",
        *(f"  wrong: {each}" for each in report.wrong[:WRONG_SHOWN]),
        "ok" if report.ok else "NOT OK",
    ]
    return "\n".join(lines) + "\n"


async def _simulate(options: SimulationOptions) -> SimulationReport:
    stop = stop_on(signal.SIGINT, signal.SIGTERM)
    with progress_bar("sessions", "{task.description}") as bars:
        task = bars.add_task("", total=None)
        troubles = Troubles(lambda text: bars.console.print(f"chargeledger: {text}", markup=False))
        loop = asyncio.get_running_loop()

        def show(state: Progress) -> None:
            troubles.look(state.trouble, loop.time())
            _show(bars, task, state)

        return await simulate(options, show, now=clock.now(), stop=stop)


def _show(bars: Bars, task: TaskID, state: Progress) -> None:
    text = (
        f"{state.energy_wh / 1000:.1f} kWh, {state.answers} answers, {state.connected} connected"
        + (f", {state.wrong} wrong" if state.wrong else "")
    )
    bars.update(task, completed=state.sessions, total=state.sessions_expected, description=text)


def _url_of(data: Path) -> str:
    running = Layout(data).running()
    if running is None:
        raise Failed(f"nothing runs in {data}: start `chargeledger up`, or give --url")
    return running.ocpp_url
