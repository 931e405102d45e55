"""The checkers can fail: each deliberately broken build is found, the sound one is not (S-06)."""

from dataclasses import replace

import pytest

from tests.simulation.controls import CONTROLS
from tests.simulation.run import simulate
from tests.simulation.world import Size

SEEDS_MAX = 15
SIZE = Size(stations=4, sessions=2)


@pytest.mark.parametrize("name", CONTROLS)
def test_a_broken_build_is_found(name: str) -> None:
    control = CONTROLS[name]
    size = replace(SIZE, asks=control.asks)
    for seed in range(control.seed, control.seed + SEEDS_MAX):
        with control.applied():
            broken = simulate(seed, size, deployment=control.deployment, kinds=control.kinds)
        if control.finding in {each.partition(":")[0] for each in broken.wrong}:
            break

    sound = simulate(seed, size, deployment=control.deployment, kinds=control.kinds)
    found = {each.partition(":")[0] for each in broken.wrong}
    assert control.finding in found, f"{name} passes {SEEDS_MAX} seeds: {found}"
    assert not sound.wrong, str(sound)


def test_there_are_ten_of_them_at_least() -> None:
    assert len(CONTROLS) >= 10
