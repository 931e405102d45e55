"""The opening handshake: from the head of a request to a decision, without I/O.

- Sub-protocol: the first that the station offers and we speak. Without one in common the handshake
  is completed without the header, and the socket closed at once (OCPP-J 1.6, 3.2; 2.0.1, part 4,
  3.1.2).
- HTTP Basic (OCPP-J 1.6, 6.2; 2.0.1 A00.FR.204): the user is the station's id; the password is
  bytes, after the first colon. Unknown station and wrong password get the same answer.
- Compression without context takeover (RFC 7692, 7.1.1): an idle connection holds no window.
"""

import base64
import binascii
import logging
from collections.abc import Sequence

from msgspec import Struct
from websockets import http11
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from ingress.identity import AmbiguousName, Identity, NoSuchPath, identity_of, is_odd
from ingress.options import Options
from ingress.ports import Admission, Directory
from schemas import credentials, tolerance
from schemas.journal import Unavailable
from schemas.records import VERSION_16
from schemas.switches import Switches

VERSIONS = {"ocpp1.6": VERSION_16, "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}

USER_AGENT_CHARACTERS_MAX = 200

LOGGER = logging.getLogger("ingress.websocket")
# The library tells each opening and closing at INFO; the journal does that.
LOGGER.setLevel(logging.WARNING)

# The bound of a whole head (`Options.head_bytes_max`) is ours; within it a line may be as long.
http11.MAX_LINE_LENGTH = 16 * 1024

_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)
_DUMMY = credentials.make_verifier(b"no station's password", b"", bytes(16))
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Admitted(Struct, frozen=True):
    identity: Identity
    version: str
    proof: str
    credential: str
    registered: bool
    user_agent: str
    response: bytes
    extensions: Sequence[Extension]
    switches: Switches
    violations: tuple[str, ...]
    """What was tolerated, in the words of `schemas.tolerance`."""


class Refused(Struct, frozen=True):
    outcome: str
    response: bytes
    failed: Identity | None = None
    """In whose name something was presented that proves nothing."""


class NoSubprotocol(Struct, frozen=True):
    """Send the response (101), then close."""

    response: bytes


def may_stay(identity: Identity, options: Options, directory: Directory) -> bool:
    """Whether a station may keep the connection that it has."""
    try:
        admission = directory.admission(*identity)
    except Unavailable:
        return True
    return not admission.refused and (admission.registered or options.accept_unknown_stations)


def refusal(status: int, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} {_REASONS[status]}", *headers, "Content-Length: 0")
    return ("\r\n".join((*lines, "Connection: close")) + "\r\n\r\n").encode()


def examine(
    head: bytes, options: Options, directory: Directory
) -> Admitted | Refused | NoSubprotocol:
    """Decide on the head of a request, up to and with its empty line.

    Raises:
        Unavailable: the directory cannot say yet; answer 503.
    """
    enabled = options.protocols
    protocol = ServerProtocol(
        extensions=[_DEFLATE],
        select_subprotocol=lambda _, offered: next((p for p in offered if p in enabled), None),
        logger=LOGGER,
    )
    protocol.receive_data(head)
    events = protocol.events_received()
    if not events or not isinstance(events[0], Request):
        written = b"".join(protocol.data_to_send())
        return Refused("malformed", written or refusal(400))
    request = events[0]
    try:
        identity = identity_of(request.path)
    except NoSuchPath:
        return Refused("no-such-path", refusal(404))
    except AmbiguousName:
        return Refused("ambiguous-name", refusal(400))
    response = protocol.accept(request)
    if response.status_code != 101:
        return Refused("malformed", response.serialize())
    admission = directory.admission(*identity)
    presented = request.headers.get_all("Authorization")
    proof = _proof(presented, identity.station, admission, options)
    if proof is None:
        answer = refusal(401, 'WWW-Authenticate: Basic realm="OCPP"')
        return Refused("unauthorized", answer, identity if presented else None)
    if admission.refused:
        return Refused("refused", refusal(403))
    selected, switches = protocol.subprotocol, admission.switches
    if selected is None and not switches.speaks and not _may_offer_none(request, options):
        return NoSubprotocol(response.serialize())
    return Admitted(
        identity=identity,
        version=switches.speaks or VERSIONS[selected or Subprotocol(enabled[0])],
        proof=proof[0],
        credential=proof[1],
        registered=admission.registered,
        user_agent=_user_agent(request),
        response=response.serialize(),
        extensions=protocol.extensions,
        switches=switches,
        violations=_tolerated(request, selected, proof[0]),
    )


def _tolerated(request: Request, selected: str | None, proof: str) -> tuple[str, ...]:
    found = []
    if selected is None:
        found.append(tolerance.NO_SUBPROTOCOL.flag)
    if is_odd(request.path):
        found.append(tolerance.URL_IN_PATH.flag)
    if proof == "basic" and _basic(request.headers.get_all("Authorization"))[1].endswith(b"\n"):
        found.append(tolerance.PASSWORD_LINE_BREAK.flag)
    return tuple(found)


def _may_offer_none(request: Request, options: Options) -> bool:
    offered = request.headers.get_all("Sec-WebSocket-Protocol")
    return not options.require_subprotocol and not offered


def _proof(
    presented: Sequence[str], station: str, admission: Admission, options: Options
) -> tuple[str, str] | None:
    """Return how it proved who it is, and with which password; None: it did not."""
    user, password = _basic(presented)
    if not admission.registered:
        if presented:
            # As long as it takes for one that is registered.
            credentials.matches(_DUMMY, password, options.pepper)
        return ("none", "") if options.accept_unknown_stations else None
    matched = [
        number
        for number, verifier in enumerate(admission.verifiers if presented else ())
        if credentials.matches(verifier, password, options.pepper)
        or (
            password.endswith(b"\n")
            and credentials.matches(verifier, password.rstrip(b"\r\n"), options.pepper)
        )
    ]
    if matched and user == station.encode():
        named = dict(enumerate(admission.credentials))
        return "basic", named.get(matched[0], "")
    return ("none", "") if admission.may_come_without or not admission.verifiers else None


def _basic(values: Sequence[str]) -> tuple[bytes, bytes]:
    if len(values) != 1:
        return b"", b""
    scheme, _, encoded = values[0].partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return user, password


def _user_agent(request: Request) -> str:
    value = " ".join(request.headers.get_all("User-Agent"))[:USER_AGENT_CHARACTERS_MAX]
    return value if value.isprintable() else ""
