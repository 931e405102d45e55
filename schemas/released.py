"""A released document as whoever exports it reads it: leniently, whatever version released it.

Documents are kept byte for byte for ever, so one of an earlier version lacks members that later
ones have; those are then absent here, never guessed.
"""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

Rounded = tuple[str | None, str]


class ReleasedPart(Struct, frozen=True):
    excl_vat: str | None
    incl_vat: str
    rounded: Rounded


class ReleasedTax(Struct, frozen=True):
    name: str | None
    percentage: str | None
    amount: str


class ReleasedCost(Struct, frozen=True):
    currency: str
    excl_vat: str | None
    incl_vat: str
    rounded: Rounded
    energy: ReleasedPart | None = None
    time: ReleasedPart | None = None
    parking: ReleasedPart | None = None
    fixed: ReleasedPart | None = None
    reservation: ReleasedPart | None = None
    limit: ReleasedPart | None = None
    taxes: tuple[ReleasedTax, ...] = ()
    billed_energy_wh: str | None = None


class ReleasedPeriod(Struct, frozen=True):
    start_date_time: str
    energy_wh: str
    time_s: str = "0"
    parking_time_s: str = "0"
    unpriced_s: str = "0"


class Snapshot(Struct, frozen=True):
    position: str
    document: Raw
    id: str = ""


class ReleasedBy(Struct, frozen=True):
    actor: str = ""
    reason: str = ""


class ReleasedSignedValue(Struct, frozen=True):
    position: str
    path: str
    sha256: str
    meter: str = ""
    public_key: str = ""


class ReleasedSigned(Struct, frozen=True):
    energy_wh: str | None = None
    is_energy: bool = False
    values: tuple[ReleasedSignedValue, ...] = ()


class Released(Struct, frozen=True, kw_only=True):
    id: str
    revision: int
    state: str
    tenant: str
    station: str
    evse: int
    connector: int
    transaction_id: str
    id_token: str
    started_at: str | None = None
    ended_at: str | None = None
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    energy_wh: int | Decimal | None = None
    stop_reason: str | None = None
    flags: tuple[str, ...] = ()
    positions: dict[str, Any] = {}
    total_time_s: str | None = None
    total_parking_time_s: str | None = None
    cost: ReleasedCost | None = None
    charging_periods: tuple[ReleasedPeriod, ...] = ()
    tariff: Snapshot | None = None
    location: Snapshot | None = None
    decided: ReleasedBy | None = None
    kind: str = "original"
    sequence: int = 0
    credit_reference_id: str | None = None
    replaces: str | None = None
    signed: ReleasedSigned | None = None
    auth_method: str | None = None
    id_token_type: str | None = None
    reserved_from: str | None = None
    reserved_until: str | None = None


_decode = msgspec.json.Decoder(Released).decode


def read_released(document: bytes) -> Released:
    """Raise msgspec.MsgspecError for what is no CDR."""
    return _decode(document)
