"""Tariffs that a scenario's station knows by id (`station_tariffs` of its `config`, OCPP 2.1).

A frame may name one where OCPP has the whole tariff: `"tariff": "NIGHT"`, an object with the
`tariffId` alone, or `"tariffId": "NIGHT"` in its place. What is sent has it in full. They are
written as OCPP writes them (TariffType), or as OCPI does.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from domain.tariff_for_stations import to_station
from domain.tariff_reading import read_tariff
from infra.scenario_file import Json

ACTIONS = frozenset({"ChangeTransactionTariff", "SetDefaultTariff"})
_NAMES = {"tariffId", "currency"}


def station_tariffs(config: Json) -> Mapping[str, Json]:
    """Return them by id, as stations are told them."""
    listed = config.get("station_tariffs") or {}
    pairs = (
        listed.items()
        if isinstance(listed, dict)
        else ((each.get("tariffId", each.get("id")), each) for each in listed)
    )
    return {str(name): _as_told({"tariffId": name, **tariff}) for name, tariff in pairs}


def in_full(action: str, payload: Json, known: Mapping[str, Json]) -> Json:
    """Return the payload of a CALL of ours with the tariff that it names."""
    if action not in ACTIONS or not known:
        return payload
    told = payload.get("tariff", payload.get("tariffId"))
    is_named = isinstance(told, str) or (isinstance(told, dict) and set(told) <= _NAMES)
    name = told.get("tariffId") if isinstance(told, dict) else told
    if not is_named or name not in known:
        return payload
    others = {key: value for key, value in payload.items() if key not in ("tariff", "tariffId")}
    return {**others, "tariff": known[str(name)]}


def _as_told(tariff: Json) -> Json:
    if "elements" not in tariff:
        return tariff
    text = msgspec.json.encode({"id": tariff["tariffId"], **tariff})
    made: Json = _numbers(to_station(read_tariff(text)))
    return made


def _numbers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    return [_numbers(each) for each in value] if isinstance(value, list) else value
