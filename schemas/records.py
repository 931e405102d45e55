"""The records of the journal: what is written, once, before it has any effect.

One record is one line of JSON. Its `kind` names the shape and the version of the shape; a released
shape never changes, and `schemas/examples/<kind>.json` keeps one of each readable for ever. Frames
are kept as the text that was on the wire, character for character; a frame that was not text is
kept in base64. Times are microseconds since 1970 in UTC by our clock; the station's own times stand
inside its frames.

Who writes what: ingress `Connection…`, `MessageReceived`, `DeliveryFailed`; the API
`CommandRequested`, `CdrActionRequested`, `ProviderAnswered`, `CanaryAsked` and the registry's
records; the owner of a partition everything that derives from `OwnerRecord`.
"""

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from schemas.envelope import OwnerRecord as OwnerRecord
from schemas.envelope import Record as Record
from schemas.price_records import LocationPut as LocationPut
from schemas.price_records import LocationRemoved as LocationRemoved
from schemas.price_records import TariffAssigned as TariffAssigned
from schemas.price_records import TariffPut as TariffPut
from schemas.price_records import TariffRemoved as TariffRemoved
from schemas.provider_records import ProviderAnswered as ProviderAnswered
from schemas.provider_records import ProviderAsked as ProviderAsked
from schemas.self_check_records import CanaryAnswered as CanaryAnswered
from schemas.self_check_records import CanaryAsked as CanaryAsked
from schemas.self_check_records import RecordSetAside as RecordSetAside
from schemas.signatures import SignatureVerdict
from schemas.transaction_records import TransactionAsked as TransactionAsked
from schemas.transaction_records import TransactionClosed as TransactionClosed

CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND = 2, 3, 4, 5, 6
"""OCPP-J message types. A frame in which none can be read has type 0."""

VERSION_16 = "1.6"

NO_DOCUMENT = Raw(b"null")


class UnreadableRecord(Exception):
    """A value in the journal that is no record of a kind and version known here."""


class ConnectionOpened(Record, frozen=True, kw_only=True, tag="connection-opened.v1"):
    """Durable before the handshake is answered. `node` is "slot/incarnation" of the ingress."""

    connection: str
    protocol: str
    """The OCPP version: "1.6", "2.0.1" or "2.1"."""
    node: str
    remote: str
    proof: str
    """How the station proved who it is: "none", "basic", …"""
    registered: bool
    user_agent: str = ""
    violations: tuple[str, ...] = ()
    """What was odd about the handshake, and tolerated."""
    credential: str = ""
    """"secret:<id>" of the verifier that its password matched; empty: it had to show none."""


class ConnectionClosed(Record, frozen=True, kw_only=True, tag="connection-closed.v1"):
    connection: str
    code: int
    reason: str = ""


class MessageReceived(Record, frozen=True, kw_only=True, tag="message-received.v1"):
    """A frame from the station and what the edge could read of it."""

    connection: str
    number: int
    """Counts the frames of this connection from 1."""
    frame: str = ""
    frame_base64: str = ""
    message_type: int = 0
    message_id: str = ""
    action: str = ""
    """Of a CALL (or SEND); empty otherwise."""
    error: str = ""
    """The error code its version prescribes for what is wrong with it; empty if nothing is."""
    violations: tuple[str, ...] = ()
    """What is wrong with it, for people: JSON path and rule, at most a few."""
    protocol: str = VERSION_16
    """The OCPP version of its connection. Encoded only where it is another."""
    redactions: int = 0
    """How many secrets the station told in it. Each stands there as "redacted:<keyed digest>":
    but for them the frame is what was on the wire."""


class DeliveryFailed(Record, frozen=True, kw_only=True, tag="delivery-failed.v1"):
    """A CALL of ours of which no byte was written; `delivery` is the offset of its MessageSent."""

    connection: str
    delivery: int
    reason: str


class CommandRequested(Record, frozen=True, kw_only=True, tag="command-requested.v1"):
    """Somebody wants something of a station. `payload` is compact JSON of the version's request."""

    command_id: str
    action: str
    payload: Raw
    payload_digest: str
    """sha256, hex, of the canonical payload: another one under the same id is refused."""
    expires_at: int
    """Not dispatched after this, and answered by then or timed out. Microseconds."""
    actor: str
    idempotency_key: str = ""
    reason: str = ""
    secrets: tuple[str, ...] = ()
    """Ids of secrets that stand in the payload as "secret:<id>", or "secret-number:<id>"."""
    version: str = VERSION_16
    """Of OCPP: it is sent over a connection that speaks this version, or not at all."""
    command: str = ""
    """What was asked for where it was not the action of a version: "start", "stop", …"""


class PartitionClaimed(Record, frozen=True, kw_only=True, tag="partition-claimed.v1"):
    """A new owner. The offset of this record is its epoch."""

    owner: str


class MessageSent(OwnerRecord, frozen=True, kw_only=True, tag="message-sent.v1"):
    """A frame for the station: decided, and on its way unless its connection is gone."""

    connection: str
    frame: str
    message_type: int
    message_id: str
    action: str
    """Of our CALL, or of the CALL that this answers."""
    command_id: str = ""
    deadline: int = 0
    """Of our CALL: when we stop waiting for its answer. Microseconds."""
    secrets: tuple[str, ...] = ()
    """Ids of secrets that stand in the frame as "secret:<id>" and are filled in on the wire;
    as "secret-number:<id>" where what is filled in is a number."""


class TimeoutElapsed(OwnerRecord, frozen=True, kw_only=True, tag="timeout-elapsed.v1"):
    """A due time passed: `purpose` says which ("settle", "command-expired", "call-timeout",
    "reservation-expired")."""

    command_id: str = ""
    transaction_id: str = ""
    reservation_id: int = 0


class CommandUndeliverable(OwnerRecord, frozen=True, kw_only=True, tag="command-undeliverable.v1"):
    """No byte of this command will be written, and why."""

    command_id: str
    reason: str


class ConnectionLost(OwnerRecord, frozen=True, kw_only=True, tag="connection-lost.v1"):
    """Its ingress node fell silent, or was started anew, without closing it."""

    connection: str
    reason: str


class CdrReleased(OwnerRecord, frozen=True, kw_only=True, tag="cdr-released.v1"):
    """A CDR that became FINAL: the document itself, which no later interpretation changes."""

    transaction_id: str
    cdr_id: str
    document: Raw
    sha256: str
    request_id: str = ""
    """Released by a person: the request, who it was and why."""
    actor: str = ""
    reason: str = ""
    energy_wh: int | None = None
    """What the person took the energy and the end for."""
    ended_at: int | None = None
    tariff_id: str = ""
    """By which the person had it priced."""


class CdrActionRequested(Record, frozen=True, kw_only=True, tag="cdr-action-requested.v1"):
    """A person decides about a CDR, with a reason: the owner does it, or says why not.

    Written by the API into the station's partition: "release", "reject", "reprice", "overrule".
    """

    request_id: str
    action: str
    transaction_id: str
    cdr_id: str
    actor: str
    reason: str
    idempotency_key: str = ""
    request_digest: str = ""
    """sha256, hex, of what is asked: something else under the same id is refused."""
    energy_wh: int | None = None
    """release: what the person takes the energy for, where the evidence does not say."""
    ended_at: int | None = None
    """release: and the end. Microseconds."""
    tariff_id: str = ""
    """By this tariff as of the session's start; empty: release, by the one that its start knew;
    reprice, by the one that is assigned now."""
    document: Raw = NO_DOCUMENT
    """reprice: the released document. The owner keeps only those of a station's latest CDRs."""


class CdrActionRefused(OwnerRecord, frozen=True, kw_only=True, tag="cdr-action-refused.v1"):
    request_id: str
    reason: str


class CdrRejected(OwnerRecord, frozen=True, kw_only=True, tag="cdr-rejected.v1"):
    """A person decided that nobody is billed for this transaction."""

    request_id: str
    transaction_id: str
    cdr_id: str
    actor: str
    reason: str


class CdrDoubtOverruled(OwnerRecord, frozen=True, kw_only=True, tag="cdr-doubt-overruled.v1"):
    """What was told after a release is in doubt, and a person has overruled that."""

    request_id: str
    transaction_id: str
    cdr_id: str
    doubts: tuple[str, ...]
    actor: str
    reason: str


class CdrCorrected(OwnerRecord, frozen=True, kw_only=True, tag="cdr-corrected.v1"):
    """A released CDR is given back by a credit, and another takes its place: both documents.

    `cause` is the record because of which: what a station told later, or a person's request.
    """

    transaction_id: str
    cdr_id: str
    """Of the CDR that is corrected."""
    credit: Raw
    credit_sha256: str
    replacement: Raw
    replacement_sha256: str
    request_id: str = ""
    actor: str = ""
    reason: str = ""
    tariff_id: str = ""
    """Of a reprice by a tariff that was named."""


class SignaturesJudged(OwnerRecord, frozen=True, kw_only=True, tag="signatures-judged.v1"):
    """What the signed meter values of a transaction are worth, by the keys registered then.

    One when the transaction has ended, and one more whenever it is not released and the keys of its
    station or what was signed of it have changed: `purpose` counts them.
    """

    transaction_id: str
    is_calibrated: bool
    """Calibration law binds the station: the signed difference is the energy."""
    registration: str
    """sha256 of what was registered of the station's meters; empty: nothing was."""
    verdicts: tuple[SignatureVerdict, ...] = ()


class JournalCreated(Record, frozen=True, kw_only=True, tag="journal-created.v1"):
    """The first record of partition 0: what this log is, for whoever opens it later."""

    journal_id: str
    partitions: int
    hash: str


class StationRegistered(Record, frozen=True, kw_only=True, tag="station-registered.v1"):
    """The whole registration as it is from now on."""

    actor: str
    credential: str = ""
    """"secret:<id>" of the password's verifier; empty: the station has no password."""
    keeps_password: bool = False
    """The password stays the one that counts, of an earlier registration or set by a command."""
    name: str = ""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class StationPasswordOffered(Record, frozen=True, kw_only=True, tag="station-password-offered.v1"):
    """A command is about to set another password: until it is settled, both let the station in."""

    actor: str
    command_id: str
    credential: str
    """"secret:<id>" of its verifier."""


class StationPasswordSettled(Record, frozen=True, kw_only=True, tag="station-password-settled.v1"):
    """An owner has decided whether the password that was offered counts; if so, only it does."""

    command_id: str
    counts: bool
    reason: str


class StationDeregistered(Record, frozen=True, kw_only=True, tag="station-deregistered.v1"):
    actor: str


class IdTokenPut(Record, frozen=True, kw_only=True, tag="id-token-put.v1"):
    """The whole token as it is from now on. `uid` is kept as given, compared without case."""

    actor: str
    uid: str
    type: str = "Central"
    status: str = "Accepted"
    """Accepted, Blocked, Expired or Invalid (OCPP 1.6, 7.2 AuthorizationStatus)."""
    expires_at: int | None = None
    group: str = ""
    """OCPP 1.6 parentIdTag, 2.0.1 groupIdToken."""


class IdTokenRemoved(Record, frozen=True, kw_only=True, tag="id-token-removed.v1"):
    actor: str
    uid: str


AnyRecord = (
    ConnectionOpened
    | ConnectionClosed
    | MessageReceived
    | DeliveryFailed
    | CommandRequested
    | PartitionClaimed
    | MessageSent
    | TimeoutElapsed
    | CommandUndeliverable
    | ConnectionLost
    | CdrReleased
    | SignaturesJudged
    | TransactionAsked
    | TransactionClosed
    | ProviderAsked
    | ProviderAnswered
    | CdrActionRequested
    | CdrActionRefused
    | CdrRejected
    | CdrDoubtOverruled
    | CdrCorrected
    | JournalCreated
    | StationRegistered
    | StationDeregistered
    | StationPasswordOffered
    | StationPasswordSettled
    | IdTokenPut
    | IdTokenRemoved
    | TariffPut
    | TariffRemoved
    | TariffAssigned
    | LocationPut
    | LocationRemoved
    | CanaryAsked
    | CanaryAnswered
    | RecordSetAside
)

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def encode(record: Record, incarnation: str, sequence: int) -> bytes:
    """Return the record as one line of JSON under the given id; the record's own id is not read."""
    if record.sequence:  # It was read from a log.
        record = replace(record, incarnation="", sequence=0)
    return b'{"incarnation":"%b","sequence":%d,%b' % (
        incarnation.encode(),
        sequence,
        _encode(record)[1:],
    )


def decode(value: bytes) -> AnyRecord:
    """Return the record.

    Raises:
        UnreadableRecord: not JSON, or of no known kind and version, or a field is wrong.
    """
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecord(f"{error}: {value[:200]!r}") from error
