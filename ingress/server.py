"""The ingress node: listens, admits, and connects sockets with the log.

- 101 is sent only after `connection-opened` is durable. The newest admitted connection of a station
  wins; closing the older one never removes the newer one (compare, then delete).
- Our own trouble is never told to a station as an error: its socket waits, then closes, and while
  the log does not accept, handshakes get 503 with a spread Retry-After.
- A delivery is written on the connection that it names or not at all.
"""

import asyncio
import logging
import secrets as randomness
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from ssl import SSLContext
from types import TracebackType
from typing import Self

from ingress import handshake
from ingress.connection import ABNORMAL, Connection
from ingress.deliveries import Deliveries
from ingress.draining import SERVICE_RESTART, close_in_turn
from ingress.failures import Failures
from ingress.flapping import Flapping
from ingress.handshake import Admitted, NoSubprotocol, Refused, refusal
from ingress.identity import Identity
from ingress.node import Node
from ingress.opening import Opening
from ingress.options import Options
from ingress.owed import Owed
from ingress.pace import Pace
from ingress.ports import Directory, Log, NotAtHand, Secrets
from ingress.shares import TenantShares
from ingress.stream import POLICY_VIOLATION, Stream
from schemas.journal import AppendUnknown, Unavailable
from schemas.records import ConnectionClosed, ConnectionOpened

REPLACED = "replaced by a newer connection"

LOOKS_MAX, LOOK_AGAIN_S = 10, 0.2
"""For what is not at hand yet when a handshake needs it."""

_logger = logging.getLogger(__name__)


class Server:
    """Use as `async with Server(...) as server: port = await server.listen(host, port)`."""

    def __init__(
        self,
        *,
        log: Log,
        directory: Directory,
        secrets: Secrets,
        now_us: Callable[[], int],
        node: str,
        options: Options | None = None,
    ) -> None:
        self.options = options or Options()
        self._random = Random()
        self._owed = Owed(log.post)
        self.pace = Pace(self.options.tick_s, self._random, self._owed.settle)
        self._node = Node(
            name=node,
            log=log,
            directory=directory,
            options=self.options,
            pace=self.pace,
            now_us=now_us,
            digest=secrets.digest,
        )
        self._tasks = asyncio.TaskGroup()
        self._listeners: list[asyncio.Server] = []
        self._sockets: set[Opening | Connection] = set()
        self._by_id: dict[str, Connection] = {}
        self._newest: dict[tuple[str, str], Connection] = {}
        self._opened = 0
        self._opening = 0
        self._failures = Failures()
        self._shares = TenantShares(self.options.tenant_connections_max)
        self._flapping = Flapping(
            self.options.replaced_per_minute_max, lambda: asyncio.get_running_loop().time()
        )
        self._draining: asyncio.Event | None = None
        self._handshakes: Counter[str] = Counter()
        self._deliveries = Deliveries(
            connections=self._by_id,
            secrets=secrets,
            tasks=self._tasks,
            now_us=now_us,
            post=self._owed.put,
        )
        self.deliver = self._deliveries.deliver

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self.pace.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.close(finish=error is None)
        finally:
            # Not told of an error of the body, which would come out wrapped in a group.
            await self._tasks.__aexit__(None, None, None)

    async def listen(
        self,
        host: str,
        port: int,
        ssl: SSLContext | None = None,
        *,
        require_subprotocol: bool | None = None,
    ) -> int:
        """Accept connections; return the port (one that was free, for port 0).

        `require_subprotocol`: of this listener, whatever the options say."""
        loop = asyncio.get_running_loop()
        options = self.options
        if require_subprotocol is not None:
            options = replace(options, require_subprotocol=require_subprotocol)
        listener = await loop.create_server(
            lambda: Opening(self, options), host, port, ssl=ssl, backlog=1024
        )
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    async def close(self, *, finish: bool = True) -> None:
        """Stop accepting, close every connection with 1012, and return when all are gone.

        `finish`: each in its turn, with what is under way on it answered; otherwise at once.
        """
        for listener in self._listeners:
            listener.close()
        self._draining = asyncio.Event()
        connections = [each for each in self._sockets if isinstance(each, Connection)]
        for opening in self._sockets.difference(connections):
            if isinstance(opening, Opening):
                opening.refuse("draining", self._come_again())
        await close_in_turn(connections, self.options, self._random, finish=finish)
        if self._sockets:
            try:
                async with asyncio.timeout(self.options.drain_s):
                    await self._draining.wait()
            except TimeoutError:
                for socket in list(self._sockets):
                    socket.abort("restarting")
                await asyncio.sleep(0)
        self.pace.stop()

    # What owners and the node want.

    def close_replaced(self, connection: str) -> bool:
        """Close it, for its station has a newer one; False if it is not open here."""
        target = self._by_id.get(connection)
        if target is None or not target.is_open:
            return False
        self._flapping.replaced(target.identity)
        target.close(POLICY_VIOLATION, REPLACED)
        return True

    def close_where(
        self, wanted: Callable[[str, str], bool], code: int = 1013, reason: str = ""
    ) -> int:
        """Close the connections of the stations for which `wanted(tenant, station)`; count them."""
        closing = [target for target in self._by_id.values() if wanted(*target.identity)]
        for target in closing:
            target.close(code, reason)
        return len(closing)

    def close_all(self, code: int = 1013, reason: str = "") -> int:
        return self.close_where(lambda _tenant, _station: True, code, reason)

    def connection_of(self, tenant: str, station: str) -> str:
        """Return the id of the station's connection to this node; empty if it has none."""
        newest = self._newest.get((tenant, station))
        return newest.id if newest is not None else ""

    def counters(self) -> dict[str, object]:
        """Return what was counted since the start, and the present numbers of sockets."""
        return {
            "sockets": len(self._sockets),
            "connections": len(self._by_id),
            "opening": self._opening,
            "held": sum(connection.is_held for connection in self.pace.watched),
            "slowed": sum(connection.is_slowed for connection in self.pace.watched),
            "answering_pings": sum(target.answers_pings for target in self._by_id.values()),
            "pings": self._node.pings,
            "owed_records": len(self._owed),
            "handshakes": dict(self._handshakes),
            "frames": dict(self._node.frames),
            "deliveries": dict(self._deliveries.counts),
        }

    # What sockets tell.

    def accepted(self, opening: Opening) -> None:
        self._sockets.add(opening)
        self.pace.wake_after(self.options.handshake_s, opening)
        if len(self._sockets) > self.options.connections_max:
            opening.refuse("too-many-connections", self._come_again())

    def requested(self, opening: Opening, head: bytes, looks: int = LOOKS_MAX) -> None:
        if not opening.is_waiting:
            return
        if self._draining is not None or self._opening >= self.options.handshakes_max:
            opening.refuse("overload", self._come_again())
            return
        try:
            verdict = handshake.examine(head, opening.options, self._node.directory)
        except Unavailable as error:
            if isinstance(error, NotAtHand) and looks > 1:
                # A password was just set: refused, its station would stay away for a minute.
                loop = asyncio.get_running_loop()
                loop.call_later(LOOK_AGAIN_S, self.requested, opening, head, looks - 1)
            else:
                opening.refuse("unavailable", self._come_again())
            return
        match verdict:
            case Refused():
                self._failures.refuse(opening, verdict)
            case NoSubprotocol():
                opening.refuse_in_websocket("no-subprotocol", verdict)
            case Admitted():
                self._let_in(opening, verdict)

    def refused(self, opening: Opening) -> None:
        self._gone(opening)

    def _lost(self, connection: Connection, code: int, reason: str) -> None:
        self.pace.watched.discard(connection)
        if self._newest.get(connection.identity) is connection:
            del self._newest[connection.identity]
        if self._by_id.get(connection.id) is connection:
            del self._by_id[connection.id]
            self._shares.give(connection.identity.tenant)
            self._closed(connection.id, connection.identity, code, reason)
        self._gone(connection)

    def count_handshake(self, outcome: str) -> None:
        self._handshakes[outcome] += 1

    # Opening and closing.

    def _let_in(self, opening: Opening, admitted: Admitted) -> None:
        identity = admitted.identity
        if wait_s := self._flapping.wait_s(identity):
            opening.refuse("flapping", self._come_again(wait_s))
        elif identity not in self._newest and not self._shares.has_room(identity.tenant):
            opening.refuse("too-many-of-tenant", self._come_again())
        elif self._node.log.accepts(*identity):
            self._opening += 1
            self._tasks.create_task(self._open(opening, admitted))
        else:
            opening.refuse("unavailable", self._come_again())

    async def _open(self, opening: Opening, admitted: Admitted) -> None:
        tenant, station = admitted.identity
        connection_id = randomness.token_hex(12)
        self._opened += 1
        order = self._opened
        record = ConnectionOpened(
            tenant=tenant,
            station=station,
            recorded_at=self._node.now_us(),
            connection=connection_id,
            protocol=admitted.version,
            node=self._node.name,
            remote=opening.remote,
            proof=admitted.proof,
            registered=admitted.registered,
            user_agent=admitted.user_agent,
            violations=admitted.violations,
            credential=admitted.credential,
        )
        self._deliveries.awaits(connection_id)
        try:
            async with asyncio.timeout(self.options.handshake_s):
                await self._node.log.append(record)
        except Unavailable:
            opening.refuse("unavailable", self._come_again())
        except (TimeoutError, AppendUnknown):
            opening.refuse("unavailable", self._come_again())
            # It may be in the log all the same.
            self._closed(connection_id, admitted.identity, ABNORMAL, "the log was too slow")
        except Exception:
            _logger.exception("opening failed")
            opening.refuse("failed", self._come_again())
            self._closed(connection_id, admitted.identity, ABNORMAL, "its opening failed")
        else:
            self._admit(opening, admitted, connection_id, order)
        finally:
            self._opening -= 1
            self._deliveries.release(connection_id)

    def _admit(self, opening: Opening, admitted: Admitted, connection_id: str, order: int) -> None:
        if not opening.is_waiting:
            self._handshakes["gone"] += 1
            reason = "gone before the handshake was answered"
            self._closed(connection_id, admitted.identity, ABNORMAL, reason)
            return
        self._handshakes["opened"] += 1
        stream = Stream(
            admitted.extensions,
            bytes_max=self.options.frame_bytes_max,
            fragments_max=self.options.fragments_max,
        )
        connection = Connection(
            self._node,
            stream,
            version=admitted.version,
            id=connection_id,
            identity=admitted.identity,
            order=order,
            lost=self._lost,
            switches=admitted.switches,
        )
        self._sockets.discard(opening)
        self._sockets.add(connection)
        self._by_id[connection_id] = connection
        self._shares.take(admitted.identity.tenant)
        self.pace.wake_after(self.pace.jittered(self.options.ping_s), connection)
        older, newer = self._newest.get(admitted.identity), connection
        if older is not None and older.order > newer.order:
            older, newer = newer, older
        self._newest[admitted.identity] = newer
        opening.complete(admitted.response, connection)
        if older is not None:
            self.close_replaced(older.id)
        if self._draining is not None:
            connection.close(SERVICE_RESTART, "restarting")

    def _gone(self, socket: Opening | Connection) -> None:
        self._sockets.discard(socket)
        if self._draining is not None and not self._sockets:
            self._draining.set()

    def _closed(self, connection: str, identity: Identity, code: int, reason: str) -> None:
        tenant, station = identity
        self._owed.put(
            ConnectionClosed(
                tenant=tenant,
                station=station,
                recorded_at=self._node.now_us(),
                connection=connection,
                code=code,
                reason=reason,
            )
        )

    def _come_again(self, after_s: float = 0.0) -> bytes:
        spread_s = self._random.randint(*self.options.retry_after_s)
        return refusal(503, f"Retry-After: {round(after_s) + spread_s}")
