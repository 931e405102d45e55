"""Commands through the whole application: asked once, refused well, and their fate."""

import asyncio
from typing import Any

import httpx
import pytest

from api.ports import Appender, Place
from schemas.journal import AppendUnknown, Unavailable
from schemas.partitions import partition_of
from schemas.records import CommandRequested, Record
from tests.api.charging import Talk
from tests.api.deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.postgres

PATH = "/v1/stations/CS-1/commands"
RESET = {"action": "Reset", "payload": {"type": "Soft"}}
SECRET = "7Qw2zK9vXe4LmT1rBn8YcU5pGh3JdA6sWfZx0oRt"


def changing(key: str, value: Any) -> dict[str, Any]:
    return {"action": "ChangeConfiguration", "payload": {"key": key, "value": value}}


@pytest.fixture
async def talk(deployment: Deployment) -> Talk:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await deployment.project()
    return talk


async def asked(deployment: Deployment) -> list[CommandRequested]:
    return await deployment.records(CommandRequested)


async def ask(client: httpx.AsyncClient, body: dict[str, Any], key: str = "k") -> httpx.Response:
    return await client.post(PATH, json=body, headers={"Idempotency-Key": key})


async def test_a_command_is_in_the_journal_when_it_is_accepted(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    body = {**RESET, "timeout_s": 90, "reason": "it hangs"}
    answer = await ask(client, body)

    (record,) = await asked(deployment)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/commands/{record.command_id}"
    assert answer.json()["fate"] == "requested"
    assert not answer.json()["effect_observed"]
    assert (record.action, bytes(record.payload)) == ("Reset", b'{"type":"Soft"}')
    assert (record.actor, record.reason, record.idempotency_key) == ("local", "it hangs", "k")
    assert record.expires_at - record.recorded_at == 90_000_000
    assert answer.json()["requested_at"].endswith("Z")


async def test_a_repeated_command_is_the_same_command(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    first = await ask(client, RESET)
    at_once = await ask(client, RESET)
    await deployment.project()
    later = await ask(client, RESET)
    other = await ask(client, RESET, key="another")

    ids = {answer.json()["command_id"] for answer in (first, at_once, later)}
    assert len(ids) == 1
    assert other.json()["command_id"] not in ids
    assert len(await asked(deployment)) == 2


async def boots(deployment: Deployment, talk: Talk, status: str) -> None:
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    answer = {"currentTime": "2026-11-23T10:00:00Z", "interval": 60, "status": status}
    await talk.call("BootNotification", boot, answer)
    await deployment.project()


START = {"action": "RemoteStartTransaction", "payload": {"idTag": "TAG"}}
START_IN_WORDS = {"command": "start", "payload": {"id_token": "TAG"}}


@pytest.mark.parametrize(
    ("status", "body", "is_taken"),
    [
        ("Pending", START, False),
        ("Pending", START_IN_WORDS, False),
        ("Pending", RESET, True),
        ("Rejected", START, False),
        ("Rejected", RESET, False),
        ("Accepted", START, True),
    ],
)
async def test_what_a_station_that_is_held_back_may_not_be_asked_is_refused(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk,
    status: str, body: dict[str, Any], is_taken: bool,
) -> None:  # fmt: skip
    await boots(deployment, talk, status)
    answer = await ask(client, body)

    assert answer.status_code == (202 if is_taken else 409)
    assert len(await asked(deployment)) == is_taken
    if not is_taken:
        problem = answer.json()
        assert problem["type"] == "urn:chargeledger:problem:refused"
        assert problem["detail"] == f"refused: the station is {status}"
        await boots(deployment, talk, "Accepted")
        assert (await ask(client, body)).status_code == 202


async def test_a_station_that_was_accepted_just_now_is_asked(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await boots(deployment, talk, "Pending")

    async with asyncio.TaskGroup() as group:
        answer = group.create_task(ask(client, START))
        await asyncio.sleep(0.1)
        assert not answer.done()
        await boots(deployment, talk, "Accepted")

    assert answer.result().status_code == 202


async def test_a_command_that_was_taken_is_what_it_was_though_the_station_is_held_back_now(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    first = await ask(client, START)
    await boots(deployment, talk, "Rejected")
    again = await ask(client, START)

    assert again.status_code == 202
    assert again.json()["command_id"] == first.json()["command_id"]
    assert len(await asked(deployment)) == 1


async def test_the_order_of_members_does_not_make_another_command(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    texts = (
        '{"action":"ChangeAvailability","payload":{"connectorId":1,"type":"Operative"}}',
        '{"payload": {"type": "Operative", "connectorId": 1}, "action": "ChangeAvailability"}',
    )
    for text in texts:
        answer = await client.post(PATH, content=text, headers=headers)
        assert answer.status_code == 202

    assert len(await asked(deployment)) == 1


@pytest.mark.parametrize("is_projected", [False, True])
@pytest.mark.parametrize(
    "other", [{"action": "Reset", "payload": {"type": "Hard"}}, {"action": "ClearCache"}]
)
async def test_something_else_under_the_same_key_is_refused(
    deployment: Deployment,
    client: httpx.AsyncClient,
    talk: Talk,
    is_projected: bool,
    other: dict[str, Any],
) -> None:
    await ask(client, RESET)
    if is_projected:
        await deployment.project()
        # As another node would see it, which was not asked before.
        client = deployment.client(app=deployment.app_with(deployment.app.state.ports.log))

    answer = await ask(client, other)

    assert answer.status_code == 409
    assert len(await asked(deployment)) == 1


async def test_the_same_key_at_another_station_is_another_command(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await deployment.connect("default", "CS-2")
    await deployment.project()

    here = await ask(client, RESET)
    there = await client.post(
        "/v1/stations/CS-2/commands", json=RESET, headers={"Idempotency-Key": "k"}
    )

    assert here.json()["command_id"] != there.json()["command_id"]


async def test_numbers_reach_the_station_as_they_were_written(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    text = (
        '{"action":"RemoteStartTransaction","payload":{"idTag":"04A1","chargingProfile":'
        '{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile",'
        '"chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A",'
        '"chargingSchedulePeriod":[{"startPeriod":0,"limit":16.1}]}}}}'
    )
    answer = await client.post(PATH, content=text, headers={"Content-Type": "application/json"})

    (record,) = await asked(deployment)
    assert answer.status_code == 202
    assert b'"limit":16.1,' in bytes(record.payload)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "Explode"}, "action"),
        ({"action": "Heartbeat"}, "action"),
        ({"action": "Reset", "payload": {"type": "Maybe"}}, "payload.type"),
        ({"action": "Reset"}, "payload.type"),
        ({"action": "UnlockConnector", "payload": {"connectorId": "1"}}, "payload.connectorId"),
        ({**RESET, "timeout_s": 0}, "timeout_s"),
        ({**RESET, "timeout_s": 86_401}, "timeout_s"),
        ({**RESET, "timeout_s": 1.5}, "timeout_s"),
        ({**RESET, "payload": []}, "payload"),
        ({**RESET, "timeouts": 9}, "timeouts"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_by_name(
    deployment: Deployment,
    client: httpx.AsyncClient,
    talk: Talk,
    body: dict[str, Any],
    field: str,
) -> None:
    answer = await ask(client, body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert await asked(deployment) == []


async def test_an_unknown_station_is_asked_nothing(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    answer = await client.post("/v1/stations/CS-9/commands", json=RESET)

    assert answer.status_code == 404
    assert await asked(deployment) == []


@pytest.mark.parametrize("registered", [False, True])
async def test_a_station_that_has_only_just_connected_is_waited_for(
    registered: bool, deployment: Deployment, client: httpx.AsyncClient
) -> None:
    if registered:
        await client.put("/v1/stations/CS-9", json={})
        await deployment.project()
    body = {"action": "SetMonitoringLevel", "payload": {"severity": 4}}
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(client.post("/v1/stations/CS-9/commands", json=body))
        await asyncio.sleep(0.1)
        assert not asking.done()
        await Talk(deployment, "default", "CS-9", "2.0.1").open()
        await deployment.project()

    assert asking.result().status_code == 202


@pytest.mark.parametrize("key", ["AuthorizationKey", "authorizationkey", "WifiPassword", "APIKey"])
async def test_a_secret_value_goes_to_the_vault_and_nowhere_else(
    deployment: Deployment,
    client: httpx.AsyncClient,
    talk: Talk,
    key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    answer = await ask(client, changing(key, SECRET))
    await deployment.project()
    shown = await client.get(answer.headers["location"])

    (record,) = await asked(deployment)
    assert answer.status_code == 202
    (secret_id,) = record.secrets
    assert await deployment.vault.reveal(secret_id) == SECRET
    assert bytes(record.payload) == b'{"key":"%b","value":"secret:%b"}' % (
        key.encode(),
        secret_id.encode(),
    )
    for text in (answer.text, shown.text, str(record), caplog.text):
        assert SECRET not in text


async def test_a_repeat_of_a_secret_is_the_same_and_another_secret_is_refused(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    first = await ask(client, changing("AuthorizationKey", SECRET))
    again = await ask(client, changing("AuthorizationKey", SECRET))
    other = await ask(client, changing("AuthorizationKey", SECRET[::-1]))

    assert first.json()["payload"] == again.json()["payload"]
    assert other.status_code == 409
    assert SECRET[::-1] not in other.text


@pytest.mark.parametrize("value", [SECRET * 20, [SECRET], {"a": SECRET}])
async def test_a_refused_secret_is_not_repeated_in_the_error(
    client: httpx.AsyncClient, talk: Talk, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answer = await ask(client, changing("AuthorizationKey", value))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "payload.value"
    assert SECRET not in answer.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "value",
    ["fifteen-letters", "0123456789abcdef" * 2, "abcdefghijklmnopqrst", "secret-of-CS-1-!?7"],
)
async def test_a_15_a_password_that_is_short_or_easy_to_guess_is_not_set(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk, value: str
) -> None:
    answer = await ask(client, changing("AuthorizationKey", value))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "payload"
    assert value not in answer.text
    assert await asked(deployment) == []


async def test_who_waits_gets_the_fate_in_the_same_answer(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    async def obey() -> None:
        (entry,) = await asked_next.poll(records_max=1, timeout_s=20)
        (record,) = await asked(deployment)
        await talk.dispatch(record, entry.offset)
        await talk.answer(record.command_id, {"status": "Accepted"})
        await deployment.project()

    partition = partition_of("default", "CS-1", PARTITIONS)
    asked_next = deployment.journal.reader({partition: await deployment.journal.head(partition)})

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.post(f"{PATH}?wait=30", json={"action": "ClearCache"}))
        tasks.create_task(obey())
    answer = asking.result()

    assert answer.status_code == 201
    assert answer.json()["fate"] == "answered"
    assert answer.json()["answer"] == {"status": "Accepted"}
    assert answer.json()["effect_observed"]
    assert (await client.get(answer.headers["location"])).json() == answer.json()


async def test_who_waits_in_vain_is_told_so_far(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    answer = await client.post(f"{PATH}?wait=0.1", json=RESET)

    assert (answer.status_code, answer.json()["fate"]) == (202, "requested")
    for wait in ("61", "-1", "nan", "long"):
        assert (await client.post(f"{PATH}?wait={wait}", json=RESET)).status_code == 422


async def test_the_commands_of_a_station_are_listed_the_latest_first(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await ask(client, RESET, key="1")
    await ask(client, {"action": "ClearCache"}, key="2")
    await deployment.project()

    page = (await client.get(f"{PATH}?limit=1&open=true")).json()
    rest = (await client.get(f"{PATH}?after={page['next']}")).json()

    assert [item["action"] for item in page["items"]] == ["ClearCache"]
    assert [item["action"] for item in rest["items"]] == ["Reset"]


class FullLog:
    """The journal refuses the first append."""

    def __init__(self, deployment: Deployment) -> None:
        self._log: Appender = deployment.app.state.ports.log
        self._has_failed = False

    async def append(self, record: Record) -> Place:
        if not self._has_failed:
            self._has_failed = True
            raise Unavailable("full")
        return await self._log.append(record)


async def test_a_refused_append_leaves_the_key_free(deployment: Deployment, talk: Talk) -> None:
    app = deployment.app_with(FullLog(deployment))
    async with deployment.client(app=app) as client:
        refused = await ask(client, RESET)
        other = await ask(client, {"action": "ClearCache"})

    assert refused.status_code == 503
    assert refused.json()["detail"].startswith("Nothing was recorded")
    assert other.status_code == 202
    assert [record.action for record in await asked(deployment)] == ["ClearCache"]


class ForgetfulLog:
    """The first append lands, but nobody learns of it."""

    def __init__(self, deployment: Deployment) -> None:
        self._log: Appender = deployment.app.state.ports.log
        self._has_failed = False

    async def append(self, record: Record) -> Place:
        place = await self._log.append(record)
        if not self._has_failed:
            self._has_failed = True
            raise AppendUnknown("no answer")
        return place


class WorseningLog:
    """An append lands without anybody learning of it; after that the journal is full."""

    def __init__(self, deployment: Deployment) -> None:
        self._log: Appender = deployment.app.state.ports.log
        self._has_landed = False

    async def append(self, record: Record) -> Place:
        if self._has_landed:
            raise Unavailable("full")
        self._has_landed = True
        await self._log.append(record)
        raise AppendUnknown("no answer")


async def test_a_key_that_may_be_used_is_not_free(deployment: Deployment, talk: Talk) -> None:
    app = deployment.app_with(WorseningLog(deployment))
    async with deployment.client(app=app) as client:
        statuses = [(await ask(client, body)).status_code for body in (RESET, RESET)]
        other = await ask(client, {"action": "ClearCache"})

    assert statuses == [503, 503]
    assert other.status_code == 409


async def test_an_unknown_outcome_is_repeated_as_the_same_command(
    deployment: Deployment, talk: Talk
) -> None:
    app = deployment.app_with(ForgetfulLog(deployment))
    async with deployment.client(app=app) as client:
        unknown = await ask(client, RESET)
        repeated = await ask(client, RESET)

    assert unknown.status_code == 503
    assert "Idempotency-Key" in unknown.json()["detail"]
    assert repeated.status_code == 202
    assert len({record.command_id for record in await asked(deployment)}) == 1
