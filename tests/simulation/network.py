"""Sockets between stations and ingress nodes: bytes in order, with delays, cuts and silences.

A link is faulted once anything but a delay was done to it. A silent one loses what is sent in one
direction or both and tells nobody; a cut one tells both ends, each after a moment.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

DELAY_S = (0.0005, 0.02)
TEXT = 0x81
"""The first byte of a WebSocket text, which stations write alone."""
RECEIVED = b'"kind":"message-received'


class Process:
    """What can be killed: nothing that it does afterwards has an effect."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_cut_off = False
        """From the brokers and the stores; its stations still reach it."""
        self.frames_read = 0
        self.frames_landed = 0
        self.unlogged_max = 0
        """The most frames that it has read of stations and not in the log at one moment."""

    def read(self, data: bytes) -> None:
        self.frames_read += data[0] == TEXT
        self.unlogged_max = max(self.unlogged_max, self.frames_read - self.frames_landed)

    def landed(self, values: Sequence[bytes]) -> None:
        self.frames_landed += sum(RECEIVED in value for value in values)

    def require_life(self) -> None:
        """
        Raises:
            CancelledError: it was killed; its tasks only unwind.
        """
        if not self.is_alive:
            raise asyncio.CancelledError


class _Listener:
    """What `create_server` returns, as far as ingress uses it."""

    def __init__(
        self, network: "Network", factory: Callable[[], asyncio.Protocol], port: int
    ) -> None:
        self.factory = factory
        self.process = network.owners[port]
        self._network = network
        self._port = port
        self.sockets = [self]

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def close(self) -> None:
        if self._network.listeners.get(self._port) is self:
            del self._network.listeners[self._port]


class Network:
    def __init__(self, random: Random) -> None:
        self.listeners: dict[int, _Listener] = {}
        self.links: list[Link] = []
        self.owners: dict[int, Process] = {}
        """By port: the process that may listen there now."""
        self._random = random

    def listen(self, factory: Callable[[], asyncio.Protocol], port: int) -> _Listener:
        self.listeners[port] = listener = _Listener(self, factory, port)
        return listener

    def connect(self, port: int, station: str, client: asyncio.Protocol) -> "Link":
        """
        Raises:
            ConnectionRefusedError: nobody listens.
        """
        listener = self.listeners.get(port)
        if listener is None or not listener.process.is_alive:
            raise ConnectionRefusedError(port)
        link = Link(self, station, listener.process, client, listener.factory())
        self.links = [each for each in self.links if not each.is_over]
        self.links.append(link)
        return link

    def delay_s(self) -> float:
        return self._random.uniform(*DELAY_S)


class Link:
    def __init__(
        self,
        network: Network,
        station: str,
        process: Process,
        client: asyncio.Protocol,
        server: asyncio.Protocol,
    ) -> None:
        self.station = station
        self.process = process
        self.is_faulted = False
        self.client_end = End(network, self, client, Process(station))
        self.server_end = End(network, self, server, process)
        self.client_end.peer, self.server_end.peer = self.server_end, self.client_end
        server.connection_made(self.server_end)
        client.connection_made(self.client_end)

    @property
    def is_over(self) -> bool:
        return self.client_end.is_lost and self.server_end.is_lost

    def cut(self) -> None:
        """Both ends learn that it is over."""
        self.is_faulted = True
        self.client_end.reset()
        self.server_end.reset()

    def silence(self, *, to_server: bool, to_client: bool) -> None:
        self.is_faulted = True
        self.client_end.is_silenced |= to_server
        self.server_end.is_silenced |= to_client

    def stall(self, seconds: float) -> None:
        """What the station sends from now on arrives late, even after its end of the link died."""
        self.is_faulted = True
        self.client_end.stall(seconds)

    def process_died(self, *, silently: bool) -> None:
        if silently:
            self.silence(to_server=True, to_client=True)
            self.server_end.lose()
        else:
            self.is_faulted = True
            self.server_end.lose()
            self.client_end.reset()


class End(asyncio.Transport):
    """One end's transport: what is written here arrives at the peer's protocol."""

    peer: "End"

    def __init__(
        self, network: Network, link: Link, protocol: asyncio.Protocol, process: Process
    ) -> None:
        super().__init__()
        self.is_lost = False
        self.is_silenced = False
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._link = link
        self._protocol = protocol
        self._process = process
        self._is_closing = False
        self._is_paused = False
        self._arrived: list[bytes | None] = []
        self._last_at = 0.0

    # What protocols call.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.0.1", 1) if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        if self._arrived:
            self._loop.call_soon(self._hand_over)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closing and self._process.is_alive:
            self._send(bytes(data))

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(None)
            self._loop.call_soon(self.lose)

    def abort(self) -> None:
        self._is_closing = True
        if not self.is_lost:
            self._send(None)
            self._loop.call_soon(self.lose)

    # What the network does.

    def reset(self) -> None:
        self._is_closing = True
        self._loop.call_later(self._network.delay_s(), self.lose)

    def lose(self) -> None:
        if self.is_lost:
            return
        self._is_closing = self.is_lost = True
        self._arrived.clear()
        if self._process.is_alive:
            self._protocol.connection_lost(None)

    def stall(self, seconds: float) -> None:
        self._last_at = max(self._last_at, self._loop.time() + seconds)

    def _send(self, data: bytes | None) -> None:
        if self.is_silenced:
            return
        self._last_at = max(self._last_at, self._loop.time() + self._network.delay_s())
        self._loop.call_at(self._last_at, self._arrive, data)

    def _arrive(self, data: bytes | None) -> None:
        if self.is_silenced or self.peer.is_lost:
            return
        self.peer.receive(data)

    def receive(self, data: bytes | None) -> None:
        self._arrived.append(data)
        if not self._is_paused:
            self._hand_over()

    def _hand_over(self) -> None:
        while self._arrived and not self._is_paused and not self.is_lost:
            data = self._arrived.pop(0)
            if data is None:
                self._is_closing = True
                self.lose()
            elif self._process.is_alive:
                self._process.read(data)
                self._protocol.data_received(data)
