"""CDRs and orphans in a scenario's own field names, and where they are not what it expects.

Flags that are expected must be there, those in `flags_absent` must not; more are allowed. Numbers
are equal to the decimals that are written, four at least; `cost.rounded` is equal digit for digit.
Null means absent, not zero. Periods that neighbour each other at the same price are one. A field
that is not known here is a difference, never passed over.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

from domain.readings import read_time
from infra.scenario_file import Json
from schemas.cdr import Cdr, cdr_id, correction_id
from schemas.cdr_cost import CdrPeriod

FOR_PEOPLE = frozenset({"note", "why", "plausibility", "ref"})
DECIMALS_MIN = 4
TIMES = frozenset({"start_date_time", "end_date_time", "authorized_at", "ocpi_start_date_time"})
PERIODS = frozenset({"billing_period_local", "billing_period_utc"})
"""The month, or the day, in which a session began; of a clock and so far as it is written."""

TRIED_MAX = 6
"""Of CDRs every order is tried; more are paired one after the other."""


def shown(cdr: Cdr) -> Json:
    """Return what a CDR says, in the field names of scenarios."""
    lower, upper = cdr.energy_bounds_wh or (None, None)
    signed = cdr.signed
    told: Json = {
        "state": cdr.state,
        "flags": list(cdr.flags),
        "cs": cdr.station,
        "token": cdr.id_token or None,
        "evse_or_connector": _place(cdr),
        "start_date_time": cdr.started_at,
        "end_date_time": cdr.ended_at,
        "total_time_s": cdr.total_time_s,
        "total_parking_time_s": cdr.total_parking_time_s,
        "total_energy_wh": _text(cdr.energy_wh),
        "energy_bounds_wh": [_text(lower), _text(upper)] if cdr.energy_bounds_wh else None,
        "energy_lower_bound_wh": _text(lower),
        "stop_reason": cdr.stop_reason,
        "missing_seq": list(cdr.missing_seq),
        "missing_energy_wh": _text(cdr.missing_energy_wh),
        "total_energy_export_wh": _text(cdr.energy_export_wh),
        "authorized_at": cdr.authorized_at,
        "ocpi_start_date_time": cdr.reserved_from or cdr.started_at,
        "station_cost_excl": cdr.station_cost_excl,
        "settled": cdr.settled,
        "signed_energy_wh": signed.energy_wh if signed else None,
        "reported_energy_wh": _text(signed.reported_wh) if signed else None,
        "cross_check_wh": signed.cross_check_wh if signed else None,
        "pagination": list(signed.paginations) if signed else [],
        "cdr_seq": cdr.sequence,
        "credit": cdr.credit,
        "credit_reference": _credited(cdr),
        "billing_period_local": _began(cdr, local=True),
        "billing_period_utc": _began(cdr, local=False),
        "charging_periods": [_period(each) for each in cdr.charging_periods],
        "cost": _cost(cdr),
    }
    return told


def differences(expected: Json, cdr: Cdr) -> list[str]:
    """Return what of the CDR is not as expected."""
    got = shown(cdr)
    found: list[str] = []
    missing = sorted(set(expected.get("flags", ())) - set(cdr.flags))
    unwanted = sorted(set(expected.get("flags_absent", ())) & set(cdr.flags))
    found += [f"flags: {flag} is missing" for flag in missing]
    found += [f"flags: {flag} must not be there" for flag in unwanted]
    for name, value in expected.items():
        if name in FOR_PEOPLE or name in ("flags", "flags_absent"):
            continue
        found += _field(name, value, got, cdr)
    return found


def paired(expected: Sequence[Json], cdrs: Sequence[Cdr]) -> list[tuple[Json, Cdr | None]]:
    """Pair what is expected with what there is, so that least differs."""
    if len(cdrs) <= TRIED_MAX:
        padded: list[Cdr | None] = [*cdrs, *[None] * (len(expected) - len(cdrs))]
        best = min(
            permutations(padded, len(expected)),
            key=lambda order: sum(map(_distance, expected, order)),
        )
        return list(zip(expected, best, strict=True))
    left = list(cdrs)
    pairs: list[tuple[Json, Cdr | None]] = []
    for each in expected:
        found = min(left, key=lambda cdr: _distance(each, cdr), default=None)
        if found is not None:
            left.remove(found)
        pairs.append((each, found))
    return pairs


def in_our_order(expected: Sequence[Json]) -> Sequence[Json]:
    """Return them with `cdr_seq` counted from 0, and credits by the `cdr_seq` of what they credit.

    A chain may be counted from another number, and a credit may name what it credits by its `ref`.
    """
    counted = [each["cdr_seq"] for each in expected if isinstance(each.get("cdr_seq"), int)]
    first = min(counted, default=0)
    places = {each["ref"]: each.get("cdr_seq", first) for each in expected if "ref" in each}
    found = []
    for each in expected:
        told = dict(each)
        if isinstance(told.get("cdr_seq"), int):
            told["cdr_seq"] -= first
        credited = told.get("credit_reference")
        place = places.get(credited, credited) if credited is not None else None
        if isinstance(place, int):
            told["credit_reference"] = place - first
        found.append(told)
    return found


def _credited(cdr: Cdr) -> int | None:
    """Return the place in the chain of what it credits."""
    original = cdr_id(cdr.tenant, cdr.station, cdr.transaction_id)
    places = range(cdr.sequence)
    return next((n for n in places if correction_id(original, n) == cdr.credit_reference_id), None)


def _began(cdr: Cdr, *, local: bool) -> str | None:
    at = read_time(cdr.started_at)[0]
    if at is None or (local and cdr.location is None):
        return None
    zone = "UTC"
    if local and cdr.location is not None:
        zone = json.loads(bytes(cdr.location.document))["time_zone"]
    return datetime.fromtimestamp(at / 1_000_000, ZoneInfo(zone)).isoformat()


def _distance(expected: Json, cdr: Cdr | None) -> int:
    return 1_000 if cdr is None else len(differences(expected, cdr))


def _field(name: str, value: Any, got: Json, cdr: Cdr) -> Iterator[str]:
    if name == "cost":
        yield from _compare_cost(value, got["cost"])
    elif name == "charging_periods":
        yield from _compare_periods(value, cdr)
    elif name.endswith("_min") and name.removesuffix("_min") in got:
        at_least = got[name.removesuffix("_min")]
        if at_least is None or Decimal(at_least) < Decimal(value):
            yield f"{name}: {at_least} instead of at least {value}"
    elif name not in got:
        yield f"{name}: not known here"
    elif not _equal(name, value, got[name]):
        yield f"{name}: {got[name]} instead of {value}"


def _equal(name: str, value: Any, got: Any) -> bool:
    if value is None or got is None:
        return value is None and got is None
    if name in TIMES:
        return read_time(value)[0] == read_time(got)[0]
    if name == "token":
        return str(value).casefold() == str(got).casefold()
    if name in PERIODS:
        return str(got).startswith(str(value))
    if isinstance(value, list) and isinstance(got, list):
        pairs = zip(value, got, strict=False)
        return len(value) == len(got) and all(_equal("", *pair) for pair in pairs)
    return value == got or _same_number(value, got)


def _same_number(value: Any, got: Any) -> bool:
    try:
        wanted, have = Decimal(str(value)), Decimal(str(got))
    except ArithmeticError:
        return False
    if not (wanted.is_finite() and have.is_finite()):
        return False
    decimals = max(DECIMALS_MIN, -int(wanted.as_tuple().exponent))
    step = Decimal(1).scaleb(-decimals)
    return wanted.quantize(step, ROUND_HALF_UP) == have.quantize(step, ROUND_HALF_UP)


def _compare_cost(expected: Json | None, got: Json | None) -> Iterator[str]:
    if expected is None or got is None:
        if expected is not None or got is not None:
            yield f"cost: {got} instead of {expected}"
        return
    for name, value in expected.items():
        if name == "rounded":
            if got["rounded"] != value:
                yield f"cost.rounded: {got['rounded']} instead of {value}"
        elif name not in got:
            yield f"cost.{name}: not known here"
        elif not _equal(name, value, got[name]):
            yield f"cost.{name}: {got[name]} instead of {value}"


def _compare_periods(expected: Sequence[Json], cdr: Cdr) -> Iterator[str]:
    got = [_period(each) for each in cdr.charging_periods]
    if len(got) != len(expected):
        yield f"charging_periods: {len(got)} instead of {len(expected)}: {got}"
        return
    for index, (want, have) in enumerate(zip(expected, got, strict=True)):
        for name, value in want.items():
            if name in FOR_PEOPLE or (name == "ENERGY_wh" and not _prices_energy(cdr)):
                continue
            if name not in have:
                yield f"charging_periods[{index}].{name}: not known here"
            elif name == "start_date_time":
                if read_time(value)[0] != read_time(have[name])[0]:
                    yield f"charging_periods[{index}].{name}: {have[name]} instead of {value}"
            elif not _equal(name, value, have[name]):
                yield f"charging_periods[{index}].{name}: {have[name]} instead of {value}"


def orphan_differences(expected: Iterable[Json], orphans: Sequence[Json]) -> list[str]:
    """Each of `orphans` has the members `cs`, `action` and `flag`."""
    left = list(orphans)
    found = []
    for want in expected:
        fitting = [each for each in left if all(each.get(k) == v for k, v in want.items())]
        if fitting:
            left.remove(fitting[0])
        else:
            found.append(f"orphans: {want} is missing")
    return found + [f"orphans: {each} is not expected" for each in left]


def _prices_energy(cdr: Cdr) -> bool:
    if cdr.tariff is None:
        return True
    elements = json.loads(bytes(cdr.tariff.document))["elements"]
    return any(each["type"] == "ENERGY" for one in elements for each in one["price_components"])


def _place(cdr: Cdr) -> int | None:
    return None if cdr.evse == 0 and "CONNECTOR_INVALID" not in cdr.flags else cdr.evse


def _cost(cdr: Cdr) -> Json | None:
    cost = cdr.cost
    if cost is None:
        return None
    parts: Mapping[str, Any] = {
        "energy": cost.energy,
        "time": cost.time,
        "parking": cost.parking,
        "fixed": cost.fixed,
        "reservation": cost.reservation,
    }
    told: Json = {
        "currency": cost.currency,
        "excl_vat": cost.excl_vat,
        "incl_vat": cost.incl_vat,
        "rounded": list(cost.rounded),
        "limit_applied": cost.limit_applied,
        "billed_energy_wh": cost.billed_energy_wh,
        "billed_time_s": cost.billed_time_s,
        "billed_parking_s": cost.billed_parking_s,
        "billed_reservation_s": cost.billed_reservation_s,
    }
    for name, part in parts.items():
        told[f"{name}_excl_vat"] = part.excl_vat if part is not None else "0"
        told[f"{name}_incl_vat"] = part.incl_vat if part is not None else "0"
    return told


def _period(period: CdrPeriod) -> Json:
    return {
        "start_date_time": period.start_date_time,
        "ENERGY_wh": period.energy_wh,
        "TIME_s": period.time_s,
        "PARKING_TIME_s": period.parking_time_s,
        "UNPRICED_s": period.unpriced_s,
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
