"""The conversation with one station, folded. The same code for the owner and for every view.

`fold` takes the records of one station in log order (after the log's filter), changes its state and
returns the facts they state. It is total: it refuses nothing, because it happened. A CALL states
its facts when it is answered, a SEND when it is read. The newest connection is the one opened last
in the log; what a superseded connection says of status is not believed, what it says of
transactions counts by meaning.
"""

from collections.abc import Callable
from typing import Any

from domain import cdr_lane, command_lane, following, no_shows, provider_lane, silence
from domain.effects import take_effect
from domain.facts import ConnectionChanged, Fact
from domain.meanings import MEANINGS
from domain.mending import is_whole, mended
from domain.readings import SCHEMA_DEVIATION
from domain.repeats import doubts_of
from domain.station import OUTBOX_MAX, UNREADABLE_ID, Connection, OpenCall, Station, payload_of
from domain.told import Told
from schemas.frames import reread
from schemas.records import (
    CALL,
    CALLERROR,
    CALLRESULT,
    SEND,
    VERSION_16,
    CdrActionRefused,
    CdrActionRequested,
    CdrCorrected,
    CdrDoubtOverruled,
    CdrRejected,
    CdrReleased,
    CommandRequested,
    CommandUndeliverable,
    ConnectionClosed,
    ConnectionLost,
    ConnectionOpened,
    DeliveryFailed,
    MessageReceived,
    MessageSent,
    ProviderAnswered,
    ProviderAsked,
    Record,
    SignaturesJudged,
    TimeoutElapsed,
    TransactionAsked,
    TransactionClosed,
)
from schemas.tolerance import REPEATED_MEMBER

UNSEEN_US = 60_000_000
"""So long a station may wait for an answer of ours, and a new owner hands it over again."""

PAUSE_US = 30_000_000
"""A station that is back sends what it has queued at one go; after such a pause it has done so."""


def fold(station: Station, offset: int, record: Record, payload: Any = None) -> list[Fact]:
    """Apply a record of this station; `payload` is the parsed one of a CALL, if at hand."""
    station.offset = offset
    folder = _FOLDERS.get(type(record))
    return folder(station, offset, record, payload) if folder is not None else []


def _opened(station: Station, offset: int, record: ConnectionOpened, _: Any) -> list[Fact]:
    facts = command_lane.drop_in_flight(station, offset, record.recorded_at)
    station.forget_outbox()
    if station.seen_at:
        station.is_catching_up = True
        silence.is_back(station, record.recorded_at, has_booted=False)
    station.seen_at = record.recorded_at
    station.connection = Connection(
        id=record.connection,
        opened=offset,
        opened_at=record.recorded_at,
        protocol=record.protocol,
        node=record.node,
        remote=record.remote,
        registered=record.registered,
        credential=record.credential,
    )
    facts.append(
        ConnectionChanged(
            offset=offset,
            recorded_at=record.recorded_at,
            connection=record.connection,
            opened=True,
        )
    )
    return facts


def _closed(
    station: Station, offset: int, record: ConnectionClosed | ConnectionLost, _: Any
) -> list[Fact]:
    superseded = not station.is_newest(record.connection)
    facts = [] if superseded else command_lane.drop_in_flight(station, offset, record.recorded_at)
    if not superseded:
        station.connection = None
        station.forget_outbox()
    facts.append(
        ConnectionChanged(
            offset=offset,
            recorded_at=record.recorded_at,
            superseded=superseded,
            connection=record.connection,
            opened=False,
            reason=record.reason,
        )
    )
    return facts


def _received(station: Station, offset: int, record: MessageReceived, payload: Any) -> list[Fact]:
    if station.is_catching_up and record.recorded_at - station.seen_at > PAUSE_US:
        station.is_catching_up = False
    station.seen_at = record.recorded_at
    if (record.message_type == CALL and record.message_id) or _is_owed_an_error(record):
        station.open_calls[offset] = OpenCall(
            offset,
            record.recorded_at,
            record.connection,
            record.message_id or UNREADABLE_ID,
            record.action,
            record.error,
            record.violations[0] if record.violations else "",
            record.frame,
            not station.is_newest(record.connection),
            record.protocol,
            payload,
            is_doubted=REPEATED_MEMBER.flag in record.violations,
        )
        if station.outbox:
            _confirm(station, record.recorded_at)
        return []
    if record.message_type in (CALLRESULT, CALLERROR):
        return command_lane.answered(station, offset, record)
    if record.message_type == SEND:
        return _told_unasked(station, offset, record, payload)
    return []


def _is_owed_an_error(record: MessageReceived) -> bool:
    # 1.6 has no id to answer an unreadable frame under.
    if not record.error or record.protocol == VERSION_16 or record.message_type not in (0, CALL):
        return False
    if record.error == "MessageTypeNotSupported":
        return record.protocol == "2.0.1"
    return record.error == "RpcFrameworkError"


def _told_unasked(
    station: Station, offset: int, record: MessageReceived, payload: Any
) -> list[Fact]:
    # Nobody answers a SEND (2.1, part 4): its facts are stated where it stands in the log.
    meaning = MEANINGS[record.protocol].get(record.action)
    if meaning is None or meaning.facts is None:
        return []
    if payload is None:
        payload = reread(SEND, record.frame)
    if record.error:
        payload = mended(record.protocol, record.action, payload)
        if not (meaning.reads(payload) or is_whole(record.protocol, record.action, payload)):
            return []
    told = Told(
        offset,
        record.recorded_at,
        offset,
        not station.is_newest(record.connection),
        payload if isinstance(payload, dict) else {},
        None,
        station.transactions,
        record.frame,
    )
    return [take_effect(station, fact, None) for fact in meaning.facts(told)]


def _elapsed(station: Station, offset: int, record: TimeoutElapsed, _: Any) -> list[Fact]:
    if record.purpose == following.EXPIRED:
        moved = command_lane.reservation_expired(station, offset, record)
        expired = following.expired(station, offset, record)
        return [*expired, *no_shows.concluded(station, expired), *moved]
    return command_lane.timed_out(station, offset, record, None)


def _confirm(station: Station, now: int) -> None:
    # A station that calls again has seen our last answer; a CALL of ours may still be under way,
    # and for a while the answer to a CALL that waited when the station went on.
    outbox = station.outbox
    if not station.in_flight and not station.unseen:
        outbox.clear()
        return
    for offset, sent in list(outbox.items()):
        is_seen = offset not in station.unseen or now - sent.recorded_at > UNSEEN_US
        if sent.message_type != CALL and is_seen:
            del outbox[offset]
    station.unseen = tuple(offset for offset in station.unseen if offset in outbox)


def _sent(station: Station, offset: int, record: MessageSent, _: Any) -> list[Fact]:
    if record.message_type == CALL:
        return command_lane.dispatched(station, offset, record)
    if station.is_newest(record.connection):
        station.outbox[offset] = record
        if len(station.outbox) > OUTBOX_MAX:
            answers = (o for o, sent in station.outbox.items() if sent.message_type != CALL)
            del station.outbox[next(answers)]
    call = station.open_calls.pop(record.cause, None)
    if call is None:
        return []
    facts = _told(station, offset, call, record) if record.message_type == CALLRESULT else []
    if call.forwarded is None:
        return facts
    return [*provider_lane.told(station, offset, record, call), *facts]


def _told(station: Station, offset: int, call: OpenCall, record: MessageSent) -> list[Fact]:
    meaning = MEANINGS[call.version].get(call.action)
    told: list[Fact] = []
    if meaning is not None and meaning.facts is not None:
        payload = payload_of(call)
        facts = meaning.facts(
            Told(
                call.offset,
                call.recorded_at,
                offset,
                call.superseded,
                payload if isinstance(payload, dict) else {},
                record,
                station.transactions,
                "" if call.is_changed else call.frame,
                _flags_of(call),
            )
        )
        told += [take_effect(station, fact, record) for fact in facts]
        if station.held is not None:
            told += following.transactions_moved(station, offset, told)
            told += no_shows.concluded(station, told)
    if station.commands:
        told += command_lane.observe(station, told, call)
    return told


def _flags_of(call: OpenCall) -> tuple[str, ...]:
    changed = (SCHEMA_DEVIATION,) if call.is_changed else ()
    return (*changed, *doubts_of(call.frame)) if call.is_doubted else changed


_FOLDERS: dict[type[Record], Callable[[Station, int, Any, Any], list[Fact]]] = {
    ConnectionOpened: _opened,
    ConnectionClosed: _closed,
    ConnectionLost: _closed,
    MessageReceived: _received,
    MessageSent: _sent,
    CommandRequested: command_lane.requested,
    CommandUndeliverable: command_lane.undeliverable,
    DeliveryFailed: command_lane.delivery_failed,
    TimeoutElapsed: _elapsed,
    ProviderAsked: provider_lane.asked,
    ProviderAnswered: provider_lane.answered,
    CdrReleased: cdr_lane.released,
    SignaturesJudged: cdr_lane.judged,
    TransactionAsked: silence.asked,
    TransactionClosed: silence.closed,
    CdrActionRequested: cdr_lane.requested,
    CdrActionRefused: cdr_lane.refused,
    CdrRejected: cdr_lane.rejected,
    CdrDoubtOverruled: cdr_lane.overruled,
    CdrCorrected: cdr_lane.corrected,
}
