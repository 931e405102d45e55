"""What a benchmark finds, and how it is written down."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure; `ratio` is to the baseline of the same run, `asked` is what we want of it."""

    name: str
    command: str
    figure: str
    ratio: str = ""
    asked: str = ""


def markdown(title: str, rows: Sequence[Row], conditions: str = "") -> str:
    lines = [
        f"### {title}",
        "",
        *((conditions, "") if conditions else ()),
        "| what | figure | ratio | asked | command |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.figure} | {row.ratio} | {row.asked} | `{row.command}` |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def replaced(page: str, name: str, block: str) -> str:
    """The page with the block of that benchmark renewed, or appended when it has none.

    A block stands between two comments that name its benchmark; the rest of the page is prose.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    marked = f"{begin}\n{block}{end}"
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page.rstrip()}\n\n{marked}\n".lstrip()
    _, _, after = rest.partition(end)
    return before + marked + after
