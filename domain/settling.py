"""How long what a station told may still change: for the settle window, counted while it is there.

A station that is away, or has just come back, may have more of it in its queue: the stop of a
transaction that seems to have none, another stop, samples. So the window begins anew when it comes
back and does not end while it is away; but not for ever, because some never come back.
"""

from collections.abc import Callable

from domain.answering import Policy
from domain.station import Station
from schemas.records import CALL, MessageSent

_MAY_SETTLE = (
    "MeterValues", "TransactionEvent", "StatusNotification", "ReservationStatusUpdate",
)  # fmt: skip
"""Beside StopTransaction: what may change a CDR that waits for its release, or begin its wait."""

_MAY_CLOSE = ("StartTransaction", "BootNotification", "TransactionEvent")
"""What may begin the wait of a transaction for its end."""


def settled_at(station: Station, told_at: int, policy: Policy) -> int:
    """Return when what was told then is settled, as far as the station's connection shows now."""
    window = policy.settle_us
    at = told_at + window
    if not window:
        return at
    latest, connection = at + policy.settle_offline_us, station.connection
    if connection is None:
        return latest
    return min(max(at, connection.opened_at + window), latest)


def may_be_due(station: Station, sent: MessageSent, tells: Callable[[Station], bool]) -> bool:
    """Whether something may be due now that was not before this was sent.

    `tells`: whether the station is told what its sessions cost.
    """
    action, book = sent.action, station.transactions
    if action == "StopTransaction" or sent.message_type == CALL:
        return True
    if action in _MAY_CLOSE and (
        book.closing or (book.correcting and action == "StartTransaction")
    ):
        return True
    if action not in _MAY_SETTLE:
        return False
    if (book.settling or book.correcting) and book.has_changed(sent.cause):
        return True
    return tells(station)
