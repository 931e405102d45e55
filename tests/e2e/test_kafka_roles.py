"""The roles as processes on Kafka: what stations were told stands everywhere, whoever is killed."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from infra.clock import now
from infra.kafka_cluster import MESSAGE_BYTES_MAX
from infra.postgres_embedded import EmbeddedPostgres
from infra.simulator.fleet import simulate
from infra.simulator.options import SimulationOptions, SimulationReport
from tests.e2e.charging import Load, assert_kept, charging
from tests.e2e.checking import Told, Verdict, check
from tests.e2e.roles import Roles, running_roles
from tests.e2e.running import eventually
from tests.engines import empty_database
from tests.kafka_broker import Cluster, free_ports, running_cluster, why_not
from tests.kafka_fixtures import skip_or_fail

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

ROLES = ("ingress", "domain", "projections", "api")
SEED = 20260518
LOADED_S = (0.0, 1.5)
TAKEN_OVER_WITHIN_S = 10.0
LOST_WITHIN_S = 15.0
OURS = "partition {} is ours"


@pytest.fixture(scope="module")
def broker() -> Iterator[Cluster]:
    if reason := why_not():
        skip_or_fail(reason)
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def roles(
    broker: Cluster, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Roles]:
    """All four, ready. Each test brings station names of its own and leaves them running.

    At the end SIGTERM must end each with exit code 0.
    """
    directory = tmp_path_factory.mktemp("roles")
    with (
        empty_database(postgres_server) as database,
        running_roles(
            directory, broker.bootstrap, "e2e", database.dsn, provided="DataTransfer"
        ) as deployment,
    ):
        deployment.start_all()
        deployment.wait_ready()
        yield deployment
        for name in ROLES:
            assert deployment.stop(name) == 0, deployment.said(name)


async def verdict_on(roles: Roles, report: SimulationReport) -> Verdict:
    await asyncio.to_thread(roles.wait_ready)
    await asyncio.to_thread(roles.wait_projected)
    entries = await roles.entries()
    cdrs = await asyncio.to_thread(roles.cdrs)
    series = await asyncio.to_thread(roles.series)
    return check(Told(report.operations, report.transactions), entries, cdrs, series)


async def test_what_stations_were_told_stands_in_the_log_the_cdrs_and_the_series(
    roles: Roles,
) -> None:
    options = SimulationOptions(
        url=roles.ocpp_url, stations=6, sessions=10, mishaps=0.2, name_prefix="TOLD-"
    )

    report = await simulate(options, lambda _: None, now=now())

    assert report.ok, report
    assert report.sessions == 60
    assert_kept(report, await verdict_on(roles, report), answers_min=600)
    verified = await asyncio.to_thread(roles.run, "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.splitlines()[-1] == "equal"
    assert "60 sessions" in verified.stdout


async def test_a_command_reaches_its_station_and_has_its_answer(roles: Roles) -> None:
    async with silent_station(roles, "COMMANDED") as station:
        asked = asyncio.to_thread(roles.command, "COMMANDED", "Reset", 15, type="Soft")
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(asked)
            call = json.loads(await station.recv())
            await station.send(json.dumps([3, call[1], {"status": "Accepted"}]))

        command = asking.result()
        assert call[2:] == ["Reset", {"type": "Soft"}]
        assert command["command_id"] == call[1]
        await fated(roles, call[1], "answered", 10)


async def test_a_provider_answers_whoever_owned_the_partition_when_it_was_asked(
    roles: Roles,
) -> None:
    async with silent_station(roles, "PROVIDED") as station:
        await station.send('[2,"d1","DataTransfer",{"vendorId":"V","data":"?"}]')
        request = await asyncio.to_thread(roles.waiting_request, "PROVIDED")
        roles.kill("domain")
        await station.send('[2,"h1","Heartbeat",{}]')
        first = json.loads(await station.recv())
        given = await asyncio.to_thread(roles.provide, request, status="Accepted", data="!")
        second = json.loads(await station.recv())

    assert first[:2] == [3, "h1"]
    assert given.status_code == 201, given.text
    assert second == [3, "d1", {"status": "Accepted", "data": "!"}]
    verified = await asyncio.to_thread(roles.run, "verify")
    assert verified.stdout.splitlines()[-1] == "equal", verified.stdout + verified.stderr


def test_each_role_says_that_it_is_ready_and_how_much_it_does(roles: Roles) -> None:
    figures = {
        "ingress": "chargeledger_heartbeat_age_seconds",
        "domain": 'chargeledger_partition_owned{partition="2"} 1',
        "projections": 'chargeledger_projection_poison_records{projection="read"} 0',
    }
    for name, figure in figures.items():
        ready = roles.health(name, "/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True), ready.text
        assert roles.health(name, "/healthz").status_code == 200
        assert figure in roles.health(name, "/metrics").text


async def test_an_api_whose_appender_has_failed_is_started_anew_and_writes_again(
    roles: Roles, broker: Cluster
) -> None:
    def put() -> int:
        path = f"{roles.api_url}/v1/id-tokens/FAILED"
        return httpx.put(path, json={"group": "G" * 20}, timeout=30).status_code

    def has_failed() -> bool | None:
        with suppress(httpx.HTTPError):
            put()
        return True if roles.starts["api"] > before else None

    before = roles.starts["api"]
    await bytes_max(broker, "e2e.journal", 100)
    try:
        await asyncio.to_thread(eventually, has_failed, "the API ends")
    finally:
        await bytes_max(broker, "e2e.journal", MESSAGE_BYTES_MAX)
    await asyncio.to_thread(roles.wait_ready)

    def is_written() -> bool | None:
        return True if put() == 200 else None

    await asyncio.to_thread(eventually, is_written, "the API writes again")
    assert "nothing can be appended by this process any more" in roles.said("api")


async def bytes_max(broker: Cluster, topic: str, count: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        settings = {"max.message.bytes": str(count)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    finally:
        await admin.close()


async def killed_in_turn(
    roles: Roles, broker: Cluster, load: Load, names: tuple[str, ...], seed: int
) -> None:
    random = Random(seed)
    for name in random.sample(names, len(names)):
        await load.more(20)
        await asyncio.sleep(random.uniform(*LOADED_S))
        if name == "broker":
            (node,) = broker.brokers
            await asyncio.to_thread(node.kill)
            await asyncio.sleep(random.uniform(*LOADED_S))
            node.start()
            await asyncio.to_thread(node.wait_until_up)
        else:
            roles.kill(name)
    await load.more(50)


async def test_nothing_answered_is_lost_when_each_role_and_the_broker_are_killed(
    roles: Roles, broker: Cluster
) -> None:
    async with charging(roles.ocpp_url, SEED) as load:
        await killed_in_turn(roles, broker, load, (*ROLES, "broker"), SEED)
    (report,) = load.reports

    assert_kept(report, await verdict_on(roles, report), answers_min=150)
    assert all(roles.starts[name] >= 2 for name in ROLES)


@pytest.mark.long
@pytest.mark.timeout(1_200)
async def test_nothing_answered_is_lost_when_all_are_killed_again_and_again(
    roles: Roles, broker: Cluster
) -> None:
    for seed in range(SEED + 1, SEED + 9):
        async with charging(roles.ocpp_url, seed) as load:
            await killed_in_turn(roles, broker, load, (*ROLES, "broker", *ROLES[:2]), seed)
        (report,) = load.reports
        assert_kept(report, await verdict_on(roles, report), answers_min=200)


async def test_an_owner_that_slept_answers_nothing_twice(roles: Roles) -> None:
    """SIGSTOP until another has taken over, then SIGCONT: it reads the other's claim and stops."""
    roles.start("domain:2")
    await asyncio.to_thread(roles.wait_said, "domain:2", "is ours")
    try:
        async with charging(roles.ocpp_url, SEED + 20) as load:
            await load.more(50)
            begun = asyncio.get_running_loop().time()
            roles.send("domain", signal.SIGSTOP)
            try:
                # The test's partitions: one each. The second owner has both then.
                await asyncio.to_thread(owns_all, roles, "domain:2")
                taken_s = asyncio.get_running_loop().time() - begun
                await load.more(20)
            finally:
                roles.send("domain", signal.SIGCONT)
            await load.more(50)
        (report,) = load.reports
    finally:
        assert roles.stop("domain:2") == 0

    assert taken_s < TAKEN_OVER_WITHIN_S
    assert_kept(report, await verdict_on(roles, report), answers_min=120)


def owns_all(roles: Roles, name: str) -> None:
    for partition in (1, 2):
        roles.wait_said(name, OURS.format(partition))


@asynccontextmanager
async def silent_station(roles: Roles, name: str) -> AsyncIterator[ClientConnection]:
    """A station that says nothing of itself, and sees every frame sent to it."""

    async def opened() -> ClientConnection:
        return await connect(
            f"{roles.ocpp_url}/{name}", subprotocols=[Subprotocol("ocpp1.6")], close_timeout=1
        )

    connection = await opened()
    try:
        look = partial(roles.get, f"/v1/stations/{name}")
        await asyncio.to_thread(eventually, look, f"{name} is seen by the API")
        yield connection
    finally:
        await connection.close()


async def fated(roles: Roles, command: str, fate: str, within_s: float) -> None:
    def look() -> bool | None:
        return True if roles.get(f"/v1/commands/{command}")["fate"] == fate else None

    await asyncio.to_thread(eventually, look, f"{command} is {fate}", within_s)


async def test_a_call_in_flight_is_of_unknown_fate_when_its_ingress_node_is_killed(
    roles: Roles,
) -> None:
    """Its successor in the slot says at once that the node is gone."""
    async with silent_station(roles, "IN-FLIGHT-1") as station:
        asked = await asyncio.to_thread(roles.command, "IN-FLIGHT-1", "Reset", 0, type="Soft")
        await station.recv()
        roles.kill("ingress")
        await fated(roles, asked["command_id"], "unknown", LOST_WITHIN_S)

    await asyncio.to_thread(roles.wait_ready)
    async with silent_station(roles, "IN-FLIGHT-1") as station:
        await station.send('[2,"h1","Heartbeat",{}]')
        # The first that it hears: the command is never sent again.
        assert json.loads(await station.recv())[:2] == [3, "h1"]


async def test_a_node_that_is_told_to_stop_loses_nothing(roles: Roles) -> None:
    starts = roles.starts["ingress"]
    async with charging(roles.ocpp_url, SEED + 30) as load:
        await load.more(30)
        roles.send("ingress", signal.SIGTERM)
        await asyncio.to_thread(eventually, lambda: roles.starts["ingress"] > starts or None, "it")
        await load.more(50)
    (report,) = load.reports

    assert_kept(report, await verdict_on(roles, report), answers_min=80)
    assert "ingress has stopped" in roles.said("ingress")


async def test_a_station_that_comes_to_another_node_is_hung_up_on_at_the_first(
    roles: Roles,
) -> None:
    (port,) = free_ports(1)
    roles.start("ingress:2", ingress_slot="1", ocpp_port=str(port))
    try:
        await asyncio.to_thread(roles.wait_said, "ingress:2", "listening for stations")
        async with silent_station(roles, "MOVED") as first:
            url = f"ws://127.0.0.1:{port}/ocpp/MOVED"
            async with connect(url, subprotocols=[Subprotocol("ocpp1.6")]) as second:
                async with asyncio.timeout(10):
                    await first.wait_closed()
                assert (first.close_code, first.close_reason) == (
                    1008,
                    "replaced by a newer connection",
                )
                await second.send('[2,"h1","Heartbeat",{}]')
                assert json.loads(await second.recv())[:2] == [3, "h1"]
    finally:
        assert roles.stop("ingress:2") == 0


@pytest.mark.long
async def test_a_call_in_flight_is_of_unknown_fate_when_its_ingress_node_falls_silent(
    roles: Roles,
) -> None:
    try:
        async with silent_station(roles, "IN-FLIGHT-2") as station:
            asked = await asyncio.to_thread(roles.command, "IN-FLIGHT-2", "Reset", 0, type="Soft")
            await station.recv()
            roles.stop("ingress", signal.SIGKILL)
            await fated(roles, asked["command_id"], "unknown", LOST_WITHIN_S)
    finally:
        roles.start("ingress")
        await asyncio.to_thread(roles.wait_ready)
