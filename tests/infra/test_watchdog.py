"""N-15: a process that lives and does nothing is ended, whether or not its loop still turns."""

import asyncio
import subprocess
import sys

import pytest

from infra.journal_evidence import Nowhere
from infra.watchdog import Stalled, watch
from projections import run
from projections.read_model import Batch, ReadModel
from tests.projections.projecting import SMALL
from tests.projections.world import World

PROGRAM = """
import asyncio, time
from infra.watchdog import ended_when_stuck

async def main():
    async with ended_when_stuck(look_s=0.1, ended_within_s=0.4):
        await asyncio.sleep(0.2)
        BODY

asyncio.run(main())
"""


async def test_a_count_that_stands_still_is_noticed() -> None:
    with pytest.raises(Stalled, match="a loop"):
        async with asyncio.timeout(20):
            await watch(lambda: {"a loop": 7}, stalled_s=0.2, look_s=0.05)


async def test_what_steps_or_ends_is_let_be() -> None:
    counts = {"steps": 0, "ends": 3}

    def steps() -> dict[str, int]:
        counts["steps"] += 1
        if counts["steps"] == 3:
            del counts["ends"]
        return dict(counts)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await watch(steps, stalled_s=0.3, look_s=0.05)


@pytest.mark.parametrize(
    ("body", "code", "is_told"),
    [
        ("time.sleep(60)", 1, True),
        ("await asyncio.sleep(1.0); raise SystemExit(7)", 7, False),
        ("asyncio.get_running_loop().run_in_executor(None, time.sleep, 60); 1 / 0", 1, True),
    ],
    ids=["no turn", "all is well", "no end after an error"],
)
def test_a_process_that_is_stuck_is_ended_with_a_traceback(
    body: str, code: int, is_told: bool
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("BODY", body)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == code, ended.stderr
    assert ("Timeout" in ended.stderr) == is_told


class StuckSink(ReadModel):
    """Its database never answers."""

    def __init__(self) -> None:
        super().__init__(Nowhere())
        self.entered = asyncio.Event()

    async def write(self, batch: Batch) -> None:
        self.entered.set()
        await asyncio.Future()


async def test_a_projection_steps_while_it_waits_and_not_while_a_write_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "IDLE_S", 0.05)
    world = await World().start()
    sink = StuckSink()
    projection = run.Projection(world.journal, sink, Nowhere(), limits=SMALL)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(projection.run())
        async with asyncio.timeout(10):
            await sink.entered.wait()
        stuck = dict(projection.steps)
        await asyncio.sleep(0.4)
        assert projection.steps["read writes"] == stuck["read writes"]
        assert projection.steps["read reads"] > stuck["read reads"]
        running.cancel()

    idle = run.Projection(world.journal, ReadModel(Nowhere()), Nowhere(), limits=SMALL)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(idle.run())
        await asyncio.sleep(0.4)
        before = dict(idle.steps)
        await asyncio.sleep(0.4)
        assert all(idle.steps[name] > before[name] for name in before)
        running.cancel()
