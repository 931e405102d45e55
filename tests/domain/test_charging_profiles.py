"""Charging profiles in force, limits from outside, and what EVs ask for."""

from typing import Any

import pytest

from domain import holdings
from tests.domain import events
from tests.domain.holding import Holder, column
from tests.domain.log import start, stop

ACCEPTED = {"status": "Accepted"}
PERIODS = [{"startPeriod": 0, "limit": 16.5}]


def profile_16(number: int, level: int = 0, purpose: str = "TxDefaultProfile") -> dict[str, Any]:
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS},
    }


def profile(number: int, level: int = 0, purpose: str = "TxDefaultProfile") -> dict[str, Any]:
    return {
        "id": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS}],
    }


def ids(holder: Holder) -> list[Any]:
    return sorted(column(holder.of("charging-profiles"), "profile_id"))


def set_16(holder: Holder, each: dict[str, Any], connector: int = 1, **result: Any) -> None:
    asked = {"connectorId": connector, "csChargingProfiles": each}
    holder.asked("SetChargingProfile", asked, {**ACCEPTED, **result})


def set_2(holder: Holder, each: dict[str, Any], evse: int = 1) -> None:
    holder.asked("SetChargingProfile", {"evseId": evse, "chargingProfile": each}, ACCEPTED)


def test_a_profile_of_16_is_in_force_once_accepted() -> None:
    holder = Holder()
    set_16(holder, profile_16(1, purpose="ChargePointMaxProfile"), connector=0)
    set_16(holder, profile_16(2), status="Rejected")

    value = holder.one("charging-profiles")
    expected = {
        "profile_id": 1, "evse_id": 0, "purpose": "ChargingStationMaxProfile", "stack_level": 0,
        "kind": "Absolute",
    }  # fmt: skip
    assert value == value | expected
    assert str(value["schedules"][0]["chargingSchedulePeriod"][0]["limit"]) == "16.5"
    holder.assert_rebuilt()


def test_in_16_a_profile_takes_the_place_of_one_with_its_purpose_and_level() -> None:
    holder = Holder()
    set_16(holder, profile_16(1, 0))
    set_16(holder, profile_16(2, 1))
    set_16(holder, profile_16(3, 0), connector=2)
    set_16(holder, profile_16(4, 0))

    assert ids(holder) == [2, 3, 4]


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"id": 2}, [1, 3]),
        ({"connectorId": 1}, [3]),
        ({"stackLevel": 1}, [1, 3]),
        ({"chargingProfilePurpose": "ChargePointMaxProfile"}, [1, 2]),
        ({"connectorId": 1, "stackLevel": 1}, [1, 3]),
        ({}, []),
    ],
)
def test_in_16_profiles_are_cleared_by_what_they_are(
    criteria: dict[str, Any], left: list[int]
) -> None:
    holder = Holder()
    set_16(holder, profile_16(1, 0))
    set_16(holder, profile_16(2, 1))
    set_16(holder, profile_16(3, purpose="ChargePointMaxProfile"), connector=0)

    holder.asked("ClearChargingProfile", criteria, ACCEPTED)

    assert ids(holder) == left


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"chargingProfileId": 2}, [1, 3]),
        ({"chargingProfileCriteria": {"evseId": 1}}, [3]),
        ({"chargingProfileCriteria": {"chargingProfilePurpose": "TxDefaultProfile"}}, [3]),
        ({}, []),
    ],
)
def test_profiles_of_2_are_set_and_cleared(
    version: str, criteria: dict[str, Any], left: list[int]
) -> None:
    holder = Holder(version)
    set_2(holder, profile(1, 0))
    set_2(holder, profile(2, 1))
    set_2(holder, profile(3, purpose="ChargingStationMaxProfile"), evse=0)
    assert ids(holder) == [1, 2, 3]

    holder.asked("ClearChargingProfile", criteria, ACCEPTED)

    assert ids(holder) == left


def test_reported_profiles_replace_those_known_once_all_are_told() -> None:
    holder = Holder("2.0.1")
    set_2(holder, profile(1))
    set_2(holder, profile(2))
    holder.asked("GetChargingProfiles", {"requestId": 5, "chargingProfile": {}}, ACCEPTED)
    told = {"requestId": 5, "chargingLimitSource": "EMS", "evseId": 1}
    holder.tells("ReportChargingProfiles", {**told, "tbc": True, "chargingProfile": [profile(2)]})
    assert ids(holder) == [1, 2]

    outside = profile(9, purpose="ChargingStationExternalConstraints")
    holder.tells("ReportChargingProfiles", {**told, "evseId": 0, "chargingProfile": [outside]})

    assert ids(holder) == [2, 9]
    assert holder.of("charging-profiles")["9"]["source"] == "EMS"
    holder.asked("ClearChargingProfile", {}, ACCEPTED)
    assert ids(holder) == [9]
    holder.asked(
        "GetChargingProfiles", {"requestId": 6, "chargingProfile": {}}, {"status": "NoProfiles"}
    )
    assert ids(holder) == []
    holder.assert_rebuilt()


def four_profiles() -> Holder:
    holder = Holder("2.1")
    for number, level, evse in ((1, 0, 1), (2, 1, 1), (3, 0, 2)):
        set_2(holder, profile(number, level), evse)
    set_2(holder, profile(4, purpose="ChargingStationMaxProfile"), evse=0)
    return holder


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ({"evseId": 2}, [1, 2, 4]),
        ({"evseId": 0}, [1, 2, 3]),
        ({"evseId": 3}, [1, 2, 3, 4]),
        ({"chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}, [4]),
        ({"evseId": 1, "chargingProfile": {"stackLevel": 1}}, [1, 3, 4]),
        ({"chargingProfile": {"chargingProfileId": [1, 3]}}, [2, 4]),
        ({"chargingProfile": {"chargingLimitSource": ["EMS", "CSO"]}}, []),
        ({"chargingProfile": {"chargingLimitSource": ["EMS"]}}, [1, 2, 3, 4]),
    ],
)
def test_where_the_station_has_no_profiles_there_are_none(
    of: dict[str, Any], left: list[int]
) -> None:
    holder = four_profiles()
    asked = {"requestId": 7, "chargingProfile": {}, **of}
    holder.asked("GetChargingProfiles", asked, {"status": "NoProfiles"})

    assert ids(holder) == left
    holder.assert_rebuilt()


def test_a_report_of_one_evse_replaces_what_was_known_there_once_all_is_told() -> None:
    holder = four_profiles()
    asked = {"requestId": 6, "evseId": 1, "chargingProfile": {}}
    command_id = holder.ask("GetChargingProfiles", asked)
    told = {"requestId": 6, "chargingLimitSource": "CSO", "evseId": 1}
    holder.tells("ReportChargingProfiles", {**told, "tbc": True, "chargingProfile": [profile(50)]})
    assert ids(holder) == [1, 2, 3, 4, 50]
    holder.answers(command_id, ACCEPTED)
    set_2(holder, profile(60))

    holder.tells("ReportChargingProfiles", {**told, "chargingProfile": [profile(2, 1)]})

    assert ids(holder) == [2, 3, 4, 50, 60]
    assert holder.of("reports")["charging-profiles/6"]["whole"] is False
    holder.assert_rebuilt()


def test_a_refused_report_takes_no_profile_away() -> None:
    holder = four_profiles()
    asked = {"requestId": 6, "evseId": 1, "chargingProfile": {}}
    holder.asked("GetChargingProfiles", asked, {"status": "Rejected"})

    assert ids(holder) == [1, 2, 3, 4]


def test_the_profile_of_a_transaction_ends_with_it() -> None:
    holder = Holder()
    started = {
        "idTag": "TAG",
        "connectorId": 1,
        "chargingProfile": profile_16(1, purpose="TxProfile"),
    }
    holder.asked("RemoteStartTransaction", started, ACCEPTED)
    set_16(holder, profile_16(2))
    transaction_id = holder.tells("StartTransaction", start())["transactionId"]
    told = holder.of("charging-profiles")["1"]
    assert told["transaction_id"] == str(transaction_id)

    holder.tells("StopTransaction", stop(transaction_id))

    assert ids(holder) == [2]
    holder.assert_rebuilt()


def test_a_profile_that_came_with_a_request_to_start_learns_its_transaction() -> None:
    holder = Holder("2.0.1")
    asked = {
        "remoteStartId": 4,
        "idToken": events.TOKEN,
        "chargingProfile": profile(1, purpose="TxProfile"),
    }
    holder.asked("RequestStartTransaction", asked, ACCEPTED)
    holder.tells("TransactionEvent", events.started(info={"remoteStartId": 4}))
    assert column(holder.of("charging-profiles"), "transaction_id", "evse_id") == [("T-1", 2)]

    holder.tells("TransactionEvent", events.ended())

    assert ids(holder) == []


def test_a_refused_start_leaves_no_profile() -> None:
    holder = Holder()
    started = {"idTag": "TAG", "chargingProfile": profile_16(1, purpose="TxProfile")}
    holder.asked("RemoteStartTransaction", started, {"status": "Rejected"})

    assert ids(holder) == []


def test_limits_from_outside_come_and_go() -> None:
    holder = Holder("2.0.1")
    limit = {"chargingLimitSource": "EMS", "isGridCritical": True}
    holder.tells("NotifyChargingLimit", {"chargingLimit": limit})
    holder.tells("NotifyChargingLimit", {"evseId": 2, "chargingLimit": limit})
    assert column(holder.of("charging-limits"), "evse_id", "source", "is_grid_critical") == [
        (None, "EMS", True),
        (2, "EMS", True),
    ]

    holder.tells("ClearedChargingLimit", {"chargingLimitSource": "EMS"})

    assert column(holder.of("charging-limits"), "evse_id") == [2]
    holder.assert_rebuilt()


def test_what_an_ev_needs_and_how_it_charges_is_known_by_evse() -> None:
    holder = Holder("2.0.1")
    needs = {
        "requestedEnergyTransfer": "DC",
        "dcChargingParameters": {"evMaxCurrent": 200, "evMaxVoltage": 400},
    }
    holder.tells("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
    schedule = profile(1)["chargingSchedule"][0]
    told = {"timeBase": "2026-11-23T10:00:00Z", "evseId": 1, "chargingSchedule": schedule}
    holder.tells("NotifyEVChargingSchedule", told)

    need = holder.one("charging-needs")
    assert (need["requested_energy_transfer"], need["answer"]) == ("DC", "Rejected")
    assert need["dc_charging_parameters"] == {"evMaxCurrent": 200, "evMaxVoltage": 400}
    assert holder.one("charging-schedules")["charging_schedule"]["chargingRateUnit"] == "A"


def test_the_composite_schedule_is_as_the_station_said_last() -> None:
    old = Holder()
    made = {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS, "duration": 60}
    result = {**ACCEPTED, "connectorId": 1, "scheduleStart": "2026-11-23T10:00:00Z"}
    old.asked(
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 60},
        {**result, "chargingSchedule": made},
    )
    new = Holder("2.0.1")
    schedule = {**made, "evseId": 1, "scheduleStart": "2026-11-23T10:00:00Z"}
    new.asked(
        "GetCompositeSchedule", {"evseId": 1, "duration": 60}, {**ACCEPTED, "schedule": schedule}
    )
    new.asked("GetCompositeSchedule", {"evseId": 2, "duration": 60}, {"status": "Rejected"})

    assert old.one("composite-schedules") == new.one("composite-schedules")
    assert new.one("composite-schedules")["charging_rate_unit"] == "A"


def test_a_dynamic_schedule_is_updated_by_us_or_pulled() -> None:
    holder = Holder("2.1")
    set_2(holder, profile(1))
    update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 11}}
    holder.asked("UpdateDynamicSchedule", update, ACCEPTED)
    holder.asked("UpdateDynamicSchedule", {**update, "chargingProfileId": 2}, ACCEPTED)
    pulled = [
        holder.tells("PullDynamicScheduleUpdate", {"chargingProfileId": number})
        for number in (1, 2)
    ]

    assert pulled[0] == {"status": "Accepted", "scheduleUpdate": {"limit": 11}}
    assert pulled[1]["status"] == "Rejected"
    assert ids(holder) == [1]
    assert holder.one("charging-profiles")["schedule_update"] == {"limit": 11}
    assert holder.one("charging-profiles")["purpose"] == "TxDefaultProfile"


def test_priority_is_on_or_off_until_the_transaction_ends() -> None:
    holder = Holder("2.1")
    holder.tells("TransactionEvent", events.started())
    holder.asked("UsePriorityCharging", {"transactionId": "T-1", "activate": True}, ACCEPTED)
    assert holder.one("priority-charging")["is_active"] is True
    holder.tells("NotifyPriorityCharging", {"transactionId": "T-1", "activated": False})
    assert holder.one("priority-charging")["is_active"] is False

    holder.tells("TransactionEvent", events.ended())

    assert holder.of("priority-charging") == {}


def test_a_superseded_connection_changes_no_profile() -> None:
    holder = Holder("2.0.1")
    command_id = holder.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(1)})
    holder.log.opens("c2", protocol="2.0.1")
    holder.log.says([3, command_id, ACCEPTED], connection="c1")
    limit = {"chargingLimit": {"chargingLimitSource": "EMS"}}
    holder.tells("NotifyChargingLimit", limit, connection="c1")

    assert ids(holder) == []
    assert holder.of("charging-limits") == {}


def test_profiles_without_end_push_out_the_oldest() -> None:
    holder = Holder("2.0.1")
    most = holdings.FACETS["charging-profiles"].items_max
    told = {"requestId": 5, "chargingLimitSource": "CSO", "evseId": 1}
    many = [profile(number) for number in range(most + 3)]
    holder.tells("ReportChargingProfiles", {**told, "chargingProfile": many})

    assert ids(holder) == list(range(3, most + 3))
