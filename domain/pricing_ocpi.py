"""From the charging periods of an OCPI CDR, of 2.2.1 or 2.3.0, to a session to price.

A period ends where the next one begins, the last one with the CDR. Its volumes are what the CDR
says. Without a current or a power it cannot be priced by one, which is then flagged by the pricing.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from domain.pricing_session import Exact, Period, PricedSession, Ramp, Reservation, SessionInvalid
from domain.readings import read_decimal, read_time

PERIOD_OUTSIDE = "PERIOD_OUTSIDE"
_HOUR_S = 3600


def session_of_cdr(periods: Sequence[Mapping[str, Any]], start: Any, end: Any) -> PricedSession:
    """Raise `SessionInvalid`, naming the field, for what cannot be read.

    A period that begins before the CDR or after it is priced where it stands, and flagged.
    """
    first, last = time_of(start, "start_date_time"), time_of(end, "end_date_time")
    told = [_dimensions(period, f"charging_periods[{i}]") for i, period in enumerate(periods)]
    told.sort(key=lambda each: each[0])
    begins = [at for at, _ in told]
    ends = [*begins[1:], max(last, begins[-1])] if begins else []
    made: list[Period] = []
    reservation: Reservation | None = None
    for (at, volumes), until in zip(told, ends, strict=True):
        if "RESERVATION_TIME" in volumes:
            reserved = int(volumes["RESERVATION_TIME"] * _HOUR_S * 1_000_000)
            before = reservation.end_us - reservation.start_us if reservation else 0
            begin = reservation.start_us if reservation else at
            reservation = Reservation(start_us=begin, end_us=begin + before + reserved)
        if volumes.keys() - {"RESERVATION_TIME"} or "RESERVATION_TIME" not in volumes:
            made.append(_period(at, until, volumes))
    outside = any(not first <= at <= last for at in begins)
    if reservation is not None and not made:
        reservation = Reservation(
            start_us=reservation.start_us, end_us=reservation.end_us, expired=True
        )
    return PricedSession(
        periods=tuple(made),
        reservation=reservation,
        flags=(PERIOD_OUTSIDE,) if outside else (),
    )


def time_of(text: Any, field: str) -> int:
    """Return microseconds since 1970. A time without a zone is UTC (OCPI, DateTime)."""
    at, _ = read_time(text)
    if at is None:
        raise SessionInvalid(f"{field}: no time")
    return at


def number_of(value: Any, field: str) -> Fraction:
    number = read_decimal(value)
    if number is None:
        raise SessionInvalid(f"{field}: no decimal number")
    return Fraction(number)


def _dimensions(period: Mapping[str, Any], field: str) -> tuple[int, dict[str, Fraction]]:
    volumes: dict[str, Fraction] = {}
    for i, each in enumerate(period.get("dimensions") or ()):
        kind = str(each.get("type"))
        volume = number_of(each.get("volume"), f"{field}.dimensions[{i}].volume")
        volumes[kind] = volumes.get(kind, Fraction(0)) + volume
    return time_of(period.get("start_date_time"), f"{field}.start_date_time"), volumes


def _period(start_us: int, end_us: int, volumes: Mapping[str, Fraction]) -> Period:
    return Period(
        start_us=start_us,
        end_us=end_us,
        energy_wh=volumes.get("ENERGY", 0) * 1000,
        charging_s=volumes.get("TIME", 0) * _HOUR_S,
        parking_s=volumes.get("PARKING_TIME", 0) * _HOUR_S,
        current_a=_ramp(volumes.get("MIN_CURRENT"), volumes.get("MAX_CURRENT"), 1),
        power_w=_ramp(volumes.get("MIN_POWER"), volumes.get("MAX_POWER"), 1000),
    )


def _ramp(low: Exact | None, high: Exact | None, scale: int) -> Ramp | None:
    if low is None:
        return None if high is None else Ramp(high * scale, high * scale)
    return Ramp(low * scale, (low if high is None else high) * scale)
