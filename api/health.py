"""Whether this process lives, whether it can do its work, and its figures."""

import logging
from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import Struct

from api.access import Caller, allowed
from api.lag import Lag
from api.metrics import CONTENT_TYPE, Metrics
from api.vitals import Vitals
from projections.ports import StoreUnavailable
from projections.read_model import NAME as READ
from schemas.journal import Unavailable

LAG_READY_S = 60.0
"""Behind by more, what is read here misleads; the journal and the stations do not care."""
OWNER_READY_S = 30.0
"""Stations give up at about that."""

_log = logging.getLogger(__name__)
router = APIRouter(tags=["operation"])


class Readiness(Struct, frozen=True):
    ready: bool
    postgres: str
    journal: str
    projections: str
    owners: str
    """Each: "ok", or what is wrong; why, says the log, because everybody may ask this."""


@router.get("/healthz")
async def healthz() -> Response:
    """This process answers."""
    return Response(b'{"alive":true}', media_type="application/json")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether commands can be taken and what is read is fresh; 503 says what is not so."""
    readiness = await _readiness(request.app.state.vitals)
    body = msgspec.json.encode(readiness)
    return Response(body, 200 if readiness.ready else 503, media_type="application/json")


@router.get("/metrics")
async def metrics(
    request: Request, caller: Annotated[Caller, Depends(allowed("read-metrics"))]
) -> Response:
    """Prometheus' text format: of the whole deployment, naming no tenant and no station."""
    figures: Metrics = request.app.state.metrics
    return Response(await figures.text(request.app.state.vitals), media_type=CONTENT_TYPE)


async def _readiness(vitals: Vitals) -> Readiness:
    postgres = projections = owners = "ok"
    trouble = await vitals.trouble()
    if trouble:
        _log.info("not ready: %s", trouble)
    journal = "not writable" if trouble else "ok"
    try:
        lags = await vitals.lags()
        slow = [each for each in lags if each.seconds > LAG_READY_S]
        if slow:
            projections = "; ".join(map(_told, slow))
        owners = _owners(lags)
    except StoreUnavailable as error:
        _log.info("not ready: %s", error)
        postgres, projections = "not reachable", "not known without Postgres"
        owners = projections
    except Unavailable as error:
        _log.info("not ready: %s", error)
        projections = owners = "not known without the journal"
    is_ready = {postgres, journal, projections, owners} == {"ok"}
    return Readiness(is_ready, postgres, journal, projections, owners)


def _owners(lags: Sequence[Lag]) -> str:
    """What the read model, which is not behind itself, knows of the owners."""
    waiting_s = next((each.waiting_s for each in lags if each.name == READ), {})
    stuck = {p: seconds for p, seconds in sorted(waiting_s.items()) if seconds > OWNER_READY_S}
    told = [f"partition {p}: no decision for {seconds:.0f} s" for p, seconds in stuck.items()]
    return "; ".join(told) or "ok"


def _told(lag: Lag) -> str:
    return f"{lag.name} is {lag.seconds:.0f} s and {lag.records} records behind"
