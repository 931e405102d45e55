"""CDRs: how many are built from the log in a second, and how many sessions are priced.

On one core and in memory. Building is what the read model does with a log: decode, filter, fold,
price and make the rows, without writing them. The same sessions are built twice: by stations that
have had few sessions before, and by stations that have had many. Then the same with what
`cdrs_stored` has in Postgres.
"""

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Raw

from benchmarks.cdrs_stored import stored_per_s
from benchmarks.rows import Row
from domain.answering import Policy
from domain.cdr_pricing import price_edges
from domain.charging_periods import Evidence, session_of
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.pricing import price
from domain.readings import time_text
from domain.registry import Registry
from domain.station import Station
from domain.transaction_ids import TransactionIds
from projections.ports import Progress, Write
from projections.read_model import ReadModel
from schemas.records import (
    CALL,
    CdrReleased,
    ConnectionOpened,
    LocationPut,
    MessageReceived,
    MessageSent,
    Record,
    TariffAssigned,
    TariffPut,
    decode,
    encode,
)

TITLE = "CDRs built from the log and sessions priced, on one core"
COMMAND = "python -m benchmarks cdrs"
STATIONS, SESSIONS, SAMPLES = 100, 1_000, 6
FEW, MANY = 10_000, 1_000_000
TURNS = 3
PRICED = 2_000
READINGS = 60
CUT = 5_000
_SECOND = 1_000_000
_NOW = 1_795_428_000_000_000
_encode = msgspec.json.Encoder(decimal_format="number").encode


def run() -> list[Row]:
    log = written()
    few, many = [], []
    for _ in range(TURNS):
        few.append(built_per_s(log, FEW))
        many.append(built_per_s(log, MANY))
    ratio = statistics.median(m / f for f, m in zip(few, many, strict=True))
    flat = statistics.median(few)
    # The first warms up both stores.
    stored = stored_per_s(_values(registrations()), logs_of(TURNS + 1), SESSIONS, (FEW, MANY))
    return [
        _row(f"CDRs built per second, {FEW:,} sessions before", flat, ""),
        _row(
            f"CDRs built per second, {MANY:,} sessions before",
            statistics.median(many),
            f"{ratio:.2f}",
            "1: a CDR's cost does not grow",
        ),
        _row(f"into Postgres, {FEW:,} stored before", statistics.median(stored.few), ""),
        _row(
            f"into Postgres, {MANY:,} stored before",
            statistics.median(stored.many),
            f"{stored.ratio:.2f}",
            "1",
        ),
        _row("sessions priced per second: 10 elements, 60 readings", priced_per_s(), ""),
    ]


def built_per_s(log: Sequence[bytes], sessions_before: int) -> float:
    """Build the CDRs of the log; return how many per second."""
    registry = registered()
    model = ReadModel(_Nowhere())
    model.reference = registry.reference
    stations = {station.station: station for station in _stations(sessions_before)}
    log_filter = LogFilter()
    progress = Progress(
        name="read", journal_id="", fold_version=0, before={}, positions={}, recorded_at=0
    )
    cdrs = 0
    start = time.process_time()
    for offset, value in enumerate(log):
        record = decode(value)
        if not log_filter.admit(offset, record) or not record.station:
            continue
        station = stations[record.station]
        model.apply(1, offset, record, fold(station, offset, record), station)
        cdrs += isinstance(record, CdrReleased)
        if offset % CUT == 0:
            model.cut(progress)
    model.cut(progress)
    assert cdrs == SESSIONS
    return cdrs / (time.process_time() - start)


def priced_per_s() -> float:
    evidence = _an_hour()
    tariff = registered().reference.version_at("default", "TEN", _NOW, 1_000)
    assert tariff is not None
    zone = "Europe/Amsterdam"
    start = time.process_time()
    for _ in range(PRICED):
        times = price_edges(tariff.tariff, zone, evidence.start_us, evidence.end_us)
        price(session_of(evidence, times), tariff.tariff, zone)
    return PRICED / (time.process_time() - start)


def written() -> list[bytes]:
    """Return the log of sessions that one owner answered and released; not measured."""
    return logs_of(1)[0]


def logs_of(turns: int) -> list[list[bytes]]:
    """Return one log after the other, each of `SESSIONS` more sessions of the same stations."""
    teller, logs = _Teller(), []
    for turn in range(turns):
        began = len(teller.values) if turn else 0
        for number in range(turn * SESSIONS, (turn + 1) * SESSIONS):
            teller.session(f"CP{number % STATIONS}", number)
        logs.append(teller.values[began:])
    return logs


def registered() -> Registry:
    registry = Registry()
    for offset, record in enumerate(registrations()):
        registry.fold(offset, record)
    return registry


def registrations() -> list[Record]:
    by: dict[str, Any] = {"tenant": "default", "recorded_at": 0, "actor": "benchmark"}
    put = TariffPut(tariff_id="TEN", valid_from=0, tariff=Raw(_encode(_tariff())), **by)
    stations = [{"station": f"CP{number}"} for number in range(STATIONS)]
    place = {"id": "HQ", "time_zone": "Europe/Amsterdam", "stations": stations}
    return [
        put,
        TariffAssigned(tariff_id="TEN", valid_from=0, **by),
        LocationPut(location_id="HQ", location=Raw(_encode(place)), **by),
    ]


def _values(records: Sequence[Record]) -> list[bytes]:
    return [encode(record, "registrar", number) for number, record in enumerate(records, 1)]


class _Teller:
    def __init__(self) -> None:
        self.values: list[bytes] = []
        self._now = _NOW
        self._owner = Owner(
            1,
            name="owner",
            policy=Policy(accept_unknown_tokens=True, settle_us=0),
            ids=TransactionIds(b"k" * 32),
            registry=registered(),
        )
        self._append(self._owner.claim(_NOW))
        for number in range(STATIONS):
            self._append(_opened(f"CP{number}"))

    def session(self, station: str, number: int) -> None:
        minute = 60 * _SECOND
        begin = _NOW + number * 120 * minute
        end = begin + 80 * minute
        started = {
            "connectorId": 1,
            "idTag": "TAG",
            "meterStart": 1_000,
            "timestamp": time_text(begin),
        }
        answer = self._calls(begin, station, "StartTransaction", started)
        transaction_id = msgspec.json.decode(answer.frame)[2]["transactionId"]
        for sample in range(1, SAMPLES + 1):
            at = begin + sample * 10 * minute
            value = {
                "timestamp": time_text(at),
                "sampledValue": [{"value": str(1_000 * (1 + sample))}],
            }
            told = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [value]}
            self._calls(at, station, "MeterValues", told)
        stopped = {
            "transactionId": transaction_id,
            "meterStop": 9_000,
            "timestamp": time_text(end),
        }
        self._calls(end, station, "StopTransaction", stopped)

    def _calls(self, at: int, station: str, action: str, payload: Mapping[str, Any]) -> MessageSent:
        self._now = at + _SECOND
        number = len(self.values)
        self._append(
            MessageReceived(
                tenant="default",
                station=station,
                recorded_at=self._now,
                connection=f"c-{station}",
                number=number,
                frame=msgspec.json.encode([CALL, f"m{number}", action, payload]).decode(),
                message_type=CALL,
                message_id=f"m{number}",
                action=action,
            )
        )
        return next(record for record in self._decided() if isinstance(record, MessageSent))

    def _decided(self) -> Sequence[Record]:
        found: list[Record] = []
        while records := self._owner.decide(self._now):
            for record in records:
                self._append(record)
            found += records
        return found

    def _append(self, record: Record) -> None:
        offset = len(self.values)
        self.values.append(encode(record, "teller", offset + 1))
        self._owner.fold(offset, decode(self.values[-1]))


class _Nowhere:
    """Takes no rows: only what makes them is measured."""

    async def write(self, writes: Sequence[Write], progress: Progress) -> None: ...


def _stations(sessions_before: int) -> list[Station]:
    """As they are after so many sessions of all, which are archived: twelve bytes each."""
    chance = random.Random(1)
    stations = []
    for number in range(STATIONS):
        station = Station("default", f"CP{number}", 1)
        station.transactions.archive += chance.randbytes(12 * sessions_before // STATIONS)
        station.transactions.archived_until = _NOW - 1
        stations.append(station)
    return stations


def _opened(station: str) -> ConnectionOpened:
    return ConnectionOpened(
        tenant="default",
        station=station,
        recorded_at=_NOW,
        connection=f"c-{station}",
        protocol="1.6",
        node="0/a",
        remote="127.0.0.1:1",
        proof="none",
        registered=True,
    )


def _tariff() -> dict[str, Any]:
    hours = [f"{hour:02}:00" for hour in (0, 3, 6, 9, 11, 14, 16, 18, 20, 22, 0)]
    elements = [
        {
            "price_components": [
                {"type": "ENERGY", "price": Decimal(20 + number) / 100, "vat": 21, "step_size": 1},
                {"type": "PARKING_TIME", "price": 2, "vat": 21, "step_size": 1},
            ],
            "restrictions": {"start_time": first, "end_time": after},
        }
        for number, (first, after) in enumerate(pairwise(hours))
    ]
    return {
        "country_code": "NL",
        "party_id": "TST",
        "id": "TEN",
        "currency": "EUR",
        "elements": elements,
        "last_updated": "2026-01-01T00:00:00Z",
    }


def _an_hour() -> Evidence:
    minute = 60 * _SECOND
    return Evidence(
        start_us=_NOW,
        end_us=_NOW + READINGS * minute,
        start_wh=0,
        energy_wh=READINGS * 500,
        readings=[(_NOW + at * minute, at * 500) for at in range(1, READINGS)],
        states=[(_NOW, "Charging"), (_NOW + 50 * minute, "SuspendedEV")],
    )


def _row(name: str, figure: float, ratio: str, asked: str = "") -> Row:
    return Row(name=name, command=COMMAND, figure=f"{figure:,.0f}/s", ratio=ratio, asked=asked)
