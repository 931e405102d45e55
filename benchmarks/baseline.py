"""The baseline: a central system written the way the `ocpp` package's documentation shows.

In memory, no log, nothing durable. Prints its port, then serves until it is ended. It logs no
frame, unlike the documentation's example: that makes it faster, and the comparison fair.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from ocpp.routing import on
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

HEARTBEAT_S = 300
ACCEPTED = IdTagInfo(status=AuthorizationStatus.accepted)
transaction_ids = count(1)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def handles(action: Action) -> Callable[[Handler], Handler]:
    decorate: Callable[[Handler], Handler] = on(action)
    return decorate


def _now() -> str:
    now = datetime.now(UTC)  # noqa: TID251 - as the documentation has it.
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class ChargePoint(OcppChargePoint):  # type: ignore[misc]  # The package has no types.
    @handles(Action.boot_notification)
    def on_boot_notification(self, **payload: Any) -> call_result.BootNotification:
        return call_result.BootNotification(
            current_time=_now(), interval=HEARTBEAT_S, status=RegistrationStatus.accepted
        )

    @handles(Action.heartbeat)
    def on_heartbeat(self, **payload: Any) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=_now())

    @handles(Action.status_notification)
    def on_status_notification(self, **payload: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @handles(Action.authorize)
    def on_authorize(self, **payload: Any) -> call_result.Authorize:
        return call_result.Authorize(id_tag_info=ACCEPTED)

    @handles(Action.start_transaction)
    def on_start_transaction(self, **payload: Any) -> call_result.StartTransaction:
        return call_result.StartTransaction(
            transaction_id=next(transaction_ids), id_tag_info=ACCEPTED
        )

    @handles(Action.meter_values)
    def on_meter_values(self, **payload: Any) -> call_result.MeterValues:
        return call_result.MeterValues()

    @handles(Action.stop_transaction)
    def on_stop_transaction(self, **payload: Any) -> call_result.StopTransaction:
        return call_result.StopTransaction(id_tag_info=ACCEPTED)


async def on_connect(connection: ServerConnection) -> None:
    assert connection.request is not None
    charge_point = ChargePoint(connection.request.path.strip("/"), connection)
    with suppress(ConnectionClosed):
        await charge_point.start()


async def main() -> None:
    async with serve(on_connect, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
