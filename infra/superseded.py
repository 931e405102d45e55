"""Connections that a younger one of their station has superseded in the log, until they are closed.

The socket may be on another node than the younger one's, and open for all that its node knows. An
opening whose append took long may even come after that of a younger connection. Whoever is
superseded in the log gets no answers; its station is to come again.
"""

from domain.owner import Owner
from domain.station import Connection
from infra.dispatcher import Dispatcher
from schemas.deliveries import CLOSE, DispatchedFrame, slot_of
from schemas.records import ConnectionClosed, ConnectionLost, ConnectionOpened, Record

REMEMBERED_MAX = 1_000
"""Until there is an owner. More do not come apart from their nodes' death."""


class Superseded:
    """One for the life of an owner: everything that it folds passes through `fold`."""

    def __init__(self) -> None:
        self._closing: dict[str, DispatchedFrame] = {}

    def fold(self, owner: Owner, offset: int, record: Record) -> bool:
        """Have the owner fold the record; return whether it counts."""
        if not isinstance(record, ConnectionOpened):
            counts = owner.fold(offset, record)
            if counts and isinstance(record, ConnectionClosed | ConnectionLost):
                self._closing.pop(record.connection, None)
            return counts
        older = _newest(owner, record)
        if not owner.fold(offset, record):
            return False
        if older is not None:
            self._closing[older.id] = DispatchedFrame(
                *(older.node, record.tenant, record.station, older.id, offset, "", CLOSE)
            )
            if len(self._closing) > REMEMBERED_MAX:
                del self._closing[next(iter(self._closing))]
        return True

    def close(self, dispatcher: Dispatcher) -> None:
        """Have their sockets closed, on whichever nodes they are."""
        for close in self._closing.values():
            dispatcher.put(slot_of(close.node), close)
        self._closing.clear()


def _newest(owner: Owner, record: Record) -> Connection | None:
    station = owner.stations.get((record.tenant, record.station))
    return station.connection if station is not None else None
