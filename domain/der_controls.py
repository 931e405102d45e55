"""Control of distributed energy resources (2.1, R): controls in a station, and its alarms."""

from collections.abc import Iterator
from typing import Any

from domain import reports
from domain.holdings import Change, Telling, gone, merge, put
from domain.members import (
    Payload,
    integer_of,
    key_of,
    list_of,
    members,
    object_of,
    objects_of,
    plain,
    text_of,
    time_of,
)
from domain.readings import read_time

FACET = "der-controls"
_SETTINGS = {
    "curve": "curve",
    "enterService": "enterService",
    "fixedPFAbsorb": "fixedPF",
    "fixedPFInject": "fixedPF",
    "fixedVar": "fixedVar",
    "freqDroop": "freqDroop",
    "gradient": "gradient",
    "limitMaxDischarge": "limitMaxDischarge",
}
"""Member of a request or report → member of a report's item, in which the settings stand."""

_TYPES = {
    "enterService": "EnterService",
    "fixedPFAbsorb": "FixedPFAbsorb",
    "fixedPFInject": "FixedPFInject",
    "fixedVar": "FixedVar",
    "freqDroop": "FreqDroop",
    "gradient": "Gradients",
    "limitMaxDischarge": "LimitMaxDischarge",
}
"""A report's list → the type of the controls in it; curves name theirs."""


_ALWAYS_DEFAULT = ("enterService", "gradient")
"""Of these a report does not say whether they are default ones: there are no others, but for one
that was set otherwise."""


def was_set(telling: Telling) -> Iterator[Change]:
    """SetDERControl."""
    request = telling.request
    if not telling.is_accepted:
        return
    yield from _superseded(list_of(telling.result, "supersededIds"))
    settings = next((object_of(request, name) for name in _SETTINGS if request.get(name)), {})
    yield _control(
        text_of(request, "controlId"),
        text_of(request, "controlType"),
        is_default=request.get("isDefault") is True,
        is_superseded=False,
        settings=settings,
    )


def cleared(telling: Telling) -> Iterator[Change]:
    """ClearDERControl: one by its id, or those of a type, default ones or not."""
    request = telling.request
    if telling.status not in ("Accepted", "NotFound"):
        return
    control_id = text_of(request, "controlId")
    if control_id:
        yield gone(FACET, control_id)
        return
    kind, is_default = text_of(request, "controlType"), request.get("isDefault") is True
    for key, control in telling.held.each(FACET):
        if control.get("is_default") is is_default and kind in ("", control.get("control_type")):
            yield gone(FACET, key)


def report_asked(telling: Telling) -> Iterator[Change]:
    """GetDERControl: all there are, or one by its id, or those of a type, default ones or not."""
    control_id = text_of(telling.request, "controlId")
    kind, is_default = text_of(telling.request, "controlType"), telling.request.get("isDefault")
    of: dict[str, list[Any]] = {"control_id": [control_id]} if control_id else {}
    if kind and not control_id:
        of["control_type"] = [kind]
    if isinstance(is_default, bool) and not control_id:
        of["is_default"] = [is_default]
    yield from reports.asked(FACET, telling, whole=not of, of=of)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(FACET, telling, is_empty=telling.status == "NotFound")


def reported(telling: Telling) -> Iterator[Change]:
    """ReportDERControl."""
    yield from reports.part(FACET, telling, numbered=False)
    for name, inner in _SETTINGS.items():
        for item in objects_of(telling.request, name):
            control_id = text_of(item, "id")
            if not control_id:
                continue
            yield _control(
                control_id,
                _TYPES.get(name) or text_of(item, "curveType"),
                is_default=_is_default(telling, control_id, item, name),
                is_superseded=item.get("isSuperseded") is True,
                settings=object_of(item, inner),
            )


def _is_default(telling: Telling, control_id: str, item: Payload, name: str) -> bool:
    if "isDefault" in item or name not in _ALWAYS_DEFAULT:
        return item.get("isDefault") is True
    known = telling.held.kept(FACET, control_id)
    return known is None or known.get("is_default") is True


def started_or_stopped(telling: Telling) -> Iterator[Change]:
    """NotifyDERStartStop."""
    request = telling.request
    yield from _superseded(list_of(request, "supersededIds"))
    control_id, is_started = text_of(request, "controlId"), request.get("started") is True
    moment = "started_at" if is_started else "stopped_at"
    value = {"control_id": control_id, "is_started": is_started}
    yield merge(FACET, control_id, {**value, moment: time_of(request, "timestamp")})


def alarm(telling: Telling) -> Iterator[Change]:
    """NotifyDERAlarm: a list of the latest, by the station's clock."""
    request = telling.request
    at = read_time(request.get("timestamp"))[0]
    told = members(request, "controlType", "gridEventFault", "alarmEnded", "extraInfo")
    when = f"{max(telling.recorded_at if at is None else at, 0):018d}"
    key = key_of((when, *(str(each) for each in told.values())))
    yield put("der-alarms", key, {"at": time_of(request, "timestamp"), **told})


def _superseded(ids: list[object]) -> Iterator[Change]:
    for control_id in ids:
        if isinstance(control_id, str) and control_id:
            value = {"control_id": control_id, "is_superseded": True}
            yield merge(FACET, control_id, value)


def _control(
    control_id: str, kind: str, *, is_default: bool, is_superseded: bool, settings: Payload
) -> Change:
    value = {
        "control_id": control_id,
        "control_type": kind,
        "is_default": is_default,
        "is_superseded": is_superseded,
        "priority": integer_of(settings, "priority"),
        "settings": plain(dict(settings)),
    }
    return put(FACET, control_id, value)
