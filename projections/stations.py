"""Stations, their connectors and their connections, as last known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.ports import Database
from projections.times import utc


class StationRow(Struct, frozen=True, kw_only=True):
    tenant: str
    station: str
    registered: bool
    """Somebody has registered it; others are here because they talked to us."""
    name: str
    attributes: dict[str, Any]
    has_password: bool
    online: bool
    version: str
    """The OCPP version of its newest connection; empty if it never connected."""
    connected_at: datetime | None
    """When the present connection was opened; None while offline."""
    last_seen: datetime | None
    faulted: bool
    """One of its connectors, or the station as a whole, says Faulted."""
    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    boot_status: str
    """Accepted, Pending or Rejected, as its last boot was answered; empty: it never booted here."""
    position: str
    """ "partition:offset" of the last record of its conversation; empty if there was none."""


class ConnectorRow(Struct, frozen=True, kw_only=True):
    evse: int
    """0 is the station as a whole."""
    connector: int
    status: str
    error_code: str
    detail: str
    since: datetime
    """When it first said this status, by the station's clock where it gave a time."""
    reported_at: datetime
    """When it said it last, by our clock."""
    position: str


class ConnectionRow(Struct, frozen=True, kw_only=True):
    connection: str
    opened_at: datetime
    closed_at: datetime | None
    reason: str
    remote: str
    protocol: str
    proof: str
    user_agent: str
    node: str
    registered: bool
    violations: Sequence[str]
    """What was odd about its handshake; docs/tolerance.md explains the words."""
    superseded: bool
    """A newer connection had taken its place before it was closed."""
    position: str


class StationDetail(Struct, frozen=True, kw_only=True):
    station: StationRow
    connectors: tuple[ConnectorRow, ...]
    connection: ConnectionRow | None
    """The newest one, open or closed."""


async def find_stations(
    db: Database,
    tenant: str,
    *,
    online: bool | None = None,
    faulted: bool | None = None,
    version: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[StationRow]:
    """Return stations by id; `after` is the last id of the page before."""
    rows = await db.fetch(
        "stations.find",
        {
            "tenant": tenant,
            "online": online,
            "faulted": faulted,
            "version": version,
            "after": after,
            "limit": limit,
        },
    )
    return [_station(dict(row)) for row in rows]


async def find_station(db: Database, tenant: str, station: str) -> StationDetail | None:
    key = {"tenant": tenant, "station": station}
    found = await db.fetch("stations.one", key)
    if not found:
        return None
    connectors = await db.fetch("stations.connectors", key)
    connection = await db.fetch("stations.newest_connection", key)
    return StationDetail(
        station=_station(dict(found[0])),
        connectors=tuple(_connector(dict(row)) for row in connectors),
        connection=_connection(dict(connection[0])) if connection else None,
    )


def _station(row: dict[str, Any]) -> StationRow:
    row["connected_at"] = utc(row["connected_at"])
    row["last_seen"] = utc(row["last_seen"])
    return StationRow(**row)


def _connector(row: dict[str, Any]) -> ConnectorRow:
    row["since"] = utc(row["since"])
    row["reported_at"] = utc(row["reported_at"])
    return ConnectorRow(**row)


def _connection(row: dict[str, Any]) -> ConnectionRow:
    row["opened_at"] = utc(row["opened_at"])
    row["closed_at"] = utc(row["closed_at"])
    return ConnectionRow(**row)
