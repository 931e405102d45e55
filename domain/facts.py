"""What a conversation says: facts, in the words of OCPP 2.0.1, whatever version was spoken.

A fact is derived from frames each time the log is read and is stored nowhere. It is stated once its
CALL is answered, in the order of the answers. Energy is Wh, time is microseconds since 1970 (UTC);
`None` is a value that was absent or unreadable, never a zero. Flags are those of the CDR.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct


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


class ConnectorStatusReported(Fact, frozen=True, kw_only=True):
    evse_id: int
    """0 is the station as a whole."""
    connector_id: int
    status: str
    """As the station's version spells it (1.6 has more states than 2.0.1)."""
    error_code: str = ""
    detail: str = ""
    at: int | None = None


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


Registers = tuple[tuple[int | None, Decimal], ...]
"""Readings of the outlet's import register over all phases: (station time, Wh), as told."""


class MeterValuesReported(Fact, frozen=True, kw_only=True):
    evse_id: int
    connector_id: int
    transaction_id: str = ""
    registers: Registers
    flags: tuple[str, ...] = ()
    read: Callable[[], tuple[SampledValue, ...]]

    @property
    def samples(self) -> tuple[SampledValue, ...]:
        """Every sampled value, read anew from the frame at each call: only views want them."""
        return self.read()


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
    registers: Registers
    flags: tuple[str, ...] = ()
    repeated: bool = False
    read: Callable[[], tuple[SampledValue, ...]]

    @property
    def samples(self) -> tuple[SampledValue, ...]:
        """Every sampled value of transactionData, read anew at each call."""
        return self.read()


class MessageOrphaned(Fact, frozen=True, kw_only=True):
    """A money message that belongs to no transaction we know: kept for a person, never guessed."""

    reason: str
    transaction_id: str
    detail: dict[str, Any] = {}


class StationProgressed(Fact, frozen=True, kw_only=True):
    """A job of the station moved: firmware, diagnostics, logs."""

    job: str
    status: str
    request_id: int | None = None


class ConnectionChanged(Fact, frozen=True, kw_only=True):
    connection: str
    opened: bool
    reason: str = ""


class CdrFixed(Fact, frozen=True, kw_only=True):
    """The CDR became a released document."""

    transaction_id: str
    document: bytes
