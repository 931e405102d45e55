"""The progress bar of long work: on standard error, and only where somebody watches a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def progress_bar(before: str, after: str = "records") -> Progress:
    """Return a bar between the two texts; `{task.description}` in them is the task's."""
    console = Console(stderr=True)
    return Progress(
        TextColumn(before),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(after),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
