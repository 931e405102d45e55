"""CALLs of stations that somebody else answers, folded: they wait, and then they are answered."""

from typing import Literal

from domain.facts import Fact
from domain.station import Forwarded, OpenCall

ProviderFate = Literal["waiting", "answered", "unanswered"]
"""unanswered: too late, or the station was gone; it got the answer that we give by ourselves."""


class ProviderRequestMoved(Fact, frozen=True, kw_only=True):
    """Waiting, answered or unanswered: the CALL as it is now, with what it was forwarded for."""

    call: OpenCall
    forwarded: Forwarded
    fate: ProviderFate
