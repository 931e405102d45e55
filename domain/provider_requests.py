"""CALLs of stations that somebody else answers, folded: they wait, and then they are answered."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from domain.facts import Fact

if TYPE_CHECKING:
    from domain.station import OpenCall

ProviderFate = Literal["waiting", "answered", "unanswered"]
"""unanswered: too late, or the station was gone; it got the answer that we give by ourselves."""


class Forwarded(Struct):
    """A provider is asked, until `expires_at`."""

    asked_at: int
    expires_at: int
    answer: bytes = b""
    """The result's payload as JSON; empty: none has come."""
    secrets: tuple[str, ...] = ()
    """Ids of those that stand in it."""
    actor: str = ""
    """Who gave it."""
    is_over: bool = False
    """The station was answered; if it sends the same CALL again, it gets the same."""


class ProviderRequestMoved(Fact, frozen=True, kw_only=True):
    """Waiting, answered or unanswered: the CALL as it is now, with what it was forwarded for."""

    call: "OpenCall"
    forwarded: Forwarded
    fate: ProviderFate
