"""Whether the databases of a data directory were made from the journal that lies beside them."""

from infra.cli.failures import Failed
from infra.deployment import Layout
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.postgres_embedded import embedded_postgres
from infra.read_store import PostgresReadStore
from projections.states import FOLD_VERSION


async def refuse_orphaned_databases(layout: Layout) -> None:
    """Raises Failed: they were made from a journal, and there is none."""
    if layout.has_journal or not layout.migrated.exists():
        return
    async with embedded_postgres(layout.postgres) as server:
        if stored := await _stored(server.dsn):
            raise Failed(_advice(layout, stored, "holds no journal"))


async def refuse_foreign_databases(layout: Layout, dsn: str) -> None:
    """Raises Failed: they were made from another journal. Postgres runs, with its tables."""
    if not layout.has_journal:
        return
    journal = await SqliteJournal.open_read_only(layout.journal)
    journal_id = journal.id
    await journal.close()
    if (stored := await _stored(dsn)) - {journal_id}:
        raise Failed(_advice(layout, stored, f"holds journal {journal_id}"))


async def refuse_old_views(layout: Layout, dsn: str) -> None:
    """Raises Failed: the views mean what another version of the fold says."""
    async with Postgres(dsn, connections_max=1) as database:
        rows = await PostgresReadStore(database).fetch("progress.fold_versions", {})
    if others := sorted({int(row["fold_version"]) for row in rows} - {FOLD_VERSION}):
        raise Failed(
            f"the views in {layout.data} were made by fold version {', '.join(map(str, others))},"
            f" and this is {FOLD_VERSION}: run `chargeledger rebuild --data {layout.data}`, then"
            " start again. The log has everything, and is as it was"
        )


async def _stored(dsn: str) -> set[str]:
    async with Postgres(dsn, connections_max=1) as database:
        rows = await PostgresReadStore(database).fetch("progress.journals", {})
    return {str(row["journal_id"]) for row in rows}


def _advice(layout: Layout, stored: set[str], found: str) -> str:
    return (
        f"the databases in {layout.data} were made from journal {', '.join(sorted(stored))}, and"
        f" {layout.journal} {found}. Put that journal back; or begin anew with another --data."
        f" Registrations, CDRs and keys are of that journal: nothing of them is taken over"
    )
