"""How a station calls the central system."""

from base64 import b64encode
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

OPEN_TIMEOUT_S = 10.0
PING_INTERVAL_S = 60.0


def handshake(url: str, station: str, password: str | None, subprotocol: Subprotocol) -> connect:
    """Return the connection to be entered; with a password, by Basic auth (security profile 1)."""
    headers = {}
    if password is not None:
        credentials = b64encode(f"{station}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {credentials}"
    return connect(
        f"{url.rstrip('/')}/{quote(station, safe='')}",
        subprotocols=[subprotocol],
        additional_headers=headers,
        compression=None,
        proxy=None,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=1,
        ping_interval=PING_INTERVAL_S,
    )
