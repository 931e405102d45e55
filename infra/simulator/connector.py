"""One connector of a simulated station: its register, its status, one session after the other.

The register counts Wh over the connector's life and never stands between two sessions, so the
sum of the sessions is what it has grown by.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from infra.simulator import frames
from infra.simulator.call_lane import Witness
from infra.simulator.json_types import Payload
from infra.simulator.oplog import TransactionRecord
from infra.simulator.outbox import Message
from infra.simulator.reservation import Reservation
from infra.simulator.session import (
    ID_TOKEN_TYPE,
    Habits,
    Mishap,
    SessionPlan,
    energy_at,
    plan_session,
    sample_at,
    samples,
)
from infra.simulator.virtual_clock import VirtualClock

FAULT_S = 5.0
# A round trip does not make a session late; waiting for an operator does.
LATE_S = 5.0
OFFLINE_S = (3.0, 12.0)
# Where virtual time jumps, an offline period is only as long as a reconnection.
OFFLINE_JUMPING_S = (0.02, 0.2)


class Home(Protocol):
    """The station that a connector is of."""

    name: str
    random: Random
    witness: Witness
    introduced: asyncio.Event

    async def tell(self, action: str, payload: Payload) -> Payload | None: ...

    async def report(
        self,
        action: str,
        payload: Payload,
        transaction: TransactionRecord,
        *,
        repeat: bool,
        wait: bool,
    ) -> None: ...

    def go_offline(self, seconds: float) -> None: ...

    async def session_over(self) -> None: ...


class Connector:
    def __init__(
        self,
        station: Home,
        number: int,
        *,
        clock: VirtualClock,
        habits: Habits,
        plans: Iterable[SessionPlan],
        register_wh: int = 0,
        sample_every_s: int = 60,
        stays: bool = False,
    ) -> None:
        self.id = number
        self.register_wh = register_wh
        self.transaction: TransactionRecord | None = None
        self.reservation: Reservation | None = None
        self._station = station
        self._clock = clock
        self._habits = habits
        self._plans = plans
        self._sample_every_s = sample_every_s
        self._stays = stays
        self._status = "Available"
        self._operative = True
        self._free_from: datetime | None = None
        self._remote: SessionPlan | None = None
        self._end_reason: str | None = None
        self._closing = False
        self._wake = asyncio.Event()

    async def run(self) -> None:
        await self._station.introduced.wait()
        self._clock.begin()
        for plan in self._plans:
            await self._idle_until(plan.started_at, plan.id_token)
            if self._closing:
                return
            await self._charge(plan, remote=False)
        while self._stays and not self._closing:
            await self._idle_until(None)

    def close(self) -> None:
        """End the running session and begin no other."""
        self._closing = True
        self.end_session("Local")
        self._wake.set()

    @property
    def status(self) -> str:
        """In the words of 1.6."""
        return self._status

    def reserve(self, reservation: Reservation) -> str:
        """Keep the connector for it if that can be; return what the station answers."""
        if self._status in ("Faulted", "Unavailable"):
            return self._status
        before = self.reservation
        is_other = before is not None and before.id != reservation.id
        if self._status not in ("Available", "Reserved") or self._remote is not None or is_other:
            return "Occupied"
        self.reservation = reservation
        self._wake.set()
        return "Accepted"

    def release(self) -> None:
        self.reservation = None
        self._wake.set()

    def start_remotely(
        self,
        id_token: str,
        *,
        id_token_type: str = ID_TOKEN_TYPE,
        group: str = "",
        remote_start_id: int | None = None,
    ) -> bool:
        is_free = self._operative and self._status in ("Available", "Reserved")
        if not is_free or self._remote is not None or self._is_kept_from(id_token, group):
            return False
        plan = plan_session(
            self._station.random,
            replace(self._habits, mishaps=0.0),
            started_at=self._clock.now(),
            connector_id=self.id,
            id_token=id_token,
        )
        self._remote = replace(plan, id_token_type=id_token_type, remote_start_id=remote_start_id)
        self._wake.set()
        return True

    def end_session(self, reason: str) -> None:
        if self.transaction is not None:
            self._end_reason = reason
            self._wake.set()

    def change_availability(self, operative: bool) -> bool:
        """Return False when a session has to end first."""
        self._operative = operative
        self._wake.set()
        return operative or self.transaction is None

    def announcement(self) -> Message:
        """The present status, for a connection that has just begun or was asked for it."""
        payload = frames.status(self.id, self._status, self._clock.now())
        return Message(action="StatusNotification", payload=payload)

    def reading(self) -> Message:
        value = frames.register_value(self._clock.now(), self.register_wh, "Trigger")
        payload = frames.meter_values(self.id, [value])
        if self.transaction is not None and self.transaction.transaction_id is not None:
            payload["transactionId"] = self.transaction.transaction_id
        return Message(action="MeterValues", payload=payload)

    @property
    def _resting(self) -> str:
        if not self._operative:
            return "Unavailable"
        return "Available" if self.reservation is None else "Reserved"

    def _is_kept_from(self, *id_tokens: str) -> bool:
        return self.reservation is not None and not self.reservation.is_for(*id_tokens)

    async def _idle_until(self, at: datetime | None, id_token: str = "") -> None:
        """Wait for the next planned session; meanwhile others may start one or close us."""
        while not self._closing:
            self._wake.clear()
            if self._status != self._resting:
                await self._tell_status(self._resting)
            elif self._remote is not None:
                plan, self._remote = self._remote, None
                await self._charge(plan, remote=True)
            elif at is None or not self._operative or self._is_kept_from(id_token):
                await self._wake.wait()
            elif not await self._clock.sleep_until(at, self._wake):
                return

    async def _charge(self, plan: SessionPlan, *, remote: bool) -> None:
        if not remote:
            answer = await self._station.tell("Authorize", {"idTag": plan.id_token})
            # Without an answer the station is offline, and trusts the token (AllowOfflineTx).
            if answer is not None and answer.get("idTagInfo", {}).get("status") != "Accepted":
                return
        plan = replace(plan, started_at=self._start_of(plan))
        await self._tell_status("Preparing")
        transaction = TransactionRecord(
            station=self._station.name,
            connector_id=self.id,
            id_token=plan.id_token,
            started_at=plan.started_at,
            meter_start_wh=self.register_wh,
            reference=plan.reference,
            id_token_type=plan.id_token_type,
            remote_start_id=plan.remote_start_id,
        )
        self.transaction = transaction
        self._end_reason = "Local" if self._closing else None
        self._station.witness.oplog.begin(transaction)
        payload = frames.start(plan, at=plan.started_at, meter_start_wh=self.register_wh)
        if self.reservation is not None:
            payload["reservationId"], self.reservation = self.reservation.id, None
        await self._report("StartTransaction", payload, plan)
        await self._tell_status("Charging")
        elapsed_s = await self._flow(plan, transaction)
        await self._stop(plan, transaction, elapsed_s)
        if plan.mishap is Mishap.FAULT:
            await self._fault()

    def _start_of(self, plan: SessionPlan) -> datetime:
        at = max(plan.started_at, self._free_from or plan.started_at)
        if self._clock.late_s(at) > LATE_S:
            at = self._clock.now()
        return at.replace(microsecond=0)

    async def _flow(self, plan: SessionPlan, transaction: TransactionRecord) -> int:
        """Tell the samples; return after how many seconds the session ended."""
        offline_at = plan.duration_s // 2 if plan.mishap is Mishap.OFFLINE else None
        last_s = 0
        for sample in samples(plan, self._sample_every_s):
            at = plan.started_at + timedelta(seconds=sample.at_s)
            if not await self._sleep(at):
                passed_s = int((self._clock.now() - plan.started_at).total_seconds())
                return min(plan.duration_s, max(last_s + 1, passed_s))
            self.register_wh = transaction.meter_start_wh + sample.energy_wh
            value = frames.meter_value(
                sample, at=at, register_wh=self.register_wh, context="Sample.Periodic"
            )
            transaction.samples_sent += 1
            await self._report("MeterValues", frames.meter_values(self.id, [value]), plan)
            last_s = sample.at_s
            if offline_at is not None and last_s >= offline_at:
                offline_at = None
                span_s = OFFLINE_JUMPING_S if self._clock.jumps else OFFLINE_S
                self._station.go_offline(self._station.random.uniform(*span_s))
        if await self._sleep(plan.ended_at):
            return plan.duration_s
        passed_s = int((self._clock.now() - plan.started_at).total_seconds())
        return min(plan.duration_s, max(last_s + 1, passed_s))

    async def _stop(
        self, plan: SessionPlan, transaction: TransactionRecord, elapsed_s: int
    ) -> None:
        ended_at = plan.started_at + timedelta(seconds=elapsed_s)
        self.register_wh = transaction.meter_start_wh + energy_at(plan, elapsed_s)
        transaction.ended_at = ended_at
        transaction.meter_stop_wh = self.register_wh
        transaction.stop_reason = self._end_reason or "EVDisconnected"
        data = [
            frames.register_value(plan.started_at, transaction.meter_start_wh, "Transaction.Begin"),
            frames.meter_value(
                sample_at(plan, elapsed_s),
                at=ended_at,
                register_wh=self.register_wh,
                context="Transaction.End",
            ),
        ]
        payload = frames.stop(
            plan.id_token,
            at=ended_at,
            meter_stop_wh=self.register_wh,
            reason=transaction.stop_reason,
            data=data,
        )
        self._free_from = ended_at + timedelta(seconds=1)
        await self._report("StopTransaction", payload, plan)
        self.transaction = None
        await self._tell_status("Finishing")
        await self._station.session_over()
        await self._tell_status(self._resting)

    async def _fault(self) -> None:
        self._status = "Faulted"
        await self._station.tell(
            "StatusNotification",
            frames.status(
                self.id,
                "Faulted",
                self._clock.now(),
                error_code="GroundFailure",
                vendor="RCD-7",
            ),
        )
        await self._clock.sleep_until(
            self._clock.now() + timedelta(seconds=FAULT_S), asyncio.Event()
        )
        await self._tell_status(self._resting)

    async def _sleep(self, at: datetime) -> bool:
        """Return False when the session is to end before that."""
        while self._end_reason is None:
            self._wake.clear()
            if not await self._clock.sleep_until(at, self._wake):
                return True
        return False

    async def _report(self, action: str, payload: Payload, plan: SessionPlan) -> None:
        assert self.transaction is not None
        await self._station.report(
            action,
            payload,
            self.transaction,
            repeat=plan.mishap is Mishap.REPEAT,
            wait=self._clock.jumps,
        )

    async def _tell_status(self, state: str) -> None:
        self._status = state
        await self._station.tell(
            "StatusNotification", frames.status(self.id, state, self._clock.now())
        )
