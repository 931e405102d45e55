"""A frame that an owner wants written on a connection."""

from msgspec import Struct


class Delivery(Struct, frozen=True, gc=False):
    offset: int
    """Of the MessageSent in its partition."""
    frame: str
    message_type: int
    deadline_us: int = 0
    """Of a CALL: not written after this. 0: none."""
    secrets: tuple[str, ...] = ()
    """Ids of the secrets that stand in the frame as "secret:<id>", or "secret-number:<id>"."""
