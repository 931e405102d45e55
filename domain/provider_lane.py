"""What becomes of a CALL that a provider is asked about, folded."""

from typing import Any

from domain.facts import Fact
from domain.provider_requests import ProviderRequestMoved
from domain.station import Forwarded, OpenCall, Station, answer_payload, is_repeat
from schemas.records import MessageSent, ProviderAnswered, ProviderAsked


def asked(station: Station, offset: int, record: ProviderAsked, _: Any) -> list[Fact]:
    call = station.open_calls.get(record.cause)
    if call is None or call.forwarded is not None:
        return []
    forwarded = call.forwarded = Forwarded(record.recorded_at, record.expires_at)
    return [
        ProviderRequestMoved(
            offset=offset,
            recorded_at=record.recorded_at,
            call=call,
            forwarded=forwarded,
            fate="waiting",
        )
    ]


def answered(station: Station, offset: int, record: ProviderAnswered, _: Any) -> list[Fact]:
    """Keep the first answer, unless the station has gone. It has no effect before the station is
    told, so it states nothing."""
    call = station.open_calls.get(record.call)
    if call is None or call.forwarded is None or not station.is_newest(call.connection):
        return []
    if not call.forwarded.answer:
        call.forwarded.answer, call.forwarded.actor = bytes(record.payload), record.actor
        call.forwarded.secrets = record.secrets
    return []


def told(station: Station, offset: int, record: MessageSent, call: OpenCall) -> list[Fact]:
    """The station got its answer: the provider's, or ours. A repeat of the CALL gets the same."""
    forwarded = call.forwarded
    if forwarded is None:
        return []
    station.unseen = tuple(o for o in (*station.unseen, offset) if o in station.outbox)
    forwarded.is_over = True
    for each in station.open_calls.values():
        if each.forwarded is None and is_repeat(each, call):
            each.forwarded = forwarded
    is_answered = answer_payload(record).encode() == forwarded.answer
    return [
        ProviderRequestMoved(
            offset=offset,
            recorded_at=record.recorded_at,
            call=call,
            forwarded=forwarded,
            fate="answered" if is_answered else "unanswered",
        )
    ]
