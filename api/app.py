"""The HTTP interface, put together: routes, errors, figures and the OpenAPI document."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import (
    cdr_requests,
    cdrs,
    commands,
    completeness,
    dry_run,
    events,
    health,
    id_tokens,
    locations,
    problems,
    provider_requests,
    set_aside,
    station_state,
    stations,
    tariffs,
    telling_tariffs,
    transactions,
)
from api.answers import Items, schemas_of
from api.asked import Recent
from api.command_shape import Command
from api.events import Streams
from api.metrics import Measured, Metrics
from api.ports import Ports
from api.read_your_write import NotingLog, ReadYourWrite
from api.transactions import Counted
from api.vitals import Vitals
from api.waits import Waits
from projections.cdr_requests import CdrRequestRow
from projections.completeness import Completeness
from projections.evidence import Bundle
from projections.id_tokens import IdTokenRow
from projections.messages import Page as MessagePage
from projections.provider_requests import ProviderRequest
from projections.stations import StationDetail, StationRow
from projections.tariffs import LocationRow
from projections.transactions import TransactionRow

TITLE = "ChargeLedger"
DESCRIPTION = """\
Reads come from views that follow the journal within a moment; what is written is durable in the
journal when it is answered. Errors are RFC 9457 problem documents. Times are RFC 3339 in UTC,
energy is in whole Wh. A query parameter that a route does not know is refused (422).
"""
SHAPES = (
    Bundle,
    cdrs.CdrFeed,
    Completeness,
    CdrRequestRow,
    dry_run.DryRun,
    cdrs.OcpiCdr,
    Command,
    Items,
    IdTokenRow,
    MessagePage,
    StationDetail,
    StationRow,
    Counted,
    TransactionRow,
    transactions.TransactionDetail,
    id_tokens.IdTokenWritten,
    ProviderRequest,
    LocationRow,
    locations.LocationWritten,
    tariffs.Assigned,
    tariffs.TariffDetail,
    tariffs.TariffWritten,
    problems.Problem,
    stations.Registered,
)


def create_app(ports: Ports, *, version: str = "0") -> FastAPI:
    """Return the application over these ports. `app.state.closing` ends what would wait."""
    app = FastAPIOffline(
        title=TITLE,
        version=version,
        description=DESCRIPTION,
        redoc_url=None,
        telemetry=None,
    )
    app.state.ports = ports = replace(ports, log=NotingLog(ports.log))
    app.state.closing = asyncio.Event()
    app.state.waits = Waits(app.state.closing)
    app.state.metrics = Metrics()
    app.state.vitals = Vitals(ports)
    app.state.recent = Recent()
    app.state.recent_answers = Recent()
    app.state.streams = Streams()
    problems.install(app)
    for module in (
        stations,
        commands,
        transactions,
        completeness,  # Before the CDRs, whose path would take its name for an id.
        cdrs,
        cdr_requests,
        id_tokens,
        tariffs,
        dry_run,
        telling_tariffs,
        locations,
        provider_requests,
        station_state,
        set_aside,
        events,
        health,
    ):
        app.include_router(module.router)
    app.add_middleware(ReadYourWrite)
    app.add_middleware(Measured, metrics=app.state.metrics)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas_of(SHAPES))
        return document

    app.openapi = openapi  # type: ignore[method-assign] # The framework's own way to extend it.
    return app
