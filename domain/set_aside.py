"""What an owner cannot fold, or cannot decide about: set aside with a pointer, in nobody's way.

Folds and decisions are pure, so an error of theirs is the same every time. A station whose fold
stopped half-way stays set aside until a version that folds it folds the log anew; one for which a
decision failed is tried once more by each new owner.
"""

from msgspec import Struct

REASON_CHARACTERS_MAX = 300


class SetAside(Struct, frozen=True, array_like=True):
    offset: int
    """Of the record that could not be folded, or after which nothing could be decided."""
    reason: str
    is_torn: bool
    """The state is neither that before the record nor that after it."""


def reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
