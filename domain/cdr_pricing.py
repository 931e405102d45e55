"""What money does to a CDR: its tariff and place as of the start, its cost, and what holds it.

The tariff is the one of the session's start that the answer to the start knew, whatever has been
registered since. A tenant without any tariff has CDRs without a cost.
"""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import version

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain.charging_periods import Evidence, activities, seconds_by_activity, session_of
from domain.cost_document import cost_document, period_documents, seconds_text
from domain.metering import Reading
from domain.pricing import TariffChange, price
from domain.pricing_clock import ZoneUnknown, edges, zone_of
from domain.pricing_money import half_up
from domain.pricing_rules import RuleSet, rules_of
from domain.pricing_session import Activity, Exact, PricedSession, Reservation
from domain.pricing_totals import Cost
from domain.reference import AppliedLocation, AppliedTariff, Reference
from domain.tariff import Dimension, Tariff
from schemas.attributes import EICHRECHT
from schemas.cdr_cost import CdrCost, CdrPeriod, LocationSnapshot, TariffSnapshot
from schemas.journal import REGISTRY_PARTITION
from schemas.location import encode_location

PRICE_RULES = 1
"""Version of the rules by which a session is made and priced; whoever changes them raises it."""

TARIFF_MISSING = "TARIFF_MISSING"
ZONE_MISSING = "ZONE_MISSING"
COST_MISMATCH = "COST_MISMATCH"
SETTLEMENT_MISMATCH = "SETTLEMENT_MISMATCH"
TARIFF_CHANGED = "TARIFF_CHANGED"
INTERPOLATED = "INTERPOLATED"

HOLDING = frozenset({TARIFF_MISSING, ZONE_MISSING, COST_MISMATCH, "CURRENT_UNKNOWN"})
DOUBTS_OF_TIME = frozenset(
    {"CLOCK_INVALID", "CLOCK_SUBSTITUTED", "SEQ_GAP", "SIGNED_TIME_UNSYNCED"}
)
"""They hold where the price depends on time, and nowhere else."""


class PricedFacts(Struct, frozen=True, kw_only=True):
    """What pricing asks of a transaction, as it was judged."""

    tenant: str
    station: str
    evse: int
    group: str
    registry: int
    """The registry position of the answer to its start; of a reprice, that of its decision."""
    tariff_id: str = ""
    """By this tariff; empty: by the one assigned."""
    told_at: int
    """When the start was told; stands in where its time is unknown."""
    start_us: int | None
    end_us: int | None
    start_wh: Exact | None
    energy_wh: Exact | None
    readings: Sequence[tuple[int, Decimal | int]] = ()
    states: Sequence[tuple[int, str]] = ()
    reservation: Reservation | None = None
    is_no_show: bool = False
    """No session took place; what is owed is for the reservation alone."""
    flags: Collection[str] = ()
    station_cost: tuple[Decimal | None, Decimal | None] | None = None
    """What the station says it costs, excluding and including tax (OCPP 2.1, costDetails)."""
    station_currency: str = ""
    settled: Decimal | None = None
    """What was settled with the driver, including tax (OCPP 2.1, NotifySettlement)."""
    changes: Sequence[TariffChange] | None = ()
    """Of its tariff while it ran; None: by one that we cannot read."""


class Priced(Struct, frozen=True, gc=False):
    flags: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    """Of all flags, those that hold because of money."""
    total_time_s: str | None = None
    total_parking_time_s: str | None = None
    cost: CdrCost | None = None
    charging_periods: tuple[CdrPeriod, ...] = ()
    tariff: TariffSnapshot | None = None
    location: LocationSnapshot | None = None
    rules: str | None = None


def price_facts(facts: PricedFacts, reference: Reference) -> Priced:
    """Price what is known. `reference` is folded up to the registry position of the facts."""
    f = facts
    total_s, parking_s = _times(f)
    time = f.start_us if f.start_us is not None else f.told_at
    located = reference.location_at(f.tenant, f.station, time, f.registry)
    priced = Priced(
        total_time_s=total_s,
        total_parking_time_s=parking_s,
        location=_location_snapshot(located, f.station) if located else None,
    )
    if not reference.has_tariffs(f.tenant, f.registry):
        return priced
    applied = tariff_of(f, reference)
    if applied is None:
        missing = frozenset({TARIFF_MISSING})
        return replace(priced, flags=missing, holds=missing)
    zone = located.location.time_zone if located else ""
    cost = _cost(f, applied.tariff, zone)
    flags = _flags(f, applied.tariff, zone, cost)
    calibrated = reference.attributes_at(f.tenant, f.station, f.registry).get(EICHRECHT) is True
    return replace(
        priced,
        flags=frozenset(flags),
        holds=frozenset(_holds({*f.flags, *flags}, applied.tariff, calibrated=calibrated)),
        cost=cost_document(cost) if cost else None,
        charging_periods=period_documents(cost) if cost else (),
        tariff=TariffSnapshot(
            id=applied.id,
            position=f"{REGISTRY_PARTITION}:{applied.offset}",
            document=Raw(applied.document),
        ),
        rules=price_rules(),
    )


def running_cost(
    facts: PricedFacts, reference: Reference, readings: Callable[[], Sequence[Reading]]
) -> Cost | None:
    """Return what a session owes up to the end that the facts name; None: nothing prices it.

    `readings` are asked for where they may move the price.
    """
    applied = tariff_of(facts, reference)
    if applied is None:
        return None
    time = facts.start_us if facts.start_us is not None else facts.told_at
    located = reference.location_at(facts.tenant, facts.station, time, facts.registry)
    if splits_energy(applied.tariff):
        facts = replace(facts, readings=readings())
    zone = located.location.time_zone if located else ""
    return _cost(facts, applied.tariff, zone, is_total=True)


def tariff_of(facts: PricedFacts, reference: Reference) -> AppliedTariff | None:
    f = facts
    time = f.start_us if f.start_us is not None else f.told_at
    if f.tariff_id:
        return reference.version_at(f.tenant, f.tariff_id, time, f.registry)
    return reference.tariff_at(f.tenant, f.station, f.evse, f.group, time, f.registry)


@lru_cache(maxsize=1)
def price_rules() -> str:
    """Name what a price depends on beside its tariff and session."""
    return f"price {PRICE_RULES}, tzdata {version('tzdata')}"


@lru_cache(maxsize=1024)
def depends_on_time(tariff: Tariff) -> bool:
    """Whether the time of a reading, or how long something took, can move the price."""
    rules = rules_of(tariff).session
    return any(_asks_for_time(rules)) or any(
        component.type in (Dimension.TIME, Dimension.PARKING_TIME) and component.price != 0
        for element in tariff.elements
        if element.restrictions.reservation is None
        for component in element.price_components
    )


@lru_cache(maxsize=1024)
def depends_on_zone(tariff: Tariff) -> bool:
    rules = rules_of(tariff)
    return any(each.marks_us for each in (rules.session, rules.reserved, rules.expired))


@lru_cache(maxsize=1024)
def splits_energy(tariff: Tariff) -> bool:
    """Whether it matters to the price when the energy flowed, or how much had flowed before."""
    rules = rules_of(tariff).session
    return any(_asks_for_time(rules)) or bool(rules.energies_wh)


def price_amounts(tariff: Tariff) -> tuple[Exact, ...]:
    """Return the amounts of energy since the start, in Wh, at which its price may change."""
    return tuple(rules_of(tariff).session.energies_wh)


def price_edges(
    tariff: Tariff, zone: str, start_us: int, end_us: int, amounts: Sequence[Exact] = ()
) -> list[int] | None:
    """Return the moments at which its price may change; None: other things than they and the
    `amounts` of energy may change it too."""
    rules = rules_of(tariff).session
    if len(rules.energies_wh) > len(amounts) or rules.powers_w or rules.currents_a:
        return None
    times = [start_us + int(each) for each in rules.durations_us]
    if rules.marks_us:
        times += [at for at, _ in edges(zone_of(zone), start_us, end_us + 1, rules.marks_us)]
    return sorted(times)


def _asks_for_time(rules: RuleSet) -> tuple[bool, ...]:
    return (
        bool(rules.marks_us),
        bool(rules.durations_us),
        bool(rules.powers_w),
        bool(rules.currents_a),
    )


def _times(f: PricedFacts) -> tuple[str | None, str | None]:
    if f.is_no_show:
        return "0", "0"
    if f.start_us is None or f.end_us is None or f.end_us < f.start_us:
        return None, None
    parked_us = 0
    if f.states:
        changes = activities(f.states, f.start_us, f.end_us)
        parked_us = seconds_by_activity(changes, f.end_us)[Activity.PARKING]
    return seconds_text(f.end_us - f.start_us), seconds_text(parked_us)


def _cost(f: PricedFacts, tariff: Tariff, zone: str, *, is_total: bool = False) -> Cost | None:
    """`is_total`: nobody asks for its periods, so they may be as few as give the same total."""
    if f.is_no_show:
        nobody = PricedSession(periods=(), reservation=f.reservation)
        return price(nobody, tariff, known_zone(zone))
    if f.start_us is None or f.end_us is None or f.end_us < f.start_us:
        return None
    if f.energy_wh is None or f.start_wh is None or f.changes is None:
        return None
    if any(change.tariff.currency != tariff.currency for change in f.changes):
        return None
    session = session_of(
        Evidence(
            start_us=f.start_us,
            end_us=f.end_us,
            start_wh=f.start_wh,
            energy_wh=f.energy_wh,
            readings=f.readings,
            states=f.states,
            reservation=f.reservation,
        ),
        *_edges(f, tariff, known_zone(zone), is_total=is_total),
    )
    return price(session, tariff, known_zone(zone), f.changes)


def _edges(
    f: PricedFacts, tariff: Tariff, zone: str, *, is_total: bool
) -> tuple[list[int] | None, Sequence[Exact]]:
    if f.changes or f.start_us is None or f.end_us is None:
        return None, ()
    amounts = price_amounts(tariff) if is_total else ()
    return price_edges(tariff, zone, f.start_us, f.end_us, amounts), amounts


def known_zone(zone: str) -> str:
    try:
        zone_of(zone)
    except ZoneUnknown:
        return "UTC"
    return zone


def _flags(f: PricedFacts, tariff: Tariff, zone: str, cost: Cost | None) -> set[str]:
    flags = set(cost.flags) if cost is not None else set()
    if depends_on_zone(tariff) and (not zone or known_zone(zone) != zone):
        flags.add(ZONE_MISSING)
    if f.changes != ():
        flags.add(TARIFF_CHANGED)
    if f.changes is None:
        flags.add(TARIFF_MISSING)
    if cost is not None:
        if f.station_cost is not None and _is_other_cost(f, f.station_cost, cost):
            flags.add(COST_MISMATCH)
        if _differs(f.settled, cost.incl_rounded, cost):
            flags.add(SETTLEMENT_MISMATCH)
    return flags


def _is_other_cost(f: PricedFacts, told: tuple[Decimal | None, Decimal | None], cost: Cost) -> bool:
    if f.station_currency and f.station_currency.upper() != cost.currency.upper():
        return True
    excl, incl = told
    return _differs(excl, cost.excl_rounded, cost) or _differs(incl, cost.incl_rounded, cost)


def _differs(told: Decimal | None, ours: Decimal | None, cost: Cost) -> bool:
    if told is None or ours is None:
        return False
    return half_up(Fraction(told), cost.decimals) != ours


def _holds(flags: Collection[str], tariff: Tariff, *, calibrated: bool) -> set[str]:
    found = HOLDING.intersection(flags)
    holds = set(found)
    is_doubtful = calibrated
    if depends_on_time(tariff):
        holds |= DOUBTS_OF_TIME.intersection(flags)
        is_doubtful = is_doubtful or "SEQ_GAP" in flags
    if INTERPOLATED in flags and is_doubtful:
        holds.add(INTERPOLATED)
    return holds


def _location_snapshot(located: AppliedLocation, station: str) -> LocationSnapshot:
    location = located.location
    stations = tuple(each for each in location.stations if each.station == station)
    return LocationSnapshot(
        position=f"{REGISTRY_PARTITION}:{located.offset}",
        document=Raw(encode_location(replace(location, stations=stations))),
    )
