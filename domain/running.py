"""What a transaction that still runs owes so far: the CDR's own pricing, up to the last reading.

No clock is read: what was used since the last reading is in the next one. The figure of the end may
be lower, where readings are contradicted by the register at the end.
"""

from msgspec import Struct

from domain.cdr import facts_of
from domain.cdr_pricing import running_cost
from domain.cost_document import cost_document
from domain.judgement import began, judge
from domain.limits import limits_of
from domain.pricing_session import Exact, exact
from domain.pricing_totals import Cost
from domain.readings import time_text
from domain.reference import Reference
from domain.transaction import Transaction
from schemas.cdr_cost import CdrCost


class RunningCost(Struct, frozen=True, kw_only=True):
    as_of: str
    """The time of the last reading, by the station's clock."""
    cost: CdrCost
    tariff_id: str


def cost_so_far(
    tenant: str, station: str, t: Transaction, reference: Reference
) -> tuple[int, Cost] | None:
    """Return (time of the last reading, cost); None: nothing prices it, or it has no start."""
    so_far = energy_so_far(t)
    if so_far is None or not reference.has_tariffs(tenant, t.registry):
        return None
    at, energy = so_far
    limits = limits_of(reference.attributes_at(tenant, station, t.registry))
    facts = facts_of(tenant, station, t, began(t, limits), energy, at, t.flags)
    # It is asked for at each reading: not over all of them, where they move no price.
    cost = running_cost(facts, reference, lambda: judge(t, limits).readings)
    return None if cost is None else (at, cost)


def energy_so_far(t: Transaction) -> tuple[int, Exact] | None:
    """Return (time of the last reading, Wh until then); None: it has no start."""
    start = t.meter_start_wh
    if t.started_at is None or start is None:
        return None
    # They are in order of time.
    inside = ((at, wh) for at, wh in reversed(t.readings) if at < t.started_at or wh >= start)
    at, register = next(inside, (t.started_at, start))
    if at < t.started_at:
        at, register = t.started_at, start
    return at, exact(register) - exact(start)


def running_document(
    tenant: str, station: str, t: Transaction, reference: Reference
) -> RunningCost | None:
    found = cost_so_far(tenant, station, t, reference)
    if found is None:
        return None
    applied = reference.tariff_at(
        tenant, station, t.evse_id, t.group, t.started_at or t.start_received, t.registry
    )
    return RunningCost(
        as_of=time_text(found[0]),
        cost=cost_document(found[1]),
        tariff_id=applied.id if applied is not None else "",
    )
