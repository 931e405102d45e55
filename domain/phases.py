"""A reading told by phases: its sum, where the value over all phases was not told beside them."""

from collections.abc import Mapping
from decimal import Decimal

_FAMILIES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))
"""Of one kind alone: L1 and L1-N are the same energy (OCPP 1.6, 3.16.3)."""

PHASES = frozenset(phase for family in _FAMILIES for phase in family)


def summed(by_phase: Mapping[str, Decimal]) -> Decimal | None:
    """Return the sum over the phases; None where one of them is missing.

    A station that tells of L1 alone has one phase.
    """
    for family in _FAMILIES:
        told = [by_phase[phase] for phase in family if phase in by_phase]
        if len(told) == len(family) or (told and len(by_phase) == 1 and family[0] in by_phase):
            return sum(told, Decimal(0))
    return None
