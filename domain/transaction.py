"""A transaction: one charging session of one vehicle at one EVSE.

A charging station reports a transaction; nobody can refuse what has already happened (OCPP 1.6,
4.8 and 4.10). So `evolve` is total: what does not fit becomes a flag beside the figures and never
changes a figure. Reports come at least once and in any order; telling one twice leaves the same
figures.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct

from domain.clocks import reading_time
from domain.seq_numbers import SeqNumbers
from domain.signed_values import SignedValue
from domain.tariff_changes import CHANGES_MAX, ChangedTariff
from schemas.cdr import Decided
from schemas.records import SignaturesJudged
from schemas.signatures import SignatureVerdict

INTERRUPTIONS_MAX = 16
MENTIONED_MAX = 64


class Estimate(Struct, frozen=True, kw_only=True):
    """What a person released it with. It counts until the station tells more."""

    energy_wh: int | None
    ended_at: int | None
    ended: int
    """As the evidence stood: the offset of its end, -1 for none, and its end register."""
    meter_stop_wh: int | Decimal | None


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
    meter_start_wh: int | Decimal | None
    begin_wh: Decimal | None = None
    """1.6: the register as it was sampled at the begin and at the end, if it was."""
    end_wh: Decimal | None = None
    conflicting_starts: list[int] = []
    """Registers that a repeated start told, and the first did not."""
    ended: int = -1
    end_answered: int = -1
    end_received: int = 0
    ended_at: int | None = None
    meter_stop_wh: int | Decimal | None = None
    conflicting_stops: list[int] = []
    stop_reason: str | None = None
    stop_token: str = ""
    stop_group: str = ""
    start_is_live: bool = True
    """Nothing says that its start, as we were told it, had waited in a queue."""
    end_is_live: bool = True
    last_register_wh: int | None = None
    last_register_at: int | None = None
    succeeded: bool = False
    """Another one began on its EVSE before it was told to have ended."""
    succeeded_told: int = -1
    """Offset of the CALL that showed so."""
    successor_start_wh: int | Decimal | None = None
    """The register as that one began, and when that was."""
    successor_at: int | None = None
    successor_told: int = 0
    """When we were told of that one, and of this."""
    previous: str = ""
    """Id of the one before it on its EVSE."""
    previous_stop_wh: int | Decimal | None = None
    interrupted: list[int] = []
    """When the station started anew while it ran."""
    silent_since: int = 0
    """The station is back since then, and has not shown that it still runs; 0: it has."""
    has_booted: bool = False
    """It came back by starting anew, not only by connecting."""
    asked: bool = False
    """Its station was asked for it since."""
    status_told: str = ""
    """As the station answered: ongoing, queued (more is to come of it) or gone."""
    closed: int = -1
    """Offset of our record that it is over though no end was told; -1: there is none."""
    closed_reason: str = ""
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
    """(station time, Wh) of the import register as told, in order of time; none twice."""
    intervals: list[tuple[int, Decimal]] = []
    """(station time, Wh) of measurand Energy.Active.Import.Interval, as told."""
    exports: list[tuple[int, Decimal]] = []
    """The first and the last reading of the export register."""
    states: list[tuple[int, str]] = []
    """(station time, charging state of 2.0.1), as told; each where it is another one."""
    seq: SeqNumbers = msgspec.field(default_factory=SeqNumbers)
    authorized_at: int | None = None
    """When its token was first presented (2.x), and the number of that event."""
    token_seq: int | None = None
    reserved_at: int | None = None
    """When the reservation began with which it began, and until when that lasted."""
    reserved_until: int | None = None
    reserved_told: int = -1
    """Offset of the message by which the station accepted that reservation."""
    station_cost: tuple[Decimal | None, Decimal | None] | None = None
    """What the station says it costs, excluding and including tax (2.1)."""
    station_currency: str = ""
    """In what currency; empty: it did not say."""
    settled: Decimal | None = None
    reservation_id: int | None = None
    auth_method: str = ""
    """COMMAND or AUTH_REQUEST (OCPI); empty: the station let its token charge by itself."""
    id_token_type: str = ""
    """As the station told it (2.x)."""
    is_no_show: bool = False
    """No transaction: a reservation that expired, from its acceptance to its end."""
    document: bytes = b""
    """The latest released one, while the transaction is kept whole."""
    sequence: int = 0
    """Of that document, in the chain of corrections."""
    tariff_changes: list[ChangedTariff] = []
    """What the station has accepted while it ran (2.1), in the order of acceptance."""
    cost_told: str = ""
    """The total that its station was told last (CostUpdated), and when."""
    cost_told_at: int = 0
    overruled: list[str] = []
    """Doubts of what was told after its release, that a person has overruled."""
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

    costs_answered: dict[str, str] = {}
    """By seqNo and type of the event: the totals that the latest ones were answered (2.x)."""

    readings_told: list[int] = []
    """Offsets of the CALLs that told readings which are kept, the stop's own left out."""
    states_told: list[int] = []
    """Of those that told charging states."""
    others_told: list[int] = []
    """Of messages of it that told nothing which counts: repeats, contradictions, bare events."""
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
        """Whether its end was told."""
        return self.ended >= 0

    @property
    def told_id(self) -> str:
        """The id by which the station means it."""
        return self.transaction_id.partition("~")[0]

    @property
    def is_running(self) -> bool:
        """Whether nothing shows that it is over: neither its end nor the next start on its EVSE,
        nor a decision, of ours or a person's, for want of those."""
        return not (self.is_ended or self.succeeded or self.is_closed or self.released)

    @property
    def is_closed(self) -> bool:
        """Whether we have concluded that it is over; the true end makes that void."""
        return self.closed >= 0


def mention(transaction: Transaction, offset: int) -> bool:
    """Its CDR names the message at this offset, whatever that told; return whether one that is over
    is another one by that."""
    t = transaction
    named = (t.started, t.ended, t.start_told, t.stop_told, *t.readings_told[-1:])
    if offset in (*named, *t.states_told[-1:]) or len(t.others_told) >= MENTIONED_MAX:
        return False
    t.others_told.append(offset)
    return (t.is_ended or t.is_closed) and not t.released


def touch(transaction: Transaction, offset: int, at: int) -> None:
    """Its CDR is another one, because of the record at this offset."""
    transaction.revision += 1
    transaction.changed = offset
    transaction.changed_at = at


def succeed(transaction: Transaction, by: Transaction, offset: int) -> None:
    """Another transaction began on its EVSE: so it is over, unless its end is still to come."""
    if not transaction.succeeded:
        transaction.succeeded_told = offset
    transaction.succeeded = True
    transaction.succeeded_by = by.started
    transaction.successor_start_wh = by.meter_start_wh
    transaction.successor_told = max(by.start_received, transaction.start_received)
    transaction.successor_at = reading_time(by.started_at, by.start_received)


def close(transaction: Transaction, offset: int, at: int, reason: str) -> None:
    transaction.closed, transaction.closed_reason = offset, reason
    touch(transaction, offset, at)


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


def interrupt(transaction: Transaction, at: int) -> None:
    """It was cut off, and went on, at this time."""
    if len(transaction.interrupted) < INTERRUPTIONS_MAX and at not in transaction.interrupted:
        transaction.interrupted.append(at)


def flag(transaction: Transaction, flags: tuple[str, ...]) -> bool:
    if not flags:
        return False
    new = [flag for flag in dict.fromkeys(flags) if flag not in transaction.flags]
    transaction.flags.extend(new)
    return bool(new)
