"""Simulated stations of 2.0.1 and 2.1 do what operators ask: each effect is seen in the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from infra import clock
from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from tests.e2e.running import Up, eventually

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
# What does not differ is asked of one of them: each test lasts some seconds.
OF_201 = pytest.mark.parametrize("version", ["2.0.1"])
OF_21 = pytest.mark.parametrize("version", ["2.1"])
TOKEN = {"idToken": "SIM000001", "type": "ISO14443"}
OTHER = {"idToken": "SIM000002", "type": "ISO14443"}
WAIT_S = 10.0


class Operator:
    """Asks one simulated station through the API, and waits for what comes of it."""

    def __init__(self, up: Up, station: str) -> None:
        self.station = station
        self._up = up
        self._path = f"/v1/stations/{station}"

    async def asks(self, action: str, **payload: Any) -> Any:
        """Return the answer's payload."""
        return (await self.commands(action, **payload))["answer"]

    async def commands(self, action: str, **payload: Any) -> Any:
        return await asyncio.to_thread(self._up.command, self.station, action, WAIT_S, **payload)

    async def sees_effect(self, command: Any) -> Any:
        def look() -> Any:
            row = self._up.get(f"/v1/commands/{command['command_id']}")
            return row if row["effect_observed"] else None

        return await asyncio.to_thread(eventually, look, f"the effect of {command}", WAIT_S)

    async def sees(self, state: str, **wanted: Any) -> Any:
        """Return the first item with these members in this list of the station's state."""

        def look() -> Any:
            items = self._up.get(f"{self._path}/{state}")["items"]
            return next((each for each in items if wanted.items() <= each.items()), None)

        return await asyncio.to_thread(eventually, look, f"{wanted} in {state}", WAIT_S)

    async def sees_status(self, evse_id: int, status: str) -> None:
        def look() -> bool | None:
            found = self._up.get(self._path)["connectors"]
            told = [each["status"] for each in found if each["evse"] == evse_id]
            return True if told == [status] else None

        await asyncio.to_thread(eventually, look, f"EVSE {evse_id} {status}", WAIT_S)


@asynccontextmanager
async def operated(up: Up, version: str, name: str) -> AsyncIterator[Operator]:
    prefix = f"{name}{version}-"
    options = SimulationOptions(
        url=up.deployment.ocpp_url,
        protocol=version,
        sessions=0,
        endless=True,
        name_prefix=prefix,
    )
    stop = asyncio.Event()
    reports: list[SimulationReport] = []

    def ignore(_: Progress) -> None:
        return None

    async def live() -> None:
        reports.append(await simulate(options, ignore, now=clock.now(), stop=stop))

    operator = Operator(up, f"{prefix}0001")
    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        try:
            await operator.sees_status(2, "Available")
            yield operator
        finally:
            stop.set()
    assert reports[0].ok, reports[0]


def in_s(seconds: float) -> str:
    return (clock.now() + timedelta(seconds=seconds)).isoformat()


@VERSIONS
async def test_a_remote_start_becomes_a_transaction_and_a_remote_stop_ends_it(
    up: Up, version: str
) -> None:
    async with operated(up, version, "REMOTE") as operator:
        started = await operator.commands(
            "RequestStartTransaction", idToken=TOKEN, remoteStartId=7, evseId=2
        )
        seen = await operator.sees_effect(started)
        transaction_id = seen["progress"].removeprefix("transaction ")
        busy = await operator.asks(
            "RequestStartTransaction", idToken=TOKEN, remoteStartId=8, evseId=2
        )
        unlocked = await operator.asks("UnlockConnector", evseId=2, connectorId=1)
        profile = {
            "id": 5,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "transactionId": transaction_id,
            "chargingSchedule": [
                {
                    "id": 1,
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
                }
            ],
        }
        limited = await operator.asks("SetChargingProfile", evseId=2, chargingProfile=profile)
        elsewhere = await operator.asks("SetChargingProfile", evseId=1, chargingProfile=profile)
        in_force = await operator.sees("charging-profiles", profile_id=5)
        stopped = await operator.commands("RequestStopTransaction", transactionId=transaction_id)
        ended = await operator.sees_effect(stopped)

    def final() -> Any:
        found = [each for each in up.cdrs() if each.station == operator.station]
        return found or None

    (cdr,) = eventually(final, "the CDR", 30)
    assert (started["answer"]["status"], busy["status"]) == ("Accepted", "Rejected")
    assert unlocked["status"] == "OngoingAuthorizedTransaction"
    assert (limited["status"], elsewhere["status"]) == ("Accepted", "Rejected")
    assert in_force["evse_id"] == 2
    assert ended["progress"] == "Remote"
    assert (cdr.transaction_id, cdr.evse) == (transaction_id, 2)


@VERSIONS
async def test_variables_are_got_set_and_reported_in_parts(up: Up, version: str) -> None:
    heartbeat = {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "HeartbeatInterval"},
    }
    async with operated(up, version, "VARIABLES") as operator:
        report = await operator.commands("GetBaseReport", requestId=3, reportBase="FullInventory")
        whole = await operator.sees_effect(report)
        kept = await operator.sees("variables", component="EVSE", evse_id=2)
        await operator.asks("SetVariables", setVariableData=[{**heartbeat, "attributeValue": "90"}])
        changed = await operator.sees("variables", variable="HeartbeatInterval", value="90")
        # The station takes four at once, and has said so.
        got = await operator.asks("GetVariables", getVariableData=[heartbeat] * 9)

    assert int(whole["progress"].split()[0]) > 2
    assert kept["value"] == "Available"
    assert changed["value"] == "90"
    assert [each["attributeValue"] for each in got["getVariableResult"]] == ["90"] * 9


@OF_21
async def test_a_reservation_is_used_cancelled_or_over_and_a_reset_waits(
    up: Up, version: str
) -> None:
    async with operated(up, version, "RESERVED") as operator:
        used = await operator.commands(
            "ReserveNow", id=1, idToken=TOKEN, evseId=1, expiryDateTime=in_s(60)
        )
        await operator.sees_status(1, "Reserved")
        kept_from = await operator.asks(
            "RequestStartTransaction", idToken=OTHER, remoteStartId=1, evseId=1
        )
        start = await operator.commands(
            "RequestStartTransaction", idToken=TOKEN, remoteStartId=2, evseId=1
        )
        assert (await operator.sees_effect(used))["progress"] == "Used"

        await operator.asks("ReserveNow", id=2, idToken=TOKEN, evseId=2, expiryDateTime=in_s(60))
        cancelled = [
            (await operator.asks("CancelReservation", reservationId=2))["status"] for _ in range(2)
        ]
        await operator.sees_status(2, "Available")
        over = await operator.commands(
            "ReserveNow", id=3, idToken=TOKEN, evseId=2, expiryDateTime=in_s(1)
        )
        assert (await operator.sees_effect(over))["progress"] == "Expired"
        await operator.sees_status(2, "Available")

        reset = await operator.commands("Reset", type="OnIdle")
        assert reset["answer"]["status"] == "Scheduled"
        running = (await operator.sees_effect(start))["progress"].removeprefix("transaction ")
        await operator.asks("RequestStopTransaction", transactionId=running)
        assert (await operator.sees_effect(reset))["progress"] == "ScheduledReset"

    assert kept_from["status"] == "Rejected"
    assert cancelled == ["Accepted", "Rejected"]


@OF_201
async def test_a_station_is_switched_off_and_on_reset_and_updated(up: Up, version: str) -> None:
    async with operated(up, version, "SWITCHED") as operator:
        off = await operator.commands("ChangeAvailability", operationalStatus="Inoperative")
        await operator.sees_effect(off)
        await operator.sees_status(1, "Unavailable")
        on = await operator.commands("ChangeAvailability", operationalStatus="Operative")
        await operator.sees_effect(on)

        await operator.asks("RequestStartTransaction", idToken=TOKEN, remoteStartId=1, evseId=1)
        await operator.sees_status(1, "Occupied")
        reset = await operator.commands("Reset", type="Immediate")
        assert (await operator.sees_effect(reset))["progress"] == "RemoteReset"

        firmware = {"location": "https://example.org/f", "retrieveDateTime": in_s(0)}
        update = await operator.commands("UpdateFirmware", requestId=4, firmware=firmware)
        assert (await operator.sees_effect(update))["progress"] == "Installed"
        upload = await operator.commands(
            "GetLog", requestId=5, logType="DiagnosticsLog",
            log={"remoteLocation": "https://example.org/l"},
        )  # fmt: skip
        assert (await operator.sees_effect(upload))["progress"] == "Uploaded"
        told = await operator.commands(
            "TriggerMessage", requestedMessage="MeterValues", evse={"id": 1}
        )
        await operator.sees_effect(told)
        done = await operator.sees("jobs", kind="firmware", status="Installed")

    assert done["request_id"] == 4


@OF_21
async def test_lists_and_data_are_taken_and_the_rest_is_not_supported(up: Up, version: str) -> None:
    entry = {"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}
    async with operated(up, version, "LISTED") as operator:
        sent = await operator.asks(
            "SendLocalList", versionNumber=6, updateType="Full", localAuthorizationList=[entry]
        )
        held = await operator.asks("GetLocalListVersion")
        kept = await operator.sees("local-list", version=6)
        report = await operator.commands("GetBaseReport", requestId=1, reportBase="FullInventory")
        await operator.sees_effect(report)
        entries = [{**entry, "idToken": {**TOKEN, "idToken": f"T{n}"}} for n in range(9)]
        # The station takes four at once, and has said so.
        longer = await operator.asks(
            "SendLocalList", versionNumber=7, updateType="Full", localAuthorizationList=entries
        )
        in_parts = await operator.sees("local-list", version=9)
        theirs = await operator.asks("DataTransfer", vendorId="unheard-of")
        refused = await operator.commands("SetMonitoringLevel", severity=3)

    assert (sent, held) == ({"status": "Accepted"}, {"versionNumber": 6})
    assert (kept["tokens"], in_parts["tokens"]) == (1, 9)
    assert longer == {"status": "Accepted"}
    assert theirs["status"] == "UnknownVendorId"
    assert (refused["fate"], refused["error_code"]) == ("answered", "NotSupported")
