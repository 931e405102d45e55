"""Reservations, from the station's acceptance to what ends them."""

from typing import Any

import pytest

from domain import holdings
from schemas.records import TimeoutElapsed
from tests.domain import events
from tests.domain.holding import Holder, column
from tests.domain.log import NOW, SECOND, Worker, start

ACCEPTED = {"status": "Accepted"}
HOUR = 3600 * SECOND


def reserve_16(holder: Holder, number: int = 1, status: str = "Accepted", **more: Any) -> None:
    asked = {
        "connectorId": 1, "reservationId": number, "idTag": "TAG",
        "expiryDate": "2026-11-23T11:00:00Z", **more,
    }  # fmt: skip
    holder.asked("ReserveNow", asked, {"status": status})


def reserve(holder: Holder, number: int = 1) -> None:
    asked = {
        "id": number, "evseId": 2, "idToken": events.TOKEN,
        "expiryDateTime": "2026-11-23T11:00:00Z",
    }  # fmt: skip
    holder.asked("ReserveNow", asked, ACCEPTED)


def states(holder: Holder) -> list[Any]:
    return list(column(holder.of("reservations"), "state"))


def test_an_accepted_reservation_is_active() -> None:
    old, new = Holder(), Holder("2.0.1")
    reserve_16(old)
    reserve_16(old, 2, "Occupied")
    reserve(new)

    for holder, evse in ((old, 1), (new, 2)):
        value = holder.one("reservations")
        expected = {
            "reservation_id": 1, "state": "active", "evse_id": evse, "id_token": "TAG",
            "expires_at": "2026-11-23T11:00:00Z", "reserved_at": "2026-11-23T10:00:00Z",
            "transaction_id": None,
        }  # fmt: skip
        assert value == value | expected
        holder.assert_rebuilt()


def test_a_reservation_is_used_by_the_transaction_that_names_it() -> None:
    old, new = Holder(), Holder("2.0.1")
    reserve_16(old)
    reserve_16(old, 2, connectorId=2)
    transaction_id = old.tells("StartTransaction", start(reservationId=1))["transactionId"]
    reserve(new)
    new.tells("TransactionEvent", events.started(reservationId=1))

    found = old.of("reservations")
    assert column(found, "state", "transaction_id") == [
        ("used", str(transaction_id)),
        ("active", None),
    ]
    assert column(new.of("reservations"), "state", "transaction_id") == [("used", "T-1")]
    old.assert_rebuilt()


def test_a_reservation_is_named_by_a_later_event_too() -> None:
    holder = Holder("2.0.1")
    reserve(holder)
    holder.tells("TransactionEvent", events.started())
    assert states(holder) == ["active"]

    holder.tells("TransactionEvent", events.event("Updated", 1, reservationId=1))

    assert states(holder) == ["used"]


@pytest.mark.parametrize(("status", "state"), [("Accepted", "cancelled"), ("Rejected", "active")])
def test_a_reservation_is_cancelled_if_the_station_accepts(status: str, state: str) -> None:
    holder = Holder()
    reserve_16(holder)
    holder.asked("CancelReservation", {"reservationId": 1}, {"status": status})
    holder.asked("CancelReservation", {"reservationId": 9}, ACCEPTED)

    assert states(holder) == [state]


@pytest.mark.parametrize(
    ("version", "status", "state"),
    [
        ("2.0.1", "Expired", "expired"),
        ("2.0.1", "Removed", "removed"),
        ("2.1", "NoTransaction", "no_transaction"),
    ],
)
def test_the_station_says_what_became_of_a_reservation(
    version: str, status: str, state: str
) -> None:
    holder = Holder(version)
    reserve(holder)
    holder.tells("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": status})
    holder.tells("ReservationStatusUpdate", {"reservationId": 9, "reservationUpdateStatus": status})

    assert states(holder) == [state]


def test_the_time_of_a_reservation_passes_by_a_timer_of_the_owner() -> None:
    holder = Holder()
    reserve_16(holder, 1)
    reserve_16(holder, 2, connectorId=2, expiryDate="2026-11-23T12:00:00Z")
    assert holder.worker.owner.next_due() is not None
    holder.log.now = NOW + HOUR - 1
    holder.worker.settle()
    assert states(holder) == ["active", "active"]

    holder.log.now = NOW + HOUR
    holder.worker.settle()
    assert states(holder) == ["expired", "active"]
    holder.log.now = NOW + 5 * HOUR
    holder.worker.settle()

    assert states(holder) == ["expired", "expired"]
    elapsed = [record for record in map(holder.log.read, range(len(holder.log.values)))
               if isinstance(record, TimeoutElapsed)]  # fmt: skip
    assert [(each.purpose, each.reservation_id) for each in elapsed] == [
        ("reservation-expired", 1),
        ("reservation-expired", 2),
    ]
    holder.assert_rebuilt()


def test_a_new_owner_goes_on_waiting_for_a_reservation_to_expire() -> None:
    holder = Holder()
    reserve_16(holder)
    other = Worker(holder.log, "w2")
    other.claim()
    holder.log.now = NOW + 2 * HOUR

    other.settle()

    assert states(holder) == ["expired"]


def test_an_owner_that_starts_from_a_snapshot_waits_too() -> None:
    holder = Holder()
    reserve_16(holder)
    owner = holder.worker.owner
    again = Worker(holder.log, "w2").owner.__class__(
        1,
        name="w2",
        policy=owner.policy,
        ids=owner._ids,  # noqa: SLF001 - the same ids, as a process has them.
        registry=owner.registry,
        stations=[holder.worker.station],
        position=owner.position,
    )

    assert again.next_due() == NOW + HOUR


def test_a_reservation_that_was_made_anew_expires_anew() -> None:
    holder = Holder()
    reserve_16(holder)
    holder.log.now = NOW + HOUR
    holder.worker.settle()
    reserve_16(holder, expiryDate="2026-11-23T13:00:00Z")
    assert states(holder) == ["active"]

    holder.log.now = NOW + 3 * HOUR
    holder.worker.settle()

    assert states(holder) == ["expired"]


def test_a_transaction_told_late_used_the_reservation_all_the_same() -> None:
    holder = Holder()
    reserve_16(holder)
    holder.log.now = NOW + 2 * HOUR
    holder.worker.settle()

    holder.tells("StartTransaction", start(reservationId=1))

    assert states(holder) == ["used"]


def test_a_reservation_without_a_readable_time_does_not_expire() -> None:
    holder = Holder()
    reserve_16(holder, expiryDate="tomorrow")
    holder.log.now = NOW + 1000 * HOUR
    holder.worker.settle()

    assert states(holder) == ["active"]


def test_those_that_are_over_make_room_first() -> None:
    holder = Holder()
    most = holdings.FACETS["reservations"].items_max
    for number in range(1, most + 1):
        reserve_16(holder, number)
    holder.asked("CancelReservation", {"reservationId": most}, ACCEPTED)
    reserve_16(holder, most + 1)

    assert str(most) not in holder.of("reservations")
    assert states(holder) == ["active"] * most
