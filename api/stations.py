"""Stations: how they are, and their registration.

A registration is replaced as a whole, but for the password: nobody can read it back, so a PUT
without the member keeps it and null removes it.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Struct
from pydantic import AfterValidator, Field, PlainValidator, SecretStr

from api.access import Caller, Needs, allowed
from api.answers import LIMIT_DEFAULT, LIMIT_MAX, Items, Page, Query, documented, read, written
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.ports import Ports
from api.problems import FieldError, Invalid, NotFound
from domain.admission import STATUSES
from domain.readings import read_time
from domain.signing import ACCEPT, ATTRIBUTE, REFUSE
from projections.messages import Page as MessagePage
from projections.messages import conversation
from projections.stations import StationDetail, find_station, find_stations
from schemas.attributes import fault_of
from schemas.names import NAME_CHARACTERS_MAX, is_name
from schemas.provided import ATTRIBUTE as PROVIDED
from schemas.provided import MEANT, actions_in
from schemas.records import StationDeregistered, StationRegistered

ATTRIBUTES_MAX = 64
ATTRIBUTE_CHARACTERS_MAX = 1_000

router = APIRouter(tags=["stations"])

StationId = Annotated[str, Path(max_length=200, description="As in the station's URL.")]
Reader = Annotated[Caller, Depends(allowed("read-fleet"))]
Registrar = Annotated[Caller, Depends(allowed("write-stations"))]

AttributeName = Annotated[str, Field(min_length=1, max_length=64)]


def _attribute(value: Any) -> str | int | bool | None:
    if isinstance(value, str) and len(value) <= ATTRIBUTE_CHARACTERS_MAX:
        return value
    if value is None or isinstance(value, int):
        return value
    raise ValueError("text of at most 1000 characters, a whole number, a boolean or null")


Attribute = Annotated[str | int | bool | None, PlainValidator(_attribute)]


def _meant(attributes: dict[str, Any]) -> dict[str, Any]:
    """Refuse a value of an attribute that decides something, where it would decide nothing."""
    policy = attributes.get("boot_policy")
    if policy is not None and policy not in STATUSES:
        raise ValueError(f"boot_policy: one of {', '.join(STATUSES)}")
    if attributes.get(ATTRIBUTE) not in (None, ACCEPT, REFUSE):
        raise ValueError(f"{ATTRIBUTE}: {ACCEPT} or {REFUSE}")
    provided = attributes.get(PROVIDED)
    if provided is not None:
        try:
            actions_in(str(provided))
        except ValueError:
            raise ValueError(f"{PROVIDED}: {MEANT}") from None
    commissioned = attributes.get("commissioned_at")
    if commissioned is not None and read_time(commissioned)[0] is None:
        raise ValueError("commissioned_at: a time of RFC 3339")
    for name, value in attributes.items():
        if fault := fault_of(name, value):
            raise ValueError(fault)
    return attributes


class StationsQuery(Page):
    offline: bool | None = None
    faulted: bool | None = None
    version: Literal["1.6", "2.0.1", "2.1"] | None = None


class MessagesQuery(Query):
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    before: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,18}$", description="`next` of the page before.")
    ] = None


class Registration(Body):
    name: Annotated[str, Field(max_length=200)] = ""
    attributes: Annotated[
        dict[AttributeName, Attribute],
        AfterValidator(_meant),
        Field(
            default_factory=dict,
            max_length=ATTRIBUTES_MAX,
            description="Text, whole numbers, booleans or null. boot_policy (Accepted, Pending or"
            " Rejected) is what a BootNotification is answered, certificate_requests (accept or"
            " refuse) what a SignCertificate is, provided (actions with commas between them, or"
            " none) what a provider answers; blocked (true) has it refused; switch_… tell of a"
            " make's habits (docs/tolerance.md).",
        ),
    ]
    password: Annotated[
        SecretStr | None,
        Field(
            min_length=16,
            max_length=40,
            description="16 to 40 visible ASCII characters (OCPP security: AuthorizationKey,"
            " BasicAuthPassword). Absent: the password stays; null: none is asked for any more.",
        ),
    ] = None


class Registered(Struct, frozen=True, kw_only=True):
    tenant: str
    station: str
    name: str
    attributes: dict[str, Any]
    has_password: bool


RegistrationBody = Annotated[Registration, Depends(body_of(Registration))]


@router.get("/v1/stations", responses=documented((200, Items)))
async def list_stations(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[StationsQuery, QueryParameters()],
) -> Response:
    """Stations by id: registered, or ever seen."""
    found = await find_stations(
        ports.db,
        caller.tenant,
        online=None if query.offline is None else not query.offline,
        faulted=query.faulted,
        version=query.version,
        after=query.after,
        limit=query.limit,
    )
    more = found[-1].station if len(found) == query.limit else None
    return read(request, Items(found, more))


@router.get("/v1/stations/{station}", responses=documented((200, StationDetail), errors=[404]))
async def get_station(
    request: Request,
    station: StationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    """A station with its connectors and its newest connection, as last known."""
    return read(request, await known(ports, caller.tenant, station))


@router.get(
    "/v1/stations/{station}/messages", responses=documented((200, MessagePage), errors=[404])
)
async def get_messages(
    request: Request,
    station: StationId,
    caller: Annotated[Caller, Depends(allowed("read-conversation"))],
    ports: Needs,
    query: Annotated[MessagesQuery, QueryParameters()],
) -> Response:
    """The conversation: every frame of both directions, newest first."""
    await known(ports, caller.tenant, station)
    return read(
        request,
        await conversation(
            ports.frames, caller.tenant, station, before=query.before, limit=query.limit
        ),
    )


@router.put(
    "/v1/stations/{station}",
    responses=documented((200, Registered), errors=[413, 415]),
    openapi_extra=dict(body_documented(Registration)),
)
async def put_station(
    station: StationId,
    caller: Registrar,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: RegistrationBody,
) -> Response:
    """Register a station, or change its registration; answered when it is durable."""
    if not is_name(station):
        message = f"1 to {NAME_CHARACTERS_MAX} characters that are plain in a URL, no colon"
        raise Invalid(FieldError("station", message))
    return written(await _register(ports, caller, station, body))


@router.delete("/v1/stations/{station}", status_code=204, responses=documented())
async def delete_station(
    station: StationId,
    caller: Registrar,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    """Take the registration back; what the station has said stays. Repeating it changes nothing."""
    if is_name(station):
        record = StationDeregistered(
            tenant=caller.tenant, station=station, recorded_at=ports.now_us(), actor=caller.actor
        )
        async with ports.vault.registering(caller.tenant, station) as passwords:
            await ports.log.append(record)
            await passwords.removed()
    return Response(status_code=204)


async def known(ports: Ports, tenant: str, station: str) -> StationDetail:
    found = await find_station(ports.db, tenant, station)
    if found is None:
        raise NotFound("no station of this name is registered or was seen")
    return found


async def _register(ports: Ports, caller: Caller, station: str, body: Registration) -> Registered:
    password = _password(body)
    seen = await find_station(ports.db, caller.tenant, station)
    shows_password = seen is not None and seen.station.has_password
    async with ports.vault.registering(caller.tenant, station) as passwords:
        if password:
            password_id = await passwords.put(password)
        elif "password" in body.model_fields_set:
            password_id = ""
        else:
            password_id = await passwords.current(shows_password)
        await ports.log.append(
            StationRegistered(
                tenant=caller.tenant,
                station=station,
                recorded_at=ports.now_us(),
                actor=caller.actor,
                credential=f"secret:{password_id}" if password_id else "",
                keeps_password="password" not in body.model_fields_set,
                name=body.name,
                attributes=dict(body.attributes),
            )
        )
        await (passwords.recorded(password_id) if password_id else passwords.removed())
    return Registered(
        tenant=caller.tenant,
        station=station,
        name=body.name,
        attributes=dict(body.attributes),
        has_password=bool(password_id),
    )


def _password(body: Registration) -> bytes:
    if body.password is None:
        return b""
    password = body.password.get_secret_value()
    if not all("!" <= character <= "~" for character in password):
        raise Invalid(FieldError("password", "only visible ASCII characters"))
    return password.encode()
