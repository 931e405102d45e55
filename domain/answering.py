"""What the answer to a CALL is decided from, and what it is, in every version. Pure."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from domain.registry import Registry
from domain.station import OpenCall, Station
from schemas.records import CALLERROR, VERSION_16
from schemas.tolerance import NUMBER_AS_ID


class Policy(NamedTuple):
    """What an operator has set; none of it changes what is already decided."""

    accept_unknown_tokens: bool = False
    accept_certificate_requests: bool = False
    heartbeat_interval_s: int = 300
    spread_percent: int = 0
    """By how much intervals that stations are told differ from station to station."""
    settle_us: int = 15 * 60 * 1_000_000
    settle_offline_us: int = 24 * 60 * 60 * 1_000_000
    """By so much longer, at most, what a station told waits for its return."""
    answer_timeout_us: int = 30 * 1_000_000
    ask_us: int = 15 * 60 * 1_000_000
    """After a station (2.x) is back: then it is asked for transactions it has not spoken of."""
    provided: frozenset[str] = frozenset()
    """Actions of stations that a provider answers (`domain.providing`)."""
    provider_answer_us: int = 20 * 1_000_000
    """From the CALL on."""
    close_grace_us: int = 24 * 60 * 60 * 1_000_000
    """After a station started anew: then what it has not spoken of since is over."""
    set_aside_max: int = 100
    """Stations and records of a partition; with more nothing of it is decided any more."""


class Context(Struct, frozen=True):
    station: Station
    payload: dict[str, Any]
    now: int
    registry: Registry
    policy: Policy
    draw_id: Callable[[], int]
    version: str = VERSION_16
    received_at: int = 0
    is_superseded: bool = False
    """The CALL came over a connection that was not the newest any more."""


class Answer(Struct, frozen=True):
    message_type: int
    frame: str
    secrets: tuple[str, ...] = ()
    """Ids of those that stand in it."""


_encode = msgspec.json.Encoder().encode

Rule = str | Callable[[Context], str]
"""The payload of the result as JSON: always the same, or decided."""


def error(call: OpenCall, code: str, description: str) -> Answer:
    text = f"[4,{id_of(call)},{json_text(code)},{json_text(description[:255])},{{}}]"
    return Answer(CALLERROR, text)


def id_of(call: OpenCall) -> str:
    """Return the id to answer under, as JSON: in the form in which it came."""
    if call.violation == NUMBER_AS_ID.flag:
        return call.message_id
    return json_text(call.message_id)


def json_text(text: str) -> str:
    return _encode(text).decode()
