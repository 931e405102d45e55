"""Smart charging (1.6, 3.13; 2.0.1, K): which profiles a station holds, and what limits it else.

A profile is known by its id. In 1.6 one also takes the place of another with the same purpose and
stack level on the same EVSE. A TxProfile ends with its transaction; one that came with a remote
start learns its transaction when that starts.
"""

from collections.abc import Iterator
from typing import Any

from domain import reports
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
    snake_case,
    text_of,
    time_of,
)

FACET = "charging-profiles"
PRIORITY = "priority-charging"
PURPOSES_16 = {"ChargePointMaxProfile": "ChargingStationMaxProfile"}
_TX = "TxProfile"


def _profile(payload: Payload, evse_id: int | None, **more: object) -> Value:
    purpose = text_of(payload, "chargingProfilePurpose")
    told = members(
        payload, "recurrencyKind", "validFrom", "validTo", "maxOfflineDuration",
        "invalidAfterOfflineDuration", "dynUpdateInterval", "dynUpdateTime",
    )  # fmt: skip
    for name in ("validFrom", "validTo"):
        if (at := time_of(payload, name)) is not None:
            told[snake_case(name)] = at
    return {
        "profile_id": _id_of(payload),
        "evse_id": evse_id,
        "purpose": PURPOSES_16.get(purpose, purpose),
        "kind": text_of(payload, "chargingProfileKind"),
        "stack_level": integer_of(payload, "stackLevel"),
        "transaction_id": text_of(payload, "transactionId"),
        **told,
        "schedules": [plain(each) for each in objects_of(payload, "chargingSchedule")],
        **more,
    }


def _id_of(payload: Payload) -> int | None:
    name = "id" if "id" in payload else "chargingProfileId"
    return integer_of(payload, name)


def _put(profile: Value) -> Iterator[Change]:
    if profile["profile_id"] is not None:
        yield put(FACET, profile["profile_id"], profile)


# Set, by 1.6 and by 2.x


def set_16(telling: Telling) -> Iterator[Change]:
    payload = object_of(telling.request, "csChargingProfiles")
    profile = _profile(payload, integer_of(telling.request, "connectorId"), source="CSO")
    if not telling.is_accepted:
        return
    place = ("purpose", "stack_level", "evse_id")
    for key, other in telling.held.each(FACET):
        if all(other.get(name) == profile[name] for name in place):
            yield gone(FACET, key)
    yield from _put(profile)


def set_2(telling: Telling) -> Iterator[Change]:
    payload = object_of(telling.request, "chargingProfile")
    if telling.is_accepted:
        yield from _put(_profile(payload, integer_of(telling.request, "evseId"), source="CSO"))


def started_16(telling: Telling) -> Iterator[Change]:
    """RemoteStartTransaction: its profile is for the transaction that is to start."""
    yield from _started(telling, integer_of(telling.request, "connectorId"))


def started_2(telling: Telling) -> Iterator[Change]:
    """RequestStartTransaction."""
    yield from _started(telling, integer_of(telling.request, "evseId"))


def _started(telling: Telling, evse_id: int | None) -> Iterator[Change]:
    payload = object_of(telling.request, "chargingProfile")
    if telling.is_accepted and payload:
        profile = _profile(payload, evse_id, source="CSO")
        yield from _put({**profile, "transaction_id": text_of(telling.result, "transactionId")})


def transaction_started(
    held: Holdings, transaction_id: str, evse_id: int | None
) -> Iterator[Change]:
    """A profile that came with a remote start is for the transaction that starts there."""
    for key, profile in held.each(FACET):
        is_waiting = profile.get("purpose") == _TX and not profile.get("transaction_id")
        if is_waiting and profile.get("evse_id") in (None, evse_id):
            yield merge(FACET, key, {"transaction_id": transaction_id, "evse_id": evse_id})


def transaction_ended(held: Holdings, transaction_id: str) -> Iterator[Change]:
    for key, profile in held.each(FACET):
        if profile.get("purpose") == _TX and profile.get("transaction_id") == transaction_id:
            yield gone(FACET, key)
    yield gone(PRIORITY, key_of((transaction_id,)))


# Cleared


def cleared_16(telling: Telling) -> Iterator[Change]:
    request = telling.request
    purpose = text_of(request, "chargingProfilePurpose")
    yield from _cleared(
        telling,
        integer_of(request, "id"),
        evse_id=integer_of(request, "connectorId"),
        purpose=PURPOSES_16.get(purpose, purpose) or None,
        stack_level=integer_of(request, "stackLevel"),
    )


def cleared_2(telling: Telling) -> Iterator[Change]:
    criteria = object_of(telling.request, "chargingProfileCriteria")
    yield from _cleared(
        telling,
        integer_of(telling.request, "chargingProfileId"),
        evse_id=integer_of(criteria, "evseId"),
        purpose=text_of(criteria, "chargingProfilePurpose") or None,
        stack_level=integer_of(criteria, "stackLevel"),
    )


def _cleared(telling: Telling, profile_id: int | None, **criteria: object) -> Iterator[Change]:
    # Unknown says that no profile fits: then there is none either.
    if telling.status not in ("Accepted", "Unknown"):
        return
    asked = {name: value for name, value in criteria.items() if value is not None}
    if profile_id is not None:
        asked = {"profile_id": profile_id}
    elif "purpose" not in asked:
        # What others impose from outside is not ours to clear (2.0.1, K10).
        yield from _fitting(telling, asked, "ChargingStationExternalConstraints")
        return
    yield from _fitting(telling, asked)


def _fitting(telling: Telling, asked: Value, but: str = "") -> Iterator[Change]:
    for key, profile in telling.held.each(FACET):
        if profile.get("purpose") != but and asked.items() <= profile.items():
            yield gone(FACET, key)


def dynamic_update(held: Holdings, profile_id: int | None) -> Value | None:
    """Return the last update of a dynamic profile, to be told once more; None: there is none."""
    profile = held.kept(FACET, str(profile_id))
    update = profile.get("schedule_update") if profile is not None else None
    return update if isinstance(update, dict) and update else None


def dynamically_updated(telling: Telling) -> Iterator[Change]:
    """UpdateDynamicSchedule; and PullDynamicScheduleUpdate, where the result has the update."""
    profile_id = integer_of(telling.request, "chargingProfileId")
    update = object_of(telling.request, "scheduleUpdate") or object_of(
        telling.result, "scheduleUpdate"
    )
    if telling.is_accepted and telling.held.kept(FACET, str(profile_id)) is not None:
        value = {"schedule_update": plain(update), "updated_at": iso(telling.recorded_at)}
        yield merge(FACET, str(profile_id), value)


# Reported


def report_asked(telling: Telling) -> Iterator[Change]:
    """GetChargingProfiles: all there are, or those of an EVSE, or that are as it says."""
    criteria = object_of(telling.request, "chargingProfile")
    of: dict[str, list[Any]] = {
        "evse_id": [integer_of(telling.request, "evseId")],
        "purpose": [text_of(criteria, "chargingProfilePurpose") or None],
        "stack_level": [integer_of(criteria, "stackLevel")],
        "profile_id": list_of(criteria, "chargingProfileId"),
        "source": list_of(criteria, "chargingLimitSource"),
    }
    asked = {name: values for name, values in of.items() if values not in ([], [None])}
    yield from reports.asked(FACET, telling, whole=not asked, of=asked)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(FACET, telling, is_empty=telling.status == "NoProfiles")


def reported(telling: Telling) -> Iterator[Change]:
    """ReportChargingProfiles."""
    yield from reports.part(FACET, telling, numbered=False)
    source = text_of(telling.request, "chargingLimitSource")
    for each in objects_of(telling.request, "chargingProfile"):
        yield from _put(_profile(each, integer_of(telling.request, "evseId"), source=source))


# What else limits: outside sources, and what EVs ask for


def limit_told(telling: Telling) -> Iterator[Change]:
    """NotifyChargingLimit."""
    limit = object_of(telling.request, "chargingLimit")
    evse_id, source = integer_of(telling.request, "evseId"), text_of(limit, "chargingLimitSource")
    schedules = [plain(each) for each in objects_of(telling.request, "chargingSchedule")]
    told = members(limit, "isGridCritical", "isLocalGeneration")
    value = {"evse_id": evse_id, "source": source, **told, "schedules": schedules}
    yield put("charging-limits", key_of((evse_id, source)), value)


def limit_cleared(telling: Telling) -> Iterator[Change]:
    """ClearedChargingLimit. Without an EVSE it is the limit of the whole station."""
    evse_id = integer_of(telling.request, "evseId")
    source = text_of(telling.request, "chargingLimitSource")
    yield gone("charging-limits", key_of((evse_id, source)))
    for key, profile in telling.held.each(FACET):
        outside = profile.get("purpose") == "ChargingStationExternalConstraints"
        if outside and profile.get("evse_id") in (evse_id, 0 if evse_id is None else evse_id):
            yield gone(FACET, key)


def needs_told(telling: Telling) -> Iterator[Change]:
    """NotifyEVChargingNeeds, with what it was answered."""
    evse_id = integer_of(telling.request, "evseId")
    needs = members(
        object_of(telling.request, "chargingNeeds"),
        "requestedEnergyTransfer", "availableEnergyTransfer", "controlMode", "mobilityNeedsMode",
        "departureTime", "acChargingParameters", "dcChargingParameters", "v2xChargingParameters",
        "evEnergyOffer",
    )  # fmt: skip
    told = members(telling.request, "maxScheduleTuples")
    value = {"evse_id": evse_id, "answer": telling.status, **told, **needs}
    yield put("charging-needs", key_of((evse_id,)), value)


def schedule_told(telling: Telling) -> Iterator[Change]:
    """NotifyEVChargingSchedule: by which schedule the EV charges."""
    evse_id = integer_of(telling.request, "evseId")
    told = members(
        telling.request,
        "timeBase", "selectedChargingScheduleId", "powerToleranceAcceptance", "chargingSchedule",
    )  # fmt: skip
    value = {"evse_id": evse_id, "answer": telling.status, **told}
    yield put("charging-schedules", key_of((evse_id,)), value)


def composite_got_16(telling: Telling) -> Iterator[Change]:
    evse_id = integer_of(telling.request, "connectorId")
    schedule = members(
        object_of(telling.result, "chargingSchedule"),
        "duration", "startSchedule", "chargingRateUnit", "chargingSchedulePeriod",
        "minChargingRate",
    )  # fmt: skip
    if telling.is_accepted:
        start = {"evse_id": evse_id, **members(telling.result, "scheduleStart")}
        yield put("composite-schedules", key_of((evse_id,)), {**start, **schedule})


def composite_got_2(telling: Telling) -> Iterator[Change]:
    evse_id = integer_of(telling.request, "evseId")
    schedule = members(
        object_of(telling.result, "schedule"),
        "duration", "scheduleStart", "chargingRateUnit", "chargingSchedulePeriod",
    )  # fmt: skip
    if telling.is_accepted:
        yield put("composite-schedules", key_of((evse_id,)), {"evse_id": evse_id, **schedule})


# 2.1: priority charging


def priority_used(telling: Telling) -> Iterator[Change]:
    """UsePriorityCharging."""
    if telling.is_accepted:
        yield _priority(telling.request, "activate")


def priority_told(telling: Telling) -> Iterator[Change]:
    """NotifyPriorityCharging: somebody pressed the button at the station."""
    yield _priority(telling.request, "activated")


def _priority(request: Payload, name: str) -> Change:
    transaction_id = text_of(request, "transactionId")
    value = {"transaction_id": transaction_id, "is_active": request.get(name) is True}
    return put(PRIORITY, key_of((transaction_id,)), value)
