"""What a station answers to a CALL of the central system, and what it does after that."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.simulator.json_types import Payload


@dataclass(frozen=True, slots=True)
class CallError:
    code: str
    description: str


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    payload: Payload | CallError
    then: Callable[[], Awaitable[None]] = _nothing


def status(word: str, then: Callable[[], Awaitable[None]] = _nothing) -> Answer:
    return Answer({"status": word}, then)
