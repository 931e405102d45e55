"""One scenario in a world of its own: a journal, the owner of its partition, a virtual clock.

Frames are appended as the edge appends them, `at` being the time at which they were received. The
owner decides whenever something was appended or a timer is due, in the order of time.
"""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from domain.answering import Policy
from domain.conversation import fold
from domain.facts import MeterValuesReported, TransactionEnded, TransactionEventReported
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.readings import read_time
from domain.registry import Registry
from domain.running import energy_so_far
from domain.station import Station
from domain.transaction_ids import TransactionIds
from infra.journal_memory import MemoryJournal
from infra.scenario_file import Json, Scenario
from ingress import rpc
from schemas.journal import REGISTRY_PARTITION
from schemas.records import (
    CALL,
    CommandRequested,
    ConnectionClosed,
    ConnectionOpened,
    IdTokenPut,
    LocationPut,
    MessageReceived,
    MessageSent,
    Record,
    StationRegistered,
    TariffAssigned,
    TariffPut,
    decode,
    encode,
)

TENANT = "scenario"
PARTITION = 1
ACTOR = "scenario"
DAY_US = 86_400_000_000
_NODE = "0/scenario"


class ScenarioWorld:
    def __init__(self, scenario: Scenario, rename: str = "") -> None:
        """`rename`: put before the names of its stations, for several copies in one journal."""
        self.journal = MemoryJournal(1)
        self.registry = Registry()
        self.now = scenario.events[0].at - DAY_US
        policy = Policy(accept_unknown_tokens="tokens" not in scenario.config)
        self.owner = Owner(
            PARTITION,
            name="owner",
            policy=policy,
            ids=TransactionIds(b"scenario" * 4),
            registry=self.registry,
        )
        self.values: list[bytes] = []
        self.answers: dict[tuple[str, str], list[Any]] = {}
        """(connection, message id) → the last answer, as sent."""
        self.rename = rename
        self._sequences: dict[tuple[str, int], int] = {}
        self._opened: dict[str, str] = {}
        self._names: dict[tuple[str, int], int] = {}
        self._numbers: dict[str, int] = {}
        self._commands = 0

    async def register(self, scenario: Scenario, tariffs: list[Json]) -> None:
        config, now = scenario.config, self.now
        await self._registered(self.owner.claim(self.now), PARTITION, "owner")
        for tariff in tariffs:
            await self.put_tariff(tariff, 0)
        stations = [self.rename + each for each in scenario.stations]
        attributes = {
            name: config[name]
            for name in (
                "connectors",
                "max_power_w",
                "register_modulus_wh",
                "eichrecht",
                "public_key_hex",
            )
            if config.get(name) is not None
        }
        for station in stations:
            await self._registered(
                StationRegistered(
                    tenant=TENANT,
                    station=station,
                    recorded_at=now,
                    actor=ACTOR,
                    attributes=attributes,
                )
            )
        location = {
            "id": "L1",
            "time_zone": config["time_zone"],
            "currency": config.get("currency", ""),
            "stations": [{"station": each} for each in stations],
        }
        await self._registered(
            LocationPut(
                tenant=TENANT,
                recorded_at=now,
                actor=ACTOR,
                location_id="L1",
                location=_raw(location),
            )
        )
        for uid, token in (config.get("tokens") or {}).items():
            await self._registered(_token(uid, token, self.now))
        if scenario.tariff_id:
            assigned = TariffAssigned(
                tenant=TENANT,
                recorded_at=now,
                actor=ACTOR,
                tariff_id=scenario.tariff_id,
                valid_from=0,
            )
            await self._registered(assigned)

    async def put_tariff(self, tariff: Json, valid_from: int) -> None:
        await self._registered(
            TariffPut(
                tenant=TENANT,
                recorded_at=self.now,
                actor=ACTOR,
                tariff_id=tariff["id"],
                valid_from=valid_from,
                tariff=_raw(tariff),
            )
        )

    async def passes_to(self, at: int) -> None:
        """Let time pass; whatever is due meanwhile is decided when it is due."""
        while (due := self.owner.next_due()) is not None and due <= at:
            self.now = max(self.now, due)
            await self.settle()
            if self.owner.next_due() == due:
                break
        self.now = max(self.now, at)
        await self.settle()

    async def opens(self, station: str, version: str) -> str:
        count = self._names[station, 0] = self._names.get((station, 0), 0) + 1
        connection = self._opened[station] = f"{station}/{count}"
        await self.append(
            ConnectionOpened(
                tenant=TENANT,
                station=station,
                recorded_at=self.now,
                connection=connection,
                protocol=version,
                node=_NODE,
                remote="127.0.0.1:1",
                proof="none",
                registered=True,
            )
        )
        return connection

    async def is_reached(self, station: str, version: str) -> None:
        """Let the station connect, if it has not."""
        if station not in self._opened:
            await self.opens(station, version)

    async def closes(self, station: str) -> None:
        connection = self._opened.pop(station, "")
        if connection:
            await self.append(
                ConnectionClosed(
                    tenant=TENANT,
                    station=station,
                    recorded_at=self.now,
                    connection=connection,
                    code=1006,
                    reason="",
                )
            )

    async def says(self, station: str, version: str, raw: list[Any]) -> str:
        """Append a frame of the station, as the edge reads it; return its connection."""
        connection = self._opened.get(station) or await self.opens(station, version)
        number = self._numbers[connection] = self._numbers.get(connection, 0) + 1
        text = json.dumps(raw, separators=(",", ":"), ensure_ascii=False)
        frame = rpc.read(version, text)
        await self.append(
            MessageReceived(
                tenant=TENANT,
                station=station,
                recorded_at=self.now,
                connection=connection,
                number=number,
                frame=text,
                message_type=frame.message_type,
                message_id=frame.message_id,
                action=frame.action,
                error=frame.error,
                violations=frame.violations,
                protocol=version,
            )
        )
        return connection

    def running_before(self, station: str, raw: list[Any]) -> list[Any]:
        """Return the Wh that the transaction shows of which this frame tells the end."""
        if raw[0] != CALL or raw[2] not in ("StopTransaction", "TransactionEvent"):
            return []
        told = raw[3]
        if raw[2] == "TransactionEvent" and told.get("eventType") != "Ended":
            return []
        info = told.get("transactionInfo") or told
        known = self.owner.stations.get((TENANT, station))
        named = known.transactions.known.get(str(info.get("transactionId"))) if known else None
        so_far = energy_so_far(named) if named is not None and not named.is_ended else None
        return [] if so_far is None else [so_far[1]]

    async def commands(self, station: str, version: str, action: str, payload: Json) -> str:
        """Issue a command, unless the owner has one of this action under way; return its id."""
        known = self.owner.stations.get((TENANT, station))
        for command in known.commands.values() if known is not None else ():
            if command.action == action and command.is_open:
                return command.command_id
        self._commands += 1
        command_id = f"c{self._commands}"
        await self.append(
            CommandRequested(
                tenant=TENANT,
                station=station,
                recorded_at=self.now,
                command_id=command_id,
                action=action,
                version=version,
                payload=_raw(payload),
                payload_digest=command_id,
                actor=ACTOR,
                expires_at=self.now + DAY_US,
            ),
            writer="api",
        )
        return command_id

    async def append(self, record: Record, writer: str = "ingress") -> int:
        offset = await self._append(record, PARTITION, writer)
        await self.settle()
        return offset

    async def again(self) -> None:
        """Hand every record of the log to its readers again, under the same ids."""
        values = list(self.values)
        for value in values:
            offset = (await self.journal.append(PARTITION, [value]))[0]
            self.owner.fold(offset, decode(value))
        self.values += values
        await self.settle()

    async def settle(self) -> None:
        while decided := self.owner.decide(self.now):
            for record in decided:
                await self._append(record, PARTITION, "owner")
                if isinstance(record, MessageSent):
                    self.answers[record.connection, record.message_id] = json.loads(record.frame)

    def series(self) -> Iterator[tuple[int | None, str, str, str]]:
        """Yield every sample of the log, as the series of meter values takes it."""
        stations: dict[str, Station] = {}
        admitted = LogFilter()
        for offset, value in enumerate(self.values):
            record = decode(value)
            if not admitted.admit(offset, record) or not record.station:
                continue
            station = stations.setdefault(
                record.station, Station(TENANT, record.station, PARTITION)
            )
            for fact in fold(station, offset, record):
                if isinstance(
                    fact, MeterValuesReported | TransactionEnded | TransactionEventReported
                ):
                    for each in fact.samples:
                        yield each.at, each.measurand, each.phase, each.raw

    async def _append(self, record: Record, partition: int, writer: str) -> int:
        sequence = self._sequences[writer, partition] = (
            self._sequences.get((writer, partition), 0) + 1
        )
        value = encode(record, writer, sequence)
        offset = (await self.journal.append(partition, [value]))[0]
        if partition == REGISTRY_PARTITION:
            self.registry.fold(offset, decode(value))
        else:
            self.values.append(value)
            self.owner.fold(offset, decode(value))
        return offset

    async def _registered(
        self, record: Record, partition: int = REGISTRY_PARTITION, writer: str = "api"
    ) -> None:
        await self._append(record, partition, writer)
        await self.settle()


def _token(uid: str, token: Json, now: int) -> IdTokenPut:
    return IdTokenPut(
        tenant=TENANT,
        recorded_at=now,
        actor=ACTOR,
        uid=uid,
        status=token.get("status", "Accepted"),
        expires_at=read_time(token.get("expiry"))[0],
        group=token.get("parent", ""),
    )


def _raw(document: Json) -> Raw:
    return Raw(json.dumps(document, separators=(",", ":")).encode())
