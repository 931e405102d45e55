"""What a scenario's `config` says is registered, as records of the registry."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Raw

from domain.readings import read_time
from schemas.location import LocatedStation, Location, encode_location
from schemas.records import (
    IdTokenPut,
    LocationPut,
    Record,
    StationRegistered,
    TariffAssigned,
    TariffPut,
)

ACTOR, TENANT, PLACE = "scenario", "default", "place"
ATTRIBUTES = (
    "connectors",
    "max_power_w",
    "register_modulus_wh",
    "commissioned_at",
    "eichrecht",
    "public_key_hex",
    "public_keys",
)
"""Of `config`: what is registered of the station."""

_ELSEWHERE = {"cs", "time_zone", "currency", "tokens", "reservations", "station_tariffs"}


def unknown_in(config: Mapping[str, Any]) -> list[str]:
    """Return the members of a `config` that are put in nowhere."""
    return sorted(set(config) - _ELSEWHERE - set(ATTRIBUTES))


def registry_of(
    scenario: Mapping[str, Any], tariffs: Sequence[Mapping[str, Any]], at: int
) -> Iterator[Record]:
    """Yield what is registered before the first frame of the scenario."""
    config = scenario["config"]
    stations = sorted({config["cs"], *(event["cs"] for event in scenario["frames"])})
    attributes = {name: config[name] for name in ATTRIBUTES if name in config}
    for station in stations:
        yield StationRegistered(
            tenant=TENANT,
            station=station,
            recorded_at=at,
            actor=ACTOR,
            attributes=attributes,
        )
    for uid, token in (config.get("tokens") or {}).items():
        yield _token(uid, token, at)
    place = Location(
        id=PLACE,
        time_zone=config.get("time_zone") or "UTC",
        stations=tuple(LocatedStation(station=station) for station in stations),
    )
    yield LocationPut(
        tenant=TENANT,
        recorded_at=at,
        actor=ACTOR,
        location_id=PLACE,
        location=Raw(encode_location(place)),
    )
    own = (config.get("station_tariffs") or {}).values()
    for tariff in [*tariffs, *(each for each in own if "elements" in each)]:
        yield tariff_put(tariff, at=at, valid_from=0)
    if scenario.get("tariff_id"):
        yield TariffAssigned(
            tenant=TENANT,
            recorded_at=at,
            actor=ACTOR,
            valid_from=0,
            tariff_id=scenario["tariff_id"],
        )


def tariff_put(tariff: Mapping[str, Any], *, at: int, valid_from: int) -> TariffPut:
    return TariffPut(
        tenant=TENANT,
        recorded_at=at,
        actor=ACTOR,
        tariff_id=tariff["id"],
        valid_from=valid_from,
        tariff=Raw(json.dumps(tariff).encode()),
    )


def with_price(tariff: Mapping[str, Any], price: object) -> dict[str, Any]:
    """Return the tariff with another price of energy."""
    copy: dict[str, Any] = json.loads(json.dumps(tariff))
    for element in copy["elements"]:
        for component in element["price_components"]:
            if component["type"] == "ENERGY":
                component["price"] = price
    return copy


def _token(uid: str, token: Mapping[str, Any], at: int) -> IdTokenPut:
    expires = token.get("expiry") or token.get("expiryDate") or token.get("expires_at")
    return IdTokenPut(
        tenant=TENANT,
        recorded_at=at,
        actor=ACTOR,
        uid=uid,
        status=token.get("status") or "Accepted",
        expires_at=read_time(expires)[0],
        group=token.get("parent") or "",
    )
