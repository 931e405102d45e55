"""What is recorded of a station's CALL that somebody else answers. `schemas.records` has all kinds.

The CALL stays a `MessageReceived`, and what the station is told a `MessageSent`, as of any CALL.
"""

from msgspec import Raw

from schemas.envelope import OwnerRecord, Record


class ProviderAsked(OwnerRecord, frozen=True, kw_only=True, tag="provider-asked.v1"):
    """The CALL at `cause` waits for a provider until then; past it the owner answers by itself."""

    expires_at: int
    """Microseconds."""


class ProviderAnswered(Record, frozen=True, kw_only=True, tag="provider-answered.v1"):
    """Written by the API. Of several to one CALL the first counts, if it still waits."""

    call: int
    """The offset of the CALL in the station's partition."""
    payload: Raw
    """Compact JSON of the result, as the version of the CALL has it."""
    actor: str
    secrets: tuple[str, ...] = ()
    """Ids of secrets that stand in the payload as "secret:<id>", or "secret-number:<id>"."""
