"""Locations: where stations stand, and which clock is on the wall there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw, Struct
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, Query, documented, read, written
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.problems import FieldError, Invalid, NotFound
from api.tariffs import is_identifier
from domain.pricing_clock import ZoneUnknown, zone_of
from projections.tariffs import LocationRow, find_location, find_locations
from projections.times import utc
from schemas.location import Location, encode_location
from schemas.names import NAME_CHARACTERS_MAX, is_name
from schemas.records import LocationPut, LocationRemoved

router = APIRouter(tags=["locations"])

LocationId = Annotated[str, Path(max_length=255)]
Reader = Annotated[Caller, Depends(allowed("read-tariffs"))]
Writer = Annotated[Caller, Depends(allowed("write-tariffs"))]
Line = Annotated[str, Field(max_length=255)]
Degrees = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}\.[0-9]{5,7}$")]


class CoordinatesWanted(Body):
    latitude: Degrees
    longitude: Degrees


class ConnectorWanted(Body):
    connector: Annotated[int, Field(ge=1, le=100, strict=True)]
    standard: Annotated[str, Field(max_length=50)] = ""
    format: Literal["SOCKET", "CABLE", ""] = ""
    power_type: Annotated[str, Field(max_length=30)] = ""


class EvseWanted(Body):
    evse: Annotated[int, Field(ge=1, le=10_000, strict=True)]
    uid: Annotated[str, Field(max_length=36)] = ""
    evse_id: Annotated[str, Field(max_length=48)] = ""
    connectors: Annotated[tuple[ConnectorWanted, ...], Field(max_length=20)] = ()


class StationWanted(Body):
    station: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]
    evses: Annotated[tuple[EvseWanted, ...], Field(max_length=256)] = ()


class LocationWanted(Body):
    time_zone: Annotated[str, Field(max_length=64, description="IANA, for instance Europe/Oslo.")]
    name: Line = ""
    address: Annotated[str, Field(max_length=45)] = ""
    city: Annotated[str, Field(max_length=45)] = ""
    postal_code: Annotated[str, Field(max_length=10)] = ""
    state: Annotated[str, Field(max_length=20)] = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{3})?$", description="ISO 3166-1 alpha-3.")] = ""
    country_code: Annotated[str, Field(pattern=r"^([A-Z]{2})?$", description="Of the party.")] = ""
    party_id: Annotated[str, Field(pattern=r"^([A-Z0-9]{3})?$", description="OCPI.")] = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$", description="ISO 4217.")] = ""
    coordinates: CoordinatesWanted | None = None
    stations: Annotated[tuple[StationWanted, ...], Field(max_length=1_000)] = ()


class LocationWritten(Struct, frozen=True, kw_only=True):
    location: Raw
    actor: str
    updated_at: datetime


@router.get("/v1/locations", responses=documented((200, Items)))
async def list_locations(
    request: Request, caller: Reader, ports: Needs, query: Annotated[Page, QueryParameters()]
) -> Response:
    found = await find_locations(ports.db, caller.tenant, after=query.after, limit=query.limit)
    more = _id_of(found) if len(found) == query.limit else None
    return read(request, Items(found, more))


@router.get("/v1/locations/{id}", responses=documented((200, LocationRow), errors=[404]))
async def get_location(
    request: Request,
    id: LocationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    found = await find_location(ports.db, caller.tenant, id)
    if found is None:
        raise NotFound("no location has this id")
    return read(request, found)


@router.put(
    "/v1/locations/{id}",
    responses=documented((200, LocationWritten), errors=[413, 415]),
    openapi_extra=dict(body_documented(LocationWanted)),
)
async def put_location(
    id: LocationId,
    caller: Writer,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: Annotated[LocationWanted, Depends(body_of(LocationWanted))],
) -> Response:
    """Register a location, or replace it as a whole; answered when it is durable."""
    _check(id, body)
    location = msgspec.convert({"id": id, **body.model_dump()}, type=Location)
    document, now = Raw(encode_location(location)), ports.now_us()
    await ports.log.append(
        LocationPut(
            tenant=caller.tenant,
            recorded_at=now,
            actor=caller.actor,
            location_id=id,
            location=document,
        )
    )
    return written(LocationWritten(location=document, actor=caller.actor, updated_at=utc(now)))


@router.delete("/v1/locations/{id}", status_code=204, responses=documented())
async def delete_location(
    id: LocationId, caller: Writer, ports: Needs, query: Annotated[Query, QueryParameters()]
) -> Response:
    """Take a location out of the registry. Repeating it changes nothing."""
    if is_identifier(id):
        await ports.log.append(
            LocationRemoved(
                tenant=caller.tenant,
                recorded_at=ports.now_us(),
                actor=caller.actor,
                location_id=id,
            )
        )
    return Response(status_code=204)


def _check(id: str, body: LocationWanted) -> None:
    if not is_identifier(id):
        raise Invalid(FieldError("id", "1 to 36 printable characters"))
    try:
        zone_of(body.time_zone)
    except ZoneUnknown as error:
        raise Invalid(FieldError("time_zone", "no zone of the IANA data base")) from error
    names = [each.station for each in body.stations]
    for number, each in enumerate(body.stations):
        if not is_name(each.station):
            raise Invalid(FieldError(f"stations.{number}.station", "not the name of a station"))
        evses = [evse.evse for evse in each.evses]
        if len(set(evses)) != len(evses):
            raise Invalid(FieldError(f"stations.{number}.evses", "an EVSE is listed twice"))
    if len(set(names)) != len(names):
        raise Invalid(FieldError("stations", "a station is listed twice"))


def _id_of(found: Sequence[LocationRow]) -> str:
    return msgspec.json.decode(found[-1].location, type=Location).id
