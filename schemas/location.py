"""A place with charging stations: where it is, which clock is on its wall, what stands there.

Names are those of OCPI 2.2.1 where it has one. A station or an EVSE that is not listed is still
that of the location whose station it belongs to.
"""

import msgspec
from msgspec import Struct


class Coordinates(Struct, frozen=True):
    latitude: str
    """Decimal degrees, as text (OCPI, GeoLocation)."""
    longitude: str


class LocatedConnector(Struct, frozen=True, kw_only=True, omit_defaults=True):
    connector: int
    standard: str = ""
    """OCPI ConnectorType, for instance IEC_62196_T2."""
    format: str = ""
    """SOCKET or CABLE."""
    power_type: str = ""
    """AC_1_PHASE, AC_2_PHASE, AC_2_PHASE_SPLIT, AC_3_PHASE or DC."""


class LocatedEvse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    evse: int
    uid: str = ""
    """OCPI's own key of the EVSE."""
    evse_id: str = ""
    """eMI3 id, for people and partners."""
    connectors: tuple[LocatedConnector, ...] = ()


class LocatedStation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    station: str
    evses: tuple[LocatedEvse, ...] = ()


class Location(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    time_zone: str
    """IANA; local tariffs are priced by it."""
    name: str = ""
    address: str = ""
    city: str = ""
    postal_code: str = ""
    state: str = ""
    country: str = ""
    """ISO 3166-1 alpha-3."""
    country_code: str = ""
    """ISO 3166-1 alpha-2 of the party."""
    party_id: str = ""
    currency: str = ""
    """ISO 4217 of the tariffs used there; empty: any."""
    coordinates: Coordinates | None = None
    stations: tuple[LocatedStation, ...] = ()

    def evse(self, station: str, evse: int) -> LocatedEvse | None:
        for located in self.stations:
            if located.station == station:
                return next((each for each in located.evses if each.evse == evse), None)
        return None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Location).decode


def encode_location(location: Location) -> bytes:
    return _encode(location)


def decode_location(document: bytes) -> Location:
    """Raise msgspec.MsgspecError for what is no location."""
    return _decode(document)
