"""What stations hold beside their transactions: a list for each facet of `domain.holdings`.

An item has the facet's own members, `reported_at` (our clock) and the `position` of the record that
changed it last. Members that OCPP gives inside an object stand there as it spells them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as QueryParameters
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, documented, read
from api.ports import Ports
from api.stations import StationId, known
from domain.charging_profiles import PURPOSES_16
from projections.station_state import Found, find_reservations, find_state

LISTED: Mapping[str, str] = {
    "monitors": "Monitors that are set on variables (2.x).",
    "monitoring": "The monitoring base and level that were set (2.x).",
    "reports": "Reports that were asked for, or came, and whether all their parts did (2.x).",
    "charging-limits": "Limits from outside, such as an energy management system (2.x).",
    "charging-needs": "What EVs asked for, by EVSE, and what they were answered (2.x).",
    "charging-schedules": "By which schedule EVs said they charge, by EVSE (2.x).",
    "composite-schedules": "The schedule that a station made of its profiles, as it said last.",
    "priority-charging": "Transactions with priority, on or off (2.1).",
    "local-list": "The version of the local authorization list, and how many tokens are in it.",
    "certificates": "Certificates that are installed, and a station's own.",
    "certificate-requests": "Certificates that stations asked us to sign, pending or signed.",
    "display-messages": "Messages on displays (2.x).",
    "network-profiles": "Network profiles by slot, without their secrets (2.x).",
    "der-controls": "Controls of distributed energy resources (2.1).",
    "tariffs": "Tariffs in the station (2.1); what is billed is decided elsewhere.",
    "event-streams": "Periodic event streams that are open, each with its last value (2.1).",
    "energy-transfers": "Energy transfers that were allowed to transactions (2.1).",
    "afrr-signals": "The last grid signal that the station took (2.1).",
    "battery-swaps": "Battery swaps, asked for and made (2.1).",
    "web-payments": "Web payments that were begun, by EVSE (2.1).",
    "vat-checks": "Checks of VAT numbers, without the numbers (2.1).",
}
"""Facets that are listed whole, by key; those with filters have routes of their own below."""

LATEST_FIRST: Mapping[str, str] = {
    "station-events": "Events of variables and monitors, the latest first (2.x); a hundred.",
    "security-events": "Security events, the latest first; a hundred.",
    "der-alarms": "Alarms of distributed energy resources, the latest first (2.1).",
}
PAID: Mapping[str, str] = {
    "costs": "Costs that stations were told, by transaction (2.x).",
    "settlements": "Settlements of payments at the station, the latest first (2.1).",
}

FILTERED = ("variables", "charging-profiles", "jobs", "reservations")
ALL = (*FILTERED, *LISTED, *LATEST_FIRST, *PAID)
"""Every facet that is shown."""

router = APIRouter(tags=["station state"])

Reader = Annotated[Caller, Depends(allowed("read-fleet"))]
Accountant = Annotated[Caller, Depends(allowed("read-transactions"))]
_Text = Annotated[str | None, Field(max_length=255)]


class VariablesQuery(Page):
    component: Annotated[str | None, Field(max_length=255, description="Without case.")] = None
    variable: Annotated[
        str | None,
        Field(max_length=255, description="Without case; in 1.6 the configuration key."),
    ] = None


class ProfilesQuery(Page):
    purpose: Annotated[
        str | None,
        Field(max_length=255, description="TxProfile, …; in the words of 1.6 or of 2.x."),
    ] = None
    evse_id: Annotated[int | None, Field(ge=0, le=2**31)] = None
    stack_level: Annotated[int | None, Field(ge=0, le=2**31)] = None


class JobsQuery(Page):
    kind: Annotated[
        str | None,
        Field(
            max_length=50,
            description="firmware, log, diagnostics, publish-firmware, unpublish-firmware",
        ),
    ] = None
    state: Annotated[
        str | None,
        Field(
            max_length=50,
            description="requested, accepted, rejected, running, done, failed, canceled",
        ),
    ] = None


class StationReservationsQuery(Page):
    state: Annotated[
        str | None,
        Field(
            max_length=50,
            description="active, used, cancelled, expired, removed, no_transaction",
        ),
    ] = None


class ReservationsQuery(StationReservationsQuery):
    station: _Text = None
    id_token: Annotated[str | None, Field(max_length=255, description="Without case.")] = None


@router.get("/v1/stations/{station}/variables", responses=documented((200, Items), errors=[404]))
async def list_variables(
    request: Request,
    station: StationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[VariablesQuery, QueryParameters()],
) -> Response:
    """Variables of the device model, or configuration keys, as far as the station told them.

    Secrets have `is_secret` and no value."""
    named = {"component": query.component, "variable": query.variable}
    return await _list(request, ports, caller, station, "variables", query, {}, named=named)


@router.get(
    "/v1/stations/{station}/charging-profiles", responses=documented((200, Items), errors=[404])
)
async def list_charging_profiles(
    request: Request,
    station: StationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[ProfilesQuery, QueryParameters()],
) -> Response:
    """Charging profiles in force, by id: none whose `valid_to` has passed by our clock."""
    names = ("purpose", "evse_id", "stack_level")
    fitting = {name: getattr(query, name) for name in names}
    fitting["purpose"] = PURPOSES_16.get(query.purpose or "", query.purpose)
    facet, now = "charging-profiles", ports.now_us()
    return await _list(request, ports, caller, station, facet, query, fitting, valid_at=now)


@router.get("/v1/stations/{station}/jobs", responses=documented((200, Items), errors=[404]))
async def list_jobs(
    request: Request,
    station: StationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[JobsQuery, QueryParameters()],
) -> Response:
    """Firmware updates and uploads of logs, the latest first, each with all its states."""
    fitting = {"kind": query.kind, "state": query.state}
    return await _list(request, ports, caller, station, "jobs", query, fitting, latest_first=True)


@router.get("/v1/stations/{station}/reservations", responses=documented((200, Items), errors=[404]))
async def list_reservations_of_station(
    request: Request,
    station: StationId,
    caller: Accountant,
    ports: Needs,
    query: Annotated[StationReservationsQuery, QueryParameters()],
) -> Response:
    """Reservations of a station, by id."""
    fitting = {"state": query.state}
    return await _list(request, ports, caller, station, "reservations", query, fitting)


@router.get("/v1/reservations", responses=documented((200, Items)))
async def list_reservations(
    request: Request,
    caller: Accountant,
    ports: Needs,
    query: Annotated[ReservationsQuery, QueryParameters()],
) -> Response:
    """Reservations of all stations, by station."""
    found = await find_reservations(
        ports.db,
        caller.tenant,
        station=query.station,
        id_token=query.id_token,
        state=query.state,
        after=query.after,
        limit=query.limit,
    )
    return _page(request, found, query)


def _whole(facet: str, *, latest_first: bool) -> Callable[..., Awaitable[Response]]:
    async def listed(
        request: Request,
        station: StationId,
        caller: Reader,
        ports: Needs,
        query: Annotated[Page, QueryParameters()],
    ) -> Response:
        return await _list(
            request, ports, caller, station, facet, query, {}, latest_first=latest_first
        )

    return listed


def _paid(facet: str) -> Callable[..., Awaitable[Response]]:
    async def listed(
        request: Request,
        station: StationId,
        caller: Accountant,
        ports: Needs,
        query: Annotated[Page, QueryParameters()],
    ) -> Response:
        return await _list(request, ports, caller, station, facet, query, {}, latest_first=True)

    return listed


async def _list(
    request: Request,
    ports: Ports,
    caller: Caller,
    station: str,
    facet: str,
    query: Page,
    fitting: Mapping[str, Any],
    *,
    named: Mapping[str, str | None] | None = None,
    valid_at: int | None = None,
    latest_first: bool = False,
) -> Response:
    await known(ports, caller.tenant, station)
    found = await find_state(
        ports.db,
        caller.tenant,
        station,
        facet,
        fitting={name: value for name, value in fitting.items() if value is not None},
        named={name: value for name, value in (named or {}).items() if value is not None},
        valid_at=valid_at,
        latest_first=latest_first,
        after=query.after,
        limit=query.limit,
    )
    return _page(request, found, query)


def _page(request: Request, found: list[Found], query: Page) -> Response:
    more = found[-1].key if len(found) == query.limit else None
    return read(request, Items([each.item for each in found], more))


def _add(facet: str, summary: str, endpoint: Callable[..., Awaitable[Response]]) -> None:
    router.add_api_route(
        f"/v1/stations/{{station}}/{facet}",
        endpoint,
        methods=["GET"],
        name=f"list {facet}",
        summary=facet.replace("-", " ").capitalize(),
        description=summary,
        responses=documented((200, Items), errors=[404]),
    )


for _facet, _summary in LISTED.items():
    _add(_facet, _summary, _whole(_facet, latest_first=False))
for _facet, _summary in LATEST_FIRST.items():
    _add(_facet, _summary, _whole(_facet, latest_first=True))
for _facet, _summary in PAID.items():
    _add(_facet, _summary, _paid(_facet))
