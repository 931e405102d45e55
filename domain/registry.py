"""What people have registered: stations and id tokens of every tenant, folded from partition 0.

Owners and ingress nodes each fold the whole of it. A decision names how much of it it knew.
"""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from domain.reference import Reference
from schemas.records import (
    IdTokenPut,
    IdTokenRemoved,
    Record,
    StationDeregistered,
    StationPasswordOffered,
    StationPasswordSettled,
    StationRegistered,
)

TokenKey = tuple[str, str]


class Registry(Struct):
    position: int = 0
    """The offset after the last record folded."""
    stations: dict[tuple[str, str], StationRegistered] = {}
    tokens: dict[TokenKey, IdTokenPut] = {}
    """By (tenant, uid without case: OCPP 1.6, 7.27 CiString20)."""

    offers: dict[tuple[str, str], dict[str, StationPasswordOffered]] = {}
    """Passwords that commands are about to set, of registered stations, by command id."""

    reference: Reference = msgspec.field(default_factory=Reference)
    """All versions of what a session is priced by."""

    registrations: list[tuple[str, str]] = []
    """(tenant, station), as often as one was registered: what owners have to look at again."""

    def clear(self) -> None:
        """Forget everything, to be folded anew."""
        self.position = 0
        self.stations.clear()
        self.tokens.clear()
        self.offers.clear()
        self.registrations.clear()
        self.reference = Reference()

    def fold(self, offset: int, record: Record) -> None:
        self.position = offset + 1
        self.reference.fold(offset, record)
        if isinstance(record, StationRegistered):
            self._register(record)
            self.registrations.append((record.tenant, record.station))
        elif isinstance(record, StationDeregistered):
            self.stations.pop((record.tenant, record.station), None)
            self.offers.pop((record.tenant, record.station), None)
        elif isinstance(record, StationPasswordOffered):
            if (record.tenant, record.station) in self.stations:
                offers = self.offers.setdefault((record.tenant, record.station), {})
                offers[record.command_id] = record
        elif isinstance(record, StationPasswordSettled):
            self._settle(record)
        elif isinstance(record, IdTokenPut):
            self.tokens[record.tenant, record.uid.casefold()] = record
        elif isinstance(record, IdTokenRemoved):
            self.tokens.pop((record.tenant, record.uid.casefold()), None)

    def _register(self, record: StationRegistered) -> None:
        before = self.stations.get((record.tenant, record.station))
        if record.keeps_password and before is not None:
            record = replace(record, credential=before.credential)
        self.stations[record.tenant, record.station] = record

    def _settle(self, record: StationPasswordSettled) -> None:
        key = (record.tenant, record.station)
        offers = self.offers.get(key, {})
        offer = offers.pop(record.command_id, None)
        if not offers:
            self.offers.pop(key, None)
        registered = self.stations.get(key)
        if offer is not None and registered is not None and record.counts:
            self.stations[key] = replace(registered, credential=offer.credential)

    def token(self, tenant: str, uid: str) -> IdTokenPut | None:
        return self.tokens.get((tenant, uid.casefold()))
