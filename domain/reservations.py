"""Reservations (1.6, 5.13; 2.0.1, H): active from the station's acceptance until one thing ends it.

Used: a transaction names it. Cancelled: the station accepted that. Expired: its time has passed,
as a timer of the owner or the station says. Removed, or 2.1's NoTransaction: the station says so.
"""

from collections.abc import Iterator

from domain.holdings import Change, Holdings, Telling, put
from domain.members import (
    Value,
    integer_of,
    iso,
    object_of,
    text_of,
    time_of,
)
from domain.readings import read_time

FACET = "reservations"
MADE, REGISTRY = "_made", "_registry"
"""Members: offset of the acceptance, and how much of the registry was known when it was asked for;
-1 where whoever asked did not say."""

TOKEN_MAX = 255
"""As in 2.1. An index of the read side holds it."""

_UPDATES = {"Expired": "expired", "Removed": "removed", "NoTransaction": "no_transaction"}


def made_16(telling: Telling) -> Iterator[Change]:
    """ReserveNow. EVSE 0 is the station as a whole."""
    request = telling.request
    yield from _made(
        telling,
        integer_of(request, "reservationId"),
        time_of(request, "expiryDate"),
        {
            "evse_id": integer_of(request, "connectorId"),
            "id_token": text_of(request, "idTag")[:TOKEN_MAX],
            "group": text_of(request, "parentIdTag"),
        },
    )


def made_2(telling: Telling) -> Iterator[Change]:
    """ReserveNow. Without an EVSE it is any of the station."""
    request = telling.request
    token = object_of(request, "idToken")
    yield from _made(
        telling,
        integer_of(request, "id"),
        time_of(request, "expiryDateTime"),
        {
            "evse_id": integer_of(request, "evseId"),
            "connector_type": text_of(request, "connectorType"),
            "id_token": text_of(token, "idToken")[:TOKEN_MAX],
            "id_token_type": text_of(token, "type"),
            "group": text_of(object_of(request, "groupIdToken"), "idToken"),
        },
    )


def _made(
    telling: Telling, reservation_id: int | None, expires_at: str | None, more: Value
) -> Iterator[Change]:
    if telling.is_accepted and reservation_id is not None:
        yield put(
            FACET,
            reservation_id,
            {
                "reservation_id": reservation_id,
                "state": "active",
                **more,
                "expires_at": expires_at,
                "reserved_at": iso(telling.recorded_at),
                "transaction_id": None,
                MADE: telling.offset,
                REGISTRY: telling.registry,
            },
        )


def cancelled(telling: Telling) -> Iterator[Change]:
    """CancelReservation."""
    if telling.is_accepted:
        reservation_id = integer_of(telling.request, "reservationId")
        yield from _ended(telling.held, reservation_id, "cancelled")


def updated(telling: Telling) -> Iterator[Change]:
    """ReservationStatusUpdate."""
    state = _UPDATES.get(text_of(telling.request, "reservationUpdateStatus"))
    if state is not None:
        yield from _ended(telling.held, integer_of(telling.request, "reservationId"), state)


def expired(held: Holdings, reservation_id: int) -> Iterator[Change]:
    """The owner's timer."""
    yield from _ended(held, reservation_id, "expired")


def used(held: Holdings, reservation_id: int, transaction_id: str) -> Iterator[Change]:
    """A transaction began with it: so it was used, though we took it to have expired before."""
    known = held.kept(FACET, str(reservation_id))
    if known is not None and known.get("state") in ("active", "expired"):
        value = {**known, "state": "used", "transaction_id": transaction_id}
        yield put(FACET, reservation_id, value)


def passed(held: Holdings, now: int) -> tuple[int, int] | None:
    """Return (id, offset of the record that made it) of an active one whose time has passed."""
    for key, known in held.each(FACET):
        at = read_time(known.get("expires_at"))[0]
        if known.get("state") == "active" and at is not None and at <= now:
            return int(known["reservation_id"]), held.changed(FACET, key)
    return None


def _ended(held: Holdings, reservation_id: int | None, state: str) -> Iterator[Change]:
    known = held.kept(FACET, str(reservation_id))
    if known is not None and known.get("state") == "active":
        yield put(FACET, str(reservation_id), {**known, "state": state})


def find(held: Holdings, reservation_id: int) -> Value | None:
    """Return what is kept of the reservation."""
    return held.kept(FACET, str(reservation_id))
