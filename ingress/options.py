"""The bounds that ingress keeps, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    protocols: tuple[str, ...] = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
    """Sub-protocols that are enabled, of `ingress.handshake.VERSIONS`; the station prefers."""
    require_subprotocol: bool = True
    """False: who offers none is taken to speak the first enabled one (several makes offer none)."""
    accept_unknown_stations: bool = False
    pepper: bytes = b""
    """The key of the password verifiers."""

    frame_bytes_max: int = 256 * 1024
    """A StopTransaction with 1,500 sampled values fits; its record stays under 512 KiB."""
    fragments_max: int = 1024
    """Per message; empty fragments cost us and say nothing."""
    frames_per_s: float = 200.0
    """Sustained, per connection. A station that empties its queue sends one at a time."""
    frames_burst: int = 2000
    unreadable_per_minute_max: int = 20
    outbound_bytes_max: int = 256 * 1024
    """Waiting in our buffers for a reader that does not read."""
    outbound_stall_s: float = 10.0
    """Then the socket is closed."""

    connections_max: int = 20_000
    tenant_share_percent: int = 90
    """Of them, for one tenant. Whoever has a connection may come again beyond it."""
    replaced_per_minute_max: int = 3
    """Of connections under one name; then those who come under it wait."""
    handshakes_max: int = 256
    """In progress at once; more get 503. Each holds a slot of the log's next commit."""
    handshake_s: float = 10.0
    head_bytes_max: int = 16 * 1024
    retry_after_s: tuple[int, int] = (5, 120)
    """Spread, so that a fleet that was refused does not come back as one."""

    ping_s: float = 45.0
    """Below the 60 s after which common mobile gateways forget a connection."""
    pong_s: float = 20.0
    silence_s: float = 900.0
    """For stations that never answered a ping; some firmwares do not, and are well."""
    hold_s: float = 20.0
    """How long a frame waits for a log that cannot be written before its socket is closed."""
    closing_s: float = 2.0
    """For the peer to answer our close; then the socket is cut."""
    drain_spread_s: float = 0.0
    """Over which a node that stops closes its connections: as their stations come to the others."""
    drain_finish_s: float = 5.0
    """For what is under way on a connection whose turn it is."""
    drain_s: float = 5.0
    """For the peers to answer the last closes; then the sockets are cut."""
    tick_s: float = 0.25

    @property
    def tenant_connections_max(self) -> int:
        return max(1, self.connections_max * self.tenant_share_percent // 100)
