"""Tariffs in all their versions, which one prices what, and the locations they apply at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Raw, Struct

from projections.ports import Database
from projections.times import utc

VERSIONS_MAX = 1_000


class TariffRow(Struct, frozen=True, kw_only=True):
    id: str
    valid_from: datetime
    """For sessions that begin then or later, until the next version."""
    tariff: Raw | None
    """As it was put; null: removed from then on."""
    actor: str
    """Who put it, or removed it."""
    reason: str
    recorded_at: datetime
    position: str


class AssignmentRow(Struct, frozen=True, kw_only=True):
    """A scope and its tariff; all of the scope's members empty: the tenant's own."""

    group: str
    location_id: str
    station: str
    evse: int
    tariff_id: str
    valid_from: datetime
    actor: str
    reason: str
    recorded_at: datetime
    position: str


class LocationRow(Struct, frozen=True, kw_only=True):
    location: Raw
    actor: str
    updated_at: datetime
    position: str


async def find_tariffs(
    db: Database, tenant: str, *, at: int, after: str | None = None, limit: int = 100
) -> list[TariffRow]:
    """Return what is valid for sessions that begin at this time, by id."""
    parameters = {"tenant": tenant, "at": at, "after": after or "", "limit": limit}
    return [_tariff(row) for row in await db.fetch("tariffs.find", parameters)]


async def find_tariff_versions(db: Database, tenant: str, tariff_id: str) -> list[TariffRow]:
    """Return every version, the last registered first."""
    parameters = {"tenant": tenant, "tariff_id": tariff_id, "limit": VERSIONS_MAX}
    return [_tariff(row) for row in await db.fetch("tariffs.versions", parameters)]


async def find_assignments(
    db: Database, tenant: str, *, at: int, limit: int = 1_000
) -> list[AssignmentRow]:
    parameters = {"tenant": tenant, "at": at, "limit": limit}
    return [
        AssignmentRow(**{**row, **_times(row, "valid_from", "recorded_at")})
        for row in await db.fetch("tariffs.assignments", parameters)
    ]


async def find_locations(
    db: Database, tenant: str, *, after: str | None = None, limit: int = 100
) -> list[LocationRow]:
    parameters = {"tenant": tenant, "after": after or "", "limit": limit}
    return [_location(row) for row in await db.fetch("tariffs.locations", parameters)]


async def find_location(db: Database, tenant: str, location_id: str) -> LocationRow | None:
    parameters = {"tenant": tenant, "location_id": location_id}
    rows = await db.fetch("tariffs.location", parameters)
    return _location(rows[0]) if rows and rows[0]["document"] is not None else None


def version_for(versions: list[TariffRow], at: datetime) -> TariffRow | None:
    """Return the version for a session that begins at this time, of all versions."""
    # The one registered last comes first, so of two with the same time it wins.
    begun = [version for version in versions if version.valid_from <= at]
    found = max(begun, key=lambda version: version.valid_from, default=None)
    return found if found is not None and found.tariff is not None else None


def _tariff(row: Mapping[str, Any]) -> TariffRow:
    document = row["document"]
    return TariffRow(
        id=row["tariff_id"],
        tariff=None if document is None else Raw(document.encode()),
        actor=row["actor"],
        reason=row["reason"],
        position=row["position"],
        **_times(row, "valid_from", "recorded_at"),
    )


def _location(row: Mapping[str, Any]) -> LocationRow:
    return LocationRow(
        location=Raw(row["document"].encode()),
        actor=row["actor"],
        updated_at=utc(row["recorded_at"]),
        position=row["position"],
    )


def _times(row: Mapping[str, Any], *names: str) -> dict[str, datetime]:
    return {name: utc(row[name]) for name in names}
