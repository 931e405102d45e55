"""Tariffs in a station (2.1, I): default ones of EVSEs, drivers' ones, and costs that we told it.

They are what the station shows and computes with; what is billed is decided elsewhere. The id
tokens of a driver's tariff are not kept here.
"""

from collections.abc import Iterator, Mapping, Sequence

from domain.holdings import Change, Holdings, Telling, gone, merge, put
from domain.members import (
    Payload,
    Value,
    integer_of,
    iso,
    key_of,
    list_of,
    members,
    object_of,
    objects_of,
    plain,
    text_of,
)
from domain.readings import read_integer

FACET = "tariffs"
DEFAULT, DRIVER = "DefaultTariff", "DriverTariff"

_Name = tuple[str, str]
"""Its id and its kind."""


def default_set(telling: Telling) -> Iterator[Change]:
    """SetDefaultTariff: of one EVSE, or of all (0). It takes the place of what was there."""
    evse_id = integer_of(telling.request, "evseId")
    if not telling.is_accepted or evse_id is None:
        return
    for key, tariff in telling.held.each(FACET):
        if tariff.get("kind") == DEFAULT:
            yield from _taken_off(key, tariff, evse_id)
    value = _tariff(object_of(telling.request, "tariff"), DEFAULT)
    yield put(FACET, _key(value, evse_id), {**value, "evse_ids": [evse_id]})


def transaction_changed(telling: Telling) -> Iterator[Change]:
    """ChangeTransactionTariff."""
    if telling.is_accepted:
        transaction_id = text_of(telling.request, "transactionId")
        value = _tariff(object_of(telling.request, "tariff"), DRIVER)
        key = key_of(("transaction", transaction_id))
        yield put(FACET, key, {**value, "transaction_id": transaction_id})


def got(telling: Telling) -> Iterator[Change]:
    """GetTariffs: which tariffs there are, of one EVSE or of all (0). Not what is in them."""
    evse_id = integer_of(telling.request, "evseId")
    if telling.status not in ("Accepted", "NoTariff"):
        return
    told: dict[_Name, Value] = {}
    for each in objects_of(telling.result, "tariffAssignments"):
        name = text_of(each, "tariffId"), text_of(each, "tariffKind")
        first = told.setdefault(name, {**members(each, "validFrom"), "evse_ids": []})
        first["evse_ids"] += _evse_ids(each)
    known: dict[_Name, dict[str, Value]] = {name: {} for name in told}
    for key, tariff in telling.held.each(FACET):
        name = tariff["tariff_id"], tariff["kind"]
        if name in known:
            known[name][key] = tariff
        elif _is_of(tariff, evse_id):
            yield from _taken_off(key, tariff, evse_id)
    for name, value in told.items():
        if known[name]:
            yield from _placed(known[name], value["evse_ids"], evse_id)
        else:
            tariff_id, kind = name
            key = key_of((kind, tariff_id, "listed"))
            places = {"evse_ids": value["evse_ids"] or [0]}
            yield put(FACET, key, {"tariff_id": tariff_id, "kind": kind, **value, **places})


def cleared(telling: Telling) -> Iterator[Change]:
    """ClearTariffs: by their ids, or all; of one EVSE if it is named.

    One that is of all EVSEs is still there when it is cleared at one of them.
    """
    statuses = {
        text_of(each, "tariffId"): each.get("status")
        for each in objects_of(telling.result, "clearTariffsResult")
    }
    evse_id = integer_of(telling.request, "evseId")
    for key, tariff in telling.held.each(FACET):
        status = statuses.get(tariff["tariff_id"], statuses.get(""))
        if status == "Accepted" or (status == "NoTariff" and _is_of(tariff, evse_id)):
            yield from _taken_off(key, tariff, evse_id)


def cost_told(telling: Telling) -> Iterator[Change]:
    """CostUpdated, which the station has confirmed."""
    transaction_id = text_of(telling.request, "transactionId")
    cost = members(telling.request, "totalCost")
    value = {"transaction_id": transaction_id, **cost, "told_at": iso(telling.recorded_at)}
    yield put("costs", key_of((transaction_id,)), value)


def transaction_ended(held: Holdings, transaction_id: str) -> Iterator[Change]:
    if held.kept(FACET, key_of(("transaction", transaction_id))) is not None:
        yield gone(FACET, key_of(("transaction", transaction_id)))


def _tariff(payload: Payload, kind: str) -> Value:
    told = members(payload, "currency", "validFrom", "description", "minCost", "maxCost")
    prices = ("energy", "chargingTime", "idleTime", "fixedFee", "reservationTime",
              "reservationFixed")  # fmt: skip
    return {
        "tariff_id": text_of(payload, "tariffId"),
        "kind": kind,
        **told,
        "prices": {name: plain(payload[name]) for name in prices if name in payload},
    }


def _key(value: Value, evse_id: int) -> str:
    return key_of((value["kind"], value["tariff_id"], evse_id))


def _is_of(tariff: Value, evse_id: int | None) -> bool:
    return not evse_id or evse_id in (tariff.get("evse_ids") or ())


def _taken_off(key: str, tariff: Value, evse_id: int | None) -> Iterator[Change]:
    """It is no longer at this EVSE; that of a transaction is at no other."""
    evse_ids = tariff.get("evse_ids") or []
    yield from _moved(key, evse_ids, [each for each in evse_ids if evse_id and each != evse_id])


def _placed(
    known: Mapping[str, Value], told: Sequence[int], evse_id: int | None
) -> Iterator[Change]:
    """A tariff is at the EVSEs that were told, and where nobody asked; `known`: under its keys."""
    if not told or any("evse_ids" not in tariff for tariff in known.values()):
        return
    left = {
        key: [each for each in tariff["evse_ids"] if each in told or evse_id not in (0, None, each)]
        for key, tariff in known.items()
    }
    covered = {each for evse_ids in left.values() for each in evse_ids}
    if 0 not in covered:
        first = next(iter(left))
        left[first] = sorted({*left[first], *told} - (covered - {*left[first]}))
    for key, tariff in known.items():
        yield from _moved(key, tariff["evse_ids"], left[key])


def _moved(key: str, before: Sequence[int], after: Sequence[int]) -> Iterator[Change]:
    if not after:
        yield gone(FACET, key)
    elif after != before:
        yield merge(FACET, key, {"evse_ids": after})


def _evse_ids(assignment: Payload) -> list[int]:
    told = (read_integer(each)[0] for each in list_of(assignment, "evseIds"))
    return [each for each in dict.fromkeys(told) if each]
