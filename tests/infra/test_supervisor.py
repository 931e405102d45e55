"""Children are real processes: tiny programs of Python."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psutil
import pytest

from infra.orphans import Family
from infra.supervisor import Child, ChildFailed, Supervisor

ENOUGH_S = 30.0

SERVE = """
import asyncio, signal, sys
from infra.child import become_child, say_ready, stop_on
async def serve(name, trace):
    stop = stop_on(signal.SIGTERM)
    say_ready()
    await stop.wait()
    with open(trace, "a") as file:
        file.write(name + "\\n")
become_child("INFO")
asyncio.run(serve(*sys.argv[1:]))
"""

WARN = """
import logging, signal, asyncio
from infra.child import become_child, say_ready, stop_on
async def serve():
    stop = stop_on(signal.SIGTERM)
    logging.getLogger("x").warning("the disk is %s", "slow")
    say_ready()
    await stop.wait()
become_child("INFO")
asyncio.run(serve())
"""

STUBBORN = """
import signal, time
from infra.child import become_child, say_ready
become_child("INFO")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say_ready()
time.sleep(600)
"""

BROKEN = "import sys; sys.exit('the disk is gone')"

HANGING = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def python(code: str, *arguments: str) -> Callable[[], Sequence[str]]:
    return lambda: [sys.executable, "-c", code, *arguments]


class Told(list[str]):
    """What the supervisor said."""

    def __call__(self, text: str) -> None:
        self.append(text)


async def supervising(
    supervisor: Supervisor, body: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> None:
    async with asyncio.timeout(ENOUGH_S), asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(stop))
        await supervisor.wait_ready()
        await body()
        stop.set()


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(ENOUGH_S):
        while not is_so():  # noqa: ASYNC110 - another process brings it about.
            await asyncio.sleep(0.01)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervised(tmp_path: Path, told: Told) -> Callable[..., Supervisor]:
    def supervised(*children: Child) -> Supervisor:
        family = Family(tmp_path / "children.json")
        return Supervisor(children, logs=tmp_path / "logs", family=family, say=told)

    return supervised


async def test_children_start_after_what_they_need_and_end_in_reverse(
    tmp_path: Path, supervised: Callable[..., Supervisor]
) -> None:
    trace = tmp_path / "trace"
    supervisor = supervised(
        Child(name="first", command=python(SERVE, "first", str(trace))),
        Child(name="second", command=python(SERVE, "second", str(trace)), after=("first",)),
    )

    async def body() -> None:
        assert set(supervisor.pids()) == {"first", "second"}

    await supervising(supervisor, body, asyncio.Event())

    assert trace.read_text().split() == ["second", "first"]
    assert supervisor.pids() == {}


async def test_a_child_that_is_killed_is_started_again(
    tmp_path: Path, supervised: Callable[..., Supervisor], told: Told
) -> None:
    supervisor = supervised(
        Child(name="edge", command=python(SERVE, "edge", str(tmp_path / "trace")))
    )

    async def body() -> None:
        first = supervisor.pids()["edge"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.pids().get("edge", first) != first)

    await supervising(supervisor, body, asyncio.Event())

    assert "edge was ended by SIGKILL; it is started again in 0.5 s" in told


async def test_a_child_that_never_becomes_ready_ends_everything_and_says_why(
    tmp_path: Path, supervised: Callable[..., Supervisor]
) -> None:
    trace = tmp_path / "trace"
    supervisor = supervised(
        Child(name="good", command=python(SERVE, "good", str(trace))),
        Child(name="bad", command=python(BROKEN), after=("good",)),
    )

    async with asyncio.timeout(ENOUGH_S):
        with pytest.raises(
            ChildFailed, match=r"bad does not start: ended with exit code 1\n.*gone"
        ):
            await supervisor.run(asyncio.Event())

    assert trace.read_text().split() == ["good"]


async def test_a_warning_of_a_child_is_passed_on(
    tmp_path: Path, supervised: Callable[..., Supervisor], told: Told
) -> None:
    supervisor = supervised(Child(name="edge", command=python(WARN)))

    async def body() -> None:
        await until(lambda: "edge: warning: the disk is slow" in told)

    await supervising(supervisor, body, asyncio.Event())

    assert "the disk is slow" in (tmp_path / "logs" / "edge.log").read_text()


async def test_a_child_that_does_not_stop_is_killed(
    supervised: Callable[..., Supervisor], told: Told
) -> None:
    supervisor = supervised(
        Child(name="stubborn", command=python(STUBBORN), stops=((signal.SIGTERM, 0.2),))
    )

    async def body() -> None:
        pass

    await supervising(supervisor, body, asyncio.Event())

    assert told == ["stubborn did not end within 0.2 s of SIGTERM"]
    assert supervisor.pids() == {}


async def test_a_program_that_is_not_ours_is_waited_for(
    tmp_path: Path, supervised: Callable[..., Supervisor]
) -> None:
    hooks: list[str] = []

    def wait_ready(is_alive: Callable[[], bool]) -> None:
        assert is_alive()
        hooks.append("waited")

    async def when_ready() -> None:
        hooks.append("ready")

    supervisor = supervised(
        Child(
            name="postgres",
            command=lambda: ["sleep", "600"],
            prepare=lambda: hooks.append("prepared"),
            wait_ready=wait_ready,
            when_ready=when_ready,
            log_path=tmp_path / "postgres.log",
        )
    )

    async def body() -> None:
        assert hooks == ["prepared", "waited", "ready"]

    await supervising(supervisor, body, asyncio.Event())

    assert (tmp_path / "postgres.log").exists()


PARENT = """
import asyncio, sys
from pathlib import Path
from infra.orphans import Family
from infra.supervisor import Child, Supervisor
async def main(directory, code, trace):
    child = Child(name="edge", command=lambda: [sys.executable, "-c", code, "edge", trace])
    family = Family(Path(directory) / "children.json")
    supervisor = Supervisor([child], logs=Path(directory), family=family, say=print)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(asyncio.Event()))
        await supervisor.wait_ready()
        print(supervisor.pids()["edge"], flush=True)
asyncio.run(main(*sys.argv[1:]))
"""


def test_children_end_in_order_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), SERVE, str(trace)], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        psutil.wait_procs([child], timeout=ENOUGH_S)

    assert trace.read_text().split() == ["edge"]


def test_what_an_earlier_run_left_behind_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.orphans.ENDS_BY_ITSELF_S", 0.1)
    path = tmp_path / "children.json"
    with subprocess.Popen([sys.executable, "-c", HANGING]) as orphan:
        Family(path).add(orphan.pid)

        assert Family(path).end_orphans() == 1
        assert not alive(orphan.pid)
    assert Family(path).end_orphans() == 0


def test_a_process_that_only_has_an_orphans_number_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "children.json"
    path.write_text(f'[{{"pid":{os.getpid()},"at":1.0}}]')

    assert Family(path).end_orphans() == 0
