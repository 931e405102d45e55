"""Readings told by phases: their sum, where the value over all phases was not told beside them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

_FAMILIES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))
"""Of one kind alone: L1 and L1-N are the same energy (OCPP 1.6, 3.16.3)."""

PHASES = frozenset(phase for family in _FAMILIES for phase in family)


class Summed(NamedTuple):
    at: int | None
    wh: Decimal
    contexts: frozenset[str]
    """In which contexts the phases were told."""


class Phases:
    """What one message tells by phases. Only what was read at one time adds up."""

    def __init__(self) -> None:
        self._told: dict[int | None, dict[str, Decimal | None]] = {}
        self._contexts: dict[int | None, set[str]] = {}

    def take(self, at: int | None, phase: str, value: Decimal | None, context: object) -> None:
        """`value`: None where it is no number."""
        self._told.setdefault(at, {}).setdefault(phase, value)
        if type(context) is str:
            self._contexts.setdefault(at, set()).add(context)

    def sums(self, but: frozenset[int | None]) -> Iterator[Summed]:
        """Yield the sums of whole sets of phases, `but` at the times at which a total was told.

        A station that tells of L1 alone has one phase.
        """
        named = {phase for told in self._told.values() for phase in told}
        for at, told in self._told.items():
            if at in but:
                continue
            for family in _FAMILIES:
                wanted = family[:1] if named == {family[0]} else family
                values = [value for each in wanted if (value := told.get(each)) is not None]
                if len(values) == len(wanted):
                    yield Summed(at, sum(values, Decimal(0)), frozenset(self._contexts.get(at, ())))
                    break
