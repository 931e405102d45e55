"""How many connections of a node each tenant has, so that none can have them all."""

from collections import Counter


class TenantShares:
    def __init__(self, share_max: int) -> None:
        self._share_max = share_max
        self._taken: Counter[str] = Counter()

    def has_room(self, tenant: str) -> bool:
        return self._taken[tenant] < self._share_max

    def take(self, tenant: str) -> None:
        self._taken[tenant] += 1

    def give(self, tenant: str) -> None:
        self._taken[tenant] -= 1
        if self._taken[tenant] <= 0:
            del self._taken[tenant]
