"""Transactions: each charging session as far as it is known."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.readings import whole
from domain.running import RunningCost
from projections.ports import Database
from projections.session_rows import token_key
from projections.times import utc


class TransactionRow(Struct, frozen=True, kw_only=True):
    id: str
    """The uuid of its CDR."""
    tenant: str
    station: str
    transaction_id: str
    """The station's own id: in 1.6 an integer that we gave."""
    evse: int
    connector: int
    id_token: str
    token_status: str
    started_at: datetime | None
    """By the station's clock; `received_at` is ours."""
    received_at: datetime
    ended_at: datetime | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    meter_last_wh: int | None
    """The latest register that a sample showed."""
    energy_wh: int | Decimal | None
    """None until both registers are known and agree."""
    stop_reason: str | None
    state: Literal["active", "ended"]
    """Ended is also what is over by other evidence: `ended_at` is null until its end is told."""
    flags: tuple[str, ...]
    position: str
    """ "partition:offset" of the last record that told something of it."""


class Wanted(Struct, frozen=True):
    """Which transactions; None: whatever it is."""

    station: str | None = None
    id_token: str | None = None
    """Compared without case."""
    state: Literal["active", "ended"] | None = None


ALL = Wanted()


async def find_transactions(
    db: Database, tenant: str, wanted: Wanted = ALL, *, after: str | None = None, limit: int = 100
) -> list[TransactionRow]:
    """Return transactions, the latest first; `after` is the `id` of the last one seen."""
    rows = await db.fetch(
        "transactions.find",
        {
            **_filter(tenant, wanted),
            "after": None if after is None else _uuid(after) or str(UUID(int=0)),
            "limit": limit,
        },
    )
    return [_transaction(dict(row)) for row in rows]


async def count_transactions(db: Database, tenant: str, wanted: Wanted = ALL) -> int:
    rows = await db.fetch("transactions.count", _filter(tenant, wanted))
    return int(rows[0]["total"])


async def find_transaction(
    db: Database, tenant: str, id: str, station: str | None = None
) -> TransactionRow | None:
    """Return the transaction with this uuid, or with this id of the station's own.

    The latter is told apart by `station`; without it, the latest one is meant.
    """
    rows = await db.fetch(
        "transactions.one",
        {"tenant": tenant, "id": _uuid(id), "transaction_id": id, "station": station},
    )
    return _transaction(dict(rows[0])) if rows else None


def _filter(tenant: str, wanted: Wanted) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "station": wanted.station,
        "id_token": None if wanted.id_token is None else token_key(wanted.id_token),
        "state": wanted.state,
    }


async def find_running_cost(db: Database, tenant: str, id: str) -> RunningCost | None:
    """Return what it owes up to its last reading; None: it is over, or nothing prices it."""
    rows = await db.fetch("transactions.cost", {"tenant": tenant, "id": id})
    body = rows[0]["body"] if rows else None
    return None if body is None else msgspec.convert(body, RunningCost)


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _transaction(row: dict[str, Any]) -> TransactionRow:
    for name in ("started_at", "received_at", "ended_at"):
        row[name] = utc(row[name])
    row["flags"] = tuple(row["flags"])
    row["id"] = str(row["id"])
    last, energy = row["meter_last_wh"], row["energy_wh"]
    row["meter_last_wh"] = None if last is None else int(last)
    row["energy_wh"] = None if energy is None else whole(Decimal(energy))
    return TransactionRow(**row)
