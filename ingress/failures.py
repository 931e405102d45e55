"""Handshakes that prove nothing: from the sixth of a name in a minute each waits for its refusal.

Only refusals wait. A station that proves itself never does, whoever fails in its name and from
whatever address: a limit that locks it out would itself be the attack, and behind a proxy everybody
has one address.
"""

import asyncio
from collections import Counter

from ingress.handshake import Refused
from ingress.opening import Opening

FREE = 5
WINDOW_S = 60.0
DELAY_S = 1.0
NAMES_MAX = 10_000
"""With more in one window the counting begins anew."""


class Failures:
    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()
        self._since = 0.0

    def refuse(self, opening: Opening, verdict: Refused) -> None:
        loop, failed = asyncio.get_running_loop(), verdict.failed
        delay = 0 if failed is None else self.delay(failed, loop.time())
        loop.call_later(delay, opening.refuse, verdict.outcome, verdict.response)

    def delay(self, identity: tuple[str, str], now_s: float) -> float:
        """Count another one; return for how many seconds its refusal waits."""
        if now_s - self._since > WINDOW_S or len(self._counted) >= NAMES_MAX:
            self._counted.clear()
            self._since = now_s
        self._counted[identity] += 1
        return DELAY_S if self._counted[identity] > FREE else 0.0
