"""When a socket is read: not while there is a reason not to, and of each a little per turn."""

import asyncio
from typing import Final

# Why reading is paused: bits of a plain integer, since flags of `enum` cost a call each.
LOG: Final = 1
RATE: Final = 2
PEER: Final = 4
OPENING: Final = 8
MORE: Final = 16
"""What was read is not worked off yet: others have their turn first."""


class Reading(asyncio.Protocol):
    """`data_received` works off a part of what was read and pauses for MORE if that is not all.

    It is called again, with nothing, once no other reason is left.
    """

    __slots__ = ("_is_going_on", "_paused", "_transport")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._paused = OPENING
        self._is_going_on = False

    def _pause(self, why: int) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused |= why
        self._go_on_soon()

    def _resume(self, why: int) -> None:
        if not self._paused & why:
            return
        self._paused &= ~why
        self._go_on_soon()
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _go_on_soon(self) -> None:
        if self._paused == MORE and not self._is_going_on:
            self._is_going_on = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_going_on = False
        if self._paused == MORE and self._transport is not None:
            self.data_received(b"")
