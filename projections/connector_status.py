"""The state of each connector over time, for uptime: what it said, and whether we could hear it.

Each row is the whole state from there on, so a view needs no other row to read it. A change of the
connection or of the station as a whole (EVSE 0) makes a row for every connector known by then.
What a superseded connection says of status is not believed and makes no row, nor does an old status
that is told late.
"""

from domain.facts import ConnectionChanged, ConnectorStatusReported
from domain.station import Station
from projections.clickhouse_ports import Add, Table, storable

TABLE = Table(
    name="connector_status",
    columns=(
        ("tenant", "String"),
        ("station", "String"),
        ("evse", "Int64"),
        ("connector", "Int64"),
        ("status", "String"),
        ("station_status", "String"),
        ("connected", "Bool"),
        ("error_code", "String"),
        ("detail", "String"),
        ("at", "Nullable(DateTime64(6, 'UTC'))"),
        ("recorded_at", "DateTime64(6, 'UTC')"),
        ("source", "String"),
        ("partition", "UInt16"),
        ("offset", "UInt64"),
        ("index", "UInt32"),
    ),
)


def status_reported(station: Station, fact: ConnectorStatusReported, add: Add) -> None:
    if fact.superseded or fact.outdated:
        return
    if fact.evse_id == 0:
        _all_connectors(station, fact, "station_status", add)
    else:
        _connector(station, (fact.evse_id, fact.connector_id), fact, "status", 0, add)


def connection_changed(station: Station, fact: ConnectionChanged, add: Add) -> None:
    if not fact.superseded:
        _all_connectors(station, fact, "connection", add)


def _all_connectors(
    station: Station, fact: ConnectorStatusReported | ConnectionChanged, source: str, add: Add
) -> None:
    for index, place in enumerate(sorted(station.connectors)):
        _connector(station, place, fact, source, index, add)


def _connector(
    station: Station,
    place: tuple[int, int],
    fact: ConnectorStatusReported | ConnectionChanged,
    source: str,
    index: int,
    add: Add,
) -> None:
    connector = station.connectors[place]
    whole = station.connectors.get((0, 0))
    add(
        (
            station.tenant,
            station.station,
            *place,
            connector.status,
            "" if whole is None else whole.status,
            station.connection is not None,
            connector.error_code,
            connector.detail,
            storable(connector.at),
            fact.recorded_at,
            source,
            station.partition,
            fact.offset,
            index,
        )
    )
