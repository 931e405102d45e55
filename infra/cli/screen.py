"""What `up` shows: messages as they come and one line of figures that stays below them.

Where stderr is no terminal the line is printed when it has changed, now and then.
"""

import contextlib
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

PLAIN_EVERY_S = 30.0


class Screen:
    """Use as `with Screen() as screen`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = Live(Text(""), console=self._console, auto_refresh=False, transient=True)
        self._shown = ""
        self._next_s = 0.0

    def say(self, text: str) -> None:
        self._console.print(Text(f"chargeledger: {text}"))

    def figures(self, text: str, at_s: float) -> None:
        """Show the line; `at_s` is now, by any clock that only grows."""
        if self._console.is_terminal:
            if not self._live.is_started:
                self._live.start()
            line = Text(text, style="bold", no_wrap=True, overflow="ellipsis")
            self._live.update(line, refresh=True)
        elif text != self._shown and at_s >= self._next_s:
            self._shown, self._next_s = text, at_s + PLAIN_EVERY_S
            self._console.print(Text(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live.is_started:
            with contextlib.suppress(OSError):
                self._live.stop()
