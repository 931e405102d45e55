"""Real sessions from a file of EPFL's charging data set, as plans for simulated stations.

Energy is rounded half-up to whole Wh. All times are shifted by the same amount, so that the last
session ends now. Sessions of one station that overlap get connectors of their own.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from infra.csv_file import UnreadableCsv, read_csv
from infra.simulator.session import SessionPlan

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


class UnreadableSessions(UnreadableCsv):
    """The file does not hold charging sessions in the form we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    session: str
    outlet: str
    arrival: datetime
    departure: datetime
    energy_wh: int
    soc_percent: tuple[int, int]


def read_rows(path: Path) -> list[Row]:
    """
    Raises:
        UnreadableCsv: it is no CSV of ours.
        UnreadableSessions: a column is missing or a value is not what its column says.
    """
    reader = read_csv(path)
    try:
        rows = [_row(cells) for cells in reader]
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, csv.Error) as error:
        raise UnreadableSessions(path, reader.line_num, _reason(error)) from error
    if not rows:
        raise UnreadableSessions(path, 1, "no sessions")
    return rows


def whole_wh(text: str) -> int:
    return int(Decimal(text).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def plans_by_station(
    rows: Sequence[Row], *, now: datetime, prefix: str, id_tokens: Sequence[str], spread: int
) -> Mapping[str, Sequence[SessionPlan]]:
    """Station name to its sessions in order of arrival; each outlet becomes `spread` stations."""
    shift = now.replace(microsecond=0) - max(row.departure for row in rows)
    rows_by_outlet: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.arrival, row.departure, row.session)):
        rows_by_outlet[row.outlet].append(row)
    plans: dict[str, Sequence[SessionPlan]] = {}
    for outlet, of_outlet in rows_by_outlet.items():
        for part in range(spread):
            name = f"{prefix}{outlet}" if spread == 1 else f"{prefix}{outlet}-{part + 1}"
            mine = of_outlet[part::spread]
            if mine:
                connectors = _connectors(mine)
                plans[name] = [
                    SessionPlan(
                        started_at=row.arrival + shift,
                        connector_id=connector_id,
                        id_token=id_tokens[number % len(id_tokens)],
                        duration_s=round((row.departure - row.arrival).total_seconds()),
                        energy_wh=row.energy_wh,
                        soc_percent=row.soc_percent,
                        reference=row.session,
                    )
                    for number, (row, connector_id) in enumerate(zip(mine, connectors, strict=True))
                ]
    return plans


def _connectors(rows: Iterable[Row]) -> list[int]:
    free_from: list[datetime] = []
    chosen: list[int] = []
    for row in rows:
        for index, free in enumerate(free_from):
            if free <= row.arrival:
                free_from[index] = row.departure
                chosen.append(index + 1)
                break
        else:
            free_from.append(row.departure)
            chosen.append(len(free_from))
    return chosen


def _row(cells: Mapping[str, str]) -> Row:
    arrival = datetime.strptime(cells["Arrival"], TIME_FORMAT).replace(tzinfo=UTC)
    departure = datetime.strptime(cells["Departure"], TIME_FORMAT).replace(tzinfo=UTC)
    if departure <= arrival:
        raise ValueError("the departure is not after the arrival")
    return Row(
        session=cells["Session"],
        outlet=cells["CCS"],
        arrival=arrival,
        departure=departure,
        energy_wh=whole_wh(cells["Energy (Wh)"]),
        soc_percent=(_percent(cells["SOC arrival"]), _percent(cells["SOC departure"])),
    )


def _percent(text: str) -> int:
    return min(100, max(0, whole_wh(text)))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the header names no column {error.args[0]!r}"
    return str(error) if isinstance(error, ValueError | csv.Error) else repr(error)
