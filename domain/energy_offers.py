"""Smaller matters of OCPP 2.1: energy transfer, grid signals, battery swaps, payments (Q, S, C).

Who swapped a battery, or to which company a bill goes, is personal and not kept here.
"""

from collections.abc import Iterator

from domain.holdings import Change, Holdings, Telling, gone, merge, put
from domain.members import (
    Value,
    integer_of,
    iso,
    key_of,
    list_of,
    members,
    objects_of,
    plain,
    text_of,
    time_of,
)
from domain.readings import read_time

TRANSFERS = "energy-transfers"
_SWAPS = {"BatteryIn": "returned", "BatteryOut": "taken", "BatteryOutTimeout": "timed_out"}


def transfer_allowed(telling: Telling) -> Iterator[Change]:
    """NotifyAllowedEnergyTransfer, which the station accepted."""
    if telling.is_accepted:
        transaction_id = text_of(telling.request, "transactionId")
        allowed = plain(list_of(telling.request, "allowedEnergyTransfer"))
        value = {"transaction_id": transaction_id, "allowed_energy_transfer": allowed}
        yield put(TRANSFERS, key_of((transaction_id,)), value)


def transaction_ended(held: Holdings, transaction_id: str) -> Iterator[Change]:
    yield gone(TRANSFERS, key_of((transaction_id,)))


def afrr_signalled(telling: Telling) -> Iterator[Change]:
    """AFRRSignal: the last one that the station accepted."""
    if telling.is_accepted:
        at = time_of(telling.request, "timestamp")
        value = {"signal": integer_of(telling.request, "signal"), "at": at}
        yield put("afrr-signals", "last", value)


def swap_requested(telling: Telling) -> Iterator[Change]:
    """RequestBatterySwap."""
    request_id = integer_of(telling.request, "requestId")
    if telling.is_accepted and request_id is not None:
        yield put("battery-swaps", request_id, {"request_id": request_id, "state": "requested"})


def swapped(telling: Telling) -> Iterator[Change]:
    """BatterySwap: batteries came in, went out, or nobody took them."""
    request_id = integer_of(telling.request, "requestId")
    if request_id is None:
        return
    kind = text_of(telling.request, "eventType")
    batteries = [
        members(each, "evseId", "serialNumber", "soC", "soH", "productionDate", "vendorInfo")
        for each in objects_of(telling.request, "batteryData")
    ]
    value: Value = {"request_id": request_id, "state": _SWAPS.get(kind, kind[:50])}
    value[f"batteries_{_side(kind)}"] = batteries
    yield merge("battery-swaps", request_id, value)


def _side(kind: str) -> str:
    return "in" if kind == "BatteryIn" else "out"


def settled(telling: Telling) -> Iterator[Change]:
    """NotifySettlement: a list of the latest, by the station's clock."""
    at = read_time(telling.request.get("settlementTime"))[0]
    when = f"{max(telling.recorded_at if at is None else at, 0):018d}"
    told = members(
        telling.request, "transactionId", "pspRef", "status", "settlementAmount", "receiptId"
    )
    value = {**told, "settled_at": time_of(telling.request, "settlementTime")}
    yield put("settlements", key_of((when, text_of(telling.request, "pspRef"))), value)


def web_payment_started(telling: Telling) -> Iterator[Change]:
    """NotifyWebPaymentStarted."""
    evse_id, timeout = (integer_of(telling.request, name) for name in ("evseId", "timeout"))
    value = {"evse_id": evse_id, "timeout_s": timeout, "told_at": iso(telling.recorded_at)}
    yield put("web-payments", key_of((evse_id,)), value)


def vat_number_asked(telling: Telling) -> Iterator[Change]:
    """VatNumberValidation: what was answered, and for which country."""
    evse_id = integer_of(telling.request, "evseId")
    country = text_of(telling.request, "vatNumber")[:2].upper()
    value = {"evse_id": evse_id, "country": country, "answer": telling.status}
    yield put("vat-checks", key_of((evse_id,)), {**value, "told_at": iso(telling.recorded_at)})
