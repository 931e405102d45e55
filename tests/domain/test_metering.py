"""The energy of a transaction whose registers and readings agree is found by a shorter way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import metering
from domain.limits import UNKNOWN, Limits
from domain.metering import Reading, Registers, Wh, meter

MINUTE_US = 60_000_000
LIMITS = (UNKNOWN, Limits(max_power_w=22_000, register_modulus_wh=100_000))

wh = st.one_of(
    st.integers(-5, 60_000), st.decimals(0, 60_000, places=1, allow_nan=False), st.just(Decimal(7))
)


@st.composite
def told(draw: st.DrawFn) -> Registers:
    """Registers that mostly agree with the readings between them."""
    steps = draw(st.lists(st.integers(0, 3_000), max_size=6))
    at, shown = 0, draw(st.one_of(st.just(0), st.integers(0, 5_000)))
    # Of a register that counts from zero, readings in kWh are plausible in Wh, too.
    unit = draw(st.sampled_from([1, 1, 1_000]))
    start: Wh = shown
    readings: list[Reading] = []
    for step in steps:
        at, shown = at + draw(st.integers(0, 20)) * MINUTE_US, shown + step
        odd = draw(st.integers(0, 12)) == 0
        readings.append((at, Decimal(draw(wh) if odd else shown) / unit))
    stop: Wh = shown + draw(st.integers(-2, 2_000))
    return Registers(
        start=draw(st.one_of(st.just(start), st.none(), wh)),
        stop=draw(st.one_of(st.just(stop), st.just(stop), st.none(), wh)),
        start_us=draw(st.sampled_from([0, 0, None, MINUTE_US])),
        end_us=draw(st.sampled_from([at + MINUTE_US, at, None, 3_000 * MINUTE_US])),
        readings=readings,
        other_stops=draw(st.sampled_from([[], [], [stop + 1]])),
        is_stopped=draw(st.sampled_from([True, True, True, False])),
        tolerance_wh=draw(st.sampled_from([1, 0])),
    )


@pytest.mark.parametrize("limits", LIMITS)
@given(registers=told())
def test_the_short_way_leads_where_the_long_one_does(limits: Limits, registers: Registers) -> None:
    short = meter(registers, limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metering, "_plainly", lambda *_: None)
        assert meter(registers, limits) == short


def test_what_is_plain_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def long(*_: object) -> None:
        pytest.fail("the long way was taken")

    monkeypatch.setattr(metering, "_without_spikes", long)
    readings = [(MINUTE_US * n, Decimal(1_000 + 100 * n)) for n in range(5)]
    registers = Registers(
        start=1_000, stop=1_500, start_us=0, end_us=5 * MINUTE_US, readings=readings
    )
    assert meter(registers, UNKNOWN).energy == 500


def test_readings_in_another_unit_are_not_plain_though_they_lie_between_the_registers() -> None:
    readings = [(MINUTE_US * n, Decimal(5 * n)) for n in range(1, 5)]
    registers = Registers(start=0, stop=21_000, start_us=0, end_us=5 * MINUTE_US, readings=readings)
    assert meter(registers, UNKNOWN).flags == {"UNIT_SUSPECT"}


@pytest.mark.parametrize(("is_stopped", "seen"), [(True, [0, 5]), (False, [0, 5, 9])])
def test_what_was_read_after_the_end_counts_only_where_no_end_was_told(
    is_stopped: bool, seen: list[int]
) -> None:
    registers = Registers(
        start=0,
        stop=900 if is_stopped else None,
        start_us=0,
        end_us=5 * MINUTE_US,
        readings=[(minute * MINUTE_US, Decimal(minute)) for minute in (0, 5, 9)],
        is_stopped=is_stopped,
    )

    assert [wh for _, wh in meter(registers, UNKNOWN).readings] == seen
