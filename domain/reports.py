"""Reports that we ask for and that come in parts: which were asked, and whether they are whole.

A part names the request it belongs to; most say their place (`seqNo`) and whether another follows
(`tbc`). Parts may come before the station's answer to the request, twice, or out of order. A report
of everything, or of everything of a kind, replaces what was known of that before its first part,
once all its parts have come; a part alone, or a report with one missing, only adds. Parts are
numbered from 0, or from 1 where that is the number of the first to come.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.holdings import Change, Telling, emptied, gone, put
from domain.members import Value, integer_of, iso, key_of

AHEAD_MAX = 64
"""Parts that came before an earlier one did. More are taken in, but the report is never whole."""


def asked(
    facet: str, telling: Telling, *, whole: bool, of: Mapping[str, Sequence[Any]] | None = None
) -> Iterator[Change]:
    """A request of ours on its way; `whole`: it asks for everything there is in the facet.

    `of`: it asks for everything of which these members, which the state keeps, have one of these
    values.
    """
    request_id = integer_of(telling.request, "requestId")
    if request_id is None:
        return
    report = {**_new(facet, request_id, telling, whole), "_of": of or {}}
    yield put("reports", key_of((facet, request_id)), report)


def refused(facet: str, telling: Telling, *, is_empty: bool = False) -> Iterator[Change]:
    """The station's answer, where it is no promise of a report; `is_empty`: there is nothing."""
    request_id = integer_of(telling.request, "requestId")
    if telling.is_accepted or request_id is None:
        return
    key = key_of((facet, request_id))
    report = telling.held.kept("reports", key)
    if report is not None and report["state"] == "asked":
        yield put("reports", key, {**report, "state": "empty" if is_empty else "refused"})
        if is_empty:
            yield from _replaced(facet, telling, report, None)


def part(facet: str, telling: Telling, *, numbered: bool = True) -> Iterator[Change]:
    """A part of a report; what is in it is to be put after these changes."""
    request_id = integer_of(telling.request, "requestId")
    if request_id is None:
        return
    key = key_of((facet, request_id))
    report = telling.held.kept("reports", key)
    if report is None:
        report = _new(facet, request_id, telling, whole=False)
    if report["state"] == "complete":
        # A part told again, or more than was asked for: what is in it counts.
        return
    number = integer_of(telling.request, "seqNo") if numbered else report["_next"]
    report["_first"] = min(report["_first"] or telling.offset, telling.offset)
    report["parts"] += 1
    if number is not None:
        _count(report, number)
        if telling.request.get("tbc") is not True:
            report["_last"] = number
    last = report["_last"]
    is_complete = last is not None and report["_next"] > last
    report["state"] = "complete" if is_complete else "receiving"
    yield put("reports", key, report)
    if is_complete:
        yield from _replaced(facet, telling, report, report["_first"])


def _replaced(facet: str, telling: Telling, report: Value, before: int | None) -> Iterator[Change]:
    """What the report is about, and was last changed before this offset, is gone."""
    if report["whole"]:
        yield emptied(facet, before)
    elif report["_of"]:
        held, of = telling.held, report["_of"].items()
        for key, value in held.each(facet):
            is_old = before is None or held.changed(facet, key) < before
            if is_old and all(value.get(name) in values for name, values in of):
                yield gone(facet, key)


def _count(report: Value, number: int) -> None:
    if report["parts"] == number == 1:
        report["_next"] = number
    ahead = set(report["_ahead"])
    if number >= report["_next"] and len(ahead) < AHEAD_MAX:
        ahead.add(number)
    while report["_next"] in ahead:
        ahead.remove(report["_next"])
        report["_next"] += 1
    report["_ahead"] = sorted(ahead)


def _new(facet: str, request_id: int, telling: Telling, whole: bool) -> Value:
    return {
        "kind": facet,
        "request_id": request_id,
        "whole": whole,
        "state": "asked",
        "parts": 0,
        "_next": 0,
        "_ahead": [],
        "_last": None,
        "_first": None,
        "_of": {},
        "asked_at": iso(telling.recorded_at) if telling.command_id else None,
    }
