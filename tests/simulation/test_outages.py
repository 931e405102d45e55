"""The cases K-07 and K-08: the log is away for ten minutes, and comes and goes."""

import pytest

from tests.simulation.run import simulate


@pytest.mark.parametrize("seed", [20])
def test_k_07_no_session_is_lost_over_ten_minutes_without_the_log(seed: int) -> None:
    found = simulate(seed, deployment="kafka", kinds=("ten_minutes",))

    assert found.wrong == [], str(found)
    assert found.sessions > 0
    assert found.answers > 0


@pytest.mark.parametrize("seed", [20])
def test_k_08_no_session_is_lost_while_the_log_comes_and_goes(seed: int) -> None:
    found = simulate(seed, deployment="kafka", kinds=("flap",))

    assert found.wrong == [], str(found)
    assert found.sessions > 0
