"""A charging station's state: what a decision or a view of it reads. `conversation` folds it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from domain.cdr_requests import CdrRequest
from domain.commands import Command
from domain.facts import StationBooted
from domain.holdings import Holdings
from domain.mending import mended
from domain.transactions import Transactions
from schemas.frames import reread
from schemas.records import CALL, VERSION_16, MessageSent

OUTBOX_MAX = 8
"""Frames of ours that nobody has confirmed yet, kept for a new owner to hand over again."""

FINISHED_MAX = 64
"""Ids of finished commands that are known again without a database; the API knows the older."""

UNREADABLE_ID = "-1"
"""What an error is sent under to a frame without a readable id (2.0.1, part 4, 4.2.3)."""


class Connection(Struct):
    id: str
    opened: int
    opened_at: int
    protocol: str
    node: str
    remote: str
    registered: bool
    credential: str = ""
    """Of the password that it came with."""


class PasswordChange(Struct):
    """What a command that sets the station's password has come to; see `domain/passwords.py`."""

    verdict: str
    at: int
    """The offset of the record that said so."""


class Connector(Struct):
    status: str
    error_code: str
    detail: str
    at: int | None
    recorded_at: int
    offset: int
    since: int = 0
    """When it first said this status: its own time, or ours where it gave none."""


class ToldState(NamedTuple):
    """A charging state of 1.6, by the station's clock."""

    at: int
    state: str
    offset: int


class Forwarded(Struct):
    """A CALL that waits until `expires_at` for a provider to answer it."""

    asked_at: int
    expires_at: int
    answer: bytes = b""
    """The result's payload as JSON; empty: none has come."""
    secrets: tuple[str, ...] = ()
    """Ids of those that stand in it."""
    actor: str = ""
    """Who gave it."""
    is_over: bool = False
    """The station was answered; if it sends the same CALL again, it gets the same."""


class OpenCall(Struct):
    """A CALL of the station that we have not answered yet."""

    offset: int
    recorded_at: int
    connection: str
    message_id: str
    action: str
    error: str
    violation: str
    frame: str
    superseded: bool
    """It came over a connection that was not the newest at this point of the log."""
    version: str = VERSION_16
    """Of OCPP, that its connection speaks."""
    payload: Any = None
    """Parsed at the edge; None in a snapshot and in a log that is read again."""
    is_mended: bool = False
    """Whether the payload is what `domain.mending` reads of the station's."""
    is_changed: bool = False
    """Whether that is another one."""
    is_doubted: bool = False
    """Whether a member stands twice in it."""
    forwarded: Forwarded | None = None
    """It waits for a provider, or has its answer."""


class Station(Struct):
    tenant: str
    station: str
    partition: int
    offset: int = -1
    """Of the last record folded."""
    connection: Connection | None = None
    seen_at: int = 0
    is_catching_up: bool = False
    """It is back, and what it says now may have waited in a queue."""
    identity: StationBooted | None = None
    boot_status: str = ""
    """What its last BootNotification was answered; empty: it never booted here."""
    connectors: dict[tuple[int, int], Connector] = {}
    """By (EVSE, connector); (0, 0) is the station as a whole, of which 1.6 tells."""
    asked: dict[str, int] = {}
    """Id token (without case) → when it last asked us about it; the longest ago first."""
    charging_states: dict[int, list[ToldState]] = {}
    """By EVSE, as told; those kept that may belong to a transaction not told of yet."""
    open_calls: dict[int, OpenCall] = {}
    commands: dict[str, Command] = {}
    """Unfinished ones in the order of their requests, and those whose effect is looked for."""
    in_flight: str = ""
    """Id of the command whose CALL is not answered yet; one at a time."""
    finished: list[str] = []
    outbox: dict[int, MessageSent] = {}
    unseen: tuple[int, ...] = ()
    """Of what is in the outbox, the answers to CALLs that waited for a provider: that the station
    calls again does not say that it has seen them."""
    cdr_requests: dict[str, CdrRequest] = {}
    """What people asked about CDRs and nobody has decided yet, in order."""
    cdr_decided: list[str] = []
    transactions: Transactions = msgspec.field(default_factory=Transactions)
    passwords: dict[str, PasswordChange] = {}
    """Of commands that set it, by command id, the latest last."""
    held: Holdings | None = None
    """What it holds beside; None until it first spoke of any: most stations of 1.6 never do."""

    def limit_of(self, limit: str) -> int | None:
        """What it says that one message of ours may hold, if it has said so.

        "ItemsPerMessageGetVariables", "BytesPerMessageSetVariables", "GetConfigurationMaxKeys", …
        """
        return None if self.held is None else self.held.limits.get(limit)

    def forget_outbox(self) -> None:
        self.outbox.clear()
        self.unseen = ()

    def is_newest(self, connection: str) -> bool:
        return self.connection is not None and self.connection.id == connection

    def unconfirmed(self, now: int) -> Iterator[tuple[int, MessageSent]]:
        """Yield our frames, by offset, that the newest connection may not have got yet."""
        for offset, sent in self.outbox.items():
            if self.is_newest(sent.connection) and (not sent.deadline or sent.deadline > now):
                yield offset, sent


def payload_of(call: OpenCall) -> Any:
    """The payload as the edge read it, or None where it could not; the same when read again.

    Of a CALL that breaks its schema, as it is to be read.
    """
    if call.payload is None and call.action:
        call.payload = reread(CALL, call.frame)
    if call.error and not call.is_mended:
        read = mended(call.version, call.action, call.payload)
        call.is_mended, call.is_changed = True, read is not call.payload
        call.payload = read
    return call.payload


def is_repeat(call: OpenCall, earlier: OpenCall) -> bool:
    """Whether a CALL is the same one, sent once more on its connection: in id and content."""
    return (
        call.offset > earlier.offset
        and call.frame == earlier.frame
        and call.connection == earlier.connection
        and not call.error
    )


def answer_payload(record: MessageSent) -> str:
    """The payload of a CALLRESULT of ours, as JSON: it is written [3,"<message id>",<payload>].

    Or [3,<message id>,<payload>], where that is a number.
    """
    id_length = len(msgspec.json.encode(record.message_id).decode())
    if record.frame[3] != '"':
        id_length -= 2
    return record.frame[4 + id_length : -1]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Station).decode


def dump(station: Station) -> bytes:
    """The state as bytes, for a snapshot. They belong to this version of the fold."""
    for call in station.open_calls.values():
        call.payload, call.is_mended, call.is_changed = None, False, False
    return _encode(station)


def load(state: bytes) -> Station:
    """Raises msgspec.MsgspecError for the bytes of another version."""
    return _decode(state)
