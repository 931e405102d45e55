"""Reservations that nobody used: a CDR of its own, told through the real path."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.ocpi_cdrs import ocpi_cdr
from domain.readings import read_time
from infra.scenario_file import Event, Json, Scenario
from infra.scenario_run import Ran
from schemas.cdr import Cdr, canonical
from schemas.ocpi_cdr import Version
from schemas.released import read_released
from tests.domain.released import LOCATION
from tests.scenarios.telling import ALL, run_with

A14 = next(each for each in ALL if each.id == "A14")
BOTH: Json = {
    "country_code": "NL",
    "party_id": "TST",
    "id": "BOTH",
    "currency": "EUR",
    "min_price": {"excl_vat": 7, "incl_vat": 8},
    "last_updated": "2026-01-01T00:00:00Z",
    "elements": [
        {
            "price_components": [
                {"type": "FLAT", "price": 4, "step_size": 1, "vat": 20},
                {"type": "TIME", "price": 2, "step_size": 600, "vat": 20},
            ],
            "restrictions": {"reservation": "RESERVATION_EXPIRES"},
        },
        {
            "price_components": [{"type": "TIME", "price": 5, "step_size": 60, "vat": 20}],
            "restrictions": {"reservation": "RESERVATION"},
        },
        {"price_components": [{"type": "ENERGY", "price": 0.25, "step_size": 1, "vat": 10}]},
    ],
}
DAY_S = 86_400


def at(seconds: float) -> str:
    """After 2026-03-10T09:00:00Z, when the reservation is accepted; it is made for an hour."""
    return datetime.fromtimestamp(1_773_133_200 + seconds, UTC).isoformat().replace("+00:00", "Z")


def said(seconds: float, action: str, payload: Json) -> Event:
    frame = [2, f"{action}-{seconds}", action, payload]
    return Event(read_time(at(seconds))[0] or 0, "CP001", 1, "in", frame, {})


def start(seconds: float, told: float | None = None, **payload: Any) -> Event:
    began = {"connectorId": 1, "idTag": "TAG1", "meterStart": 100, "timestamp": at(seconds)}
    event = said(seconds if told is None else told, "StartTransaction", began | payload)
    return event


def reserved(*events: Event, version: str = "1.6", **reservation: Any) -> Ran:
    told = {"reservationId": 7, "connectorId": 1, "idTag": "TAG1", "reserved_at": at(0)}
    told |= {"expiryDate": at(3_600), **reservation}
    opened = Event(read_time(at(-60))[0] or 0, "CP001", 1, "", [], {"ctl": "ws_open"})
    config = {**A14.config, "reservations": [told]}
    talk = Scenario("R", "", version, "BOTH", config, [opened, *events], {"cdrs": []})
    return run_with(talk, [BOTH])


def no_shows(ran: Ran) -> list[Cdr]:
    assert ran.problems == []
    found = [cdr for cdr in ran.cdrs if "RESERVATION_EXPIRED" in cdr.flags]
    return sorted(found, key=lambda cdr: cdr.sequence)


def total(cdr: Cdr) -> str | None:
    return None if cdr.cost is None else cdr.cost.excl_vat


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_reservation_that_expired_is_owed_without_a_session(version: str) -> None:
    (cdr,) = no_shows(reserved(version=version))

    assert (cdr.state, cdr.energy_wh, cdr.total_time_s) == ("FINAL", 0, "0")
    assert (cdr.started_at, cdr.ended_at) == (at(0), at(3_600))
    assert (cdr.reserved_from, cdr.reserved_until) == (at(0), at(3_600))
    assert cdr.id_token == "TAG1"
    # 4 + 1 h at 2: by the elements for expired ones, and never the minimum price of a session.
    assert cdr.cost is not None
    assert (cdr.cost.excl_vat, cdr.cost.incl_vat) == ("6", "7.2")
    assert cdr.cost.energy is None is cdr.cost.fixed
    assert set(cdr.positions) == {"reservation", "expiry"}
    assert cdr.charging_periods == ()


def test_it_is_no_transaction_and_moves_none() -> None:
    before = [start(-900, idTag="OTHER"), stop(-600)]
    after = [start(7_200, idTag="OTHER", meterStart=500), stop(7_800, meterStop=900)]
    alone = reserved(*before, *after, reserved_at=at(-100_000), expiryDate=at(-200_000))
    beside = reserved(*before, *after)

    assert no_shows(alone) == []
    (cdr,) = no_shows(beside)
    assert cdr.state == "FINAL"
    sessions = [each for each in beside.cdrs if each is not cdr]
    assert [figures(each) for each in sessions] == [figures(each) for each in alone.cdrs]
    assert "MISSING_ENERGY" in sessions[1].flags


def stop(seconds: float, number: int = 1, **payload: Any) -> Event:
    told = {"transactionId": -1, "meterStop": 400, "timestamp": at(seconds)}
    return said(seconds, "StopTransaction", told | payload)


def figures(cdr: Cdr) -> tuple[Any, ...]:
    return cdr.state, cdr.energy_wh, cdr.flags, cdr.cost, cdr.started_at, cdr.missing_energy_wh


def test_the_station_may_say_before_its_time_that_it_expired() -> None:
    update = {"reservationId": 7, "reservationUpdateStatus": "Expired"}
    (cdr,) = no_shows(reserved(said(1_800, "ReservationStatusUpdate", update), version="2.0.1"))

    assert (cdr.ended_at, total(cdr)) == (at(1_800), "5")


@pytest.mark.parametrize("status", ["Removed", "NoTransaction"])
def test_one_that_was_removed_is_owed_by_nobody(status: str) -> None:
    update = {"reservationId": 7, "reservationUpdateStatus": status}
    ran = reserved(said(1_800, "ReservationStatusUpdate", update), version="2.1")

    assert no_shows(ran) == []


def test_one_that_was_used_has_no_cdr_of_its_own() -> None:
    ran = reserved(start(900, reservationId=7), stop(1_800))

    assert no_shows(ran) == []
    (cdr,) = ran.cdrs
    assert (cdr.reserved_from, cdr.reserved_until) == (at(0), at(900))
    assert cdr.cost is not None
    assert cdr.cost.reservation is not None
    assert cdr.cost.reservation.excl_vat == "1.25"
    assert "reservation" in cdr.positions


def test_a_start_that_was_queued_before_the_release_takes_the_price_away() -> None:
    """Told 10 minutes after the reservation had expired; the settle window is 15."""
    (cdr,) = no_shows(reserved(start(900, told=4_200, reservationId=7), stop(4_300)))

    assert (cdr.state, total(cdr)) == ("FINAL", "0")
    assert "RESERVATION_USED" in cdr.flags


def test_a_start_that_was_queued_until_after_the_release_gives_it_back() -> None:
    ran = reserved(start(900, told=DAY_S, reservationId=7), stop(DAY_S + 60))
    original, credit, replacement = no_shows(ran)

    assert [total(each) for each in (original, credit, replacement)] == ["6", "-6", "0"]
    assert credit.credit_reference_id == original.id == replacement.replaces
    assert len(ran.cdrs) == 4


@pytest.mark.parametrize("told", [900, 4_200])
def test_who_charged_there_without_naming_it_is_not_charged_for_it_without_a_person(
    told: float,
) -> None:
    (cdr,) = no_shows(reserved(start(900, told=told), stop(5_000)))

    assert (cdr.state, cdr.holds) == ("HELD", ("RESERVATION_UNCLEAR",))
    assert "others" in cdr.positions


@pytest.mark.parametrize("other", [{"idTag": "OTHER"}, {"connectorId": 2}])
def test_another_token_or_another_evse_clears_nothing(other: Json) -> None:
    (cdr,) = no_shows(reserved(start(900, **other), stop(5_000)))

    assert (cdr.state, total(cdr)) == ("FINAL", "6")


def test_a_reservation_of_the_whole_station_is_unclear_wherever_its_token_charged() -> None:
    (cdr,) = no_shows(reserved(start(900, connectorId=2), stop(5_000), connectorId=0))

    assert cdr.state == "HELD"


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_both_have_a_form_in_ocpi(version: Version) -> None:
    (expired,) = no_shows(reserved())
    (used,) = reserved(start(900, reservationId=7), stop(1_800)).cdrs

    told = ocpi_cdr(read_released(canonical(located(expired))), version, at(9_000))
    assert (told["start_date_time"], told["end_date_time"]) == (at(0), at(3_600))
    assert "session_id" not in told
    [period] = told["charging_periods"]
    assert period["dimensions"] == [{"type": "RESERVATION_TIME", "volume": 1}]
    assert (told["total_energy"], told["total_time"]) == (0, 0)
    assert next(iter(told["total_reservation_cost"].values())) == 6

    told = ocpi_cdr(read_released(canonical(located(used))), version, at(9_000))
    assert (told["start_date_time"], told["session_id"]) == (at(0), used.transaction_id)
    assert told["charging_periods"][0]["dimensions"][0]["volume"] == Decimal("0.25")


def located(cdr: Cdr) -> Cdr:
    place = {**LOCATION, "stations": [{**LOCATION["stations"][0], "station": "CP001"}]}
    assert cdr.location is not None
    document = msgspec.Raw(msgspec.json.encode(place))
    return msgspec.structs.replace(
        cdr, location=msgspec.structs.replace(cdr.location, document=document)
    )
