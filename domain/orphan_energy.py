"""What a message of no known transaction says of energy, where it tells both registers. Pure.

A StopTransaction may bring the reading of its begin along (transactionData). Then the energy is
known though nobody can be asked for it: end less begin of the same samples; where no end was
sampled, the register of the stop less the begin. Where the two ends of one stop contradict each
other, or the register fell, it is unknown, and so it is where the stop may be that of a transaction
that still runs: its Wh are told there. An event (2.x) that names no transaction has energy where it
tells the registers of both ends.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import Any

from domain.facts import Register, TransactionEnded
from domain.meter_rules import CURRENT
from domain.meter_values_16 import ends_in
from domain.readings import whole

AMBIGUOUS = "TXID_MINUS_ONE_AMBIGUOUS"
UNKNOWN = "STOP_UNKNOWN_TX"


def orphan_detail(fact: TransactionEnded, reason: str) -> dict[str, Any]:
    """Return `energy_wh`, if it is known, and `same_as`: equal for two that tell the same."""
    said = (fact.transaction_id, fact.ended_at, fact.meter_stop_wh, fact.id_token)
    return _detail(said, None if reason == AMBIGUOUS else _energy(fact))


def event_detail(
    said: tuple[object, ...], begin: Register | None, end: Register | None
) -> dict[str, Any]:
    """Return the same of an event; `said`: what makes it another one than the next."""
    if begin is None or end is None or not 0 <= begin[1] <= end[1]:
        return _detail(said, None)
    return _detail(said, Decimal(whole(end[1] - begin[1])))


def _detail(said: tuple[object, ...], energy: Decimal | None) -> dict[str, Any]:
    detail: dict[str, Any] = {"same_as": blake2b(repr(said).encode(), digest_size=16).hexdigest()}
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
