"""What owners and ingress nodes tell each other beside the journal. Dispatch, never truth.

A node is named "slot/incarnation": its slot is the partition of the deliveries topic that it reads,
its incarnation tells this life of the process from an earlier one. Values are lines of JSON, as
everything that goes through a journal's way of appending.
"""

import msgspec
from msgspec import Struct


class DispatchedFrame(Struct, array_like=True, frozen=True):
    """A frame of the journal for the node that holds the connection; or `CLOSE` and no frame."""

    node: str
    tenant: str
    station: str
    connection: str
    offset: int
    frame: str
    message_type: int
    deadline: int = 0
    secrets: tuple[str, ...] = ()


CLOSE = 0
"""The message type of no frame: the connection was superseded in the log; close its socket."""


class Heartbeat(Struct, array_like=True, frozen=True):
    """A node is alive. Silence for longer than `domain`'s patience means that it is lost."""

    node: str


encode = msgspec.json.Encoder().encode
decode_frames = msgspec.json.Decoder(list[DispatchedFrame]).decode
"""A value holds as many frames as leave at once: a record each would cost more than the frames."""
decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode


def slot_of(node: str) -> int:
    return int(node.partition("/")[0])
