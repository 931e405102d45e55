"""What people have registered: stations and id tokens of every tenant, folded from partition 0.

Owners and ingress nodes each fold the whole of it. A decision names how much of it it knew.
"""

from msgspec import Struct

from schemas.records import (
    IdTokenPut,
    IdTokenRemoved,
    Record,
    StationDeregistered,
    StationRegistered,
)

TokenKey = tuple[str, str]


class Registry(Struct):
    position: int = 0
    """The offset after the last record folded."""
    stations: dict[tuple[str, str], StationRegistered] = {}
    tokens: dict[TokenKey, IdTokenPut] = {}
    """By (tenant, uid without case: OCPP 1.6, 7.27 CiString20)."""

    def fold(self, offset: int, record: Record) -> None:
        self.position = offset + 1
        if isinstance(record, StationRegistered):
            self.stations[record.tenant, record.station] = record
        elif isinstance(record, StationDeregistered):
            self.stations.pop((record.tenant, record.station), None)
        elif isinstance(record, IdTokenPut):
            self.tokens[record.tenant, record.uid.casefold()] = record
        elif isinstance(record, IdTokenRemoved):
            self.tokens.pop((record.tenant, record.uid.casefold()), None)

    def token(self, tenant: str, uid: str) -> IdTokenPut | None:
        return self.tokens.get((tenant, uid.casefold()))
