"""Variable monitoring (2.0.1, N): the monitors that are set, and the events they made."""

from collections.abc import Iterator

from domain import reports
from domain.device_model import named
from domain.holdings import Change, Telling, gone, merge, put
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
    ordered,
    text_of,
    time_of,
)
from domain.readings import read_decimal, read_time
from schemas.secret_names import is_secret

FACET = "monitors"
EVENTS = "station-events"
_KEPT_BY_BASE = {
    "FactoryDefault": ("HardWiredMonitor", "HardWiredNotification", "PreconfiguredMonitor"),
    "HardWiredOnly": ("HardWiredMonitor", "HardWiredNotification"),
}


def monitors_set(telling: Telling) -> Iterator[Change]:
    """SetVariableMonitoring: results stand in the order of what was asked."""
    wanted = objects_of(telling.request, "setMonitoringData")
    results = objects_of(telling.result, "setMonitoringResult")
    for asked, result in zip(wanted, results, strict=False):
        monitor_id = integer_of(result, "id")
        if result.get("status") == "Accepted" and monitor_id is not None:
            told = members(asked, "transaction", "value", "type", "severity", "periodicEventStream")
            kind = {"monitor_id": monitor_id, "kind": "CustomMonitor"}
            yield put(FACET, monitor_id, {**kind, **named(asked), **told})


def monitors_cleared(telling: Telling) -> Iterator[Change]:
    """ClearVariableMonitoring. One that is not found is not there either."""
    for result in objects_of(telling.result, "clearMonitoringResult"):
        monitor_id = integer_of(result, "id")
        if monitor_id is not None and result.get("status") in ("Accepted", "NotFound"):
            yield gone(FACET, monitor_id)


def base_set(telling: Telling) -> Iterator[Change]:
    """SetMonitoringBase: all but `All` remove the monitors that others have set (N05)."""
    if not telling.is_accepted:
        return
    name = text_of(telling.request, "monitoringBase")
    yield put("monitoring", "base", {"setting": "base", "monitoring_base": name})
    if name in _KEPT_BY_BASE:
        for key, monitor in telling.held.each(FACET):
            if monitor.get("kind") not in _KEPT_BY_BASE[name]:
                yield gone(FACET, key)


def level_set(telling: Telling) -> Iterator[Change]:
    """SetMonitoringLevel."""
    severity = integer_of(telling.request, "severity")
    if telling.is_accepted:
        yield put("monitoring", "level", {"setting": "level", "severity": severity})


def report_asked(telling: Telling) -> Iterator[Change]:
    """GetMonitoringReport."""
    criteria = ("monitoringCriteria", "componentVariable")
    whole = not any(telling.request.get(name) for name in criteria)
    yield from reports.asked(FACET, telling, whole=whole)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(FACET, telling, is_empty=telling.status == "EmptyResultSet")


def reported(telling: Telling) -> Iterator[Change]:
    """NotifyMonitoringReport."""
    yield from reports.part(FACET, telling)
    for item in objects_of(telling.request, "monitor"):
        name = named(item)
        for each in objects_of(item, "variableMonitoring"):
            monitor_id = integer_of(each, "id")
            if monitor_id is None:
                continue
            # 2.0.1 does not say whose it is; then it stays what it was known as.
            kind = text_of(each, "eventNotificationType")
            told = members(each, "transaction", "value", "type", "severity")
            value = {"monitor_id": monitor_id, **name, **told}
            yield merge(FACET, monitor_id, {**value, "kind": kind} if kind else value)


def events(telling: Telling) -> Iterator[Change]:
    """NotifyEvent: a list of the latest, by the station's clock."""
    for item in objects_of(telling.request, "eventData"):
        event_id = integer_of(item, "eventId")
        at = read_time(item.get("timestamp"))[0]
        told = members(
            item, "trigger", "cause", "actualValue", "techCode", "techInfo", "cleared",
            "transactionId", "severity", "variableMonitoringId", "eventNotificationType",
        )  # fmt: skip
        name = named(item)
        if is_secret(name["variable"]):
            told.pop("actual_value", None)
        value = {"event_id": event_id, "at": time_of(item, "timestamp"), **name, **told}
        when = ordered(telling.recorded_at if at is None else at)
        yield put(EVENTS, key_of((when, event_id)), value)


def security_event(telling: Telling) -> Iterator[Change]:
    """SecurityEventNotification."""
    at = read_time(telling.request.get("timestamp"))[0]
    told = members(telling.request, "type", "techInfo")
    value = {"at": time_of(telling.request, "timestamp"), **told}
    when = ordered(telling.recorded_at if at is None else at)
    yield put("security-events", key_of((when, *(str(each) for each in told.values()))), value)


# Periodic event streams (2.1, N11 to N15)

STREAMS = "event-streams"


def stream_opened(telling: Telling) -> Iterator[Change]:
    """OpenPeriodicEventStream, if we accepted it."""
    if telling.is_accepted:
        for item in objects_of(telling.request, "constantStreamData"):
            yield from _stream(item, is_new=True)


def streams_got(telling: Telling) -> Iterator[Change]:
    """GetPeriodicEventStream: all that are open."""
    told = list(objects_of(telling.result, "constantStreamData"))
    open_ids = {str(integer_of(item, "id")) for item in told}
    for key, _ in telling.held.each(STREAMS):
        if key not in open_ids:
            yield gone(STREAMS, key)
    for item in told:
        yield from _stream(item, is_new=False)


def _stream(item: Payload, *, is_new: bool) -> Iterator[Change]:
    stream_id = integer_of(item, "id")
    if stream_id is None:
        return
    value = {"stream_id": stream_id, "monitor_id": integer_of(item, "variableMonitoringId")}
    value |= _pace(item)
    yield put(STREAMS, stream_id, value) if is_new else merge(STREAMS, stream_id, value)


def _pace(payload: Payload) -> Value:
    return members(object_of(payload, "params"), "interval", "values")


def stream_closed(telling: Telling) -> Iterator[Change]:
    """ClosePeriodicEventStream."""
    stream_id = integer_of(telling.request, "id")
    if stream_id is not None:
        yield gone(STREAMS, stream_id)


def stream_adjusted(telling: Telling) -> Iterator[Change]:
    """AdjustPeriodicEventStream."""
    stream_id = integer_of(telling.request, "id")
    if stream_id is not None and telling.is_accepted:
        yield merge(STREAMS, stream_id, {"stream_id": stream_id, **_pace(telling.request)})


def stream_values(telling: Telling) -> Iterator[Change]:
    """NotifyPeriodicEventStream: the last value of each stream; the log has them all."""
    stream_id = integer_of(telling.request, "id")
    values = [item for item in list_of(telling.request, "data") if isinstance(item, dict)]
    if stream_id is None or not values:
        return
    base, last = read_time(telling.request.get("basetime"))[0], values[-1]
    after = read_decimal(last.get("t"))
    yield merge(
        STREAMS,
        stream_id,
        {
            "stream_id": stream_id,
            "last_value": text_of(last, "v"),
            "last_at": None
            if base is None or after is None
            else iso(base + int(after * 1_000_000)),
            "pending": integer_of(telling.request, "pending"),
        },
    )
