"""What stations hold, read through the API after the frames that tell it."""

from typing import Any

import httpx
import pytest

from api import station_state
from domain import holdings, state_fields
from domain.outbound import OUTBOUND
from domain.routes import ROUTES, SENDS
from schemas.payloads import violations
from tests.api.charging import Talk
from tests.api.deployment import Deployment
from tests.api.state_cases import AT, CASES, Case, Step

pytestmark = pytest.mark.postgres

ACCEPTED = {"status": "Accepted"}


async def happens(talk: Talk, step: Step) -> None:
    match step.kind:
        case "asks":
            await talk.ask(step.action, step.payload, step.answer)
        case "tells":
            await talk.call(step.action, step.payload, step.answer)
        case _:
            await talk.send(step.action, step.payload)


def differs(case: Case, items: list[dict[str, Any]]) -> bool:
    if case.shown is None:
        return items != []
    if len(items) != 1:
        return True
    [item] = items
    if "statuses" in case.shown:
        item = {**item, "statuses": [each["status"] for each in item["statuses"]]}
    return bool(item != item | case.shown)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_each_action_that_carries_state_shows_in_the_api(
    deployment: Deployment, client: httpx.AsyncClient, version: str
) -> None:
    cases = [case for case in CASES if case.version == version]
    for number, case in enumerate(cases):
        talk = Talk(deployment, "default", f"CS-{number}", version)
        await talk.open()
        for step in case.steps:
            await happens(talk, step)
    await deployment.project()

    found = [
        (await client.get(f"/v1/stations/CS-{number}/{case.facet}")).json()["items"]
        for number, case in enumerate(cases)
    ]

    assert {
        case.action: items for case, items in zip(cases, found, strict=True) if differs(case, items)
    } == {}


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_every_action_that_carries_state_has_its_case_for_each_field_that_the_page_names(
    version: str,
) -> None:
    actions = {*ROUTES[version], *SENDS[version], *OUTBOUND[version]}
    fields = {**state_fields.TOLD, **state_fields.ASKED}
    shown: dict[str, set[str]] = {action: set() for action in actions & fields.keys()}
    for case in CASES:
        if case.version == version:
            names = {"gone"} if case.shown is None else case.shown.keys()
            shown[case.action] |= {f"{case.facet}: {name}" for name in names}

    for action, cases in shown.items():
        named = [part.partition(": ") for part in fields[action].split("; ")]
        wanted = {f"{facet}: {name}" for facet, _, names in named for name in names.split(", ")}
        assert wanted <= cases, action


def test_what_is_said_in_the_cases_keeps_its_schema() -> None:
    odd = [
        (case.version, step.action, str(violation))
        for case in CASES
        for step in case.steps
        for payload, response in ((step.payload, False), (step.answer, True))
        if not (step.kind == "sends" and response)
        for violation in violations(case.version, step.action, payload, response)
    ]

    assert odd == []


def test_every_facet_with_rows_has_a_route() -> None:
    assert set(station_state.ALL) == {f for f, each in holdings.FACETS.items() if each.has_rows}


async def test_an_item_says_when_and_by_which_record_it_was_told(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.call("SecurityEventNotification", {"type": "T", "timestamp": AT}, {})
    await deployment.project()

    [item] = (await client.get("/v1/stations/CS-1/security-events")).json()["items"]

    assert item["reported_at"].startswith("20")
    assert item["reported_at"].endswith("Z")
    partition, offset = item["position"].split(":")
    assert int(offset) == await deployment.journal.head(int(partition)) - 1


async def test_variables_are_filtered_and_paged(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1", "2.0.1")
    await talk.open()
    data = [
        {
            "component": {"name": component},
            "variable": {"name": variable},
            "variableAttribute": [{"value": "1"}],
        }
        for component in ("A", "B")
        for variable in ("X", "Y", "Z")
    ]
    told = {"requestId": 1, "generatedAt": AT, "seqNo": 0, "reportData": data}
    await talk.call("NotifyReport", told, {})
    await deployment.project()

    async def seen(query: str) -> list[str]:
        answer = (await client.get(f"/v1/stations/CS-1/variables?{query}")).json()
        return [each["component"] + each["variable"] for each in answer["items"]]

    assert await seen("component=A") == ["AX", "AY", "AZ"]
    assert await seen("variable=Y") == ["AY", "BY"]
    assert await seen("component=A&variable=Y") == ["AY"]
    assert await seen("component=a&variable=y") == ["AY"]
    assert await seen("component=C") == []
    paged, after = [], ""
    while True:
        answer = (await client.get(f"/v1/stations/CS-1/variables?limit=2{after}")).json()
        paged += [each["component"] + each["variable"] for each in answer["items"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next'].replace('/', '%2F')}"
    assert paged == ["AX", "AY", "AZ", "BX", "BY", "BZ"]


async def test_a_variable_is_found_by_its_name_however_the_station_spells_it(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1", "2.0.1")
    await talk.open()
    for number, name in enumerate(("OCPPCommCtrlr", "ocppcommctrlr")):
        item = {
            "component": {"name": name},
            "variable": {"name": "HeartbeatInterval"},
            "variableAttribute": [{"value": str(number)}],
        }
        told = {"requestId": number, "generatedAt": AT, "seqNo": 0, "reportData": [item]}
        await talk.call("NotifyReport", told, {})
    await deployment.project()

    for query in ("component=OCPPCommCtrlr", "component=ocppCOMMctrlr&variable=heartbeatinterval"):
        answer = (await client.get(f"/v1/stations/CS-1/variables?{query}")).json()
        [item] = answer["items"]
        assert (item["component"], item["value"]) == ("ocppcommctrlr", "1")


async def test_a_secret_is_in_no_answer_and_no_row(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    key = {"key": "AuthorizationKey", "readonly": False, "value": "hunter2"}
    await talk.ask("GetConfiguration", {}, {"configurationKey": [key]})
    await deployment.project()

    answer = await client.get("/v1/stations/CS-1/variables")

    [item] = answer.json()["items"]
    assert (item["variable"], item["is_secret"]) == ("AuthorizationKey", True)
    assert "hunter2" not in answer.text


async def test_jobs_and_events_come_the_latest_first(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    for second in (1, 3, 2):
        told = {"type": f"T{second}", "timestamp": f"2026-01-02T03:04:0{second}Z"}
        await talk.call("SecurityEventNotification", told, {})
    for status in ("Installed", "Downloading"):
        await talk.call("FirmwareStatusNotification", {"status": status}, {})
    await deployment.project()

    async def seen(path: str, name: str) -> list[str]:
        items = (await client.get(f"/v1/stations/CS-1/{path}")).json()["items"]
        return [each[name] for each in items]

    assert await seen("security-events", "type") == ["T3", "T2", "T1"]
    assert await seen("jobs", "status") == ["Downloading", "Installed"]
    assert await seen("jobs?state=done", "status") == ["Installed"]
    assert await seen("jobs?kind=log", "status") == []
    first = (await client.get("/v1/stations/CS-1/security-events?limit=1")).json()
    rest = await seen(f"security-events?after={first['next'].replace('/', '%2F')}", "type")
    assert rest == ["T2", "T1"]


async def test_reservations_of_all_stations_are_found(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    for station, token in (("CS-1", "Anna"), ("CS-2", "Bob")):
        talk = Talk(deployment, "default", station)
        await talk.open()
        asked = {
            "connectorId": 1, "reservationId": 1, "idTag": token,
            "expiryDate": "2099-01-01T00:00:00Z",
        }  # fmt: skip
        await talk.ask("ReserveNow", asked, ACCEPTED)
    await talk.ask("CancelReservation", {"reservationId": 1}, ACCEPTED)
    await deployment.project()

    async def seen(query: str) -> list[str]:
        items = (await client.get(f"/v1/reservations?{query}")).json()["items"]
        return [each["station"] for each in items]

    assert await seen("") == ["CS-1", "CS-2"]
    assert await seen("id_token=anna") == ["CS-1"]
    assert await seen("state=cancelled") == ["CS-2"]
    assert await seen("station=CS-1&state=active") == ["CS-1"]
    assert await seen("limit=1&after=CS-1:1") == ["CS-2"]


async def test_a_kit_may_ask_for_charging_profiles_by_name_and_place(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    for number, (evse_id, level, name) in enumerate(
        [(0, 0, "ChargePointMaxProfile"), (1, 0, "TxDefaultProfile"), (1, 3, "TxDefaultProfile")]
    ):
        profile = {
            "chargingProfileId": number, "stackLevel": level, "chargingProfilePurpose": name,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": []},
        }  # fmt: skip
        asked = {"connectorId": evse_id, "csChargingProfiles": profile}
        await talk.ask("SetChargingProfile", asked, ACCEPTED)
    await deployment.project()

    async def seen(query: str) -> list[int]:
        items = (await client.get(f"/v1/stations/CS-1/charging-profiles?{query}")).json()["items"]
        return [each["profile_id"] for each in items]

    assert await seen("") == [0, 1, 2]
    assert await seen("purpose=TxDefaultProfile") == [1, 2]
    assert await seen("purpose=ChargePointMaxProfile") == [0]
    assert await seen("purpose=ChargingStationMaxProfile") == [0]
    assert await seen("evse_id=1&stack_level=3") == [2]


async def test_a_profile_is_listed_until_it_is_no_longer_valid(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1", "2.0.1")
    await talk.open()
    until = [
        None, "2026-01-02T03:04:05Z", "2099-01-02T03:04:05+01:00", "2026-01-02T03:04:05.5+01:00",
    ]  # fmt: skip
    for number, valid_to in enumerate(until):
        profile: dict[str, Any] = {
            "id": number, "stackLevel": number, "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute", "validFrom": "2025-01-02T03:04:05Z",
            "chargingSchedule": [],
        }  # fmt: skip
        if valid_to is not None:
            profile["validTo"] = valid_to
        asked = {"evseId": 1, "chargingProfile": profile}
        await talk.ask("SetChargingProfile", asked, ACCEPTED)
    await deployment.project()

    items = (await client.get("/v1/stations/CS-1/charging-profiles")).json()["items"]

    assert [each["profile_id"] for each in items] == [0, 2]
    assert [each.get("valid_to") for each in items] == [None, "2099-01-02T02:04:05Z"]


async def test_a_station_that_nobody_knows_has_no_lists(client: httpx.AsyncClient) -> None:
    for facet in station_state.ALL:
        assert (await client.get(f"/v1/stations/CS-1/{facet}")).status_code == 404
