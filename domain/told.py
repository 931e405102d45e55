"""What a station told and what we answered, as meanings need it; for every version."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from domain.facts import Fact, StateTold
from domain.holdings import Fold
from domain.station import answer_payload
from domain.transactions import Transactions
from schemas.records import MessageSent

Payload = Mapping[str, Any]


class Told(Struct, frozen=True):
    """A CALL and our answer to it, or a SEND, which has none."""

    offset: int
    recorded_at: int
    answered: int
    """The offset of our answer; of a SEND, its own."""
    superseded: bool
    payload: Payload
    answer: MessageSent | None
    transactions: Transactions
    frame: str
    """The text as it came, or an empty one where that is not at hand."""
    flags: tuple[str, ...] = ()
    """What a reading of this payload is flagged with, whatever it says."""


def holds(fold: Fold, *, is_history: bool = False) -> Callable[[Told], tuple[Fact, ...]]:
    """What the payload says that the station holds; `is_history`: what it says has happened."""

    def facts(told: Told) -> tuple[Fact, ...]:
        result = msgspec.json.decode(answer_payload(told.answer)) if told.answer else {}
        return (
            StateTold(
                offset=told.offset,
                recorded_at=told.recorded_at,
                superseded=told.superseded,
                answered=told.answered,
                fold=fold,
                request=told.payload,
                result=result if isinstance(result, dict) else {},
                is_history=is_history,
            ),
        )

    return facts


def both(
    one: Callable[[Told], tuple[Fact, ...]], other: Callable[[Told], tuple[Fact, ...]]
) -> Callable[[Told], tuple[Fact, ...]]:
    return lambda told: (*one(told), *other(told))


class Meaning(Struct, frozen=True):
    """What the payload of an action says."""

    facts: Callable[[Told], tuple[Fact, ...]] | None = None
    """None: it carries no state."""
    is_readable: Callable[[Payload], bool] | None = None
    """Whether what it is about can be read, whatever else is wrong with it; None: never.

    Then it is answered with a result and folded, though it breaks its schema. After an error a
    station discards a money message (OCPP 1.6, 4.8, 4.10); after one to its boot, many stay
    offline, and after one to an Authorize the driver stands before a closed door.
    """

    def reads(self, payload: Any) -> bool:
        return isinstance(payload, dict) and (
            self.is_readable is not None and self.is_readable(payload)
        )
