"""What a CDR says of the reservation before its session, or of one that nobody used."""

from collections.abc import Collection

from domain.pricing_session import Reservation
from domain.readings import read_time

EXPIRED = "RESERVATION_EXPIRED"
"""It is the CDR of a reservation: no session took place."""

USED = "RESERVATION_USED"
"""A transaction that was told later used it: nothing is owed for the wait alone."""

UNCLEAR = "RESERVATION_UNCLEAR"
"""Who had reserved charged there meanwhile, and the station named no reservation."""


def reservation_of(
    flags: Collection[str], start_us: int | None, end_us: int | None
) -> Reservation | None:
    """Return what is priced as reserved; None: nothing is."""
    if start_us is None or end_us is None or USED in flags:
        return None
    return Reservation(start_us=start_us, end_us=end_us, expired=EXPIRED in flags)


def reservation_told(
    flags: Collection[str], start: str | None, end: str | None
) -> Reservation | None:
    """The same of a document's times."""
    return reservation_of(flags, read_time(start)[0], read_time(end)[0])
