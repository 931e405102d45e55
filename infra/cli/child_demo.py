"""The demonstration fleet of `up`: simulated stations that charge until they are told to stop."""

import signal

from infra import clock
from infra.child import say_ready, stop_on
from infra.deployment import Deployment
from infra.simulator.fleet import simulate
from infra.simulator.options import SimulationOptions

PREFIX = "DEMO-"


async def run_demo(deployment: Deployment, stations: int) -> None:
    stop = stop_on(signal.SIGTERM)
    options = SimulationOptions(
        url=deployment.ocpp_url,
        stations=stations,
        endless=True,
        name_prefix=PREFIX,
        keep_operations=False,
        # `up` may take its time; a station of the demonstration waits for it for ever.
        give_up_s=None,
    )
    say_ready()
    await simulate(options, lambda _: None, now=clock.now(), stop=stop)
