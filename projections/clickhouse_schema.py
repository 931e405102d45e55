"""The tables and views of the series as a whole: made at a start, and digested."""

from collections.abc import Mapping

from projections import messages
from projections.clickhouse_ports import Tables
from projections.clickhouse_sink import TABLES
from projections.rebuild import Digest
from projections.states import FOLD_VERSION


async def prepare(tables: Tables) -> None:
    """Make what is missing of the tables, and every view anew. Changes no rows.

    Raises:
        StoreUnavailable
    """
    await create_tables(tables)
    # Of a deployment that is older than a column of it.
    for column in ("version", "violations"):
        await tables.command(f"tables.add_{column}", {"table": messages.TABLE.name})
    for statement in tables.statements("views"):
        await tables.command(statement)


async def create_tables(tables: Tables, suffix: str = "") -> None:
    for table in TABLES:
        await tables.command(f"tables.create_{table.name}", {"table": table.name + suffix})


async def digest(tables: Tables, positions: Mapping[int, int], suffix: str = "") -> Digest:
    """Return the digest of all rows, each counted once, over named columns.

    The tables must be at these positions exactly: nobody may be projecting into them.

    Raises:
        StoreUnavailable
    """
    found = {}
    for table in TABLES:
        rows = await tables.fetch(f"digests.{table.name}", {"table": table.name + suffix})
        found[table.name] = f"{rows[0]['n']} {rows[0]['total']} {rows[0]['mixed']}"
    return Digest(positions=positions, interpretation=FOLD_VERSION, tables=found)
