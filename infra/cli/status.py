"""The live status line of `up`: stations, sessions, CDRs, kWh, lag."""

from infra.deployment import Deployment, Layout


async def follow_status(layout: Layout, deployment: Deployment) -> None:
    return
