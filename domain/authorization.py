"""Whether an id token may charge, in the statuses of OCPP 2.0.1; for the rules of every version."""

from typing import NamedTuple

from domain.answering import Context
from schemas.records import IdTokenPut


class Standing(NamedTuple):
    status: str
    """Accepted, Blocked, Expired, Invalid, or Unknown for a token that nobody registered."""
    token: IdTokenPut | None


def standing_of(c: Context, id_token: str) -> Standing:
    token = c.registry.token(c.station.tenant, id_token)
    if token is None:
        return Standing(
            "Accepted" if c.policy.accept_unknown_tokens and id_token else "Unknown", None
        )
    expired = token.expires_at is not None and token.expires_at <= c.now
    return Standing("Expired" if token.status == "Accepted" and expired else token.status, token)
