"""One role as a process of a deployment on servers: Kafka, Postgres, ClickHouse by settings.

A role ends when it is told to (SIGTERM, SIGINT), or when it cannot go on: whoever runs the
deployment starts it anew.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

from infra.child import configure_logging, stop_on
from infra.cli.failures import Failed
from infra.settings import Settings
from infra.watchdog import ended_when_stuck

Role = Callable[[Settings, asyncio.Event], Awaitable[None]]

_logger = logging.getLogger(__name__)


def run_role(name: str) -> None:
    settings = Settings()
    if settings.journal != "kafka":
        raise Failed(
            f"the role {name} runs against Kafka: set CHARGELEDGER_JOURNAL=kafka and"
            " CHARGELEDGER_KAFKA_BOOTSTRAP (everything on one machine is `chargeledger up`)"
        )
    configure_logging(settings.log_level)
    import uvloop

    uvloop.run(_run(name, settings))


async def _run(name: str, settings: Settings) -> None:
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    role = _role(name)
    _logger.info("%s starts", name)
    async with ended_when_stuck():
        await role(settings, stop)
    _logger.info("%s has stopped", name)


def _role(name: str) -> Role:
    match name:
        case "ingress":
            from infra.cli.role_ingress import run_ingress

            return run_ingress
        case "domain":
            from infra.cli.role_domain import run_domain

            return run_domain
        case "projections":
            from infra.cli.role_projections import run_projections_role

            return run_projections_role
        case "api":
            from infra.cli.role_api import run_api_role

            return run_api_role
        case _:
            raise ValueError(name)
