"""Plausible charging sessions: a power curve, its integral in whole Wh, and samples of both.

Pure. The curve is flat up to a bend and then falls linearly, as batteries ask for. Floating point
shapes the curve only: the total is exact, and registers are integers that never fall.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

MAINS_VOLTAGE_V = 230
SAMPLES_MAX = 10
# Of the drivers' own cards, in the words of OCPP 2.x.
ID_TOKEN_TYPE = "ISO14443"


class Mishap(StrEnum):
    FAULT = "fault"  # The connector reports Faulted for a while afterwards.
    OFFLINE = "offline"  # The connection is lost in the middle of the session.
    REPEAT = "repeat"  # Every transaction message is told twice, as if its answer was lost.


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: int
    energy_wh: int
    power_w: int
    soc_percent: int | None


@dataclass(frozen=True, slots=True)
class Curve:
    """Relative power over relative time: 1 up to `bend`, then down to `last` at the end."""

    bend: float
    last: float

    def power(self, x: float) -> float:
        if x <= self.bend:
            return 1.0
        return 1.0 - (1.0 - self.last) * (x - self.bend) / (1.0 - self.bend)

    def energy(self, x: float) -> float:
        """The share of all energy that has flowed at `x`."""
        return self._area(x) / self._area(1.0)

    def mean_power(self) -> float:
        return self._area(1.0)

    def _area(self, x: float) -> float:
        beyond = max(0.0, x - self.bend)
        return x - (1.0 - self.last) * beyond * beyond / (2.0 * (1.0 - self.bend))


AC = Curve(bend=0.92, last=0.2)
DC = Curve(bend=0.6, last=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    started_at: datetime
    connector_id: int
    id_token: str
    duration_s: int
    energy_wh: int
    # Percent at arrival and departure; None where the station cannot know (AC).
    soc_percent: tuple[int, int] | None
    mishap: Mishap | None = None
    reference: str = ""
    id_token_type: str = ID_TOKEN_TYPE
    # Of the command that asked for it, where one did and its version numbers them.
    remote_start_id: int | None = None

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.duration_s)

    @property
    def curve(self) -> Curve:
        return AC if self.soc_percent is None else DC


def energy_at(plan: SessionPlan, elapsed_s: int) -> int:
    """The Wh that have flowed after so many seconds; all of them from the planned end on."""
    if elapsed_s >= plan.duration_s:
        return plan.energy_wh
    return int(plan.energy_wh * plan.curve.energy(max(0, elapsed_s) / plan.duration_s))


def sample_at(plan: SessionPlan, at_s: int) -> Sample:
    x = min(1.0, at_s / plan.duration_s)
    mean_w = plan.energy_wh * 3600 / plan.duration_s
    soc = None
    if plan.soc_percent is not None:
        first, last = plan.soc_percent
        soc = round(first + (last - first) * plan.curve.energy(x))
    power_w = round(mean_w * plan.curve.power(x) / plan.curve.mean_power())
    return Sample(at_s, energy_at(plan, at_s), power_w, soc)


def samples(plan: SessionPlan, every_s: int) -> Iterator[Sample]:
    """Periodic samples between begin and end, every `every_s` or so that they are not too many."""
    step = max(every_s, plan.duration_s // (SAMPLES_MAX + 1) + 1)
    return (sample_at(plan, at_s) for at_s in range(step, plan.duration_s, step))


def current_per_phase_a(power_w: int) -> str:
    """Of three phases, in amperes with one decimal."""
    tenths = round(power_w * 10 / (3 * MAINS_VOLTAGE_V))
    return f"{tenths // 10}.{tenths % 10}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Of the drivers at one station: how long they stay and with what power they charge."""

    direct_current: bool
    duration_s: tuple[int, int]
    pause_s: tuple[int, int]
    mishaps: float = 0.0


def plan_session(
    random: Random, habits: Habits, *, started_at: datetime, connector_id: int, id_token: str
) -> SessionPlan:
    duration_s = random.randint(*habits.duration_s)
    soc = None
    if habits.direct_current:
        power_w = random.randint(40_000, 250_000)
        arrival = random.randint(5, 60)
        soc = (arrival, random.randint(arrival + 1, 97))
    else:
        power_w = random.choice((3_680, 7_360, 11_040, 22_080))
    mishap = random.choice(tuple(Mishap)) if random.random() < habits.mishaps else None
    return SessionPlan(
        started_at=started_at,
        connector_id=connector_id,
        id_token=id_token,
        duration_s=duration_s,
        energy_wh=max(1, power_w * duration_s // 3600),
        soc_percent=soc,
        mishap=mishap,
    )


def plan_sessions(
    random: Random,
    habits: Habits,
    *,
    start: datetime,
    connector_id: int,
    id_tokens: tuple[str, ...],
) -> Iterator[SessionPlan]:
    """One after the other with pauses, without an end."""
    at = start
    while True:
        at += timedelta(seconds=random.randint(*habits.pause_s))
        plan = plan_session(
            random,
            habits,
            started_at=at,
            connector_id=connector_id,
            id_token=random.choice(id_tokens),
        )
        yield plan
        at = plan.ended_at
