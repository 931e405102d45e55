"""Runs one scenario: its frames and controls become records, at their times, in a `World`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Raw

from domain.answering import Policy
from domain.readings import read_time
from infra.scenarios import registering
from infra.scenarios.registering import ACTOR, TENANT
from infra.scenarios.store import MemoryReadStore
from infra.scenarios.world import World
from ingress import rpc
from schemas.cdr import cdr_id
from schemas.records import (
    CALL,
    CALLRESULT,
    CdrActionRequested,
    CommandRequested,
    ConnectionClosed,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
)

HOUR_US = 3_600_000_000
SETTLE_US = 48 * HOUR_US
_BEFORE_US = 365 * 24 * HOUR_US
_COMMAND_US = HOUR_US

Event = Mapping[str, Any]


class Ran(NamedTuple):
    world: World
    store: MemoryReadStore
    differences: list[str]
    """Between what the scenario says we answer and what was answered."""
    calls: dict[int, tuple[str, str]]
    """Offset of each CALL of a station: (station, action)."""
    before_stop: MemoryReadStore | None
    """The read model just before the first stop."""


async def run(scenario: Mapping[str, Any], tariffs: Sequence[Mapping[str, Any]]) -> Ran:
    running = _Running(scenario, tariffs)
    await running.begin()
    for event in scenario["frames"]:
        await running.take(event)
    world = running.world
    await world.pass_until(world.now + SETTLE_US)
    before = None
    if running.stop_offset is not None:
        before = await world.project(until=running.stop_offset)
    store = await world.project()
    return Ran(world, store, running.differences, running.calls, before)


def _us(event: Event) -> int:
    at = read_time(event["at"])[0]
    if at is None:
        raise ValueError(f"no time: {event['at']!r}")
    return at


class _Running:
    def __init__(self, scenario: Mapping[str, Any], tariffs: Sequence[Mapping[str, Any]]) -> None:
        config = scenario["config"]
        self.world = World(Policy(accept_unknown_tokens="tokens" not in config))
        self.differences: list[str] = []
        self.calls: dict[int, tuple[str, str]] = {}
        self.stop_offset: int | None = None
        self._scenario = scenario
        self._tariffs = {tariff["id"]: tariff for tariff in tariffs}
        self._version = str(scenario["protocol"]).removeprefix("ocpp")
        self._reserved = sorted(
            config.get("reservations") or (), key=lambda each: str(each.get("reserved_at", ""))
        )
        self._placeholders: dict[str, Any] = {}
        self._connections: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._asked: dict[tuple[str, Any, str], int] = {}
        self._own: dict[str, str] = {}
        """The scenario's message id of a CALL of ours → the id that it went out with."""

    async def begin(self) -> None:
        first = min(_us(event) for event in self._scenario["frames"])
        at = first - _BEFORE_US
        records = registering.registry_of(self._scenario, list(self._tariffs.values()), at)
        await self.world.begin(at, *records)

    async def take(self, event: Event) -> None:
        at = _us(event)
        while self._reserved and _us({"at": self._reserved[0]["reserved_at"]}) <= at:
            await self._reserve(self._reserved.pop(0))
        await self.world.pass_until(at)
        if "ctl" in event:
            await self._control(event)
        elif event["dir"] == "in":
            await self._hear(event)
        elif event["raw"][0] == CALL:
            await self._command(event["cs"], *event["raw"][1:4])
        else:
            self._check_answer(event)

    async def _control(self, event: Event) -> None:
        kind, station = event["ctl"], event["cs"]
        if kind == "ws_open":
            await self._open(station)
        elif kind == "ws_close":
            await self._close(station)
        elif kind == "kafka_redeliver":
            await self.world.redeliver()
        elif kind == "tariff_update":
            tariff = self._tariffs[event["tariff_id"]]
            changed = registering.with_price(tariff, event["new_price"])
            at = self.world.now
            await self.world.register(registering.tariff_put(changed, at=at, valid_from=at))
        elif kind == "operator_release_estimate":
            await self._release(event)
        else:
            raise ValueError(f"unknown control {kind}")

    async def _open(self, station: str) -> None:
        number = self._numbers[station] = self._numbers.get(station, 0) + 1
        connection = self._connections[station] = f"{station}-{number}"
        await self.world.append(
            "edge",
            ConnectionOpened(
                tenant=TENANT,
                station=station,
                recorded_at=self.world.now,
                connection=connection,
                protocol=self._version,
                node="0/scenario",
                remote="127.0.0.1:1",
                proof="none",
                registered=True,
            ),
        )

    async def _close(self, station: str) -> None:
        connection = self._connections.pop(station, None)
        if connection is not None:
            closed = ConnectionClosed(
                tenant=TENANT,
                station=station,
                recorded_at=self.world.now,
                connection=connection,
                code=1006,
            )
            await self.world.append("edge", closed)

    async def _hear(self, event: Event) -> None:
        station, raw = event["cs"], list(event["raw"])
        if station not in self._connections:
            await self._open(station)
        if raw[0] == CALL:
            raw[3] = self._filled(raw[3])
            if self._stops(raw) and self.stop_offset is None:
                self.stop_offset = await self.world.journal.head(1)
        else:
            raw[1] = self._own.get(raw[1], raw[1])
        offset = await self._receive(station, json.dumps(raw, separators=(",", ":")))
        if raw[0] == CALL:
            self._asked[station, event.get("ws"), raw[1]] = offset
            self.calls[offset] = (station, raw[2])

    async def _receive(self, station: str, text: str) -> int:
        connection = self._connections[station]
        frame = rpc.read(self._version, text)
        number = self._numbers[connection] = self._numbers.get(connection, 0) + 1
        received = MessageReceived(
            tenant=TENANT,
            station=station,
            recorded_at=self.world.now,
            connection=connection,
            number=number,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            action=frame.action,
            error=frame.error,
            violations=frame.violations,
            protocol=self._version,
        )
        return await self.world.append("edge", received)

    @staticmethod
    def _stops(raw: Sequence[Any]) -> bool:
        return bool(
            raw[2] == "StopTransaction"
            or (raw[2] == "TransactionEvent" and raw[3].get("eventType") == "Ended")
        )

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        return self._placeholders.get(value, value) if isinstance(value, str) else value

    def _check_answer(self, event: Event) -> None:
        kind, message_id, told = event["raw"][0], event["raw"][1], event["raw"][-1]
        offset = self._asked.get((event["cs"], event.get("ws"), message_id))
        sent = None if offset is None else self.world.answers.get(offset)
        if sent is None or sent.message_type != kind:
            self.differences.append(f"answer to {message_id}: {_shown(sent)} instead of a result")
        elif kind == CALLRESULT:
            self._compare(message_id, told, json.loads(sent.frame)[2])

    def _compare(self, where: str, told: Any, sent: Any) -> None:
        if isinstance(told, str) and told.startswith("$"):
            if self._placeholders.setdefault(told, sent) != sent:
                known = self._placeholders[told]
                self.differences.append(f"answer to {where}: {sent} instead of {told} = {known}")
        elif isinstance(told, dict) and isinstance(sent, dict):
            for name in told:
                self._compare(f"{where} {name}", told[name], sent.get(name))
        elif where.endswith("status") and told != sent:
            self.differences.append(f"answer to {where}: {sent!r} instead of {told!r}")

    async def _command(
        self, station: str, command_id: str, action: str, payload: Mapping[str, Any]
    ) -> str:
        """Let us send this CALL, unless the owner has just sent the same by itself."""
        if station not in self._connections:
            await self._open(station)
        filled = self._filled(payload)
        for message_id, sent in self.world.calls.items():
            if (sent.station, sent.action) != (station, action):
                continue
            if json.loads(sent.frame)[3] == filled and message_id not in self._own.values():
                self._own[command_id] = message_id
                return message_id
        own = self._own[command_id] = f"{station}-{command_id}"
        await self.world.append(
            "api",
            CommandRequested(
                tenant=TENANT,
                station=station,
                recorded_at=self.world.now,
                command_id=own,
                action=action,
                payload=Raw(json.dumps(filled).encode()),
                payload_digest=own,
                expires_at=self.world.now + _COMMAND_US,
                actor=ACTOR,
            ),
        )
        return own

    async def _reserve(self, reservation: Mapping[str, Any]) -> None:
        await self.world.pass_until(_us({"at": reservation["reserved_at"]}))
        station, number = self._scenario["config"]["cs"], reservation["reservationId"]
        if self._version == "1.6":
            payload = {
                name: reservation[name]
                for name in ("connectorId", "expiryDate", "idTag", "reservationId")
                if name in reservation
            }
        else:
            token = {"idToken": reservation.get("idTag", ""), "type": "ISO14443"}
            expires = reservation.get("expiryDate")
            payload = {"id": number, "expiryDateTime": expires, "idToken": token}
        own = await self._command(station, f"reserve-{number}", "ReserveNow", payload)
        await self._receive(station, json.dumps([CALLRESULT, own, {"status": "Accepted"}]))

    async def _release(self, event: Event) -> None:
        station = event["cs"]
        known = self.world.owner.stations[TENANT, station].transactions.known
        held = [t for t in known.values() if not t.released]
        place = str(event.get("ref", "S1")).removeprefix("S")
        transaction = held[min(int(place), len(held)) - 1 if place.isdecimal() else 0]
        energy, end = event.get("energy_wh"), event.get("end")
        request = f"{station}-release-{self.world.now}"
        await self.world.append(
            "api",
            CdrActionRequested(
                tenant=TENANT,
                station=station,
                recorded_at=self.world.now,
                request_id=request,
                action="release",
                transaction_id=transaction.transaction_id,
                cdr_id=cdr_id(TENANT, station, transaction.transaction_id),
                actor=ACTOR,
                reason=str(event.get("reason") or "a person decides"),
                request_digest=request,
                energy_wh=None if energy is None else int(energy),
                ended_at=read_time(end)[0] if end else None,
            ),
        )


def _shown(sent: MessageSent | None) -> str:
    return "nothing" if sent is None else sent.frame
