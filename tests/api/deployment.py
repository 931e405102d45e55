"""A deployment in one process for the API's tests: real Postgres, the journal in memory.

The read model is projected when a test says so: until then the views lag, as they may.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.ports import Ports
from api.roles import Role
from infra.api_keys import ApiKeysInVault
from infra.clock import now_us
from infra.journal_memory import MemoryJournal
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from infra.record_appender import RecordAppender
from infra.vault import Vault
from infra.vault_keys import derive
from projections.ports import Progress, StoreUnavailable
from projections.read_model import ReadModel
from projections.run import Projection
from projections.states import FOLD_VERSION
from schemas.journal import REGISTRY_PARTITION, Entry
from schemas.partitions import partition_of
from schemas.records import (
    CALL,
    AnyRecord,
    ConnectionOpened,
    MessageReceived,
    Record,
    decode,
    encode,
)

VAULT_KEYS = derive(pepper=b"p" * 32, vault=b"v" * 32)
PARTITIONS = 3


class Frames:
    """Stands where ClickHouse is: the rows that a test put there, or an outage."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.is_down = False

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self.is_down:
            raise StoreUnavailable("ClickHouse")
        asked = (parameters["tenant"], parameters["station"])
        found = [row for row in self.rows if (row["tenant"], row["station"]) == asked]
        return found[: parameters["limit"]]


class Deployment:
    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.journal = MemoryJournal(PARTITIONS)
        self.store = PostgresReadStore(postgres)
        self.vault = Vault(postgres, VAULT_KEYS)
        self.keys = ApiKeysInVault(postgres)
        self.frames = Frames()
        self.log = RecordAppender(self.journal, PARTITIONS)
        self.app = self.app_with(self.log)
        self._sequence = 0

    def app_with(self, log: Any) -> FastAPI:
        return create_app(
            Ports(
                log=log,
                db=self.store,
                frames=self.frames,
                keys=self.keys,
                vault=self.vault,
                now_us=now_us,
                edge_metrics=_edge_metrics,
                signed_data_url="https://check.example/{id}",
            )
        )

    async def append(self, record: Record) -> int:
        """Append to the station's partition, as ingress or an owner would; return the offset."""
        self._sequence += 1
        partition = partition_of(record.tenant, record.station, PARTITIONS)
        value = encode(record, "test", self._sequence)
        return (await self.journal.append(partition, [value]))[0]

    async def says(
        self,
        tenant: str,
        station: str,
        number: int,
        action: str,
        payload: dict[str, Any],
        **more: Any,
    ) -> int:
        """A CALL of the station, as ingress would append it."""
        return await self.append(
            MessageReceived(
                tenant=tenant,
                station=station,
                recorded_at=now_us(),
                connection=f"connection-of-{tenant}-{station}",
                number=number,
                frame=json.dumps([CALL, f"m{number}", action, payload]),
                message_type=CALL,
                message_id=f"m{number}",
                action=action,
                **more,
            )
        )

    async def append_to_registry(self, record: Record) -> int:
        self._sequence += 1
        value = encode(record, "test", self._sequence)
        return (await self.journal.append(REGISTRY_PARTITION, [value]))[0]

    async def offset_of(self, wanted: Record) -> int:
        """Return where a record of a station stands in its partition."""
        partition = partition_of(wanted.tenant, wanted.station, PARTITIONS)
        reader = self.journal.reader({partition: 0})
        while entries := await reader.poll(records_max=1_000, timeout_s=0):
            for entry in entries:
                if decode(entry.value) == wanted:
                    return entry.offset
        raise KeyError(wanted)

    async def connect(self, tenant: str, station: str, protocol: str = "1.6") -> None:
        await self.append(
            ConnectionOpened(
                tenant=tenant,
                station=station,
                recorded_at=now_us(),
                connection=f"connection-of-{tenant}-{station}",
                protocol=protocol,
                node="0/1",
                remote="192.0.2.1",
                proof="none",
                registered=False,
            )
        )

    async def project(self) -> None:
        """Bring the views up to the head of the journal."""
        heads = {p: await self.journal.head(p) for p in range(PARTITIONS + 1)}
        await Projection(self.journal, ReadModel(self.store), self.store, until=heads).run()

    async def series_reaches_the_head(self) -> None:
        """As if everything were in ClickHouse, where `frames` stands."""
        heads = {p: await self.journal.head(p) for p in range(PARTITIONS + 1)}
        stored = await self.store.load("clickhouse")
        await self.store.save(
            Progress(
                name="clickhouse",
                journal_id=self.journal.id,
                fold_version=FOLD_VERSION,
                before=stored.positions if stored is not None else {},
                positions=heads,
                recorded_at=now_us(),
            )
        )

    async def records(self, kind: type[AnyRecord]) -> list[Any]:
        reader = self.journal.reader(dict.fromkeys(range(PARTITIONS + 1), 0))
        found: list[Entry] = []
        while entries := await reader.poll(records_max=1_000, timeout_s=0):
            found.extend(entries)
        return [r for entry in found if isinstance(r := decode(entry.value), kind)]

    async def key(self, tenant: str, role: Role) -> str:
        return await self.keys.create(tenant, f"a {role}", role)

    def client(self, token: str = "", app: FastAPI | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app or self.app, raise_app_exceptions=False),
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )


@asynccontextmanager
async def deployed(dsn: str) -> AsyncIterator[Deployment]:
    await migrate(dsn)
    async with Postgres(dsn) as postgres:
        yield Deployment(postgres)


async def _edge_metrics() -> bytes | None:
    return b"chargeledger_connections 7\n"
