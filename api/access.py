"""Who asks, for which tenant, and whether they may. Decided before anything else is looked at.

With API keys, the key says the tenant; `?tenant=` may only repeat it. While no key was ever made,
only this machine is answered, as an administrator of the tenant that `?tenant=` names; names of
other machines in Host (DNS rebinding) and pages of other origins are refused.
"""

import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec import Struct

from api.ports import Ports
from api.problems import FieldError, Forbidden, Invalid, Unauthorized
from api.read_your_write import wait_for_written
from api.roles import EVERYTHING, RIGHTS, Right
from schemas.names import is_name

DEFAULT_TENANT = "default"
LOCAL_ACTOR = "local"
TOKEN_CHARACTERS_MAX = 200

_PORT = re.compile(r":\d{1,5}$")
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="From `chargeledger key create`. Without any key, the API answers this machine.",
)


class Caller(Struct, frozen=True):
    tenant: str
    actor: str
    rights: frozenset[Right]


def ports_of(request: Request) -> Ports:
    ports: Ports = request.app.state.ports
    return ports


Needs = Annotated[Ports, Depends(ports_of)]
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def allowed(right: Right) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that lets pass who has this right."""

    async def check(request: Request, ports: Needs, credentials: _Credentials) -> Caller:
        return await authorize(request, ports, right)

    return check


async def authorize(request: Request, ports: Ports, right: Right) -> Caller:
    """Return who asks.

    Raises:
        Unauthorized, Forbidden, Invalid, StoreUnavailable
    """
    if "\x00" in request.url.path or "%00" in request.url.query:
        # No name holds it, and Postgres refuses it in any text.
        raise Invalid(FieldError("", "the URL holds a NUL character"))
    caller = await _caller(request, ports)
    if right not in caller.rights:
        raise Forbidden(f"the key's role does not include: {right}")
    await wait_for_written(request, ports)
    return caller


async def _caller(request: Request, ports: Ports) -> Caller:
    tenants = request.query_params.getlist("tenant")
    proofs = request.headers.getlist("authorization")
    # Who presents a key means its tenant, even if it is the first one and was made a moment ago.
    if not proofs and not await ports.keys.configured():
        _refuse_from_afar(request)
        return Caller(_tenant(tenants), LOCAL_ACTOR, EVERYTHING)
    key = await ports.keys.find(_token(proofs))
    if key is None:
        raise Unauthorized("this API key is not known")
    if any(tenant != key.tenant for tenant in tenants):
        raise Forbidden("the key is of another tenant")
    return Caller(key.tenant, key.actor, RIGHTS[key.role])


def _token(values: list[str]) -> str:
    if len(values) == 1:
        scheme, _, token = values[0].partition(" ")
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_CHARACTERS_MAX:
            return token.strip()
    raise Unauthorized("send an API key: Authorization: Bearer …")


def _tenant(values: list[str]) -> str:
    if not values:
        return DEFAULT_TENANT
    if len(values) > 1 or not is_name(values[0]):
        raise Invalid(FieldError("tenant", "not the name of one tenant"))
    return values[0]


def _refuse_from_afar(request: Request) -> None:
    host = request.headers.get("host", "")
    name = _PORT.sub("", host)
    if name.lower() != "localhost" and not _is_loopback(name.removeprefix("[").removesuffix("]")):
        raise Forbidden("until an API key is made, only requests to this machine are answered")
    origin = request.headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        raise Forbidden("until an API key is made, pages of other origins are refused")


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
