"""Keeps the processes of an embedded deployment running, and ends them in order.

They are children in our own process group. One that dies is started again, later each time up to
`RESTART_MAX_S`, for as long as we run: stations must not lose the edge because a projection cannot
start. One that dies before it was ever ready, a few times, ends everything, and says why. A child
that we may have left behind when we were killed is ended before we start (`end_orphans`).
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.child import Notice, Ready, line_in
from infra.orphans import Family

RESTART_FIRST_S = 0.5
RESTART_MAX_S = 30.0
WELL_AFTER_S = 60.0
"""Alive so long, a child's next death is its first again."""

FIRST_STARTS_MAX = 3
LOG_BYTES_MAX = 20_000_000
LOG_TAIL_BYTES = 2_000
DYING_NOTICED_S = 0.2
"""A child may die of the same Ctrl-C that we are about to hear of."""

Stops = Sequence[tuple[signal.Signals, float]]


class ChildFailed(Exception):
    """A child cannot be started; the message has the end of its log."""


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """`after` names children that must have been ready once before this one is started.

    One that says itself when it is ready (`infra.child`) leaves `wait_ready` out; of one that is
    no program of ours it blocks, in a thread, and gets a function that tells whether it lives.
    """

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stops: Stops = ((signal.SIGTERM, 10.0),)
    prepare: Callable[[], None] = lambda: None
    wait_ready: Callable[[Callable[[], bool]], None] | None = None
    when_ready: Callable[[], Awaitable[None]] = _nothing
    log_path: Path | None = None


class Supervisor:
    def __init__(
        self, children: Sequence[Child], *, logs: Path, family: Family, say: Callable[[str], None]
    ) -> None:
        """Children end in the reverse order of this list."""
        self._children = children
        self._logs = logs
        self._family = family
        self._say = say
        self._processes: dict[str, Process] = {}
        self._ready = {child.name: asyncio.Event() for child in children}
        self._is_stopping = False

    async def wait_ready(self) -> None:
        for ready in self._ready.values():
            await ready.wait()

    def pids(self) -> dict[str, int]:
        """Return the pids of the children that run now."""
        return {
            name: process.pid
            for name, process in self._processes.items()
            if process.returncode is None
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then end every child in order.

        Raises:
            ChildFailed: one could not be started; all have ended.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(self._keep(child)) for child in self._children]
                await stop.wait()
                # While their last words are still read.
                await self._end_all()
                for keeper in keepers:
                    keeper.cancel()
        except* ChildFailed as failures:
            failed = failures.exceptions[0]
        finally:
            await self._end_all()
        if failed is not None:
            raise failed

    async def _end_all(self) -> None:
        self._is_stopping = True
        for child in reversed(self._children):
            await self._end(child)

    async def _keep(self, child: Child) -> None:
        for name in child.after:
            await self._ready[name].wait()
        loop = asyncio.get_running_loop()
        delay_s = RESTART_FIRST_S
        starts = 0
        while True:
            started_s = loop.time()
            starts += 1
            reason = await self._live(child)
            await asyncio.sleep(DYING_NOTICED_S)
            if self._is_stopping:
                return
            if not self._ready[child.name].is_set() and starts >= FIRST_STARTS_MAX:
                raise ChildFailed(f"{child.name} does not start: {reason}\n{self._tail(child)}")
            if loop.time() - started_s > WELL_AFTER_S:
                delay_s = RESTART_FIRST_S
            self._say(f"{child.name} {reason}; it is started again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RESTART_MAX_S)

    async def _live(self, child: Child) -> str:
        """Start the child, follow it to its end, and return what became of it."""
        try:
            await asyncio.to_thread(child.prepare)
            if self._is_stopping:
                return "is not needed any more"
            process = await self._start(child)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from starting is its end.
            return f"cannot be started: {error}"
        if child.wait_ready is None:
            await self._listen(child, process)
        else:
            try:
                await asyncio.to_thread(child.wait_ready, lambda: process.returncode is None)
            except Exception as error:  # noqa: BLE001 - the same.
                await self._end(child)
                return f"did not become ready: {error}"
            await self._became_ready(child)
        return _fate(await process.wait())

    async def _start(self, child: Child) -> Process:
        is_ours = child.wait_ready is None
        with self._log_file(child).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *child.command(),
                stdin=subprocess.PIPE if is_ours else subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_ours else log,
                stderr=log,
                env={**os.environ, **child.environment},
            )
        self._processes[child.name] = process
        if is_ours:
            self._family.add(process.pid)
        return process

    async def _listen(self, child: Child, process: Process) -> None:
        assert process.stdout is not None
        async for text in process.stdout:
            match line_in(text):
                case Ready():
                    await self._became_ready(child)
                case Notice(level=level, text=said):
                    self._say(f"{child.name}: {level.lower()}: {said}")
                case None:
                    self._say(f"{child.name}: {text.decode(errors='replace').rstrip()}")

    async def _became_ready(self, child: Child) -> None:
        if not self._ready[child.name].is_set():
            await child.when_ready()
            self._ready[child.name].set()

    async def _end(self, child: Child) -> None:
        process = self._processes.get(child.name)
        if process is None:
            return
        for number, within_s in (*child.stops, (signal.SIGKILL, 10.0)):
            if process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await process.wait()
                    return
            self._say(f"{child.name} did not end within {within_s:g} s of {number.name}")

    def _log_file(self, child: Child) -> Path:
        path = child.log_path or self._logs / f"{child.name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.old"))
        return path

    def _tail(self, child: Child) -> str:
        return self._log_file(child).read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def _fate(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
