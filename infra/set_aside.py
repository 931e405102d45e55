"""Says once what an owner set aside, and stops it where that is more than a few.

A few are a station with a record that we cannot fold. Many are a version of ours that folds nothing
right: deciding on without them would be wrong for most stations, so nothing is decided any more.
"""

import logging

from domain.owner import Owner

_logger = logging.getLogger(__name__)


class TooManySetAside(Exception):
    """More was set aside than the settings allow: a person has to look at it first."""


class SetAsideAlarm:
    """One for the life of an owner."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: set[tuple[str, str, int]] = set()
        self.has_rung = False

    def look(self, owner: Owner) -> None:
        """Log what was set aside since the last look.

        Raises:
            TooManySetAside: stop deciding, and keep nothing of what was folded.
        """
        if len(owner.poisoned) + len(owner.unreadable) == len(self._told):
            return
        found = {(*key, each.offset): each.reason for key, each in owner.poisoned.items()}
        found |= {("", "", offset): reason for offset, reason in owner.unreadable.items()}
        for place, reason in found.items():
            if place not in self._told:
                tenant, station, offset = place
                at = f"{owner.partition}:{offset}"
                _logger.critical("set aside at %s: %s/%s: %s", at, tenant, station, reason)
        self._told = set(found)
        if len(found) > self._most:
            self.has_rung = True
            raise TooManySetAside(
                f"partition {owner.partition}: {len(found)} records set aside, at most"
                f" {self._most} may be (CHARGELEDGER_SET_ASIDE_MAX): this version may not fit it"
            )
