"""The rules by which registers become energy, by version. A released document names no rule: it is
kept. Whoever changes a rule adds a version, so that what it changes can be asked of history.

Version 1 is the one in force. Version 2 is what an auditor asks of it: OCPP 1.6 tells the register
of a transaction twice, as whole Wh in its start and stop and, where a station is set to sample it,
as readings with context Transaction.Begin and Transaction.End, often with decimals and at some
makes from another register (KEBA says 173 → 498 and 173.8 → 498.7). By version 2 the two readings
count where both were told, and the start and stop elsewhere: never one of each, because the two may
count from different bases. 2.x tells the register in these contexts alone, so there both are the
same.
"""

from msgspec import Struct


class MeterRule(Struct, frozen=True, kw_only=True):
    version: int
    register_tolerance_wh: int
    """By so much a register at an end may differ from the samples and contradict nothing."""
    is_by_samples: bool = False
    """What was sampled at both ends of the transaction goes before what its start and stop say."""


METER_RULES = {
    1: MeterRule(version=1, register_tolerance_wh=1),
    2: MeterRule(version=2, register_tolerance_wh=1, is_by_samples=True),
}
"""Integers at the ends beside decimals in between: hence the tolerance."""

CURRENT = METER_RULES[1]
