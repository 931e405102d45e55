"""From a transaction to its charge detail record. Pure; the one place where energy is decided.

The energy is the difference of the two registers, nothing else: samples never make energy, they
only bound what is unknown. A missing or contradictory register makes the CDR HELD with bounds and
without a number.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from domain import signed_values
from domain.cdr_pricing import Priced, PricedFacts, price_facts
from domain.meter_rules import CURRENT, MeterRule
from domain.pricing_session import exact
from domain.reference import NOTHING, Reference
from domain.signed_documents import signed_document, whole
from domain.signed_values import CALIBRATED_HOLDING, SignedEnergy, signed_energy
from domain.tariff_changes import price_changes
from domain.transaction import Estimate, Transaction
from schemas.cdr import Cdr, CdrState, cdr_id, correction_id

HOLDING = frozenset(
    {
        "CONFLICTING_STOP",
        "CONNECTOR_INVALID",
        "ESTIMATED_END",
        "METER_REGRESSION",
        "METER_START_INVALID",
        "METER_STOP_INVALID",
        "METER_STOP_MISSING",
        "MISSING_STOP",
        "NEGATIVE_DURATION",
        "TIME_MISSING",
        "TOKEN_NOT_ACCEPTED",
        *signed_values.HOLDING,
    }
)
"""The flags that keep a CDR from being released without a person."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cdr_of(
    tenant: str,
    station: str,
    partition: int,
    transaction: Transaction,
    reference: Reference = NOTHING,
    rule: MeterRule = CURRENT,
) -> Cdr:
    """Return the CDR as the evidence stands. OPEN, HELD, REJECTED, or FINAL once released.

    `reference` is folded at least up to the transaction's registry position; without it the CDR
    says nothing of money.
    """
    t = transaction
    signed = signed_of(t)
    flags = {*t.flags, *_judge(t, rule), *signed.flags}
    energy = energy_of(t, signed, reported_wh(t, rule))
    ended_at = t.ended_at
    estimate = standing_estimate(t)
    if estimate is not None:
        energy = estimate.energy_wh if estimate.energy_wh is not None else energy
        ended_at = estimate.ended_at if estimate.ended_at is not None else ended_at
    if energy == 0:
        flags.add("ZERO_ENERGY")
    over = t.is_ended or t.succeeded or estimate is not None
    facts = facts_of(tenant, station, t, energy, ended_at, flags)
    money = price_facts(facts, reference) if over else Priced()
    flags |= money.flags
    holds = held_by(t, flags) | money.holds if over else frozenset()
    return Cdr(
        id=correction_id(cdr_id(tenant, station, t.transaction_id), t.sequence),
        revision=t.revision,
        state=_state(t, bool(holds)),
        tenant=tenant,
        station=station,
        evse=t.evse_id,
        connector=t.connector_id,
        transaction_id=t.transaction_id,
        id_token=t.id_token,
        started_at=_iso(t.started_at),
        ended_at=_iso(ended_at),
        meter_start_wh=t.meter_start_wh,
        meter_stop_wh=t.meter_stop_wh,
        energy_wh=energy,
        energy_bounds_wh=bounds_of(t) if over and energy is None else None,
        stop_reason=t.stop_reason,
        flags=tuple(sorted(flags)),
        positions=_positions(t, partition),
        signed=signed_document(t, partition, signed, reported_wh(t)),
        holds=tuple(sorted(holds)),
        total_time_s=money.total_time_s,
        total_parking_time_s=money.total_parking_time_s,
        cost=money.cost,
        charging_periods=money.charging_periods,
        tariff=money.tariff,
        location=money.location,
        rules=money.rules,
        decided=t.rejected,
    )


def release_document(
    tenant: str,
    station: str,
    partition: int,
    transaction: Transaction,
    reference: Reference = NOTHING,
) -> Cdr:
    """Return the document that a release of this transaction now would fix."""
    released = replace(transaction, released=True, rejected=None, revision=transaction.revision + 1)
    return cdr_of(tenant, station, partition, released, reference)


def releasable(transaction: Transaction) -> bool:
    """Both ends told, both registers known, nothing that a person must look at first.

    Its price may hold it all the same.
    """
    t = transaction
    if not t.is_ended or t.released or t.meter_start_wh is None or t.meter_stop_wh is None:
        return False
    if t.rejected is not None or (t.signed and t.judged < 0):
        return False
    return not held_by(t, {*t.flags, *_judge(t), *signed_of(t).flags})


def held_by(t: Transaction, flags: set[str]) -> frozenset[str]:
    return (HOLDING | CALIBRATED_HOLDING if t.is_calibrated else HOLDING) & flags


def signed_of(t: Transaction) -> SignedEnergy:
    """Return what was signed, once it was judged: before, nobody knows what it is worth."""
    if t.judged < 0:
        return SignedEnergy()
    return signed_energy(
        t.signed,
        {container: verdict.validity for container, verdict in t.verdicts.items()},
        is_calibrated=t.is_calibrated,
        id_token=t.id_token,
        reported_wh=reported_wh(t),
    )


def reported_wh(t: Transaction, rule: MeterRule = CURRENT) -> int | None:
    """Return the difference of the two registers as told, if both are and do not contradict."""
    if t.meter_start_wh is None or t.meter_stop_wh is None:
        return None
    if _NO_ENERGY.intersection(_judge(t, rule)):
        return None
    return t.meter_stop_wh - t.meter_start_wh


def energy_of(t: Transaction, signed: SignedEnergy, reported: int | None) -> int | Decimal | None:
    """Return the energy: where calibration law binds the signed difference, and nothing for it."""
    if not t.is_calibrated:
        return reported
    if not signed.is_usable or signed.energy_wh is None:
        return None
    return whole(signed.energy_wh)


def standing_estimate(t: Transaction) -> Estimate | None:
    """Return what a person released it with, unless the station has told more since."""
    e = t.estimate
    if e is None or (e.ended, e.meter_stop_wh) != (t.ended, t.meter_stop_wh):
        return None
    return e


def _state(t: Transaction, is_held: bool) -> CdrState:
    if t.released:
        return "FINAL"
    if t.rejected is not None:
        return "REJECTED"
    return "HELD" if is_held else "OPEN"


def facts_of(
    tenant: str,
    station: str,
    t: Transaction,
    energy: int | Decimal | Fraction | None,
    ended_at: int | None,
    flags: Collection[str],
) -> PricedFacts:
    """Return what pricing asks of a transaction with this energy and this end."""
    repriced = t.repriced
    return PricedFacts(
        tenant=tenant,
        station=station,
        evse=t.evse_id,
        group=t.group,
        registry=t.registry if repriced is None else repriced.registry,
        tariff_id="" if repriced is None else repriced.tariff_id,
        told_at=t.start_received,
        start_us=t.started_at,
        end_us=ended_at,
        start_wh=t.meter_start_wh if t.meter_start_wh is not None else 0,
        energy_wh=None if energy is None else exact(energy),
        readings=t.readings,
        states=t.states,
        flags=flags,
        changes=price_changes(t.tariff_changes),
    )


_NO_ENERGY = frozenset({"METER_REGRESSION", "METER_STOP_INVALID", "METER_START_INVALID"})


def _judge(t: Transaction, rule: MeterRule = CURRENT) -> list[str]:
    flags = []
    if t.token_status != "Accepted":
        flags.append("TOKEN_NOT_ACCEPTED")
    if t.evse_id <= 0:
        flags.append("CONNECTOR_INVALID")
    if t.meter_start_wh is None or t.meter_start_wh < 0:
        flags.append("METER_START_INVALID")
    if t.started_at is None or (t.is_ended and t.ended_at is None):
        flags.append("TIME_MISSING")
    if not t.is_ended:
        return flags + (["MISSING_STOP", "ESTIMATED_END"] if t.succeeded else [])
    if t.ended_at is not None and t.started_at is not None and t.ended_at < t.started_at:
        flags.append("NEGATIVE_DURATION")
    return flags + _judge_stop_register(t, rule.register_tolerance_wh)


def _judge_stop_register(t: Transaction, tolerance_wh: int) -> list[str]:
    start, stop = t.meter_start_wh, t.meter_stop_wh
    if stop is None:
        return ["METER_STOP_MISSING"]
    if stop < 0:
        return ["METER_STOP_INVALID"]
    if start is None:
        return []
    if stop < start:
        return ["METER_REGRESSION"]
    first, last = t.first_register_wh, t.last_register_wh
    if first is None or last is None:
        return []
    if last < start - tolerance_wh:
        return ["METER_BASE_MISMATCH"]
    if last > stop + tolerance_wh:
        other_base = 0 <= last - first <= stop - start + tolerance_wh and first > stop
        return ["METER_BASE_MISMATCH" if other_base else "METER_REGRESSION"]
    return []


def bounds_of(t: Transaction) -> tuple[int | None, int | None]:
    start = t.meter_start_wh
    if start is None:
        return 0, None
    lower, upper = 0, None
    if t.last_register_wh is not None and t.last_register_wh > start:
        lower = t.last_register_wh - start
    if t.successor_start_wh is not None and t.successor_start_wh - start >= lower:
        upper = t.successor_start_wh - start
    return lower, upper


def _positions(t: Transaction, partition: int) -> dict[str, str]:
    """Return which records each figure is from, by what they told."""
    told: dict[str, list[int]] = {
        "start": [t.started],
        "start_answer": [t.start_answered],
        "stop": [t.ended],
        "stop_answer": [t.end_answered],
        "meter_start": [t.start_told],
        "meter_stop": [t.stop_told],
        "readings": t.readings_told,
        "states": t.states_told,
        "successor": [t.succeeded_by],
        "signatures": [t.judged],
    }
    offsets = {role: [str(each) for each in those if each >= 0] for role, those in told.items()}
    return {role: f"{partition}:{','.join(those)}" for role, those in offsets.items() if those}


def _iso(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    at = _EPOCH + timedelta(microseconds=microseconds)
    return at.isoformat().replace("+00:00", "Z")
