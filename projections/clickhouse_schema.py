"""The tables and views of the series as a whole: made at a start, and digested."""

from hashlib import sha256

from projections.clickhouse_ports import Tables
from projections.clickhouse_sink import TABLES
from projections.states import FOLD_VERSION


async def prepare(tables: Tables) -> None:
    """Make what is missing of the tables, and every view anew. Changes no rows.

    Raises:
        StoreUnavailable
    """
    await create_tables(tables)
    for statement in tables.statements("views"):
        await tables.command(statement)


async def create_tables(tables: Tables, suffix: str = "") -> None:
    for table in TABLES:
        await tables.command(f"tables.create_{table.name}", {"table": table.name + suffix})


async def digest(tables: Tables, suffix: str = "") -> str:
    """Return the digest of all rows, each counted once, over named columns.

    Two are comparable at the same positions of the projection.

    Raises:
        StoreUnavailable
    """
    text = [f"fold {FOLD_VERSION}"]
    for table in TABLES:
        rows = await tables.fetch(f"digests.{table.name}", {"table": table.name + suffix})
        text.append(f"{table.name} {rows[0]['n']} {rows[0]['total']} {rows[0]['mixed']}")
    return sha256("\n".join(text).encode()).hexdigest()
