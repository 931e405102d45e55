"""The fence around readers of ClickHouse: reading is answered, nothing else happens."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clickhouse_reading import Query, QueryFailed, Reading, Result
from tests.engines import ClickHouseDatabase

pytestmark = pytest.mark.clickhouse

SECRET = "nobody-may-read-this"


@pytest.fixture
def database(clickhouse_database: ClickHouseDatabase) -> ClickHouseDatabase:
    client = clickhouse_database.client
    client.command("CREATE TABLE rows (number Int32) ENGINE = MergeTree ORDER BY number")
    client.insert("rows", [[1], [2]], column_names=["number"])
    return clickhouse_database


@pytest.fixture
def reading(database: ClickHouseDatabase) -> Reading:
    return Reading(database.engine)


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    directory = os.getcwd()
    os.chdir(tmp_path)
    yield path
    os.chdir(directory)


def run(
    reading: Reading,
    text: str,
    database: ClickHouseDatabase,
    settings: dict[str, str] | None = None,
    **parameters: str,
) -> Result:
    query = Query(text=text, database=database.name, parameters=parameters, settings=settings or {})
    return reading.run(query)


HARMLESS = {
    "SELECT sum(number) FROM rows": b"3\n",
    "select/**/number from rows order by number -- comment": b"1\n2\n",
    "WITH 1 AS x SELECT x": b"1\n",
    "(SELECT 1) UNION ALL (SELECT 1)": b"1\n1\n",
    "SHOW TABLES": b"rows\n",
    "EXISTS rows": b"1\n",
    "DESCRIBE rows": b"number\tInt32\t\t\t\t\t\n",
    "SELECT 'file(''/etc/passwd'') INTO OUTFILE'": b"file(\\'/etc/passwd\\') INTO OUTFILE\n",
    "SELECT number FROM rows WHERE number = 1 FORMAT JSONEachRow": b'{"number":1}\n',
    "SELECT count() FROM numbers(10)": b"10\n",
    "SELECT 1;": b"1\n",
    "SELECT format('{}', 'x') AS FORMAT": b"x\n",
}


@pytest.mark.parametrize("text", HARMLESS)
def test_reading_is_answered(reading: Reading, database: ClickHouseDatabase, text: str) -> None:
    assert run(reading, text, database).body == HARMLESS[text]


WRITES = [
    "INSERT INTO rows VALUES (9)",
    "INSERT INTO rows SELECT 9",
    "WITH x AS (SELECT 9) INSERT INTO rows SELECT * FROM x",
    "SELECT 1; INSERT INTO rows VALUES (9)",
    "SELECT 1;\n-- x\nDROP TABLE rows",
    "DROP TABLE rows",
    "TRUNCATE TABLE rows",
    "ALTER TABLE rows DELETE WHERE 1",
    "DELETE FROM rows WHERE 1",
    "UPDATE rows SET number = 9 WHERE 1",
    "OPTIMIZE TABLE rows FINAL",
    "RENAME TABLE rows TO gone",
    "DETACH TABLE rows",
    "CREATE TABLE mine ENGINE = MergeTree ORDER BY tuple() AS SELECT 1",
    "CREATE TEMPORARY TABLE mine (a Int32)",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE MATERIALIZED VIEW mine ENGINE = MergeTree ORDER BY tuple() AS SELECT 1",
    "CREATE DATABASE mine",
    "CREATE FUNCTION mine AS x -> x",
    "CREATE USER mine",
    "CREATE DICTIONARY mine (a Int32) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'CSV'))"
    " LAYOUT(FLAT()) LIFETIME(0)",
    "GRANT ALL ON *.* TO default",
    "SET readonly = 0",
    "SET ROLE NONE",
    "USE system",
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM FLUSH LOGS",
    "BACKUP TABLE rows TO File('{out}')",
    "EXECUTE AS default SELECT 1",
    "BEGIN TRANSACTION",
    "SELECT 1 PARALLEL WITH DROP TABLE rows",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO/**/OUTFILE '{out}' TRUNCATE",
    "SELECT 1 into outfile '{out}' AND STDOUT FORMAT JSON",
    "SELECT 1 INTO OUTFILE '{out}' APPEND COMPRESSION 'gzip'",
    "SHOW TABLES INTO OUTFILE '{out}'",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS output_format_schema = '{out}'",
    "INSERT INTO FUNCTION file('{out}', 'TSV', 'a Int32') SELECT 1",
    "\\d",
    "exit",
    "quit",
    "?? tell me everything",
]


@pytest.mark.parametrize("text", WRITES)
def test_nothing_is_written_or_changed(
    reading: Reading, database: ClickHouseDatabase, text: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    with pytest.raises(QueryFailed):
        run(reading, text.replace("{out}", str(out)), database)

    assert not out.exists()
    assert database.client.query("SELECT sum(number), count() FROM rows").result_rows == [(3, 2)]
    assert database.client.command("SHOW TABLES") == "rows"


REACHES = [
    "SELECT file('{file}')",
    "SELECT `file`('{file}')",
    "SELECT \"file\"('{file}')",
    "SELECT `fi\\x6ce`('{file}')",
    "SELECT file /* x */ ('{file}')",
    "SELECT file('secret.txt')",
    "SELECT * APPLY file FROM (SELECT '{file}')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{file}')",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT (x -> file(x))('{file}')",
    "WITH file('{file}') AS x SELECT x",
    "EXPLAIN SELECT file('{file}')",
    "EXPLAIN QUERY TREE SELECT file('{file}')",
    "SELECT 1 WHERE file('{file}') != ''",
    "SELECT * FROM file('{file}', 'LineAsString')",
    "SELECT * FROM File('{file}', 'LineAsString')",
    "SELECT * FROM (SELECT * FROM file('{file}', 'LineAsString'))",
    "SELECT * FROM view(SELECT * FROM file('{file}', 'LineAsString'))",
    "SELECT * FROM viewIfPermitted(SELECT '1' AS line ELSE file('{file}', 'LineAsString'))",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT file('{file}')))",
    "SELECT * FROM loop(file('{file}', 'LineAsString'))",
    "SELECT * FROM eval('SELECT file(''{file}'')')",
    "SELECT * FROM fuzzQuery('SELECT file(''{file}'')')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM `{file}`",
    "SELECT * FROM default.`{file}`",
    "SELECT * FROM default.`secret.txt`",
    "SELECT * FROM {{name:Identifier}}",
    "SELECT * FROM merge('default', '.*')",
    "DESCRIBE file('{file}')",
    "DESCRIBE TABLE file('{file}', 'LineAsString')",
    "SELECT 1 IN file('{file}')",
    "SELECT 1 IN (SELECT 1 FROM file('{file}', 'LineAsString'))",
    "SELECT * FROM rows WHERE number IN (SELECT length(line) FROM file('{file}', 'LineAsString'))",
    "SELECT * FROM numbers(1) AS n JOIN file('{file}', 'LineAsString') AS f ON 1",
    "SELECT * FROM fileCluster('default', '{file}', 'LineAsString')",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM sqlite('{file}', 'x')",
    "SELECT * FROM icebergLocal('{file}')",
    "SELECT * FROM deltaLakeLocal('{file}')",
    "SELECT * FROM paimonLocal('{file}')",
    "SELECT * FROM executable('cat', 'TSV', 'a String', (SELECT '{file}'))",
    "SELECT * FROM python(reading)",
    "SELECT * FROM Python(os)",
    "SELECT * FROM `python`('x')",
    "SELECT * FROM arrowStream('x')",
    "SELECT * FROM input('a String')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM urlCluster('default', 'http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a String')",
    "SELECT * FROM gcs('http://127.0.0.1:1/bucket/x', 'CSV', 'a String')",
    "SELECT * FROM iceberg('http://127.0.0.1:1/bucket/x', 'a', 'b')",
    "SELECT * FROM hudi('http://127.0.0.1:1/bucket/x', 'a', 'b')",
    "SELECT * FROM azureBlobStorage('x', 'y', 'z')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'a Int32')",
    "SELECT * FROM redis('127.0.0.1:1', 'a', 'a Int32')",
    "SELECT * FROM odbc('DSN=x', 'y')",
    "SELECT * FROM jdbc('x', 'y')",
    "SELECT * FROM ytsaurus('a', 'b', 'c', 'd')",
    "SELECT * FROM bigquery('a', 'b', 'c')",
    "SELECT aiGenerate('x')",
    "SELECT AIRedact('x')",
    "SELECT reverseDNSQuery('127.0.0.1')",
    "SELECT addressToLine(1)",
    "SELECT count() FROM system.stack_trace",
    "SELECT count() FROM system.`stack_trace`",
    "SELECT * FROM system.users",
]


@pytest.mark.parametrize("text", REACHES)
def test_nothing_outside_is_reached(
    reading: Reading, database: ClickHouseDatabase, text: str, secret: Path
) -> None:
    name = str(secret)
    text = text.replace("{{name:Identifier}}", "{name:Identifier}").replace("{file}", name)

    with pytest.raises(QueryFailed) as failed:
        run(reading, text, database, name=name)

    assert SECRET not in failed.value.message


@pytest.mark.parametrize(
    "settings",
    [
        {"output_format_schema": "x"},
        {"format_schema": "x"},
        {"dialect": "prql"},
        {"allow_experimental_eval_table_function": "1"},
        {"max_memory_usage_for_user": "0"},
        {"session_timezone' , readonly = '0": "UTC"},
    ],
)
def test_a_setting_that_is_not_about_rows_is_refused(
    reading: Reading, database: ClickHouseDatabase, settings: dict[str, str]
) -> None:
    with pytest.raises(QueryFailed, match="Cannot modify") as failed:
        run(reading, "SELECT 1", database, settings)

    assert failed.value.code == 164


@pytest.mark.parametrize("asked", ["0", "999999", "-1", "0x10", "1e9", ""])
def test_a_limit_is_never_raised(
    reading: Reading, database: ClickHouseDatabase, asked: str
) -> None:
    text = "SELECT getSetting('max_execution_time')"

    assert run(reading, text, database, {"max_execution_time": asked}).body == b"60\n"
    assert run(reading, text, database, {"max_execution_time": "7"}).body == b"7\n"


def test_a_setting_cannot_smuggle_another(reading: Reading, database: ClickHouseDatabase) -> None:
    settings = {"session_timezone": "UTC', readonly = '0"}

    with pytest.raises(QueryFailed):
        run(reading, "SELECT 1", database, settings)


@pytest.mark.parametrize("name", ["JSON INTO OUTFILE 'x'", "", "TSV; DROP TABLE rows", "'"])
def test_the_default_format_is_a_word(
    reading: Reading, database: ClickHouseDatabase, name: str
) -> None:
    query = Query(
        text="SELECT 1", database=database.name, default_format=name, parameters={}, settings={}
    )

    with pytest.raises(QueryFailed, match="format"):
        reading.run(query)


def test_a_long_query_is_ended(reading: Reading, database: ClickHouseDatabase) -> None:
    text = "SELECT sum(number) FROM numbers(1000000000000)"

    with pytest.raises(QueryFailed) as failed:
        run(reading, text, database, {"max_execution_time": "1"})

    assert failed.value.code == 159


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM numbers(100000000)",
        "SELECT repeat('x', 1000000) FROM numbers(1000)",
        "SELECT groupArray(number) FROM numbers(1000000000)",
    ],
)
def test_a_result_too_large_is_refused(
    reading: Reading, database: ClickHouseDatabase, text: str
) -> None:
    with pytest.raises(QueryFailed) as failed:
        run(reading, text, database)

    assert failed.value.code in (396, 241)


def test_parameters_keep_every_character(reading: Reading, database: ClickHouseDatabase) -> None:
    result = run(reading, "SELECT {x:String} FORMAT TSVRaw", database, x="a'b\"c`d ; -- é")

    assert result.body.decode() == "a'b\"c`d ; -- é\n"


def test_readers_see_an_insert_at_once(reading: Reading, database: ClickHouseDatabase) -> None:
    database.client.insert("rows", [[3]], column_names=["number"])

    assert run(reading, "SELECT sum(number) FROM rows", database).body == b"6\n"


SOURCES = [
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/x', 'y')",
    "INSERT INTO FUNCTION file('/tmp/x', 'TSV', 'a Int32') SELECT 1",
    "CREATE TABLE mine (a Int32) ENGINE = File(CSV)",
    "CREATE TABLE mine (a Int32) ENGINE = URL('http://127.0.0.1:1/')",
    "CREATE VIEW mine AS SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "CREATE USER mine",
    "BACKUP TABLE system.one TO File('/tmp/x')",
]


@pytest.mark.parametrize("text", SOURCES)
def test_the_engine_itself_gives_sources_to_nobody(
    clickhouse_database: ClickHouseDatabase, text: str
) -> None:
    with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
        clickhouse_database.client.command(text)


@pytest.mark.parametrize("text", ["INSERT INTO rows VALUES (9)", "DROP TABLE rows", "SET final=1"])
def test_the_engine_itself_keeps_a_readers_session_from_writing(
    database: ClickHouseDatabase, text: str
) -> None:
    session = database.engine.session()
    session.query(f"USE {database.name}", "TSV")
    session.query("SET readonly = 1", "TSV")

    with pytest.raises(RuntimeError, match="READONLY"):
        session.query(text, "TSV")

    session.close()
