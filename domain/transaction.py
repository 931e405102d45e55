"""A transaction: one charging session of one vehicle at one EVSE.

A charging station reports a transaction; nobody can refuse what has already happened (OCPP 1.6,
4.8 and 4.10). So `evolve` is total: what does not fit becomes a flag beside the figures and never
changes a figure. Reports come at least once and in any order; telling one twice leaves the same
figures.
"""

from decimal import Decimal

from msgspec import Struct

from domain.facts import (
    Fact,
    MeterValuesReported,
    Registers,
    SignedTexts,
    TransactionEnded,
    TransactionStarted,
)
from domain.signed_values import SignedValue, keep
from domain.tariff_changes import CHANGES_MAX, ChangedTariff
from schemas.cdr import Decided
from schemas.records import SignaturesJudged
from schemas.signatures import SignatureVerdict

_REGISTER_MAX = 2**63 - 1
"""No register says more, and no snapshot and no CDR can hold it; the frame keeps it."""


READINGS_MAX = 3_000
"""Two days with one a minute; what comes later splits no energy."""

STATES_MAX = 1_000


class Estimate(Struct, frozen=True, kw_only=True):
    """What a person released it with. It counts until the station tells more."""

    energy_wh: int | None
    ended_at: int | None
    ended: int
    """As the evidence stood: the offset of its end, -1 for none, and its end register."""
    meter_stop_wh: int | None


class Repriced(Struct, frozen=True, kw_only=True):
    """By what a person had it priced anew."""

    tariff_id: str
    """Empty: by the one assigned, as known at `registry`."""
    registry: int


class Transaction(Struct, kw_only=True):
    transaction_id: str
    evse_id: int
    connector_id: int
    id_token: str
    token_status: str
    started: int
    """Offset of the CALL that started it; -1 if none came."""
    start_answered: int
    start_received: int
    """When we were first told of it."""
    started_at: int | None
    meter_start_wh: int | None
    conflicting_start_wh: int | None = None
    ended: int = -1
    end_answered: int = -1
    end_received: int = 0
    ended_at: int | None = None
    meter_stop_wh: int | None = None
    stop_reason: str | None = None
    stop_token: str = ""
    first_register_wh: int | None = None
    last_register_wh: int | None = None
    last_register_at: int | None = None
    successor_start_wh: int | None = None
    """meterStart of the next transaction on the connector, if one began before this one ended."""
    succeeded: bool = False
    flags: list[str] = []
    revision: int = 1
    changed: int
    """Offset of the record that made this revision."""
    changed_at: int = 0
    """When we received it."""
    released: bool = False
    start_answer: str = ""
    """The payload that the first start got, as JSON; a repeat gets it again."""
    stop_answer: str = ""
    registry: int = -1
    """The registry position that the answer to its start knew: it is priced by what that knew."""
    group: str = ""
    """Of the token that started it, as we answered."""
    readings: list[tuple[int, Decimal]] = []
    """(station time, Wh) of the import register, as told, in the order of telling."""
    states: list[tuple[int, str]] = []
    """(station time, charging state of 2.0.1), as told; each where it is another one."""
    reservation_id: int | None = None
    document: bytes = b""
    """The latest released one, while the transaction is kept whole."""
    sequence: int = 0
    """Of that document, in the chain of corrections."""
    tariff_changes: list[ChangedTariff] = []
    """What the station has accepted while it ran (2.1), in the order of acceptance."""
    cost_told: str = ""
    """The total that its station was told last (CostUpdated), and when."""
    cost_told_at: int = 0
    rejected: Decided | None = None
    estimate: Estimate | None = None
    repriced: Repriced | None = None
    start_told: int = -1
    """Offset of the CALL that told the register at the start, which in 2.x is any event."""
    stop_told: int = -1
    by_events: bool = False
    """Reported by TransactionEvents (2.x): its id is the station's own."""
    event_answers: dict[str, str] = {}
    """By seqNo and id token: the payload that an event got, as JSON; a repeat gets it again."""

    readings_told: list[int] = []
    """Offsets of the CALLs that told readings which are kept, the stop's own left out."""
    states_told: list[int] = []
    """Of those that told charging states."""
    succeeded_by: int = -1
    """Offset of the start that ended it by evidence."""
    signed: list[SignedValue] = []
    verdicts: dict[str, SignatureVerdict] = {}
    """By the digest of a signed value's text: what its signature is worth, as last judged."""
    is_calibrated: bool = False
    """Calibration law binds where it charged, as last judged."""
    judged: int = -1
    """Offset of the record that judged what was signed."""
    judged_by: str = ""
    """Names what was registered of the station's meters then."""

    @property
    def is_ended(self) -> bool:
        return self.ended >= 0


def begin(fact: TransactionStarted) -> Transaction:
    transaction = Transaction(
        transaction_id=fact.transaction_id,
        evse_id=fact.evse_id,
        connector_id=fact.connector_id,
        id_token=fact.id_token,
        token_status=fact.token_status,
        started=fact.offset,
        start_answered=fact.answered,
        start_received=fact.recorded_at,
        started_at=fact.started_at,
        meter_start_wh=fact.meter_start_wh,
        changed=fact.offset,
        flags=[],
        registry=fact.registry,
        group=fact.group,
        reservation_id=fact.reservation_id,
    )
    flag(transaction, fact.flags)
    return transaction


def evolve(transaction: Transaction, fact: Fact) -> bool:
    """Apply what was said of this transaction; return whether its CDR is another one now.

    Of a released transaction it is what a correction would be made of; its CDR stays.
    """
    if isinstance(fact, MeterValuesReported):
        changed = flag(transaction, fact.flags)
        if fact.signed:
            changed |= read_signed(transaction, fact.offset, fact.signed)
        is_told = read_registers(transaction, fact.registers)
        if is_told:
            transaction.readings_told.append(fact.offset)
        if transaction.is_ended or transaction.succeeded:
            # A late sample moves its bounds, contradicts its end, or splits its energy.
            changed = changed or is_told
    elif isinstance(fact, TransactionEnded):
        changed = _end(transaction, fact)
    elif isinstance(fact, TransactionStarted):
        changed = _start_again(transaction, fact)
    else:
        return False
    if changed:
        transaction.revision += 1
        transaction.changed = fact.offset
        transaction.changed_at = fact.recorded_at
    return changed


def succeed(transaction: Transaction, fact: TransactionStarted) -> None:
    """Another transaction began on the connector: this one is over, by evidence only."""
    transaction.succeeded = True
    transaction.succeeded_by = fact.offset
    transaction.successor_start_wh = fact.meter_start_wh
    transaction.revision += 1
    transaction.changed = fact.offset


def change_tariff(transaction: Transaction, change: ChangedTariff) -> bool:
    """Return whether its CDR is another one now."""
    if transaction.is_ended or len(transaction.tariff_changes) >= CHANGES_MAX:
        return False
    transaction.tariff_changes.append(change)
    transaction.revision += 1
    transaction.changed, transaction.changed_at = change.offset, change.at_us
    return True


def release(transaction: Transaction, offset: int, document: bytes) -> None:
    transaction.released = True
    transaction.rejected = None
    transaction.document = document
    transaction.revision += 1
    transaction.changed = offset


def shed(transaction: Transaction) -> None:
    """Forget what only a correction of our own needs: a person can have it priced anew all the same
    by its released document."""
    transaction.document = b""
    transaction.readings, transaction.states = [], []


def reject(transaction: Transaction, offset: int, decided: Decided) -> None:
    transaction.rejected = decided
    transaction.revision += 1
    transaction.changed = offset


def verified(transaction: Transaction, offset: int, record: SignaturesJudged) -> None:
    """What was signed has a verdict, by the keys that were registered when it was given."""
    transaction.verdicts = {verdict.container: verdict for verdict in record.verdicts}
    transaction.is_calibrated = record.is_calibrated
    transaction.judged, transaction.judged_by = offset, record.registration
    transaction.revision += 1
    transaction.changed = offset


def _start_again(transaction: Transaction, fact: TransactionStarted) -> bool:
    if fact.meter_start_wh == transaction.meter_start_wh:
        return flag(transaction, ("DUPLICATE_START",))
    transaction.conflicting_start_wh = fact.meter_start_wh
    return flag(transaction, ("CONFLICTING_START",))


def _end(transaction: Transaction, fact: TransactionEnded) -> bool:
    if fact.signed:
        read_signed(transaction, fact.offset, fact.signed)
    if transaction.is_ended:
        same = (fact.ended_at, fact.meter_stop_wh) == (
            transaction.ended_at,
            transaction.meter_stop_wh,
        )
        return flag(transaction, ("DUPLICATE_STOP" if same else "CONFLICTING_STOP",))
    transaction.ended = fact.offset
    transaction.end_answered = fact.answered
    transaction.end_received = fact.recorded_at
    transaction.ended_at = fact.ended_at
    transaction.meter_stop_wh = fact.meter_stop_wh
    transaction.stop_reason = fact.reason
    transaction.stop_token = fact.id_token
    flag(transaction, fact.flags)
    if fact.reason == "PowerLoss":
        flag(transaction, ("POWER_LOSS",))
    if fact.id_token and fact.id_token.casefold() != transaction.id_token.casefold():
        flag(transaction, ("STOP_TAG_MISMATCH",))
    read_registers(transaction, fact.registers)
    return True


def charging_state(transaction: Transaction, at: int, state: str) -> bool:
    """Keep the state if it is another one than the last; return whether it was."""
    states = transaction.states
    if (states and states[-1][1] == state) or len(states) >= STATES_MAX:
        return False
    states.append((at, state))
    return True


def read_registers(transaction: Transaction, registers: Registers) -> bool:
    """Take these readings; return whether they say anything new."""
    readings = transaction.readings
    before = (len(readings), transaction.first_register_wh, transaction.last_register_wh)
    for at, value in registers:
        if abs(value) > _REGISTER_MAX:
            continue
        if at is not None and len(readings) < READINGS_MAX and (at, value) not in readings[-2:]:
            readings.append((at, value))
        if transaction.first_register_wh is None:
            transaction.first_register_wh = int(value)
        if transaction.last_register_at is None or (
            at is not None and at >= transaction.last_register_at
        ):
            transaction.last_register_wh = int(value)
            transaction.last_register_at = at
    return before != (len(readings), transaction.first_register_wh, transaction.last_register_wh)


def read_signed(transaction: Transaction, offset: int, signed: SignedTexts) -> bool:
    """Keep what decides; return whether there is something new, which waits for its verdict."""
    new = (SignedValue(offset=offset, path=path, text=text) for path, text in signed)
    return keep(transaction.signed, new)


def flag(transaction: Transaction, flags: tuple[str, ...]) -> bool:
    if not flags:
        return False
    new = [flag for flag in dict.fromkeys(flags) if flag not in transaction.flags]
    transaction.flags.extend(new)
    return bool(new)
