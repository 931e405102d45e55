"""What people have registered: stations and id tokens of every tenant, folded from partition 0.

Owners and ingress nodes each fold the whole of it. A decision names how much of it it knew.
"""

import msgspec
from msgspec import Struct

from domain.reference import Reference
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

    reference: Reference = msgspec.field(default_factory=Reference)
    """All versions of what a session is priced by."""

    registrations: list[tuple[str, str]] = []
    """(tenant, station), as often as one was registered: what owners have to look at again."""

    def clear(self) -> None:
        """Forget everything, to be folded anew."""
        self.position = 0
        self.stations.clear()
        self.tokens.clear()
        self.registrations.clear()
        self.reference = Reference()

    def fold(self, offset: int, record: Record) -> None:
        self.position = offset + 1
        self.reference.fold(offset, record)
        if isinstance(record, StationRegistered):
            self.stations[record.tenant, record.station] = record
            self.registrations.append((record.tenant, record.station))
        elif isinstance(record, StationDeregistered):
            self.stations.pop((record.tenant, record.station), None)
        elif isinstance(record, IdTokenPut):
            self.tokens[record.tenant, record.uid.casefold()] = record
        elif isinstance(record, IdTokenRemoved):
            self.tokens.pop((record.tenant, record.uid.casefold()), None)

    def token(self, tenant: str, uid: str) -> IdTokenPut | None:
        return self.tokens.get((tenant, uid.casefold()))
