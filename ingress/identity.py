"""Who a connection says it is: the one reading of the URL.

Paths are `/ocpp/{station}` and `/ocpp/{tenant}/{station}`; of what is tolerated beside them
(`schemas.tolerance.URL_IN_PATH`) there is one reading as well. Each name is percent-decoded once;
what two readers could read differently is refused (OCPP 2.0.1, part 4, 3.1.1: at most 48
characters, no colon). Case is kept and counts.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from schemas.names import is_name

DEFAULT_TENANT = "default"

_URL = re.compile(r"/wss?:/{1,2}[^/]+(?=/)")
_HALF_ESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class NoSuchPath(Exception):
    """The path names no station."""


class AmbiguousName(Exception):
    """The name is not one that everybody would read alike."""


class Identity(NamedTuple):
    tenant: str
    station: str


def identity_of(target: str) -> Identity:
    """Return who the request target names; a query is ignored.

    Raises:
        NoSuchPath: answer 404.
        AmbiguousName: answer 400.
    """
    if "#" in target:
        raise AmbiguousName
    path = target.partition("?")[0]
    embedded = _URL.match(path)
    match (path[embedded.end() :] if embedded else path).split("/"):
        case ["", "ocpp", station] if station:
            return Identity(DEFAULT_TENANT, _name(station))
        case ["", "ocpp", tenant, station] if tenant and station:
            return Identity(_name(tenant), _name(station))
        case ["", station] if station and station.lower() != "ocpp":
            return Identity(DEFAULT_TENANT, _name(station))
        case ["", first, *_, station] if embedded and first != "ocpp" and station:
            return Identity(DEFAULT_TENANT, _name(station))
        case _:
            raise NoSuchPath


def is_odd(target: str) -> bool:
    """Whether the path of this target is none of ours, though it names a station."""
    return not target.startswith("/ocpp/")


def _name(segment: str) -> str:
    if _HALF_ESCAPED.search(segment):
        raise AmbiguousName
    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise AmbiguousName from error
    if not is_name(name):
        raise AmbiguousName
    return name
