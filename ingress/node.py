"""What the connections of one node share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ingress import rpc
from ingress.options import Options
from ingress.pace import Pace
from ingress.ports import Directory, Log


@dataclass(slots=True, kw_only=True)
class Node:
    name: str
    """In the log: slot/incarnation."""
    log: Log
    directory: Directory
    options: Options
    pace: Pace
    now_us: Callable[[], int]
    digest: Callable[[str], str]
    """Of a secret."""
    pings: int = 0
    frames: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By action, or kind of frame, and error."""
    frame_interval_us: int = field(init=False)
    frame_burst_us: int = field(init=False)

    def __post_init__(self) -> None:
        self.frame_interval_us = round(1e6 / self.options.frames_per_s)
        self.frame_burst_us = self.frame_interval_us * self.options.frames_burst

    def count_frame(self, frame: rpc.Frame) -> None:
        action = frame.action if frame.error != "NotImplemented" else ""
        self.frames[action or rpc.NAMES[frame.message_type], frame.error] += 1
