"""The cases K-07 and K-08: the log is away for ten minutes, and comes and goes."""

import pytest

from tests.simulation.controls import CONTROLS
from tests.simulation.run import simulate
from tests.simulation.world import Deployment

SEED = 24
"""Under which a station asks while the embedded log has failed and doors are not closed yet."""


@pytest.mark.parametrize("deployment", ["kafka", "embedded"])
def test_k_07_no_session_is_lost_over_ten_minutes_without_the_log(deployment: Deployment) -> None:
    found = simulate(SEED, deployment=deployment, kinds=("ten_minutes",))

    assert found.wrong == [], str(found)
    assert found.sessions > 0
    assert found.answers > 0


def test_k_08_no_session_is_lost_while_the_log_comes_and_goes() -> None:
    found = simulate(SEED, deployment="kafka", kinds=("flap",))

    assert found.wrong == [], str(found)
    assert found.sessions > 0


def test_a_build_that_tells_stations_of_the_outage_is_found() -> None:
    with CONTROLS["callerror_when_the_log_fails"].applied():
        found = simulate(SEED, deployment="embedded", kinds=("ten_minutes",))

    assert any("money_refused" in each for each in found.wrong), str(found)
