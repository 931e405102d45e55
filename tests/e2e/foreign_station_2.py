"""Stations of 2.0.1 and 2.1 made with the `ocpp` package: two EVSEs with one connector each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ocpp import v21, v201
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.e2e.foreign_station import QUIET, STARTED, STOPPED, is_online, opened, seen
from tests.e2e.running import Up

PACKAGES = {"2.0.1": v201, "2.1": v21}


class Station2:
    """It tells what it does; the package checks every frame of both sides."""

    def __init__(self, name: str, connection: ClientConnection, version: str) -> None:
        package = PACKAGES[version]
        self.calls: Any = package.call
        self.point: Any = package.ChargePoint(name, connection, response_timeout=20, logger=QUIET)
        self.connection = connection
        self._seq_no = 0

    async def call(self, action: str, /, **payload: Any) -> Any:
        """Return the result; an error of ours is raised."""
        return await self.point.call(getattr(self.calls, action)(**payload), suppress=False)

    async def boot(self) -> Any:
        identity = {"vendor_name": "Foreign", "model": "Two", "firmware_version": "7.1"}
        return await self.call("BootNotification", charging_station=identity, reason="PowerUp")

    async def status(self, evse_id: int, status: str) -> None:
        await self.call(
            "StatusNotification",
            evse_id=evse_id,
            connector_id=1,
            connector_status=status,
            timestamp=STARTED,
        )

    async def tell(
        self, kind: str, transaction_id: str, at: str, wh: float, context: str, **more: Any
    ) -> Any:
        """A TransactionEvent with a register and a power."""
        energy = {
            "value": wh / 1000,
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unit_of_measure": {"unit": "kWh"},
        }
        power = {
            "value": 736,
            "context": context,
            "measurand": "Power.Active.Import",
            "unit_of_measure": {"unit": "W", "multiplier": 1},
        }
        info = {"transaction_id": transaction_id, **more.pop("info", {})}
        seq_no, self._seq_no = self._seq_no, self._seq_no + 1
        return await self.call(
            "TransactionEvent",
            event_type=kind,
            timestamp=at,
            trigger_reason=more.pop("trigger_reason", "Authorized"),
            seq_no=seq_no,
            transaction_info=info,
            meter_value=[{"timestamp": at, "sampled_value": [energy, power]}],
            **more,
        )

    async def session(self, transaction_id: str, id_token: str, evse_id: int) -> Any:
        """A whole session of 734 Wh; return the answer to its start."""
        token = {"id_token": id_token, "type": "ISO14443"}
        started = await self.tell(
            "Started", transaction_id, STARTED, 1000, "Transaction.Begin",
            evse={"id": evse_id, "connector_id": 1}, id_token=token,
        )  # fmt: skip
        sampled = "2026-05-04T10:30:00Z"
        await self.tell("Updated", transaction_id, sampled, 1500, "Sample.Periodic")
        await self.tell(
            "Ended", transaction_id, STOPPED, 1734, "Transaction.End",
            trigger_reason="EVDeparted", info={"stopped_reason": "EVDisconnected"},
        )  # fmt: skip
        return started


@asynccontextmanager
async def connected(up: Up, name: str, version: str) -> AsyncIterator[Station2]:
    """Yield a station whose reader runs, once the views show it online."""
    url = f"{up.deployment.ocpp_url}/{name}"
    async with await opened(url, {}, f"ocpp{version}") as connection:
        station = Station2(name, connection, version)

        async def read() -> None:
            with contextlib.suppress(ConnectionClosed):
                await station.point.start()

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            await seen(lambda: is_online(up, name), f"{name} is online")
            yield station
            await connection.close()
