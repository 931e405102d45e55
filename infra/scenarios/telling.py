"""What billing and people see of a run, in the scenario's own field names."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from infra.scenarios.running import Ran
from infra.scenarios.store import Row
from schemas.cdr import Cdr

_decode = msgspec.json.Decoder(Cdr).decode

Told = dict[str, Any]


def cdrs_of(ran: Ran, tokens: Collection[str] = ()) -> list[Told]:
    """Return every CDR, by start and place in its chain; tokens are spelled as registered."""
    spelled = {token.casefold(): token for token in tokens}
    rows = sorted(
        ran.store.cdrs.values(),
        key=lambda row: (
            row["started_at"] or row["ended_at"] or 0,
            row["station"],
            row["sequence"],
        ),
    )
    told = [_told(_decode(row["body"])) for row in rows]
    for cdr in told:
        if cdr["token"] is not None:
            cdr["token"] = spelled.get(cdr["token"].casefold(), cdr["token"])
    return told


def orphans_of(ran: Ran) -> list[Told]:
    orphans = sorted(ran.store.orphans.values(), key=lambda row: row["record_offset"])
    return [
        {
            "cs": row["station"],
            "action": ran.calls.get(row["told_offset"], ("", ""))[1],
            "flag": row["reason"],
        }
        for row in orphans
    ]


COUNTS: Mapping[str, Callable[[Ran], Any]] = {
    "open_sessions_after": lambda ran: sum(
        row["state"] == "active" for row in ran.store.transactions.values()
    ),
    "cdrs_exported": lambda ran: sum(row["state"] == "FINAL" for row in ran.store.cdrs.values()),
    "cdr_outbox_messages": lambda ran: sum(
        row["state"] == "FINAL" for row in ran.store.cdrs.values()
    ),
    "running_energy_wh_before_stop": lambda ran: _running(
        ran.before_stop.transactions if ran.before_stop is not None else {}
    ),
}
"""Figures of the whole scenario."""


def _running(transactions: Mapping[str, Row]) -> str | None:
    for row in transactions.values():
        if row["state"] == "active" and row["meter_last_wh"] is not None:
            return str(row["meter_last_wh"] - (row["meter_start_wh"] or 0))
    return None


def _told(cdr: Cdr) -> Told:
    bounds = cdr.energy_bounds_wh
    signed = cdr.signed
    told: Told = {
        "state": cdr.state,
        "flags": list(cdr.flags),
        "holds": list(cdr.holds),
        "cs": cdr.station,
        "token": cdr.id_token or None,
        "evse_or_connector": cdr.evse if cdr.evse or cdr.connector else None,
        "start_date_time": cdr.started_at,
        "end_date_time": cdr.ended_at,
        "ocpi_start_date_time": cdr.reserved_at or cdr.started_at,
        "total_time_s": cdr.total_time_s,
        "total_parking_time_s": cdr.total_parking_time_s,
        "total_energy_wh": _text(cdr.energy_wh),
        "energy_bounds_wh": None if bounds is None else [_text(each) for each in bounds],
        "energy_lower_bound_wh": None if bounds is None else _text(bounds[0]),
        "stop_reason": cdr.stop_reason,
        "missing_seq": list(cdr.missing_seq),
        "missing_energy_wh": _text(cdr.missing_energy_wh),
        "total_energy_export_wh": _text(cdr.energy_export_wh),
        "authorized_at": cdr.authorized_at,
        "station_cost_excl": cdr.station_cost_excl,
        "settled": cdr.settled,
        "cdr_seq": cdr.sequence + 1,
        "credit": cdr.credit,
        "credit_reference": cdr.credit_reference_id,
        "cost": _cost(cdr),
        "charging_periods": [
            _without_zeros(
                {
                    "start_date_time": period.start_date_time,
                    "ENERGY_wh": period.energy_wh,
                    "TIME_s": period.time_s,
                    "PARKING_TIME_s": period.parking_time_s,
                    "UNPRICED_s": period.unpriced_s,
                }
            )
            for period in cdr.charging_periods
        ],
    }
    if signed is not None:
        told["signed_energy_wh"] = signed.energy_wh
        told["reported_energy_wh"] = _text(signed.reported_wh)
        told["cross_check_wh"] = signed.cross_check_wh
        told["pagination"] = list(signed.paginations)
    return told


def _cost(cdr: Cdr) -> Told | None:
    cost = cdr.cost
    if cost is None:
        return None
    told: Told = {
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
    for name in ("energy", "time", "parking", "fixed", "reservation"):
        part = getattr(cost, name)
        told[f"{name}_excl_vat"] = "0" if part is None else part.excl_vat
        told[f"{name}_incl_vat"] = "0" if part is None else part.incl_vat
    return told


def _without_zeros(period: Told) -> Told:
    return {name: each for name, each in period.items() if name == "ENERGY_wh" or each != "0"}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
