"""The roles of `up`, each a process: what every one of them does first, and which is which."""

from collections.abc import Coroutine
from pathlib import Path

from infra.child import become_child
from infra.deployment import Deployment, Layout
from infra.settings import Settings
from infra.watchdog import ended_when_stuck

BEHIND = 19
"""Niceness of the processes that may lag: stations never wait for a projection."""


def run_child(role: str, data: Path, stations: int) -> None:
    settings = Settings(data=data)
    layout = Layout(data)
    become_child(settings.log_level, BEHIND if role in ("projections", "views", "demo") else 0)
    import uvloop

    uvloop.run(_watched(_role(role, settings, layout, layout.read(), stations)))


async def _watched(role: Coroutine[None, None, None]) -> None:
    async with ended_when_stuck():
        await role


def _role(
    role: str, settings: Settings, layout: Layout, deployment: Deployment, stations: int
) -> Coroutine[None, None, None]:
    match role:
        case "edge":
            from infra.cli.child_edge import run_edge

            return run_edge(settings, layout, deployment)
        case "projections":
            from infra.cli.child_projections import run_read_model

            return run_read_model(settings, layout, deployment)
        case "views":
            from infra.cli.child_views import run_views

            return run_views(settings, layout, deployment)
        case "api":
            from infra.cli.child_api import run_api

            return run_api(settings, layout, deployment)
        case "demo":
            from infra.cli.child_demo import run_demo

            return run_demo(deployment, stations)
        case _:
            raise ValueError(role)
