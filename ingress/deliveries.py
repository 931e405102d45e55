"""What the owner wants written on a connection: in order, in time, once, or it failed."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial

from ingress.connection import Connection
from ingress.delivery import Delivery
from ingress.ports import Secrets
from schemas.journal import Unavailable
from schemas.records import CALL, DeliveryFailed

SECRET_S = 10.0
"""For a secret to come; what is behind it on the connection waits as long."""


class Deliveries:
    def __init__(
        self,
        *,
        connections: Mapping[str, Connection],
        secrets: Secrets,
        tasks: asyncio.TaskGroup,
        now_us: Callable[[], int],
        post: Callable[[DeliveryFailed], None],
    ) -> None:
        self._connections = connections
        self._secrets = secrets
        self._tasks = tasks
        self._now_us = now_us
        self._post = post
        self.counts: Counter[str] = Counter()
        self._awaited: dict[str, list[Callable[[], object]]] = {}

    def awaits(self, connection: str) -> None:
        """Hold what comes for this connection: it is in the log, but not open yet."""
        self._awaited[connection] = []

    def release(self, connection: str) -> None:
        """Deliver what was held: the connection is open now, or will never be."""
        for deliver in self._awaited.pop(connection, ()):
            deliver()

    def deliver(
        self,
        connection: str,
        offset: int,
        frame: str,
        *,
        message_type: int,
        deadline_us: int = 0,
        secrets: tuple[str, ...] = (),
        tenant: str = "",
        station: str = "",
    ) -> bool:
        """Write the frame now, or not at all; True if it is written, or waits.

        It waits for its secrets, and for its connection to be opened.

        A repeat (an offset not above the last) is not written again and fails nothing. Otherwise a
        CALL that is not written gets its DeliveryFailed; with the connection gone, that needs the
        tenant and station.
        """
        delivery = Delivery(offset, frame, message_type, deadline_us, secrets)
        target = self._connections.get(connection)
        if target is None and connection in self._awaited:
            again = partial(
                self.deliver,
                connection,
                offset,
                frame,
                message_type=message_type,
                deadline_us=deadline_us,
                secrets=secrets,
                tenant=tenant,
                station=station,
            )
            self._awaited[connection].append(again)
            return True
        if target is None:
            self._failed(connection, tenant, station, delivery, "no such connection here")
            return False
        if offset <= target.last_offset:
            self.counts["repeated"] += 1
            return False
        if secrets or target.outbox is not None:
            target.last_offset = offset
            self._send_in_turn(target, delivery)
            return True
        return self._send(target, delivery, frame)

    def _send(self, target: Connection, delivery: Delivery, frame: str) -> bool:
        if delivery.message_type == CALL and 0 < delivery.deadline_us < self._now_us():
            self._failed(target.id, *target.identity, delivery, "its deadline has passed")
            return False
        if not target.send(frame):
            self._failed(target.id, *target.identity, delivery, "the connection is closing")
            return False
        target.last_offset = delivery.offset
        if delivery.message_type == CALL:
            target.asked = True
        elif target.owed:
            target.owed -= 1
        self.counts["written"] += 1
        return True

    def _failed(
        self, connection: str, tenant: str, station: str, delivery: Delivery, reason: str
    ) -> None:
        self.counts["failed"] += 1
        if delivery.message_type == CALL and station:
            self._post(
                DeliveryFailed(
                    tenant=tenant,
                    station=station,
                    recorded_at=self._now_us(),
                    connection=connection,
                    delivery=delivery.offset,
                    reason=reason,
                )
            )

    def _send_in_turn(self, target: Connection, delivery: Delivery) -> None:
        if target.outbox is not None:
            target.outbox.append(delivery)
            return
        target.outbox = deque([delivery])
        self._tasks.create_task(self._fill_and_send(target, target.outbox))

    async def _fill_and_send(self, target: Connection, outbox: deque[Delivery]) -> None:
        while outbox:
            delivery = outbox.popleft()
            try:
                async with asyncio.timeout(SECRET_S):
                    frame, told = await self._filled(delivery)
            except (Unavailable, KeyError, TimeoutError):
                self._failed(target.id, *target.identity, delivery, "a secret cannot be read")
                if delivery.message_type != CALL and target.owed:
                    target.owed -= 1
            else:
                for secret in told:
                    target.was_told(secret)
                self._send(target, delivery, frame)
        target.outbox = None

    async def _filled(self, delivery: Delivery) -> tuple[str, list[str]]:
        """Return the frame with its secrets, and them."""
        frame, told = delivery.frame, []
        for secret_id in delivery.secrets:
            secret = await self._secrets.reveal(secret_id)
            frame = frame.replace(f'"secret:{secret_id}"', json.dumps(secret, ensure_ascii=False))
            frame = frame.replace(f'"secret-number:{secret_id}"', secret)
            told.append(secret)
        return frame, told
