"""The frames and habits of real stations in tests/data/quirks.jsonl, by number."""

from pathlib import Path

import msgspec
from msgspec import Struct

from schemas import payloads

DATA = Path(__file__).with_name("data") / "quirks.jsonl"


class Quirk(Struct, frozen=True):
    version: str
    direction: str
    frame: str
    why_quirky: str
    json_valid: bool | None
    vendor_if_known: str | None = None
    schema_errors: tuple[str, ...] | None = None
    reported_outcome: str | None = None
    number: int = -1

    @property
    def protocol(self) -> str:
        """The version of its connection."""
        return "2.0.1" if self.version in ("2.0.1", "2.0 (draft)") else "1.6"

    @property
    def name(self) -> str:
        return f"{self.number:02}-{self.vendor_if_known or self.direction}"


QUIRKS = [
    msgspec.structs.replace(msgspec.json.decode(line, type=Quirk), number=number)
    for number, line in enumerate(DATA.read_text("utf-8").splitlines())
]


def told(*names: str) -> list[Quirk]:
    """Return those of these directions."""
    return [quirk for quirk in QUIRKS if quirk.direction in names]


def is_valid_answer(version: str, action: str, payload: object) -> bool:
    return not payloads.violations(version, action, payload, response=True)
