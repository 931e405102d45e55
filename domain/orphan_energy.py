"""What a stop that belongs to no transaction says of energy, where it tells both registers. Pure.

A StopTransaction may bring the reading of its begin along (transactionData). Then the energy is
known though nobody can be asked for it: end less begin of the same samples; where no end was
sampled, the register of the stop less the begin. Where the two ends of one stop contradict each
other, or the register fell, it is unknown, and so it is where the stop may be that of a transaction
that still runs: its Wh are told there.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import Any

from domain.facts import TransactionEnded
from domain.meter_rules import CURRENT
from domain.meter_values_16 import ends_in
from domain.readings import whole

AMBIGUOUS = "TXID_MINUS_ONE_AMBIGUOUS"


def orphan_detail(fact: TransactionEnded, reason: str) -> dict[str, Any]:
    """Return `energy_wh`, if it is known, and `same_as`: equal for two that tell the same."""
    said = (fact.transaction_id, fact.ended_at, fact.meter_stop_wh, fact.id_token)
    detail: dict[str, Any] = {"same_as": blake2b(repr(said).encode(), digest_size=16).hexdigest()}
    energy = None if reason == AMBIGUOUS else _energy(fact)
    if energy is not None:
        detail["energy_wh"] = f"{energy:f}"
    return detail


def _energy(fact: TransactionEnded) -> Decimal | None:
    begin, end = ends_in(fact.samples)
    stop = (
        fact.meter_stop_wh if fact.meter_stop_wh is not None and fact.meter_stop_wh >= 0 else None
    )
    if begin is None:
        return None
    if end is None:
        last = None if stop is None else Decimal(stop)
    elif stop is not None and abs(end[1] - stop) > CURRENT.register_tolerance_wh:
        return None
    else:
        last = end[1]
    if last is None or begin[1] < 0 or last < begin[1]:
        return None
    return Decimal(whole(last - begin[1]))
