"""How long what a station told may still change: for the settle window, counted while it is there.

A station that is away, or has just come back, may have more of it in its queue: the stop of a
transaction that seems to have none, another stop, samples. So the window begins anew when it comes
back and does not end while it is away; but not for ever, because some never come back.
"""

from domain.answering import Policy
from domain.station import Station

MAY_SETTLE = (
    "MeterValues", "TransactionEvent", "StatusNotification", "ReservationStatusUpdate",
)  # fmt: skip
"""Beside StopTransaction: what may change a CDR that waits for its release, or begin its wait."""

MAY_CLOSE = ("StartTransaction", "BootNotification", "TransactionEvent")
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
