"""What the owner says of a connection that nobody could close any more."""

from domain.station import Connection, Station
from schemas.records import ConnectionLost


def connection_lost(
    station: Station, connection: Connection, now: int, epoch: int
) -> ConnectionLost:
    return ConnectionLost(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=connection.opened,
        purpose="lost",
        epoch=epoch,
        connection=connection.id,
        reason="its ingress node is gone",
    )
