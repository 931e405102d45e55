"""ClickHouse's HTTP interface as curl, clickhouse-connect and Grafana use it."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clickhouse_http import RUNNING_MAX, serve
from infra.clickhouse_native import with_revision
from tests.engines import ClickHouseDatabase

pytestmark = pytest.mark.clickhouse


@pytest.fixture
async def http(clickhouse_database: ClickHouseDatabase) -> AsyncIterator[httpx.AsyncClient]:
    client = clickhouse_database.client
    client.command("CREATE TABLE rows (number Int32) ENGINE = MergeTree ORDER BY number")
    client.insert("rows", [[1], [2]], column_names=["number"])
    async with (
        serve(clickhouse_database.engine, 0, database=clickhouse_database.name) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as http,
    ):
        yield http


async def test_it_says_that_it_is_there(http: httpx.AsyncClient) -> None:
    assert (await http.get("/ping")).text == "Ok.\n"
    assert (await http.get("/")).text == "Ok.\n"


async def test_a_query_comes_in_the_url_in_the_body_or_in_both(http: httpx.AsyncClient) -> None:
    answers = [
        await http.get("/", params={"query": "SELECT sum(number) FROM rows"}),
        await http.post("/", content="SELECT sum(number) FROM rows"),
        await http.post("/", params={"query": "SELECT sum(number)"}, content="FROM rows"),
        await http.post(
            "/",
            content=gzip.compress(b"SELECT sum(number) FROM rows"),
            headers={"Content-Encoding": "gzip"},
        ),
    ]

    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "3\n")] * 4


async def test_the_format_is_the_querys_or_the_default(http: httpx.AsyncClient) -> None:
    named = await http.get("/", params={"query": "SELECT 1 AS x FORMAT JSONEachRow"})
    default = await http.get("/", params={"query": "SELECT 1 AS x", "default_format": "JSON"})
    header = await http.post("/", content="SELECT 1", headers={"X-ClickHouse-Format": "CSV"})

    assert named.json() == {"x": 1}
    assert named.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert default.json()["data"] == [{"x": 1}]
    assert default.headers["Content-Type"].startswith("application/json")
    assert header.headers["X-ClickHouse-Format"] == "CSV"


async def test_parameters_and_settings_reach_the_engine(http: httpx.AsyncClient) -> None:
    params = {
        "query": "SELECT {x:Int32} + 1, getSetting('max_execution_time')",
        "param_x": "41",
        "max_execution_time": "5",
        "session_id": "ignored",
        "wait_end_of_query": "1",
    }

    assert (await http.get("/", params=params)).text == "42\t5\n"


async def test_an_answer_carries_the_headers_of_a_server(http: httpx.AsyncClient) -> None:
    params = {"query": "SELECT number FROM rows", "query_id": "mine"}
    answer = await http.get("/", params=params)

    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"]
    assert answer.headers["X-ClickHouse-Server-Display-Name"] == "chargeledger"
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "2"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELEC 1", 400, "62"),
        ("SELECT nothing", 404, "47"),
        ("SELECT * FROM nowhere", 404, "60"),
        ("SELECT * FROM nowhere.x", 404, "81"),
        ("INSERT INTO rows VALUES (9)", 403, "164"),
        ("SELECT file('/etc/passwd')", 403, "164"),
        ("SELECT * FROM url('http://127.0.0.1:1/')", 403, "164"),
        ("SELECT throwIf(1)", 500, "395"),
        ("SELECT 1 FORMAT Nonsense", 404, "73"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT '\0'", 403, "164"),
    ],
)
async def test_an_error_has_its_code_and_its_status(
    http: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await http.post("/", content=query)

    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception:")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"\xff\xfe", {}, 400),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (b"x", {"Content-Encoding": "br"}, 415),
        (b" " * 2_000_000, {}, 413),
        (gzip.compress(b" " * 2_000_000), {"Content-Encoding": "gzip"}, 413),
        (b"SELECT 1", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b"SELECT 1", {"Host": "rebound.example"}, 400),
    ],
)
async def test_what_is_no_request_is_refused(
    http: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert (await http.post("/", content=content, headers=headers)).status_code == status
    assert (await http.get("/ping")).status_code == 200


async def test_long_queries_hold_up_neither_the_loop_nor_an_insert(
    http: httpx.AsyncClient, clickhouse_database: ClickHouseDatabase
) -> None:
    slow = {"query": "SELECT sleep(3)"}
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(http.get("/", params=slow)) for _ in range(RUNNING_MAX - 1)]
        async with asyncio.timeout(1):
            assert (await http.get("/ping")).text == "Ok.\n"
            await asyncio.to_thread(
                clickhouse_database.client.insert, "rows", [[3]], column_names=["number"]
            )
            found = await http.get("/", params={"query": "SELECT sum(number) FROM rows"})
        assert not any(task.done() for task in waiting)

    assert found.text == "6\n"


async def test_the_official_client_works(http: httpx.AsyncClient) -> None:
    port = http.base_url.port
    assert port is not None

    await asyncio.to_thread(_use_official_client, port)


def _use_official_client(port: int) -> None:
    client: Client = clickhouse_connect.get_client(host="127.0.0.1", port=port)
    with client:
        where = {"least": 2}
        found = client.query(
            "SELECT number FROM rows WHERE number >= {least:Int32}", parameters=where
        )
        assert found.result_rows == [(2,)]
        assert client.query("SELECT * FROM numbers(100000)").row_count == 100_000
        assert client.command("SELECT count() FROM rows") == 2
        assert client.query("SELECT number FROM rows LIMIT 0").column_names == ("number",)
        with client.query_row_block_stream("SELECT number FROM rows ORDER BY 1") as blocks:
            assert [row for block in blocks for row in block] == [(1,), (2,)]
        with pytest.raises(DatabaseError, match="164"):
            client.command("DROP TABLE rows")


async def test_the_port_is_free_when_the_block_ends(
    clickhouse_database: ClickHouseDatabase,
) -> None:
    threads = threading.active_count()
    async with serve(clickhouse_database.engine, 0) as server:
        with pytest.raises(OSError, match="in use"):
            async with serve(clickhouse_database.engine, server.port):
                pass

    async with serve(clickhouse_database.engine, server.port) as again:
        assert again.port == server.port
    assert threading.active_count() <= threads + 2


async def test_native_is_written_for_the_revision_of_its_reader(http: httpx.AsyncClient) -> None:
    params = {"query": "SELECT 7 AS a FORMAT Native", "client_protocol_version": "54460"}

    answer = await http.get("/", params=params)

    assert answer.content == with_revision(b"\x01\x01\x01a\x05UInt8\x07", 54460)


async def test_a_running_query_does_not_hold_up_the_end(
    clickhouse_database: ClickHouseDatabase,
) -> None:
    query = {"query": "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"}
    running = "SELECT count() FROM system.processes WHERE Settings['readonly'] = '1'"

    async with (
        asyncio.timeout(10),
        httpx.AsyncClient(timeout=30) as http,
        asyncio.TaskGroup() as group,
    ):
        async with serve(clickhouse_database.engine, 0) as server:
            url = f"http://127.0.0.1:{server.port}/"
            waiting = group.create_task(http.get(url, params=query))
            while await asyncio.to_thread(clickhouse_database.client.command, running) == 0:
                pass
        answer = await waiting

    assert answer.status_code == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "394"


@pytest.mark.parametrize("query_id", ["a\r\nX-Mine: 1", "€", "", "x" * 10_000])
async def test_a_query_id_that_is_no_header_is_replaced(
    http: httpx.AsyncClient, query_id: str
) -> None:
    answer = await http.get("/", params={"query": "SELECT 1", "query_id": query_id})

    assert answer.text == "1\n"
    assert len(answer.headers["X-ClickHouse-Query-Id"]) == 36
    assert "X-Mine" not in answer.headers
