"""The charge detail record, as billing reads it and as it is kept once released.

The shape is the same for every version of OCPP. Energy is in whole Wh, time is RFC 3339 in UTC;
`None` means unknown, never zero. Canonical form: JSON, members in the order below, no white space.
"""

from decimal import Decimal
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.cdr_cost import CdrCost, CdrPeriod, LocationSnapshot, TariffSnapshot
from schemas.signatures import Validity

CdrState = Literal["OPEN", "HELD", "FINAL", "REJECTED"]
CdrKind = Literal["original", "credit", "replacement"]
_NAMESPACE = UUID("6f1c2a52-5d0c-5c0e-9d0a-0f6f0c1e7c11").bytes


class CdrSignedValue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    position: str
    """ "partition:offset" of the CALL that carried it."""
    path: str
    """JSON pointer to it in that frame."""
    sha256: str
    """Of its text as sent."""
    validity: Validity | None
    """None: not judged yet."""
    meter: str
    key: str
    """sha256 of the public key (DER) that it was verified with; empty: none is registered."""
    public_key: str = ""
    """That key itself: its DER in base64."""


class CdrSigned(Struct, frozen=True, kw_only=True):
    energy_wh: str | None
    """The signed difference, exactly, whatever it is worth."""
    is_energy: bool
    """Calibration law binds: the signed difference is the energy, or nothing is."""
    reported_wh: int | Decimal | None
    """The difference of the registers of start and stop."""
    cross_check_wh: str | None
    """The one of the two that is not the energy."""
    paginations: tuple[str, ...]
    judged: str | None
    """ "partition:offset" of the verdict on the signatures."""
    values: tuple[CdrSignedValue, ...]


class Decided(Struct, frozen=True, kw_only=True):
    """Who decided about it, and why: a person, by a request that the journal holds."""

    actor: str
    reason: str
    request_id: str


class Cdr(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    revision: int
    """Counts the records that changed it, from 1."""
    state: CdrState
    tenant: str
    station: str
    evse: int
    connector: int
    transaction_id: str
    id_token: str
    started_at: str | None
    ended_at: str | None
    meter_start_wh: int | Decimal | None
    meter_stop_wh: int | Decimal | None
    energy_wh: int | Decimal | None
    """Whole, but for a signed difference that is not: that one is a decimal, as text."""
    energy_bounds_wh: tuple[int | Decimal | None, int | Decimal | None] | None
    """[lower, upper] where the energy is unknown or was told in contradiction: what the evidence
    allows."""
    stop_reason: str | None
    flags: tuple[str, ...]
    """Sorted; what was seen. FLAGS in docs/cdr.md."""
    positions: dict[str, str]
    """What it was made from: role → "partition:offset[,offset…]" in the journal."""
    signed: CdrSigned | None = None
    """Of a transaction in which meter values were signed."""
    authorized_at: str | None = None
    """When its token was first presented (2.x)."""
    missing_seq: tuple[int, ...] = ()
    """Numbers of events between Started and Ended that never came (2.x); the first of many."""
    missing_energy_wh: int | Decimal | None = None
    """What flowed on the connector between the session before and this one: nobody's bill."""
    energy_export_wh: str | None = None
    """What the vehicle gave back, as its own register says; never set against the import."""
    reserved_from: str | None = None
    """When the reservation began that this session used."""
    station_cost_excl: str | None = None
    """What the station says that it costs, without tax (2.1, costDetails)."""
    settled: str | None = None
    """What was settled with the driver, tax included (2.1, NotifySettlement)."""
    holds: tuple[str, ...] = ()
    """Of the flags those that hold it; of a released one, those that a person has overruled."""
    total_time_s: str | None = None
    total_parking_time_s: str | None = None
    cost: CdrCost | None = None
    charging_periods: tuple[CdrPeriod, ...] = ()
    tariff: TariffSnapshot | None = None
    """As of the start of the session."""
    location: LocationSnapshot | None = None
    rules: str | None = None
    """Versions of what the cost depends on beside tariff and session."""
    decided: Decided | None = None
    """Released, rejected or repriced by a person."""
    kind: CdrKind = "original"
    sequence: int = 0
    """Counts the documents of this transaction: the original, then credits and replacements."""
    credit: bool = False
    credit_reference_id: str | None = None
    """Of a credit: the CDR that it gives back (OCPI)."""
    replaces: str | None = None
    """Of a replacement: the CDR in whose place it stands."""
    causes: tuple[str, ...] = ()
    """Of a correction: the records because of which, "partition:offset"."""
    closed_by: str | None = None
    """The policy by which it was closed for want of an end, while that was not told."""
    auth_method: str | None = None
    """COMMAND or AUTH_REQUEST, in OCPI's words; absent: the station let its token charge."""
    id_token_type: str | None = None
    """In the words of OCPP 2.x, as the station told it."""
    id_token_group: str | None = None
    """Of the token that started it, as we answered."""
    reserved_until: str | None = None
    """When that reservation was over: as the session began, or as it had run out."""


_encoder = msgspec.json.Encoder()


def canonical(cdr: Cdr) -> bytes:
    return _encoder.encode(cdr)


def digest(document: bytes) -> str:
    return sha256(document).hexdigest()


def cdr_id(tenant: str, station: str, transaction_id: str, generation: int = 0) -> str:
    """The same in every rebuild. `generation` tells apart what re-uses a transaction id."""
    name = f"{tenant}/{station}/{transaction_id}/{generation}"
    return _uuid5(name)


@lru_cache(maxsize=4_096)
def _uuid5(name: str) -> str:
    # What uuid5 returns (RFC 9562, 5.5), without making a UUID of it: every view wants the text,
    # and while a session runs it wants it again and again.
    text = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def correction_id(original_id: str, sequence: int) -> str:
    """The id of a later document of a transaction; the same in every rebuild."""
    return original_id if sequence == 0 else _uuid5(f"{original_id}/{sequence}")
