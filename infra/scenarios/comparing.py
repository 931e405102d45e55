"""Compares what a run made with what its scenario expects, as the scenarios' header says.

Flags: the expected ones are a subset, those of `flags_absent` are not there. Numbers: exact, or to
four decimals (scenarios write repeating fractions with ten digits). Rounded amounts: exact. A null
is absent or unknown, never zero. Charging periods: neighbours between two expected starts are taken
together. What cannot be compared is named, never passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

from domain.readings import read_time
from infra.scenarios.running import Ran
from infra.scenarios.telling import COUNTS, Told, cdrs_of, orphans_of

_FOR_PEOPLE = {"note", "why", "plausibility", "ref"}
_CHECKED = {"flags", "flags_absent", "state", "cost", "charging_periods", "rounded"}
_TIMES = {"start_date_time", "end_date_time", "ocpi_start_date_time", "authorized_at"}
_PLACES = Decimal("0.0001")
_VOLUMES = ("ENERGY_wh", "TIME_s", "PARKING_TIME_s", "UNPRICED_s")


class Verdict(NamedTuple):
    id: str
    title: str
    cdrs: Sequence[Told]
    orphans: Sequence[Told]
    differences: Sequence[str]
    not_compared: Sequence[str]
    """Expected fields that nothing here is compared with."""


def judge(scenario: Mapping[str, Any], ran: Ran, *, prices_energy: bool) -> Verdict:
    expected = scenario["expect"]
    cdrs, orphans = cdrs_of(ran, scenario["config"].get("tokens") or ()), orphans_of(ran)
    differences, skipped = list(ran.differences), []
    differences += ran.store.poison
    left = list(cdrs)
    for number, wanted in enumerate(expected.get("cdrs", ()), 1):
        name = str(wanted.get("ref", f"S{number}"))
        if not left:
            differences.append(f"{name}: no CDR")
            continue
        tried = [_compared(wanted, each, prices_energy=prices_energy) for each in left]
        best = min(range(len(tried)), key=lambda index: len(tried[index]))
        differences += [f"{name}: {difference}" for difference in tried[best]]
        skipped += [f"{name} {field}" for field in _unknown(wanted, left[best])]
        del left[best]
    if "cdrs_exactly" in expected and len(cdrs) != expected["cdrs_exactly"]:
        differences.append(f"{len(cdrs)} CDRs instead of {expected['cdrs_exactly']}")
    differences += _missing_orphans(expected.get("orphans", ()), orphans)
    for field in expected:
        if field in COUNTS:
            differences += _differs(field, expected[field], COUNTS[field](ran))
        elif field not in ("cdrs", "cdrs_exactly", "orphans", *_FOR_PEOPLE):
            skipped.append(field)
    title = str(scenario.get("title", ""))
    return Verdict(str(scenario["id"]), title, cdrs, orphans, differences, skipped)


def _unknown(wanted: Mapping[str, Any], told: Told) -> list[str]:
    known = {*told, *_CHECKED, *_FOR_PEOPLE}
    fields = [field for field in wanted if field not in known]
    cost = told.get("cost") or {}
    return fields + [
        f"cost.{field}" for field in wanted.get("cost") or () if cost and field not in cost
    ]


def _compared(wanted: Mapping[str, Any], told: Told, *, prices_energy: bool) -> list[str]:
    found: list[str] = []
    if missing := set(wanted.get("flags", ())) - set(told["flags"]):
        found.append(f"flags {sorted(missing)} missing in {told['flags']}")
    if present := set(wanted.get("flags_absent", ())) & set(told["flags"]):
        found.append(f"flags {sorted(present)} must be absent")
    if wanted["state"] != told["state"]:
        found.append(f"state {told['state']} {told['holds']} instead of {wanted['state']}")
    for field, value in wanted.items():
        if field in told and field not in _CHECKED and field not in _FOR_PEOPLE:
            found += _differs(field, value, told[field])
    if "cost" in wanted:
        found += _cost_differs(wanted["cost"], told["cost"])
    if "charging_periods" in wanted:
        found += _periods_differ(
            wanted["charging_periods"], told["charging_periods"], prices_energy=prices_energy
        )
    return found


def _cost_differs(wanted: Mapping[str, Any] | None, told: Told | None) -> Iterator[str]:
    if wanted is None or told is None:
        if wanted is not told:
            yield f"cost {told} instead of {wanted}"
        return
    for field, value in wanted.items():
        if field == "rounded":
            if list(value) != list(told["rounded"]):
                yield f"cost.rounded {told['rounded']} instead of {value}"
        elif field in told:
            yield from _differs(f"cost.{field}", value, told[field])


def _periods_differ(
    wanted: Sequence[Mapping[str, Any]], told: Sequence[Told], *, prices_energy: bool
) -> Iterator[str]:
    starts = [read_time(period["start_date_time"])[0] or 0 for period in wanted]
    have = [read_time(period["start_date_time"])[0] or 0 for period in told]
    for number, (start, period) in enumerate(zip(starts, wanted, strict=True)):
        if start not in have:
            yield f"no charging period begins at {period['start_date_time']}"
            continue
        end = starts[number + 1] if number + 1 < len(starts) else None
        inside = [
            each
            for at, each in zip(have, told, strict=True)
            if at >= start and (end is None or at < end)
        ]
        for volume in _VOLUMES:
            if volume == "ENERGY_wh" and not prices_energy:
                continue
            total = sum((Decimal(each.get(volume, "0")) for each in inside), Decimal(0))
            where = f"{volume} from {period['start_date_time']}"
            yield from _differs(where, period.get(volume, "0"), str(total))


def _missing_orphans(wanted: Sequence[Mapping[str, Any]], told: Sequence[Told]) -> Iterator[str]:
    left = list(told)
    for orphan in wanted:
        found = next(
            (each for each in left if all(each.get(k) == v for k, v in orphan.items())), None
        )
        if found is None:
            yield f"no orphan {dict(orphan)} among {list(told)}"
        else:
            left.remove(found)
    for orphan in left:
        yield f"orphan {orphan} is not expected"


def _differs(field: str, wanted: Any, told: Any) -> list[str]:
    if field in _TIMES and wanted is not None and told is not None:
        same = read_time(wanted)[0] == read_time(told)[0]
    elif isinstance(wanted, list) and isinstance(told, list):
        same = len(wanted) == len(told) and all(map(_is_equal, wanted, told))
    else:
        same = _is_equal(wanted, told)
    return [] if same else [f"{field} {told!r} instead of {wanted!r}"]


def _is_equal(wanted: Any, told: Any) -> bool:
    if wanted == told:
        return True
    if wanted is None or told is None or isinstance(wanted, bool):
        return False
    try:
        numbers = Decimal(str(wanted)), Decimal(str(told))
    except InvalidOperation:
        return False
    first, second = (number.quantize(_PLACES, ROUND_HALF_UP) for number in numbers)
    return first == second
