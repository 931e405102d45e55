"""What the API needs of others. The read side's queries take `projections.ports.Database`."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from msgspec import Struct

from api.roles import Role
from projections.ports import Database
from projections.progress import Lateness
from schemas.records import Record


class Place(NamedTuple):
    partition: int
    offset: int


class Appender(Protocol):
    async def append(self, record: Record) -> Place:
        """Return once the record is durable in its partition, and where it is.

        Raises:
            Unavailable: it was not appended.
            AppendUnknown: it may have been; the same request may be made again.
        """
        ...

    async def heads(self) -> Mapping[int, int]:
        """Return the offset after the last record of each partition.

        Raises:
            Unavailable: nobody knows now.
        """
        ...

    async def trouble(self) -> str:
        """Return why nothing could be appended now; empty if nothing speaks against it."""
        ...


class ApiKey(Struct, frozen=True):
    id: str
    tenant: str
    name: str
    role: Role
    actor: str
    """What records say of who asked."""


class ApiKeys(Protocol):
    """Both raise StoreUnavailable."""

    async def configured(self) -> bool:
        """Tell whether there is, or ever was, a key; then nothing is answered without one."""
        ...

    async def find(self, token: str) -> ApiKey | None: ...


class StationPasswords(Protocol):
    """The passwords of one station, while nobody else changes them."""

    async def current(self, has_password: bool) -> str:
        """Return the id that counts, "" for none; `has_password`: a read model shows one."""
        ...

    async def put(self, password: bytes) -> str:
        """Return the id of its verifier, which is durable. It counts once `recorded` says so."""
        ...

    async def recorded(self, password_id: str) -> None:
        """Say that the journal holds a record that names it."""
        ...

    async def removed(self) -> None:
        """Say that the journal holds a record that names no password any more."""
        ...


class Vault(Protocol):
    """Where secrets are kept. Everything raises StoreUnavailable."""

    def registering(
        self, tenant: str, station: str
    ) -> AbstractAsyncContextManager[StationPasswords]: ...

    def digest(self, secret: str) -> str:
        """Return what tells two secrets apart and says nothing to who has no key."""
        ...

    def secret_id(self, command_id: str, secret: str) -> str:
        """Return the id that `put_secret` keeps it under: the same for the same of both.

        `command_id` is a UUID, of the command or of what else carries the secret.
        """
        ...

    async def put_secret(self, tenant: str, station: str, command_id: str, secret: str) -> str:
        """Return its id; it is durable."""
        ...


class EdgeMetrics(Protocol):
    async def __call__(self) -> bytes | None:
        """Return the edge's figures in Prometheus' text format; None if it does not answer."""
        ...


class Clock(Protocol):
    def __call__(self) -> int:
        """Microseconds since 1970 in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    log: Appender
    db: Database
    """Postgres."""
    frames: Database
    """ClickHouse."""
    keys: ApiKeys
    vault: Vault
    now_us: Clock
    edge_metrics: EdgeMetrics
    signed_data_url: str = ""
    lateness: Lateness = field(default_factory=Lateness)
