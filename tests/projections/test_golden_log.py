"""The golden log: built anew, it gives the same CDRs, and billing gets what it got before."""

from hashlib import sha256

import pytest

from infra.journal_evidence import evidence_in
from infra.read_store import PostgresReadStore
from infra.scenario_world import TENANT
from projections.cdrs import CdrRow, feed
from projections.read_model import ReadModel
from projections.run import Projection
from schemas.cdr import digest
from schemas.journal import Journal
from tests.golden import DIGEST, journal_of, logs, released_in

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


async def projected(journal: Journal, store: PostgresReadStore) -> dict[str, CdrRow]:
    await store.forget("read", tables=True)
    until = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    await Projection(journal, ReadModel(store), store, until=until).run()
    found: dict[str, CdrRow] = {}
    after = None
    while items := (page := await feed(store, TENANT, after=after)).items:
        found |= {item.cdr.id: item for item in items}
        after = page.next
    return found


async def test_a_rebuild_gives_the_same_ids_bytes_and_digests(store: PostgresReadStore) -> None:
    digests = sha256()
    scenarios = 0
    for name, values in logs():
        scenarios += 1
        journal = await journal_of(values)
        live = await projected(journal, store)
        before = await store.digests("read")
        again = await projected(journal, store)
        assert again == live, name
        assert await store.digests("read") == before, name
        released = released_in(values[1])
        for cdr_id, (body, sha) in sorted(released.items()):
            assert (live[cdr_id].body, live[cdr_id].sha256) == (body, sha), name
            assert digest(body) == sha
            assert live[cdr_id].cdr.state == "FINAL", name
            digests.update(f"{cdr_id} {live[cdr_id].sha256}\n".encode())
        finals = {cdr_id for cdr_id, row in live.items() if row.cdr.state == "FINAL"}
        assert finals == released.keys(), name
    assert scenarios > 100
    assert digests.hexdigest() == DIGEST.read_text().strip()


async def test_what_was_released_has_its_evidence_in_the_golden_log() -> None:
    checked = 0
    for name, values in logs():
        for cdr_id, (body, _) in released_in(values[1]).items():
            made = await evidence_in(await journal_of(values), TENANT, cdr_id)
            assert made is not None, name
            assert body in made, name
            checked += 1
    assert checked > 50
