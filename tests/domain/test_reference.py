"""Which version of a tariff and a location applies: by the session's start and what was known."""

from typing import Any

import pytest

from domain.reference import AppliedTariff, Reference
from tests.domain.log import NOW, SECOND
from tests.domain.registering import Registrar, document

STATION = ("default", "CP1")
EVER = 1_000


def tariff_at(
    reference: Reference, time: int = NOW, position: int = EVER, evse: int = 1, group: str = ""
) -> AppliedTariff | None:
    return reference.tariff_at(*STATION, evse, group, time, position)


def applied(reference: Reference, **asked: Any) -> str | None:
    found = tariff_at(reference, **asked)
    return None if found is None else found.id


def test_the_version_of_the_time_applies() -> None:
    registrar = Registrar()
    first = registrar.tariff(document("K", "0.25"), valid_from=0)
    second = registrar.tariff(document("K", "0.99"), valid_from=NOW)
    registrar.assigned("K")
    reference = registrar.registry.reference

    before, after = tariff_at(reference, NOW - 1), tariff_at(reference, NOW)

    assert before is not None
    assert after is not None
    assert (before.offset, after.offset) == (first, second)


def test_what_is_registered_later_does_not_exist_for_an_earlier_decision() -> None:
    registrar = Registrar()
    registrar.tariff(document("K", "0.25"), valid_from=0)
    registrar.assigned("K")
    known = registrar.registry.position
    registrar.tariff(document("K", "0.99"), valid_from=0)
    registrar.removed("K")
    reference = registrar.registry.reference

    found = tariff_at(reference, position=known)

    assert found is not None
    assert found.offset == 0
    assert tariff_at(reference) is None


def test_the_narrowest_scope_decides() -> None:
    registrar = Registrar()
    for each in ("tenant", "location", "station", "evse", "group", "group-evse"):
        registrar.tariff(document(each))
    registrar.location("HQ", "Europe/Oslo", "CP1", recorded_at=0)
    reference = registrar.registry.reference
    seen = []
    for tariff_id, scope in (
        ("tenant", {}),
        ("location", {"location_id": "HQ"}),
        ("station", {"station": "CP1"}),
        ("evse", {"station": "CP1", "evse": 1}),
        ("group", {"group": "Fleet"}),
        ("group-evse", {"group": "Fleet", "station": "CP1", "evse": 1}),
    ):
        registrar.assigned(tariff_id, **scope)
        seen.append(applied(reference, group="FLEET"))

    assert seen == ["tenant", "location", "station", "evse", "group", "group-evse"]
    assert applied(reference, group="OTHER") == "evse"
    assert applied(reference, evse=2) == "station"


def test_a_narrow_scope_whose_tariff_has_ended_leaves_the_session_without_one() -> None:
    registrar = Registrar()
    registrar.tariff(document("wide"))
    registrar.tariff(document("narrow", end_date_time="2026-11-23T10:00:00Z"))
    registrar.assigned("wide")
    registrar.assigned("narrow", station="CP1")

    assert applied(registrar.registry.reference, time=NOW - 1) == "narrow"
    assert applied(registrar.registry.reference, time=NOW) is None


def test_an_assignment_that_is_taken_back_leaves_the_wider_one() -> None:
    registrar = Registrar()
    registrar.tariff(document("wide"))
    registrar.tariff(document("narrow"))
    registrar.assigned("wide")
    registrar.assigned("narrow", station="CP1")
    registrar.assigned("", station="CP1", valid_from=NOW)

    assert applied(registrar.registry.reference, time=NOW - 1) == "narrow"
    assert applied(registrar.registry.reference, time=NOW) == "wide"


def test_a_tenant_has_tariffs_while_one_is_not_removed() -> None:
    registrar = Registrar()
    registrar.tariff(document("K"))
    known = registrar.registry.position
    registrar.removed("K")
    reference = registrar.registry.reference

    assert [reference.has_tariffs("default", at) for at in (0, known, EVER)] == [False, True, False]
    assert not reference.has_tariffs("other", known)


def test_a_place_is_as_it_was_at_the_time_and_before_anybody_said_so_as_it_was_first() -> None:
    registrar = Registrar()
    registrar.location("A", "Europe/Oslo", "CP1", recorded_at=NOW)
    registrar.location("A", "Asia/Tokyo", "CP1", recorded_at=NOW + SECOND)
    reference = registrar.registry.reference
    zones = [
        located.location.time_zone
        for time in (0, NOW, NOW + SECOND)
        if (located := reference.location_at(*STATION, time, EVER))
    ]

    assert zones == ["Europe/Oslo", "Europe/Oslo", "Asia/Tokyo"]
    assert reference.location_at("default", "CP2", NOW, EVER) is None


def test_of_two_locations_with_the_station_the_one_registered_last_counts() -> None:
    registrar = Registrar()
    registrar.location("A", "Europe/Oslo", "CP1", recorded_at=0)
    registrar.location("B", "Asia/Tokyo", "CP1", recorded_at=0)
    registrar.location("C", "UTC", "CP2", recorded_at=0)
    found = registrar.registry.reference.location_at(*STATION, NOW, EVER)

    assert found is not None
    assert found.location.id == "B"


@pytest.mark.parametrize("told", [{"id": "K"}, {**document("K"), "elements": []}])
def test_a_document_that_is_no_tariff_applies_to_nothing_and_breaks_nothing(told: Any) -> None:
    registrar = Registrar()
    registrar.tariff(document("K"))
    registrar.tariff(told)
    registrar.assigned("K")

    assert tariff_at(registrar.registry.reference) is None
    assert registrar.registry.reference.has_tariffs("default", EVER)


def test_the_same_record_once_more_is_no_version() -> None:
    registrar = Registrar()
    registrar.tariff(document("K"))
    registrar.tariff(document("K"))
    registrar.assigned("K")
    found = tariff_at(registrar.registry.reference)

    assert found is not None
    assert found.offset == 0
