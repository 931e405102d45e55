"""A history that a benchmark writes is a log as the edge leaves one."""

from pathlib import Path

import msgspec

from benchmarks.frames import CALLS_PER_SESSION, SESSION_WH
from benchmarks.history import History, write
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.deployment import Layout, read_key
from infra.journal_sqlite import SqliteJournal
from infra.recovery import fold_range, owner_from
from infra.snapshots import Snapshots
from schemas.cdr import Cdr
from schemas.records import CALLERROR, CdrReleased, MessageReceived, MessageSent, Record, decode

STATIONS = 7


async def records_of(data: Path) -> list[Record]:
    journal = await SqliteJournal.open_read_only(Layout(data).journal)
    reader = journal.reader({1: 0})
    try:
        entries = await reader.poll(records_max=100_000, timeout_s=1.0)
        assert [entry.offset for entry in entries] == list(range(await journal.head(1)))
        return [decode(entry.value) for entry in entries]
    finally:
        await reader.close()
        await journal.close()


async def test_every_call_is_answered_and_every_session_has_its_cdr(tmp_path: Path) -> None:
    written = await write(tmp_path, records=1_000, stations=STATIONS)

    records = await records_of(tmp_path)
    calls = [r for r in records if isinstance(r, MessageReceived)]
    answers = [r for r in records if isinstance(r, MessageSent)]
    cdrs = [r for r in records if isinstance(r, CdrReleased)]
    assert written.records == len(records) >= 1_000
    assert written.calls == len(calls) == len(answers)
    assert [r for r in calls if r.violations or r.error] == []
    assert [r for r in answers if r.message_type == CALLERROR] == []
    assert written.sessions == len(cdrs) == STATIONS * (len(calls) // STATIONS // CALLS_PER_SESSION)
    assert written.energy_wh == written.sessions * SESSION_WH


async def test_an_owner_starts_from_its_snapshot(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    history = await History.open(tmp_path, STATIONS)
    for _ in range(CALLS_PER_SESSION * 2):
        await history.round()
    history.snapshot()
    for _ in range(CALLS_PER_SESSION):
        await history.round()
    await history.close()

    snapshots = Snapshots(layout.journal / "snapshots.sqlite")
    journal = await SqliteJournal.open_read_only(layout.journal)
    owner = owner_from(
        snapshots,
        1,
        journal.id,
        name="0/next",
        policy=history.owner.policy,
        ids=TransactionIds(read_key(layout.secrets, "transaction-id")),
        registry=Registry(),
    )
    assert 0 < owner.position < await journal.head(1)
    await fold_range(journal, 1, owner.position, await journal.head(1), owner.fold)

    assert owner.next_counter == history.owner.next_counter == STATIONS * 3
    assert [s.transactions for s in owner.stations.values()] == [
        s.transactions for s in history.owner.stations.values()
    ]
    await journal.close()
    snapshots.close()


async def test_a_history_goes_on_where_it_ended(tmp_path: Path) -> None:
    await write(tmp_path, records=300, stations=2)
    written = await write(tmp_path, records=600, stations=2)

    cdrs = [r for r in await records_of(tmp_path) if isinstance(r, CdrReleased)]
    energies = [decode_cdr(r).energy_wh for r in cdrs]
    assert written.records >= 600
    assert len(energies) > written.sessions
    assert set(energies) == {SESSION_WH}


def decode_cdr(record: CdrReleased) -> Cdr:
    return msgspec.json.decode(record.document, type=Cdr)
