"""A station made with the `ocpp` package: what others' firmware looks like to us."""

import asyncio
import contextlib
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.running import LOOK_EVERY_S, Up, eventually

QUIET = logging.getLogger("tests.foreign_clients")
QUIET.setLevel(logging.CRITICAL)
STARTED, SAMPLED, STOPPED = "2026-05-04T10:00:00Z", "2026-05-04T10:30:00Z", "2026-05-04T11:00:00Z"
ADMITTED_WITHIN_S = 10.0

Handler = TypeVar("Handler", bound=Callable[..., Any])
T = TypeVar("T")


def handles(action: Action) -> Callable[[Handler], Handler]:
    decorate: Callable[[Handler], Handler] = on(action)
    return decorate


def follows(action: Action) -> Callable[[Handler], Handler]:
    decorate: Callable[[Handler], Handler] = after(action)
    return decorate


class Station(ChargePoint):  # type: ignore[misc]
    """One connector; it does what it is asked and tells what it does."""

    def __init__(self, name: str, connection: Any) -> None:
        super().__init__(name, connection, response_timeout=20, logger=QUIET)
        self.transaction_id = 0
        self.meter_wh = 1_000
        self.configuration: dict[str, str] = {}

    async def boot(self) -> Any:
        return await self.call(
            call.BootNotification(charge_point_model="Two", charge_point_vendor="Foreign")
        )

    async def begin(self, id_tag: str) -> Any:
        started = await self.call(
            call.StartTransaction(
                connector_id=1, id_tag=id_tag, meter_start=self.meter_wh, timestamp=STARTED
            )
        )
        self.transaction_id = started.transaction_id
        return started

    async def sample(self, wh: int) -> None:
        self.meter_wh += wh
        energy = {"value": str(self.meter_wh), "measurand": "Energy.Active.Import.Register"}
        power = {"value": "7.36", "measurand": "Power.Active.Import", "unit": "kW"}
        values = [{"timestamp": SAMPLED, "sampled_value": [energy | {"unit": "Wh"}, power]}]
        await self.call(
            call.MeterValues(connector_id=1, transaction_id=self.transaction_id, meter_value=values)
        )

    async def finish(self, wh: int, reason: str) -> Any:
        self.meter_wh += wh
        return await self.call(
            call.StopTransaction(
                transaction_id=self.transaction_id,
                meter_stop=self.meter_wh,
                timestamp=STOPPED,
                reason=reason,
            )
        )

    @handles(Action.remote_start_transaction)
    async def on_remote_start(self, **_: Any) -> call_result.RemoteStartTransaction:
        return call_result.RemoteStartTransaction(status="Accepted")

    @follows(Action.remote_start_transaction)
    async def after_remote_start(self, id_tag: str, **_: Any) -> None:
        await self.begin(id_tag)

    @handles(Action.remote_stop_transaction)
    async def on_remote_stop(self, **_: Any) -> call_result.RemoteStopTransaction:
        return call_result.RemoteStopTransaction(status="Accepted")

    @follows(Action.remote_stop_transaction)
    async def after_remote_stop(self, **_: Any) -> None:
        await self.finish(77, "Remote")

    @handles(Action.get_configuration)
    async def on_get_configuration(self, **_: Any) -> call_result.GetConfiguration:
        values = {"HeartbeatInterval": "300", **self.configuration}
        keys = [{"key": key, "readonly": False, "value": value} for key, value in values.items()]
        return call_result.GetConfiguration(configuration_key=keys)

    @handles(Action.change_configuration)
    async def on_change(self, key: str, value: str) -> call_result.ChangeConfiguration:
        self.configuration[key] = value
        return call_result.ChangeConfiguration(status="Accepted")

    @handles(Action.unlock_connector)
    async def on_unlock(self, **_: Any) -> call_result.UnlockConnector:
        return call_result.UnlockConnector(status="NotSupported")


@asynccontextmanager
async def connected(up: Up, name: str, password: str = "") -> AsyncIterator[Station]:
    """Yield a booted station whose reader runs, once the views show it online."""
    proof = b64encode(f"{name}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {proof}"} if password else {}
    async with await opened(f"{up.deployment.ocpp_url}/{name}", headers) as connection:
        station = Station(name, connection)

        async def read() -> None:
            with contextlib.suppress(ConnectionClosed):
                await station.start()

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            assert (await station.boot()).status == "Accepted"
            await seen(lambda: is_online(up, name), f"{name} is online")
            yield station
            await connection.close()


async def opened(
    url: str, headers: Mapping[str, str], protocol: str = "ocpp1.6"
) -> ClientConnection:
    """Come again while it is told to (503), as a station does."""
    async with asyncio.timeout(ADMITTED_WITHIN_S):
        while True:
            try:
                return await connect(
                    url,
                    subprotocols=[Subprotocol(protocol)],
                    additional_headers=headers,
                    proxy=None,
                )
            except InvalidStatus as error:
                if error.response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
            await asyncio.sleep(LOOK_EVERY_S)


async def seen(look: Callable[[], T | None], what: str) -> T:
    """`eventually`, while our stations go on."""
    return await asyncio.to_thread(eventually, look, what)


def is_online(up: Up, name: str) -> bool | None:
    found = up.get("/v1/stations", offline=False)["items"]
    return True if any(each["station"] == name for each in found) else None
