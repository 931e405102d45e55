"""What a conversation says: facts, in the words of OCPP 2.0.1, whatever version was spoken.

A fact is derived from frames each time the log is read and is stored nowhere. It is stated once its
CALL is answered, in the order of the answers. Energy is Wh, time is microseconds since 1970 (UTC);
`None` is a value that was absent or unreadable, never a zero. Flags are those of the CDR.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from domain.holdings import Change, Fold


class Fact(Struct, frozen=True, kw_only=True):
    offset: int
    """Of the record that reported it: the provenance of what is said here."""
    recorded_at: int
    superseded: bool = False
    """It came over a connection that was no longer the station's newest."""


class StationBooted(Fact, frozen=True, kw_only=True):
    vendor: str
    model: str
    serial_number: str = ""
    firmware_version: str = ""
    reason: str = ""
    """Why it started (2.x)."""
    status: str = "Accepted"
    """As we answered it: Accepted, Pending or Rejected."""


class ConnectorStatusReported(Fact, frozen=True, kw_only=True):
    evse_id: int
    """0 is the station as a whole."""
    connector_id: int
    status: str
    """As the station's version spells it (1.6 has more states than 2.0.1)."""
    error_code: str = ""
    detail: str = ""
    at: int | None = None
    outdated: bool = False
    """Told hours late, and the connector has said something newer: its state is not this."""


class SampledValue(Struct, frozen=True, kw_only=True):
    """One value of a meter, normalised: unit in base units (Wh, W, A, V, Percent, …)."""

    at: int | None
    value: Decimal | None
    """None where it is no number (signed data, text): `raw` has it."""
    raw: str
    measurand: str = "Energy.Active.Import.Register"
    phase: str = ""
    context: str = "Sample.Periodic"
    location: str = "Outlet"
    unit: str = "Wh"
    format: str = "Raw"
    signed: dict[str, Any] | None = None
    """2.x signedMeterValue beside the value, as told."""


Register = tuple[int | None, Decimal]
"""A reading of the outlet's import register over all phases: (station time, Wh), as told."""

Registers = tuple[Register, ...]

OtherRegisters = tuple[tuple[str, int | None, Decimal], ...]
"""("interval" or "export", station time, Wh): energy that splits nothing by itself; and, of 1.6,
"begin" or "end": which of the readings were sampled at an end of the transaction."""

SignedTexts = tuple[tuple[str, str], ...]
"""Signed values: (JSON pointer in the frame, text as told)."""


class MeterValuesReported(Fact, frozen=True, kw_only=True):
    evse_id: int
    connector_id: int
    transaction_id: str = ""
    registers: Registers
    others: OtherRegisters = ()
    flags: tuple[str, ...] = ()
    signed: SignedTexts = ()
    read: Callable[[], tuple[SampledValue, ...]]

    @property
    def samples(self) -> tuple[SampledValue, ...]:
        """Every sampled value, read anew from the frame at each call: only views want them."""
        return self.read()


class TokenAsked(Fact, frozen=True, kw_only=True):
    """The station asked us whether a token may charge (Authorize)."""

    id_token: str


class TransactionStarted(Fact, frozen=True, kw_only=True):
    transaction_id: str
    """A string in every version; given by us in 1.6."""
    answered: int
    """The offset of our answer."""
    evse_id: int
    connector_id: int
    id_token: str
    token_status: str
    """As we answered it: Accepted, Blocked, Expired, Invalid, ConcurrentTx."""
    group: str = ""
    registry: int = -1
    """How much of the registry our answer knew."""
    meter_start_wh: int | None
    started_at: int | None
    reservation_id: int | None = None
    flags: tuple[str, ...] = ()
    repeated: bool = False
    """A re-send of a start that we had answered before."""


class TransactionEnded(Fact, frozen=True, kw_only=True):
    transaction_id: str
    answered: int
    meter_stop_wh: int | None
    ended_at: int | None
    reason: str = "Local"
    id_token: str = ""
    token_status: str = ""
    """As we answered it; empty where no token was presented."""
    group: str = ""
    registry: int = -1
    registers: Registers
    others: OtherRegisters = ()
    flags: tuple[str, ...] = ()
    repeated: bool = False
    signed: SignedTexts = ()
    read: Callable[[], tuple[SampledValue, ...]]

    @property
    def samples(self) -> tuple[SampledValue, ...]:
        """Every sampled value of transactionData, read anew at each call."""
        return self.read()


class TransactionEventReported(Fact, frozen=True, kw_only=True):
    """A TransactionEvent (2.x): what it says itself; what an earlier one said is not repeated."""

    transaction_id: str
    """The station's own; of this station only."""
    answered: int
    """The offset of our answer."""
    event_type: str
    """Started, Updated or Ended; as told where it is none of them, and flagged."""
    seq_no: int | None
    """Counts the events of the transaction, from 0 or not; the order in which they happened."""
    at: int | None
    """When it happened."""
    trigger_reason: str
    offline: bool = False
    charging_state: str = ""
    stopped_reason: str = ""
    """Empty where it is not told; at the end that means Local (2.0.1, part 2, 1.60)."""
    evse_id: int | None = None
    """None: not told. Only the first event after it is known has to tell it."""
    connector_id: int | None = None
    id_token: str = ""
    """Presented now; empty: none was."""
    id_token_type: str = ""
    token_status: str = ""
    """As we answered it; empty where no token was presented, be it one of type NoAuthorization."""
    group: str = ""
    """groupIdToken of the token, as we answered it."""
    registry: int = -1
    """How much of the registry our answer knew."""
    remote_start_id: int | None = None
    reservation_id: int | None = None
    operation_mode: str = ""
    tariff_id: str = ""
    transaction_limit: dict[str, Any] | None = None
    cost_details: dict[str, Any] | None = None
    """What the station says it costs (2.1), as told."""
    begin: Register | None = None
    """The reading with context Transaction.Begin, whichever event carries it."""
    end: Register | None = None
    """The one with context Transaction.End."""
    registers: Registers
    """Every reading of the register, these two among them, in the order of the frame."""
    others: OtherRegisters = ()
    flags: tuple[str, ...] = ()
    signed: SignedTexts = ()
    read: Callable[[], tuple[SampledValue, ...]]

    @property
    def samples(self) -> tuple[SampledValue, ...]:
        """Every sampled value, read anew at each call."""
        return self.read()


class TransactionConcluded(Fact, frozen=True, kw_only=True):
    """It is over as far as we can know, though no end was told."""

    transaction_id: str
    reason: str


class ReservationConcluded(Fact, frozen=True, kw_only=True):
    """A reservation expired unused, or what was said of one that had: its CDR is another one."""

    transaction_id: str
    """Under which it is kept beside the transactions."""


class DoubtOverruled(Fact, frozen=True, kw_only=True):
    """A person overruled what was in doubt about a released CDR."""

    transaction_id: str


class SettlementReported(Fact, frozen=True, kw_only=True):
    """What was settled with the driver (2.1)."""

    transaction_id: str
    amount: Decimal
    status: str


class MessageOrphaned(Fact, frozen=True, kw_only=True):
    """A money message that belongs to no transaction we know: kept for a person, never guessed."""

    reason: str
    transaction_id: str
    detail: dict[str, Any] = {}


class StateTold(Fact, frozen=True, kw_only=True):
    """Something that a station holds, as it told in a CALL or SEND of its own."""

    answered: int
    fold: Fold
    request: Mapping[str, Any]
    result: Mapping[str, Any]
    """Our answer; empty to a SEND."""
    is_history: bool = False
    """It tells what happened, not how things are: it counts over any connection."""


class StateChanged(Fact, frozen=True, kw_only=True):
    """What a station holds beside its transactions is another thing now (`domain.holdings`)."""

    changes: tuple[Change, ...]


class ConnectionChanged(Fact, frozen=True, kw_only=True):
    connection: str
    opened: bool
    reason: str = ""


class SignaturesVerified(Fact, frozen=True, kw_only=True):
    """What was signed of a transaction has a verdict."""

    transaction_id: str


class TariffChanged(Fact, frozen=True, kw_only=True):
    """The station accepted another tariff in a running transaction (2.1)."""

    transaction_id: str


class CdrFixed(Fact, frozen=True, kw_only=True):
    """The CDR became a released document."""

    transaction_id: str
    document: bytes
