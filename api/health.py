"""Whether this process lives, whether it can do its work, and its figures."""

import logging
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import Struct

from api.access import Caller, Needs, allowed
from api.lag import Lag, find_lag
from api.metrics import CONTENT_TYPE, Metrics
from api.ports import Ports
from projections.ports import StoreUnavailable
from schemas.journal import Unavailable

LAG_READY_S = 60.0
"""Behind by more, what is read here misleads; the journal and the stations do not care."""

_log = logging.getLogger(__name__)
router = APIRouter(tags=["operation"])


class Readiness(Struct, frozen=True):
    ready: bool
    postgres: str
    journal: str
    projections: str
    """Each: "ok", or what is wrong; why, says the log, because everybody may ask this."""


@router.get("/healthz")
async def healthz() -> Response:
    """This process answers."""
    return Response(b'{"alive":true}', media_type="application/json")


@router.get("/readyz")
async def readyz(ports: Needs) -> Response:
    """Whether commands can be taken and what is read is fresh; 503 says what is not so."""
    readiness = await _readiness(ports)
    body = msgspec.json.encode(readiness)
    return Response(body, 200 if readiness.ready else 503, media_type="application/json")


@router.get("/metrics")
async def metrics(
    request: Request,
    ports: Needs,
    caller: Annotated[Caller, Depends(allowed("read-metrics"))],
) -> Response:
    """Prometheus' text format: of the whole deployment, naming no tenant and no station."""
    figures: Metrics = request.app.state.metrics
    return Response(await figures.text(ports), media_type=CONTENT_TYPE)


async def _readiness(ports: Ports) -> Readiness:
    postgres = projections = "ok"
    trouble = await ports.log.trouble()
    if trouble:
        _log.info("not ready: %s", trouble)
    journal = "not writable" if trouble else "ok"
    try:
        slow = [each for each in await find_lag(ports) if each.seconds > LAG_READY_S]
        if slow:
            projections = "; ".join(map(_told, slow))
    except StoreUnavailable as error:
        _log.info("not ready: %s", error)
        postgres, projections = "not reachable", "not known without Postgres"
    except Unavailable as error:
        _log.info("not ready: %s", error)
        projections = "not known without the journal"
    is_ready = (postgres, journal, projections) == ("ok", "ok", "ok")
    return Readiness(is_ready, postgres, journal, projections)


def _told(lag: Lag) -> str:
    return f"{lag.name} is {lag.seconds:.0f} s and {lag.records} records behind"
