"""Native is rewritten whole, column by column, for the revision that a reader asked for."""

import pytest

from infra.clickhouse_native import BLOCK_INFORMATION, Unreadable, with_revision
from tests.engines import ClickHouseDatabase

pytestmark = pytest.mark.clickhouse

EXPRESSIONS = [
    "toUInt8(1)",
    "toInt256(1)",
    "true",
    "repeat('x', number % 300)",
    "toFixedString('abc', 5)",
    "toDecimal32(1, 2)",
    "toDecimal64(1, 2)",
    "toDecimal128(1, 9)",
    "toDecimal256(1, 9)",
    "toDate('2026-01-01')",
    "toDate32('2026-01-01')",
    "toDateTime('2026-01-01 00:00:00', 'UTC')",
    "toDateTime64('2026-01-01 00:00:00', 6, 'Europe/Zurich')",
    "toIntervalDay(1)",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv4('127.0.0.1')",
    "toIPv6('::1')",
    "CAST('b', 'Enum8(''a, ('' = 1, ''b'' = 2)')",
    "NULL",
    "toNullable(number)",
    "if(number % 2 = 0, NULL, 'odd')",
    "toLowCardinality(toString(number % 1000))",
    "toLowCardinality(toNullable('x'))",
    "range(number % 5)",
    "emptyArrayUInt8()",
    "[[1, 2], [], [3]]",
    "[toLowCardinality('x'), toLowCardinality('y')]",
    "emptyArrayString()::Array(LowCardinality(String))",
    "map('k', number)",
    "map(toLowCardinality('k'), [1, 2])",
    "(1, 'x', [toLowCardinality('y')])",
    "tuple(1, (2, 'z'))::Tuple(a UInt8, `b c` Tuple(d UInt8, e String))",
    "[(1, 'x')]::Nested(a UInt8, b String)",
    "[toNullable(1), NULL]",
    "CAST(1, 'SimpleAggregateFunction(sum, UInt64)')",
]


def native(database: ClickHouseDatabase, sql: str) -> bytes:
    body: bytes = database.client.raw_query(sql, fmt="Native")
    return body


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_column_is_found_to_its_end(
    clickhouse_database: ClickHouseDatabase, expression: str
) -> None:
    sql = (
        f"SELECT {expression} AS x, 'end' AS last FROM numbers(1001) SETTINGS max_block_size = 100"
    )
    body = native(clickhouse_database, sql)

    marked = with_revision(body, 54460)

    blocks = marked.count(b"\x04last\x06String\x00\x03end")
    assert blocks == body.count(b"\x04last\x06String\x03end") >= 1
    assert len(marked) == len(body) + blocks * (len(BLOCK_INFORMATION) + 2)


def test_each_revision_adds_what_it_brought(clickhouse_database: ClickHouseDatabase) -> None:
    body = native(clickhouse_database, "SELECT 7 AS a")

    assert body == b"\x01\x01\x01a\x05UInt8\x07"
    assert with_revision(body, 0) == body
    assert with_revision(body, 54405) == BLOCK_INFORMATION + body
    assert with_revision(body, 54454) == BLOCK_INFORMATION + b"\x01\x01\x01a\x05UInt8\x00\x07"


def test_a_type_without_a_known_end_is_refused(clickhouse_database: ClickHouseDatabase) -> None:
    body = native(clickhouse_database, "SELECT sumState(toUInt64(1)) AS a")

    with pytest.raises(Unreadable, match="AggregateFunction"):
        with_revision(body, 54460)
