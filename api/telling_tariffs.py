"""Tariffs told to stations (OCPP 2.1, SetDefaultTariff), as commands like any other."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as QueryParameters
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import WaitQuery, documented
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.command_shape import Command
from api.commands import IdempotencyKey, post_command
from api.problems import FieldError, Invalid, NotFound
from api.tariffs import TariffId
from api.wanted import CommandWanted
from domain.tariff_for_stations import NotSayable, to_station
from domain.tariff_reading import read_tariff
from projections.tariffs import find_tariff_versions, version_for
from projections.times import utc
from schemas.names import NAME_CHARACTERS_MAX

router = APIRouter(tags=["tariffs"])

Operator = Annotated[Caller, Depends(allowed("command"))]


class TellWanted(Body):
    station: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]
    evse: Annotated[int, Field(ge=0, le=10_000, strict=True, description="0: all of them.")] = 0
    reason: Annotated[str, Field(max_length=500)] = ""


@router.post(
    "/v1/tariffs/{id}/tell",
    status_code=202,
    responses=documented((201, Command), (202, Command), errors=[404, 409, 413, 415]),
    openapi_extra=dict(body_documented(TellWanted)),
)
async def tell_tariff(
    request: Request,
    id: TariffId,
    caller: Operator,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[TellWanted, Depends(body_of(TellWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make the tariff, as it is now, the default of a station that speaks OCPP 2.1.

    The station shows it and computes with it; what is billed is decided here all the same. A tariff
    for which OCPP has no words is refused, with the reasons.
    """
    versions = await find_tariff_versions(ports.db, caller.tenant, id)
    found = version_for(versions, utc(ports.now_us()))
    if found is None or found.tariff is None:
        raise NotFound("no such tariff is valid now")
    try:
        told = to_station(read_tariff(bytes(found.tariff)))
    except NotSayable as error:
        raise Invalid(*(FieldError("tariff", reason) for reason in error.reasons)) from error
    wanted = CommandWanted(
        action="SetDefaultTariff",
        payload={"evseId": body.evse, "tariff": told},
        reason=body.reason,
    )
    return await post_command(request, body.station, caller, ports, query, wanted, idempotency_key)
