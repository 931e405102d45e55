"""From a transaction to its charge detail record. Pure; the one place where energy is decided.

The energy is the difference of the two registers, nothing else: samples never make energy, they
only bound what is unknown. A missing or contradictory register makes the CDR HELD with bounds and
without a number.
"""

from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from domain.cdr_pricing import Priced, PricedFacts, price_facts
from domain.judgement import HOLDING, Judgement, is_over, judge
from domain.limits import Limits, limits_of
from domain.meter_rules import CURRENT, MeterRule
from domain.metering import Bounds, Wh, is_too_much
from domain.pricing_session import exact
from domain.readings import time_text, whole
from domain.reference import NOTHING, Reference
from domain.reserved_time import reservation_of
from domain.signed_documents import signed_document
from domain.signed_values import CALIBRATED_HOLDING, SignedEnergy, signed_energy
from domain.tariff_changes import price_changes
from domain.transaction import Estimate, Transaction
from schemas.cdr import Cdr, CdrState, cdr_id, correction_id


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
    limits = limits_of(reference.attributes_at(tenant, station, t.registry))
    j = judge(t, limits, rule)
    signed = signed_of(t, j.energy)
    flags = set(j.flags | set(signed.flags))
    energy, ended_at = energy_of(t, signed, j.energy), j.end_us
    estimate = standing_estimate(t)
    if estimate is not None:
        energy = estimate.energy_wh if estimate.energy_wh is not None else energy
        ended_at = estimate.ended_at if estimate.ended_at is not None else ended_at
    if energy == 0 and not t.is_no_show:
        flags.add("ZERO_ENERGY")
    over = is_over(t) or estimate is not None
    facts = facts_of(tenant, station, t, j, energy, ended_at, flags)
    money = price_facts(facts, reference) if over else Priced()
    flags |= money.flags
    holds = held_by(t, flags) | j.holds | money.holds if over else frozenset()
    cdr = Cdr(
        id=correction_id(cdr_id(tenant, station, t.transaction_id), t.sequence),
        revision=t.revision,
        state=_state(t, bool(holds)),
        tenant=tenant,
        station=station,
        evse=t.evse_id,
        connector=t.connector_id,
        transaction_id=t.transaction_id,
        id_token=t.id_token,
        started_at=_time(j.start_us),
        ended_at=_time(ended_at),
        meter_start_wh=t.meter_start_wh,
        meter_stop_wh=t.meter_stop_wh,
        energy_wh=energy,
        energy_bounds_wh=j.bounds if over else None,
        stop_reason=t.stop_reason if t.is_ended else None,
        flags=tuple(sorted(flags)),
        positions=_positions(t, partition),
        signed=signed_document(t, partition, signed, j.energy),
        holds=tuple(sorted(holds)),
        decided=t.rejected,
    )
    return _with_details(_with_money(cdr, money), t, j, limits)


def _with_money(cdr: Cdr, money: Priced) -> Cdr:
    return replace(
        cdr,
        total_time_s=money.total_time_s,
        total_parking_time_s=money.total_parking_time_s,
        cost=money.cost,
        charging_periods=money.charging_periods,
        tariff=money.tariff,
        location=money.location,
        rules=money.rules,
    )


def _with_details(cdr: Cdr, t: Transaction, j: Judgement, limits: Limits) -> Cdr:
    return replace(
        cdr,
        missing_seq=j.missing_seq,
        missing_energy_wh=j.missing_energy_wh,
        energy_export_wh=_text(exported_wh(t, j, limits)),
        authorized_at=_time(t.authorized_at),
        auth_method=t.auth_method or None,
        id_token_type=t.id_token_type or None,
        id_token_group=t.group or None,
        reserved_from=_time(t.reserved_at),
        reserved_until=_time(t.reserved_until),
        station_cost_excl=_text(t.station_cost[0]) if t.station_cost else None,
        settled=_text(t.settled),
        closed_by=t.closed_reason if t.is_closed and not t.is_ended else None,
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


def may_be_released(t: Transaction) -> bool:
    """Whether it has all that a release needs; what holds it, only its document shows.

    That is both ends, both registers, a verdict on what was signed, and no rejection.
    """
    if not t.is_ended or t.released or t.rejected is not None or (t.signed and t.judged < 0):
        return False
    return t.is_no_show or not (t.meter_start_wh is None or t.meter_stop_wh is None)


def held_by(t: Transaction, flags: set[str]) -> frozenset[str]:
    return (HOLDING | CALIBRATED_HOLDING if t.is_calibrated else HOLDING) & flags


def signed_of(t: Transaction, reported_wh: Wh | None) -> SignedEnergy:
    """Return what was signed, once it was judged: before, nobody knows what it is worth."""
    if t.judged < 0:
        return SignedEnergy()
    return signed_energy(
        t.signed,
        {container: verdict.validity for container, verdict in t.verdicts.items()},
        is_calibrated=t.is_calibrated,
        id_token=t.id_token,
        reported_wh=reported_wh,
    )


def bounds_of(transaction: Transaction, tenant: str, station: str, reference: Reference) -> Bounds:
    """Return the bounds of its energy, [lower, upper], as the evidence stands."""
    attributes = reference.attributes_at(tenant, station, transaction.registry)
    j = judge(transaction, limits_of(attributes))
    return j.bounds or ((j.energy, j.energy) if j.energy is not None else (0, None))


def exported_wh(t: Transaction, j: Judgement, limits: Limits) -> Decimal | None:
    """Return what the vehicle gave back: the rise of the export register.

    One that was read once is taken to count from the start, where so much can have been given back.
    """
    if not t.exports:
        return None
    (first_us, first), (_, last) = t.exports[0], t.exports[-1]
    if len(t.exports) > 1:
        return last - first if last >= first else None
    if limits.max_power_w is None or j.start_us is None or first_us < j.start_us:
        return None
    return None if is_too_much(first, j.start_us, first_us, limits) else first


def energy_of(t: Transaction, signed: SignedEnergy, reported: Wh | None) -> Wh | None:
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
    j: Judgement,
    energy: Wh | Fraction | None,
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
        start_us=j.start_us,
        end_us=ended_at,
        start_wh=exact(t.meter_start_wh) if t.meter_start_wh is not None else 0,
        energy_wh=None if energy is None else exact(energy),
        readings=j.readings,
        states=t.states,
        reservation=reservation_of(t.flags, t.reserved_at, t.reserved_until),
        is_no_show=t.is_no_show,
        flags=flags,
        station_cost=t.station_cost,
        station_currency=t.station_currency,
        settled=t.settled,
        changes=price_changes(t.tariff_changes),
    )


def _positions(t: Transaction, partition: int) -> dict[str, str]:
    """Return which records each figure is from, by what they told."""
    told: tuple[tuple[str, int | list[int]], ...] = (
        ("start", t.started),
        ("start_answer", t.start_answered),
        ("stop", t.ended),
        ("stop_answer", t.end_answered),
        ("meter_start", t.start_told),
        ("meter_stop", t.stop_told),
        ("readings", t.readings_told),
        ("states", t.states_told),
        ("others", t.others_told),
        ("successor", t.succeeded_by),
        ("signatures", t.judged),
        ("reservation", t.reserved_told),
    )
    if t.is_no_show:
        told = (("reservation", t.reserved_told), ("expiry", t.ended), ("others", t.others_told))
    positions = {}
    for role, offsets in told:
        if isinstance(offsets, int):
            if offsets >= 0:
                positions[role] = f"{partition}:{offsets}"
        elif offsets:
            positions[role] = f"{partition}:{','.join(map(str, offsets))}"
    return positions


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else time_text(microseconds)
