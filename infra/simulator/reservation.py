"""What keeps an EVSE for one driver, or for a group, until a moment."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    id: int
    id_tokens: frozenset[str]
    """Of the driver and of the group, in small letters: tokens are compared so (2.0.1, H03)."""
    expires_at: datetime

    def is_for(self, *id_tokens: str) -> bool:
        return any(token.casefold() in self.id_tokens for token in id_tokens if token)
