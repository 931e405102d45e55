"""Whether it can be read what a payload is about that breaks its schema (`Meaning.is_readable`).

Looked for is what names the thing that is told of, and what is said of it: without these nothing
could be folded. The payload is as `domain.mending` reads it; a text may be longer than its schema
lets it be, or none of its words.
"""

from collections.abc import Callable
from typing import Any

from domain.members import Payload, object_of
from domain.readings import read_integer

IsReadable = Callable[[Payload], bool]


def is_text(value: Any) -> bool:
    """Whether it says something, at whatever length."""
    return type(value) is str and value != ""


def has(
    *,
    texts: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    truths: tuple[str, ...] = (),
    perhaps: tuple[str, ...] = (),
) -> IsReadable:
    """It has these members; `perhaps`: numbers, but they may be absent."""

    def is_readable(payload: Payload) -> bool:
        return (
            all(is_text(payload.get(name)) for name in texts)
            and all(_is_number(payload.get(name)) for name in numbers)
            and all(type(payload.get(name)) is bool for name in truths)
            and all(
                read_integer(payload[name])[0] is not None for name in perhaps if name in payload
            )
        )

    return is_readable


def inside(name: str, there: IsReadable, here: IsReadable) -> IsReadable:
    """It has `here` itself, and `there` in the object that the member is."""
    return lambda payload: here(payload) and there(object_of(payload, name))


def _is_number(value: Any) -> bool:
    return read_integer(value)[0] is not None
