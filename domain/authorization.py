"""Whether an id token may charge, in the statuses of OCPP 2.0.1; for the rules of every version."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.answering import Context
from schemas.records import IdTokenPut
from schemas.switches import switches_of


class Standing(NamedTuple):
    status: str
    """Accepted, Blocked, Expired, Invalid, or Unknown for a token that nobody registered."""
    token: IdTokenPut | None


def standing_of(c: Context, id_token: str) -> Standing:
    token = c.registry.token(c.station.tenant, id_token) or _meant(c, id_token)
    if token is None:
        return Standing(
            "Accepted" if c.policy.accept_unknown_tokens and id_token else "Unknown", None
        )
    expired = token.expires_at is not None and token.expires_at <= c.now
    return Standing("Expired" if token.status == "Accepted" and expired else token.status, token)


def has_contract_certificate(payload: Mapping[str, Any]) -> bool:
    """Whether an Authorize (2.x) presents one, beside the id token that stands in it."""
    return "certificate" in payload or "iso15118CertificateHashData" in payload


def _meant(c: Context, id_token: str) -> IdTokenPut | None:
    # Nobody registered it as it was told (schemas.tolerance, TOKEN_WITH_TAIL).
    printed = id_token.strip()
    if not printed.isprintable():
        printed = "".join(filter(str.isprintable, printed)).strip()
    if printed != id_token and (token := c.registry.token(c.station.tenant, printed)):
        return token
    registered = c.registry.stations.get((c.station.tenant, c.station.station))
    if registered is None:
        return None
    tail = switches_of(registered.attributes).id_token_until
    if not tail or tail not in printed:
        return None
    return c.registry.token(c.station.tenant, printed.partition(tail)[0])
