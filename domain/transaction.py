"""A transaction: one charging session of one vehicle at one EVSE.

A charging station reports a transaction; nobody can refuse what has already happened (OCPP 1.6,
4.8 and 4.10). So `evolve` is total: what does not fit becomes a flag beside the figures and never
changes a figure. Reports come at least once and in any order; telling one twice leaves the same
figures.
"""

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
from schemas.records import SignaturesJudged
from schemas.signatures import SignatureVerdict

_REGISTER_MAX = 2**63 - 1
"""No register says more, and no snapshot and no CDR can hold it; the frame keeps it."""


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
    released: bool = False
    start_answer: str = ""
    """The payload that the first start got, as JSON; a repeat gets it again."""
    stop_answer: str = ""
    start_told: int = -1
    """Offset of the CALL that told the register at the start, which in 2.x is any event."""
    stop_told: int = -1
    by_events: bool = False
    """Reported by TransactionEvents (2.x): its id is the station's own."""
    event_answers: dict[str, str] = {}
    """By seqNo and id token: the payload that an event got, as JSON; a repeat gets it again."""

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
    )
    flag(transaction, fact.flags)
    return transaction


def evolve(transaction: Transaction, fact: Fact) -> bool:
    """Apply what was said of this transaction; return whether its CDR is another one now.

    Nothing changes a released transaction: what comes later is for a correction.
    """
    if transaction.released:
        return False
    if isinstance(fact, MeterValuesReported):
        before = (transaction.first_register_wh, transaction.last_register_wh)
        changed = flag(transaction, fact.flags)
        if fact.signed:
            changed |= read_signed(transaction, fact.offset, fact.signed)
        read_registers(transaction, fact.registers)
        if transaction.is_ended or transaction.succeeded:
            # A late sample moves its bounds, or contradicts its end.
            after = (transaction.first_register_wh, transaction.last_register_wh)
            changed = changed or after != before
    elif isinstance(fact, TransactionEnded):
        changed = _end(transaction, fact)
    elif isinstance(fact, TransactionStarted):
        changed = _start_again(transaction, fact)
    else:
        return False
    if changed:
        transaction.revision += 1
        transaction.changed = fact.offset
    return changed


def succeed(transaction: Transaction, fact: TransactionStarted) -> None:
    """Another transaction began on the connector: this one is over, by evidence only."""
    transaction.succeeded = True
    transaction.successor_start_wh = fact.meter_start_wh
    transaction.revision += 1
    transaction.changed = fact.offset


def release(transaction: Transaction, offset: int) -> None:
    transaction.released = True
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


def read_registers(transaction: Transaction, registers: Registers) -> None:
    for at, value in registers:
        if abs(value) > _REGISTER_MAX:
            continue
        if transaction.first_register_wh is None:
            transaction.first_register_wh = int(value)
        if transaction.last_register_at is None or (
            at is not None and at >= transaction.last_register_at
        ):
            transaction.last_register_wh = int(value)
            transaction.last_register_at = at


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
