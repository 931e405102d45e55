"""What the two mappings of operators' commands share: what they make, and of what."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from api.operator_commands import SetLimit

Call = tuple[str, dict[str, Any]]
"""Action and payload."""

_PURPOSES = ("TxDefaultProfile", "TxProfile")


class Cannot(Exception):
    """The version has no way to say it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class Context(NamedTuple):
    command_id: str
    now: datetime

    @property
    def request_id(self) -> int:
        """A number from 1 that is the command's own, as far as 31 bits can tell."""
        return (UUID(self.command_id).int & 0x7FFF_FFFF) or 1

    def purpose(self, want: SetLimit, whole: str) -> tuple[str, int]:
        """Return the purpose and the EVSE; `whole` is the purpose of a limit of the station."""
        if want.transaction_id is not None:
            return "TxProfile", want.evse or 0
        return (whole, 0) if want.evse is None else ("TxDefaultProfile", want.evse)

    def profile_id(self, purpose: str, evse_id: int, stack_level: int) -> int:
        """The same for the same place, so that a new limit takes the place of the one before."""
        kind = _PURPOSES.index(purpose) + 1 if purpose in _PURPOSES else 0
        return 1_000_000 + (stack_level % 100) * 1_000_000 + (evse_id % 10_000) * 10 + kind


def present(**members: Any) -> dict[str, Any]:
    """Return those members that are there."""
    return {name: value for name, value in members.items() if value is not None}


def time_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def number(value: Decimal) -> Any:
    """A whole number is written as one, others with the one decimal that OCPP 1.6 allows."""
    return int(value) if value == value.to_integral_value() else round(value, 1).normalize()
