"""The rules by which registers become energy, by version. A released document names no rule: it is
kept. Whoever changes a rule adds a version, so that what it changes can be asked of history.
"""

from msgspec import Struct


class MeterRule(Struct, frozen=True, kw_only=True):
    version: int
    register_tolerance_wh: int
    """By so much a register at an end may differ from the samples and contradict nothing."""


METER_RULES = {
    1: MeterRule(version=1, register_tolerance_wh=1),
}
"""Integers at the ends beside decimals in between: KEBA says 173 → 498 and 173.8 → 498.7."""

CURRENT = METER_RULES[max(METER_RULES)]
