"""What a session would cost: any tariff, registered or not, on any session, told or had.

Decides and writes nothing; it is the pricing of CDRs itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Struct
from pydantic import AwareDatetime, Field

from api.access import Caller, Needs, allowed
from api.answers import Query, documented, written
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.ports import Ports
from api.problems import FieldError, Invalid, NotFound
from api.tariffs import checked
from domain.charging_periods import Evidence, session_of
from domain.cost_document import cost_document, decimal_text, period_documents
from domain.pricing import price
from domain.pricing_clock import ZoneUnknown
from domain.pricing_ocpi import session_of_cdr
from domain.pricing_session import Exact, PricedSession, Reservation, SessionInvalid, exact
from domain.pricing_totals import Cost, Line
from domain.readings import read_time
from domain.repricing import session_of_document
from domain.tariff import Tariff
from domain.tariff_lint import warnings
from domain.tariff_reading import read_tariff
from projections.cdrs import find_cdr
from projections.tariffs import find_tariff_versions, version_for
from projections.times import microseconds
from schemas.cdr_cost import CdrCost, CdrPeriod
from schemas.location import decode_location

READINGS_MAX = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

router = APIRouter(tags=["tariffs"])

Reader = Annotated[Caller, Depends(allowed("read-tariffs"))]
Wh = Annotated[Decimal, Field(ge=0, le=10**10, allow_inf_nan=False)]
State = Literal["Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected", "Idle"]


class ReadingWanted(Body):
    at: AwareDatetime
    energy_wh: Annotated[Wh, Field(description="Since the start of the session.")]


class StateWanted(Body):
    at: AwareDatetime
    state: State


class ReservedWanted(Body):
    start: AwareDatetime
    end: AwareDatetime
    expired: bool = False


class SessionWanted(Body):
    """A session as a station tells it."""

    start: AwareDatetime
    end: AwareDatetime
    energy_wh: Wh
    readings: Annotated[tuple[ReadingWanted, ...], Field(max_length=READINGS_MAX)] = ()
    states: Annotated[tuple[StateWanted, ...], Field(max_length=READINGS_MAX)] = ()
    reservation: ReservedWanted | None = None


class OcpiSessionWanted(Body):
    """A session as the charging periods of an OCPI CDR."""

    start_date_time: str
    end_date_time: str
    charging_periods: Annotated[tuple[dict[str, Any], ...], Field(max_length=READINGS_MAX)]


class DryRunWanted(Body):
    tariff_id: Annotated[
        str, Field(max_length=36, description="A registered one, as of the session's start.")
    ] = ""
    tariff: Annotated[
        dict[str, Any] | None, Field(description="Or one that is not registered, as OCPI has it.")
    ] = None
    session: SessionWanted | None = None
    ocpi: OcpiSessionWanted | None = None
    cdr: Annotated[
        str, Field(max_length=255, description="Or that of a CDR: its id, or its transaction's.")
    ] = ""
    time_zone: Annotated[
        str, Field(max_length=64, description="IANA; without: the CDR's location's, or UTC.")
    ] = ""


class DryRunLine(Struct, frozen=True, kw_only=True):
    kind: str
    start: str
    end: str
    price: str
    volume: str
    """Wh, seconds, or 1 for a fee."""
    step_surplus: str
    """What step_size added."""
    excl_vat: str | None
    incl_vat: str
    because: str
    """Which element of the tariff it was, and why."""


class DryRun(Struct, frozen=True, kw_only=True):
    cost: CdrCost
    charging_periods: Sequence[CdrPeriod]
    lines: Sequence[DryRunLine]
    flags: Sequence[str]
    warnings: Sequence[str]
    """What in the tariff is probably not meant."""


@router.post(
    "/v1/pricing/dry-run",
    responses=documented((200, DryRun), errors=[404, 413, 415]),
    openapi_extra=dict(body_documented(DryRunWanted)),
)
async def dry_run(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: Annotated[DryRunWanted, Depends(body_of(DryRunWanted))],
) -> Response:
    """Price a session by a tariff, and show each line with its reason. Nothing is written."""
    session, start, zone = await _session(ports, caller, body)
    tariff = await _tariff(ports, caller, body, start)
    try:
        cost = price(session, tariff, body.time_zone or zone or "UTC")
    except ZoneUnknown as error:
        raise Invalid(FieldError("time_zone", "no zone of the IANA data base")) from error
    except SessionInvalid as error:
        raise Invalid(FieldError("session", str(error))) from error
    return written(_shown(cost, tariff))


async def _session(
    ports: Ports, caller: Caller, body: DryRunWanted
) -> tuple[PricedSession, datetime, str]:
    """Return (session, its start, the zone of its place)."""
    given = [body.session is not None, body.ocpi is not None, bool(body.cdr)]
    if sum(given) != 1:
        raise Invalid(FieldError("session", "give one of session, ocpi and cdr"))
    try:
        if body.session is not None:
            return _told(body.session), body.session.start, ""
        if body.ocpi is not None:
            o = body.ocpi
            made = session_of_cdr(o.charging_periods, o.start_date_time, o.end_date_time)
            return made, _at(read_time(o.start_date_time)[0] or 0), ""
    except SessionInvalid as error:
        raise Invalid(FieldError("session", str(error))) from error
    return await _had(ports, caller, body.cdr)


async def _had(ports: Ports, caller: Caller, cdr_id: str) -> tuple[PricedSession, datetime, str]:
    found = await find_cdr(ports.db, caller.tenant, cdr_id)
    if found is None:
        raise NotFound("no CDR has this id")
    cdr = found.cdr
    start, end = read_time(cdr.started_at)[0], read_time(cdr.ended_at)[0]
    if start is None or end is None or cdr.energy_wh is None or end < start:
        raise Invalid(FieldError("cdr", "its start, end or energy is not known"))
    location = cdr.location
    zone = decode_location(bytes(location.document)).time_zone if location is not None else ""
    return session_of_document(cdr, start, end), _at(start), zone


def _told(wanted: SessionWanted) -> PricedSession:
    start, end = microseconds(wanted.start), microseconds(wanted.end)
    if end < start:
        raise Invalid(FieldError("session.end", "before its start"))
    reserved = wanted.reservation
    return session_of(
        Evidence(
            start_us=start,
            end_us=end,
            start_wh=0,
            energy_wh=exact(wanted.energy_wh),
            readings=[(microseconds(each.at), each.energy_wh) for each in wanted.readings],
            states=[(microseconds(each.at), each.state) for each in wanted.states],
            reservation=None
            if reserved is None
            else Reservation(
                start_us=microseconds(reserved.start),
                end_us=microseconds(reserved.end),
                expired=reserved.expired,
            ),
        )
    )


async def _tariff(ports: Ports, caller: Caller, body: DryRunWanted, start: datetime) -> Tariff:
    if (body.tariff is None) == (not body.tariff_id):
        raise Invalid(FieldError("tariff_id", "give one of tariff_id and tariff"))
    if body.tariff is not None:
        return checked(str(body.tariff.get("id", "")), body.tariff)
    versions = await find_tariff_versions(ports.db, caller.tenant, body.tariff_id)
    found = version_for(versions, start)
    if found is None or found.tariff is None:
        raise NotFound("no such tariff is valid at the start of the session")
    return read_tariff(bytes(found.tariff))


def _shown(cost: Cost, tariff: Tariff) -> DryRun:
    return DryRun(
        cost=cost_document(cost),
        charging_periods=period_documents(cost),
        lines=[_line(line) for line in cost.lines],
        flags=cost.flags,
        warnings=warnings(tariff),
    )


def _line(line: Line) -> DryRunLine:
    return DryRunLine(
        kind=line.kind,
        start=_iso(line.start_us),
        end=_iso(line.end_us),
        price=str(line.price),
        volume=decimal_text(line.volume),
        step_surplus=decimal_text(line.step_surplus),
        excl_vat=None if line.excl is None else decimal_text(line.excl),
        incl_vat=decimal_text(line.incl),
        because=line.because,
    )


def _at(time_us: Exact) -> datetime:
    return _EPOCH + timedelta(microseconds=int(Fraction(time_us)))


def _iso(time_us: Exact) -> str:
    return _at(time_us).isoformat().replace("+00:00", "Z")
