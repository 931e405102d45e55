"""Rows of sessions as they are written: transactions and CDRs.

Field names are column names. A bound may pass 64 bits, so it is written as text.
"""

from decimal import Decimal

from msgspec import Struct

from domain.cdr import cdr_of
from domain.judgement import is_over
from domain.readings import read_time
from domain.reference import Reference
from domain.running import RunningCost, running_document
from domain.station import Station
from domain.transaction import Transaction
from schemas.cdr import Cdr, canonical, cdr_id, digest


class TransactionRow(Struct, frozen=True, kw_only=True):
    id: str
    tenant: str
    station: str
    transaction_id: str
    evse: int
    connector: int
    id_token: str
    id_token_key: str
    token_status: str
    started_at: int | None
    received_at: int
    ended_at: int | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    meter_last_wh: int | None
    energy_wh: int | Decimal | None
    stop_reason: str | None
    state: str
    flags: tuple[str, ...]
    partition: int
    record_offset: int


class RunningCostRow(Struct, frozen=True, kw_only=True):
    id: str
    tenant: str
    body: RunningCost | None
    partition: int
    record_offset: int


class CdrRow(Struct, frozen=True, kw_only=True):
    id: str
    tenant: str
    partition: int
    record_offset: int
    record_index: int
    revision: int
    state: str
    station: str
    evse: int
    connector: int
    transaction_id: str
    id_token: str
    id_token_key: str
    started_at: int | None
    ended_at: int | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    energy_wh: int | Decimal | None
    energy_lower_wh: str | None
    energy_upper_wh: str | None
    stop_reason: str | None
    flags: tuple[str, ...]
    positions: dict[str, str]
    body: str
    sha256: str
    holds: tuple[str, ...]
    kind: str
    sequence: int
    credit_reference_id: str | None
    replaces: str | None
    currency: str | None
    cost_excl: str | None
    cost_incl: str | None
    cost_excl_exact: str | None
    cost_incl_exact: str | None
    tariff_id: str | None
    parking_s: str | None


class CdrRevisionRow(Struct, frozen=True, kw_only=True):
    id: str
    revision: int
    tenant: str
    partition: int
    record_offset: int
    recorded_at: int
    state: str
    body: str
    sha256: str


class CdrCountRow(Struct, frozen=True):
    id: str
    tenant: str
    state: str
    energy_wh: int | Decimal | None


TOKEN_KEY_CHARACTERS = 200
"""Of an id token in indexes, which take some 2,700 bytes; a station may send any text as one."""


def token_key(id_token: str) -> str:
    """What id tokens are found by: without case, and only so much of an absurdly long one."""
    return id_token.casefold()[:TOKEN_KEY_CHARACTERS]


def _floor(register: int | Decimal | None) -> int | None:
    # Columns of registers have whole Wh; the document has what was told.
    return None if register is None else int(register)


def transaction_row(
    station: Station, t: Transaction, offset: int, reference: Reference, cdr: Cdr | None = None
) -> TransactionRow:
    """`cdr`: what `cdr_of` says of it, if at hand."""
    energy_wh, flags = None, tuple(sorted(t.flags))
    if is_over(t):
        cdr = cdr or cdr_of(station.tenant, station.station, station.partition, t, reference)
        energy_wh, flags = cdr.energy_wh, cdr.flags
    return TransactionRow(
        id=cdr_id(station.tenant, station.station, t.transaction_id),
        tenant=station.tenant,
        station=station.station,
        transaction_id=t.transaction_id,
        evse=t.evse_id,
        connector=t.connector_id,
        id_token=t.id_token,
        id_token_key=token_key(t.id_token),
        token_status=t.token_status,
        started_at=t.started_at,
        received_at=t.start_received,
        ended_at=t.ended_at,
        meter_start_wh=_floor(t.meter_start_wh),
        meter_stop_wh=_floor(t.meter_stop_wh),
        meter_last_wh=t.last_register_wh,
        energy_wh=energy_wh,
        stop_reason=t.stop_reason,
        state="active" if t.is_running else "ended",
        flags=flags,
        partition=station.partition,
        record_offset=offset,
    )


def running_cost_row(
    station: Station, t: Transaction, offset: int, reference: Reference
) -> RunningCostRow | None:
    """Return what it owes so far; None: its tenant prices nothing."""
    tenant, name = station.tenant, station.station
    if not reference.has_tariffs(tenant, t.registry):
        return None
    return RunningCostRow(
        id=cdr_id(tenant, name, t.transaction_id),
        tenant=tenant,
        body=running_document(tenant, name, t, reference) if t.is_running else None,
        partition=station.partition,
        record_offset=offset,
    )


def cdr_row(cdr: Cdr, document: bytes | None, partition: int, offset: int, index: int) -> CdrRow:
    """`document`: the released one, kept byte for byte; None for one that is not released."""
    body = canonical(cdr) if document is None else document
    lower, upper = cdr.energy_bounds_wh or (None, None)
    cost = cdr.cost
    return CdrRow(
        id=cdr.id,
        tenant=cdr.tenant,
        partition=partition,
        record_offset=offset,
        record_index=index,
        revision=cdr.revision,
        state=cdr.state,
        station=cdr.station,
        evse=cdr.evse,
        connector=cdr.connector,
        transaction_id=cdr.transaction_id,
        id_token=cdr.id_token,
        id_token_key=token_key(cdr.id_token),
        started_at=read_time(cdr.started_at)[0],
        ended_at=read_time(cdr.ended_at)[0],
        meter_start_wh=_floor(cdr.meter_start_wh),
        meter_stop_wh=_floor(cdr.meter_stop_wh),
        energy_wh=cdr.energy_wh,
        energy_lower_wh=None if lower is None else str(lower),
        energy_upper_wh=None if upper is None else str(upper),
        stop_reason=cdr.stop_reason,
        flags=cdr.flags,
        positions=cdr.positions,
        body=body.decode(),
        sha256=digest(body),
        holds=cdr.holds,
        kind=cdr.kind,
        sequence=cdr.sequence,
        credit_reference_id=cdr.credit_reference_id,
        replaces=cdr.replaces,
        currency=cost.currency if cost else None,
        cost_excl=cost.rounded[0] if cost else None,
        cost_incl=cost.rounded[1] if cost else None,
        cost_excl_exact=cost.excl_vat if cost else None,
        cost_incl_exact=cost.incl_vat if cost else None,
        tariff_id=cdr.tariff.id if cdr.tariff else None,
        parking_s=cdr.total_parking_time_s,
    )


def cdr_revision_row(row: CdrRow, recorded_at: int) -> CdrRevisionRow:
    return CdrRevisionRow(
        id=row.id,
        revision=row.revision,
        tenant=row.tenant,
        partition=row.partition,
        record_offset=row.record_offset,
        recorded_at=recorded_at,
        state=row.state,
        body=row.body,
        sha256=row.sha256,
    )


def cdr_count_row(row: CdrRow) -> CdrCountRow:
    """A credit takes back the energy of the CDR that it names."""
    energy = row.energy_wh
    if row.kind == "credit" and energy is not None:
        energy = -energy
    return CdrCountRow(row.id, row.tenant, row.state, energy)
