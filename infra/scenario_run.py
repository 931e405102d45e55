"""Runs scenarios through the real path: journal, owner, projection; what comes out is what is read.

Placeholders ($T1) stand for the transaction id of our answer; the same placeholder is the same id.
After the last event as much time passes as any CDR needs to settle.
"""

import copy
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from domain.readings import read_time
from infra.scenario_compare import differences, in_our_order, orphan_differences, paired, shown
from infra.scenario_file import Event, Json, Scenario
from infra.scenario_rows import MemoryRows
from infra.scenario_tariffs import in_full, station_tariffs
from infra.scenario_world import ACTOR, PARTITION, TENANT, ScenarioWorld
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from schemas.cdr import Cdr
from schemas.records import CALL, CALLRESULT, CdrActionRequested, MessageReceived, decode

SETTLE_US = 48 * 3_600_000_000
_decode = msgspec.json.Decoder(Cdr).decode


class Ran(NamedTuple):
    cdrs: Sequence[Cdr]
    orphans: Sequence[Json]
    """Each with `cs`, `action` and `flag`, as scenarios name them."""
    open_sessions: int
    series: Sequence[tuple[int | None, str, str, str]]
    """(time, measurand, phase, value) of each sample, a re-sent one once."""
    problems: Sequence[str]
    """What went wrong on the way: no answer, another id for the same placeholder."""
    running: Sequence[Any] = ()
    """Wh of each transaction that ended, as it showed just before its end was told."""


class ScenarioRun:
    def __init__(self, scenario: Scenario, tariffs: Sequence[Json], *, rename: str = "") -> None:
        self.scenario = scenario
        self.tariffs = {each["id"]: each for each in tariffs}
        self.world = ScenarioWorld(scenario, rename)
        self.problems: list[str] = []
        self._station_tariffs = station_tariffs(scenario.config)
        self._bound: dict[str, Any] = {}
        self._commands: dict[str, str] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._running: list[Any] = []

    async def run(self) -> Ran:
        world = self.world
        await world.register(self.scenario, list(self.tariffs.values()))
        reserved = sorted(self.scenario.config.get("reservations") or (), key=_reserved_at)
        for event in self.scenario.events:
            while reserved and _reserved_at(reserved[0]) <= event.at:
                await self._reserves(reserved.pop(0))
            await world.passes_to(event.at)
            await self._happens(event)
        for reservation in reserved:
            await self._reserves(reservation)
        await world.passes_to(world.now + SETTLE_US)
        rows = await projected(world)
        self.problems += [f"set aside: {each}" for each in rows.poison]
        self.problems += [f"set aside by the owner: {each}" for each in world.owner.poisoned]
        return Ran(
            [_decode(row["body"]) for row in rows.cdrs.values()],
            [self._orphan(row) for row in rows.orphans.values()],
            sum(row["state"] == "active" for row in rows.transactions.values()),
            sorted(set(world.series()), key=str),
            self.problems,
            self._running,
        )

    def _orphan(self, row: Json) -> Json:
        record = decode(self.world.values[row["told_offset"]])
        assert isinstance(record, MessageReceived)
        return {"cs": row["station"], "action": record.action, "flag": row["reason"]}

    async def _happens(self, event: Event) -> None:
        station = self.world.rename + event.station
        if event.control:
            await self._controls(station, event.control)
        elif event.direction == "in":
            await self._said(station, event)
        elif event.raw[0] == CALL:
            action, payload = event.raw[2], self._filled(event.raw[3])
            payload = in_full(action, payload, self._station_tariffs)
            command_id = await self.world.commands(station, self.scenario.version, action, payload)
            self._commands[event.raw[1]] = command_id
        else:
            self._answered(event)

    async def _said(self, station: str, event: Event) -> None:
        raw = self._filled(event.raw)
        if raw[0] != CALL and raw[1] in self._commands:
            raw[1] = self._commands[raw[1]]
        self._running += self.world.running_before(station, raw)
        connection = await self.world.says(station, self.scenario.version, raw)
        self._places[event.station, raw[1]] = connection

    def _answered(self, event: Event) -> None:
        message_id = event.raw[1]
        connection = self._places.get((event.station, message_id), "")
        answer = self.world.answers.get((connection, message_id))
        if answer is None:
            self.problems.append(f"{message_id}: no answer")
        elif answer[0] != event.raw[0]:
            self.problems.append(f"{message_id}: answered {answer}")
        elif event.raw[0] == CALLRESULT:
            told = event.raw[2].get("transactionId")
            got = answer[2].get("transactionId")
            if isinstance(told, str) and self._bound.setdefault(told, got) != got:
                self.problems.append(f"{message_id}: {told} was {self._bound[told]}, is {got}")

    async def _controls(self, station: str, control: Json) -> None:
        world = self.world
        match control["ctl"]:
            case "ws_open":
                await world.opens(station, self.scenario.version)
            case "ws_close":
                await world.closes(station)
            case "kafka_redeliver":
                await world.again()
            case "tariff_update":
                await self._reprices(control)
            case "operator_release_estimate":
                await self._releases(station, control)
            case unknown:
                self.problems.append(f"unknown control {unknown}")

    async def _reserves(self, reservation: Json) -> None:
        """An operator reserves, and the station accepts."""
        world = self.world
        await world.passes_to(_reserved_at(reservation))
        station = world.rename + self.scenario.config["cs"]
        token, expires = reservation.get("idTag", ""), reservation.get("expiryDate")
        number, version = reservation["reservationId"], self.scenario.version
        payload: Json = {"id": number, "expiryDateTime": expires}
        payload["idToken"] = {"idToken": token, "type": "ISO14443"}
        if version == "1.6":
            payload = {"reservationId": number, "connectorId": reservation.get("connectorId", 0)}
            payload |= {"idTag": token, "expiryDate": expires}
        await world.is_reached(station, version)
        command_id = await world.commands(station, version, "ReserveNow", payload)
        await world.says(station, version, [CALLRESULT, command_id, {"status": "Accepted"}])

    async def _reprices(self, control: Json) -> None:
        tariff = copy.deepcopy(self.tariffs[control["tariff_id"]])
        for element in tariff["elements"]:
            for component in element["price_components"]:
                if component["type"] == "ENERGY":
                    component["price"] = control["new_price"]
        await self.world.put_tariff(tariff, self.world.now)

    async def _releases(self, station: str, control: Json) -> None:
        """The person takes the one CDR that is held; they say so if there is another number."""
        rows = await projected(self.world)
        held = [_decode(row["body"]) for row in rows.cdrs.values() if row["state"] == "HELD"]
        held = [cdr for cdr in held if cdr.station == station]
        if len(held) != 1:
            self.problems.append(f"{len(held)} CDRs are held, not one")
            return
        await self.world.append(
            CdrActionRequested(
                tenant=TENANT,
                station=station,
                recorded_at=self.world.now,
                request_id=f"release-{held[0].id}",
                action="release",
                transaction_id=held[0].transaction_id,
                cdr_id=held[0].id,
                actor=ACTOR,
                reason="estimate",
                energy_wh=int(control["energy_wh"]),
                ended_at=read_time(control.get("end"))[0],
            ),
            writer="api",
        )

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._bound.get(value, value)
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if isinstance(value, dict):
            return {name: self._filled(each) for name, each in value.items()}
        return value


def _reserved_at(reservation: Json) -> int:
    return read_time(reservation.get("reserved_at"))[0] or 0


async def projected(world: ScenarioWorld, limits: Limits | None = None) -> MemoryRows:
    """Project the journal from zero, to its head."""
    rows = MemoryRows()
    heads = {p: await world.journal.head(p) for p in (0, PARTITION)}
    limits = limits or Limits(batch_s=0.01)
    await Projection(world.journal, ReadModel(rows), rows, limits=limits, until=heads).run()
    return rows


def judge(scenario: Scenario, ran: Ran) -> list[str]:
    """Return where what came out is not what the scenario expects."""
    expect = scenario.expect
    found = list(ran.problems)
    for wanted, cdr in paired(in_our_order(expect.get("cdrs", ())), ran.cdrs):
        ref = wanted.get("ref", "CDR")
        if cdr is None:
            found.append(f"{ref}: is missing")
        else:
            found += [f"{ref}: {each}" for each in differences(wanted, cdr)]
    if "cdrs_exactly" in expect and len(ran.cdrs) != expect["cdrs_exactly"]:
        found.append(f"cdrs: {len(ran.cdrs)} instead of {expect['cdrs_exactly']}")
    found += orphan_differences(expect.get("orphans", ()), ran.orphans)
    for name, value in expect.items():
        if name in ("cdrs", "cdrs_exactly", "orphans", "note", "why"):
            continue
        found += _counted(name, value, ran)
    return found


def told(scenario: Scenario, ran: Ran, found: Sequence[str]) -> Json:
    return {
        "id": scenario.id,
        "ok": not found,
        "differences": list(found),
        "cdrs": [shown(cdr) for cdr in ran.cdrs],
        "orphans": list(ran.orphans),
        "open_sessions_after": ran.open_sessions,
    }


def _counted(name: str, value: Any, ran: Ran) -> list[str]:
    final = sum(cdr.state == "FINAL" for cdr in ran.cdrs)
    counts = {
        "open_sessions_after": ran.open_sessions,
        "cdrs_exported": final,
        "cdr_outbox_messages": final,
    }
    if name == "running_energy_wh_before_stop":
        wanted = value if isinstance(value, list) else [value]
        is_so = [Decimal(str(each)) for each in wanted] == [
            Decimal(str(each)) for each in ran.running
        ]
        return [] if is_so else [f"{name}: {list(map(str, ran.running))} instead of {value}"]
    if name == "timeseries_points":
        return _points(value, ran)
    if name not in counts:
        return [f"{name}: not known here"]
    return [] if counts[name] == value else [f"{name}: {counts[name]} instead of {value}"]


def _points(wanted: Json, ran: Ran) -> list[str]:
    found = []
    for at, count in wanted["count_at_ts"].items():
        got = sum(
            point[:3] == (read_time(at)[0], wanted["measurand"], wanted.get("phase") or "")
            for point in ran.series
        )
        if got != count:
            found.append(f"timeseries_points: {got} at {at} instead of {count}")
    return found
