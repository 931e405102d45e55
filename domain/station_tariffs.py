"""Tariffs in a station (2.1, I): default ones of EVSEs, drivers' ones, and costs that we told it.

They are what the station shows and computes with; what is billed is decided elsewhere. The id
tokens of a driver's tariff are not kept here.
"""

from collections.abc import Iterator

from domain.holdings import Change, Holdings, Telling, gone, put
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


def default_set(telling: Telling) -> Iterator[Change]:
    """SetDefaultTariff: of one EVSE, or of all (0). It takes the place of what was there."""
    evse_id = integer_of(telling.request, "evseId")
    if not telling.is_accepted or evse_id is None:
        return
    for key, tariff in telling.held.each(FACET):
        if tariff.get("kind") == DEFAULT and (not evse_id or tariff.get("evse_ids") == [evse_id]):
            yield gone(FACET, key)
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
    told = list(objects_of(telling.result, "tariffAssignments"))
    known = {(text_of(each, "tariffId"), text_of(each, "tariffKind")) for each in told}
    for key, tariff in telling.held.each(FACET):
        if (tariff.get("tariff_id"), tariff.get("kind")) not in known and _is_of(tariff, evse_id):
            yield gone(FACET, key)
    held = {(kept.get("tariff_id"), kept.get("kind")) for _, kept in telling.held.each(FACET)}
    for each in told:
        tariff_id, kind = text_of(each, "tariffId"), text_of(each, "tariffKind")
        if (tariff_id, kind) in held:
            continue
        evse_ids = [number for number in map(_integer, list_of(each, "evseIds")) if number]
        value = {"tariff_id": tariff_id, "kind": kind, **members(each, "validFrom")}
        yield put(
            FACET, key_of((kind, tariff_id, "listed")), {**value, "evse_ids": evse_ids or [0]}
        )


def cleared(telling: Telling) -> Iterator[Change]:
    """ClearTariffs: by their ids; without ids all, of one EVSE if it is named."""
    results = list(objects_of(telling.result, "clearTariffsResult"))
    gone_ids = {
        text_of(each, "tariffId")
        for each in results
        if each.get("status") in ("Accepted", "NoTariff")
    }
    evse_id = integer_of(telling.request, "evseId")
    for key, tariff in telling.held.each(FACET):
        if tariff.get("tariff_id") in gone_ids or ("" in gone_ids and _is_of(tariff, evse_id)):
            yield gone(FACET, key)


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


def _integer(value: object) -> int | None:
    return read_integer(value)[0]
