"""The registry's records of what sessions are priced by; `schemas.records` has them all."""

from msgspec import Raw

from schemas.envelope import Record


class TariffPut(Record, frozen=True, kw_only=True, tag="tariff-put.v1"):
    """A tariff as it is for sessions that begin from `valid_from` on, until a later version."""

    actor: str
    tariff_id: str
    valid_from: int
    """Microseconds; 0: since ever."""
    tariff: Raw
    """The whole OCPI document, of 2.2.1 or 2.3.0, as it was given."""
    reason: str = ""


class TariffRemoved(Record, frozen=True, kw_only=True, tag="tariff-removed.v1"):
    """Prices no session that begins from `valid_from` on."""

    actor: str
    tariff_id: str
    valid_from: int
    reason: str = ""


class TariffAssigned(Record, frozen=True, kw_only=True, tag="tariff-assigned.v1"):
    """Which tariff prices the sessions of a scope; all of the scope's members empty: the tenant's.

    The station is the envelope's. No tariff: the scope has none of its own any more.
    """

    actor: str
    valid_from: int
    tariff_id: str
    group: str = ""
    """Of id tokens; compared without case."""
    location_id: str = ""
    evse: int = 0
    reason: str = ""


class LocationPut(Record, frozen=True, kw_only=True, tag="location-put.v1"):
    """The whole location as it is from now on: a document of `schemas.location.Location`."""

    actor: str
    location_id: str
    location: Raw


class LocationRemoved(Record, frozen=True, kw_only=True, tag="location-removed.v1"):
    actor: str
    location_id: str
