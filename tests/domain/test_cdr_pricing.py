"""What money does to a CDR: cost, periods, and which doubts hold it under which tariff."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cdr_pricing import Priced, PricedFacts, price_amounts, price_edges, price_facts
from domain.charging_periods import Evidence, session_of, usable_readings
from domain.pricing import TariffChange, price
from domain.pricing_ocpi import time_of
from domain.tariff_for_stations import from_station
from domain.tariff_reading import read_tariff
from tests.domain.log import NOW
from tests.domain.registering import Registrar, document, energy_priced

Json = dict[str, Any]
START, END = "2026-03-10T15:30:00Z", "2026-03-10T16:30:00Z"
HOUR = 3_600_000_000


def at(text: str) -> int:
    return time_of(f"2026-03-10T{text}:00Z", "time")


def facts(registrar: Registrar, **other: Any) -> PricedFacts:
    told: Json = {
        "tenant": "default",
        "station": "CP1",
        "evse": 1,
        "group": "",
        "registry": registrar.registry.position,
        "told_at": NOW,
        "start_us": at("15:30"),
        "end_us": at("16:30"),
        "start_wh": 1000,
        "energy_wh": 8000,
    }
    return PricedFacts(**{**told, **other})


def priced(registrar: Registrar, **other: Any) -> Priced:
    return price_facts(facts(registrar, **other), registrar.registry.reference)


def with_elements(*elements: Json, zone: str = "Europe/Amsterdam") -> Registrar:
    registrar = Registrar()
    registrar.tariff(document("K", elements=list(elements)))
    registrar.assigned("K")
    if zone:
        registrar.location("HQ", zone, "CP1", recorded_at=0)
    return registrar


def component(kind: str, price: Any, step: int = 1) -> Json:
    return {"type": kind, "price": Decimal(str(price)), "step_size": step}


def kwh(wh: int) -> Decimal:
    return Decimal(wh) / 1000


def element(*components: Json, **restrictions: Any) -> Json:
    return {"price_components": list(components), "restrictions": restrictions}


def time_of_use() -> Registrar:
    return with_elements(
        element(component("ENERGY", "0.2"), end_time="17:00"),
        element(component("ENERGY", "0.3"), start_time="17:00"),
    )


def test_a_session_costs_what_its_tariff_says() -> None:
    found = priced(energy_priced())

    assert found.cost is not None
    assert (found.cost.excl_vat, found.cost.incl_vat) == ("2", "2.2")
    assert found.cost.rounded == ("2.00", "2.20")
    assert found.tariff is not None
    assert found.tariff.position == "0:0"
    assert (found.total_time_s, found.total_parking_time_s) == ("3600", "0")
    assert not found.holds


def test_a_tenant_without_tariffs_has_no_cost_and_nothing_that_holds() -> None:
    found = priced(Registrar())

    assert found.cost is None
    assert not found.holds | found.flags


def test_a_tenant_with_tariffs_of_which_none_applies_is_held() -> None:
    registrar = Registrar()
    registrar.tariff(document("K"))

    found = priced(registrar)

    assert found.cost is None
    assert found.holds == {"TARIFF_MISSING"}


def test_a_reading_at_the_edge_splits_without_interpolation() -> None:
    readings = [(at("15:45"), 2500), (at("16:00"), 5500), (at("16:15"), 7000)]
    found = priced(time_of_use(), readings=readings)

    assert [each.energy_wh for each in found.charging_periods] == ["4500", "3500"]
    assert found.cost is not None
    assert found.cost.excl_vat == "1.95"
    assert not found.flags


def test_an_edge_between_two_readings_is_interpolated_and_said() -> None:
    found = priced(time_of_use(), readings=[(at("15:45"), 2000), (at("16:15"), 8000)])

    assert [each.energy_wh for each in found.charging_periods] == ["4000", "4000"]
    assert found.flags == {"INTERPOLATED"}
    assert not found.holds


def test_on_a_calibration_law_station_no_edge_is_interpolated_without_a_person() -> None:
    registrar = time_of_use()
    registrar.station("CP1", eichrecht=True)

    assert priced(registrar).holds == {"INTERPOLATED"}


@pytest.mark.parametrize(
    "doubt", ["CLOCK_INVALID", "CLOCK_SUBSTITUTED", "SEQ_GAP", "SIGNED_TIME_UNSYNCED"]
)
def test_a_doubt_of_time_holds_only_where_time_moves_the_price(doubt: str) -> None:
    for_parking = with_elements(element(component("ENERGY", 1), component("PARKING_TIME", 2)))
    tier = with_elements(element(component("ENERGY", 1), max_kwh=10), element(component("FLAT", 2)))

    assert not priced(energy_priced(), flags=[doubt]).holds
    assert not priced(tier, flags=[doubt]).holds
    assert doubt in priced(time_of_use(), flags=[doubt]).holds
    assert doubt in priced(for_parking, flags=[doubt]).holds


def test_a_local_tariff_without_a_place_is_held() -> None:
    registrar = with_elements(element(component("ENERGY", 1), end_time="17:00"), zone="")

    assert priced(registrar).holds == {"ZONE_MISSING"}
    assert not priced(energy_priced()).holds


def test_a_current_that_nobody_measured_holds_where_the_price_asks_for_it() -> None:
    registrar = with_elements(
        element(component("ENERGY", 1), max_current=16), element(component("ENERGY", 2))
    )

    assert priced(registrar).holds == {"CURRENT_UNKNOWN"}


@pytest.mark.parametrize(
    ("states", "charging", "parking", "unpriced"),
    [
        ([], "3600", "0", "0"),
        ([("15:30", "Charging"), ("16:00", "SuspendedEV")], "1800", "1800", "0"),
        ([("15:30", "Charging"), ("16:00", "SuspendedEVSE")], "1800", "0", "1800"),
        ([("15:30", "EVConnected"), ("15:40", "Charging")], "3000", "0", "600"),
        ([("15:30", "Idle"), ("15:40", "Charging"), ("16:20", "Idle")], "2400", "600", "600"),
        ([("15:00", "SuspendedEV"), ("16:00", "Charging")], "1800", "1800", "0"),
        ([("16:00", "SuspendedEV"), ("16:45", "Charging")], "1800", "1800", "0"),
        ([("16:00", "Charging"), ("16:10", "EVConnected")], "2400", "1200", "0"),
    ],
)
def test_time_is_charging_parking_or_neither(
    states: list[tuple[str, str]], charging: str, parking: str, unpriced: str
) -> None:
    registrar = with_elements(element(component("TIME", 3), component("PARKING_TIME", 5)))
    found = priced(registrar, states=[(at(when), state) for when, state in states])
    sums = [
        sum(int(getattr(each, name)) for each in found.charging_periods)
        for name in ("time_s", "parking_time_s", "unpriced_s")
    ]

    assert [str(each) for each in sums] == [charging, parking, unpriced]
    assert found.total_parking_time_s == parking
    assert found.total_time_s == "3600"


@pytest.mark.parametrize(
    ("readings", "usable"),
    [
        ([(40, 3000), (50, 5000)], [2000, 4000]),
        ([(40, 500), (50, 4000), (60, 7900)], [500, 4000, 7900]),
        ([(30, 777_000), (40, 779_000), (50, 781_000)], [2000, 4000]),
        ([(40, 779_000), (50, 781_000), (90, 785_000)], [2000, 4000]),
        ([(40, 3), (50, 5)], [3, 5]),
        ([(40, 777_000), (50, 779_000)], []),
        (
            [(35, 2000), (40, 3000), (45, 900_000), (50, 5000), (55, 6000)],
            [1000, 2000, 4000, 5000],
        ),
        ([(35, 3000), (40, 2000), (50, 5000), (55, 6000)], [1000, 4000, 5000]),
        ([(40, 999), (50, 9001)], [0, 8000]),
        ([(20, 3000), (95, 5000)], []),
    ],
    ids=[
        "same base",
        "counting from the start",
        "another base, read at the start",
        "another base, read at the end",
        "too small to say: of their own base",
        "another base, nowhere read",
        "a spike",
        "a fall",
        "rounded ends",
        "outside",
    ],
)
def test_readings_of_any_base_split_and_contradictions_do_not(
    readings: list[tuple[int, int]], usable: list[int]
) -> None:
    minute = 60_000_000
    evidence = Evidence(
        start_us=30 * minute,
        end_us=90 * minute,
        start_wh=1000,
        energy_wh=8000,
        readings=[(when * minute, wh) for when, wh in readings],
    )

    assert [wh for _, wh in usable_readings(evidence)] == usable


@given(
    energy=st.integers(0, 50_000),
    more=st.integers(0, 50_000),
    minutes=st.lists(st.integers(1, 119), unique=True, max_size=6),
    shares=st.lists(st.integers(0, 100), min_size=6, max_size=6),
    states=st.lists(
        st.tuples(
            st.integers(0, 125),
            st.sampled_from(["Charging", "SuspendedEV", "SuspendedEVSE", "Idle", "EVConnected"]),
        ),
        max_size=6,
    ),
)
def test_periods_sum_to_the_totals_and_more_energy_never_costs_less(
    energy: int,
    more: int,
    minutes: list[int],
    shares: list[int],
    states: list[tuple[int, str]],
) -> None:
    registrar = time_of_use()
    minute = 60_000_000
    start = at("15:00")

    def session(wh: int) -> Priced:
        readings = [
            (start + when * minute, 1000 + wh * share // 100)
            for when, share in zip(sorted(minutes), sorted(shares), strict=False)
        ]
        return priced(
            registrar,
            start_us=start,
            end_us=start + 120 * minute,
            energy_wh=wh,
            readings=readings,
            states=[(start + when * minute, state) for when, state in states],
        )

    less, bigger = session(energy), session(energy + more)

    assert less.cost is not None
    assert bigger.cost is not None
    told = sum((Decimal(each.energy_wh) for each in less.charging_periods), Decimal(0))
    assert abs(told - energy) < Decimal("0.000001")
    seconds = [
        Decimal(each.time_s) + Decimal(each.parking_time_s) + Decimal(each.unpriced_s)
        for each in less.charging_periods
    ]
    assert sum(seconds) == 7200
    if not minutes:
        assert Decimal(bigger.cost.incl_vat) >= Decimal(less.cost.incl_vat)
    cheapest = Decimal("0.2") * (energy + more) / 1000
    assert cheapest <= Decimal(bigger.cost.incl_vat) <= cheapest * Decimal("1.5")


def test_a_session_without_an_end_or_energy_has_no_cost_and_one_of_no_time_has() -> None:
    registrar = energy_priced()

    assert priced(registrar, end_us=None).cost is None
    assert priced(registrar, energy_wh=None).total_time_s == "3600"
    assert priced(registrar, end_us=at("15:00")).total_time_s is None
    nothing = priced(registrar, end_us=at("15:30"))
    assert nothing.cost is not None
    assert nothing.cost.incl_vat == "2.2"


def test_what_the_station_says_it_costs_is_compared_to_the_cent() -> None:
    registrar = energy_priced()

    ours, theirs = (Decimal("2"), Decimal("2.2")), (None, Decimal("2.31"))
    assert not priced(registrar, station_cost=ours).flags
    assert priced(registrar, station_cost=theirs).holds == {"COST_MISMATCH"}
    assert priced(registrar, station_cost=(Decimal("2.1"), None)).holds == {"COST_MISMATCH"}
    settled = priced(registrar, settled=Decimal("2.0"))
    assert settled.flags == {"SETTLEMENT_MISMATCH"}
    assert not settled.holds


def test_a_tariff_that_was_changed_on_the_way_prices_what_follows() -> None:
    registrar = energy_priced()
    told = {"tariffId": "T2", "currency": "EUR", "energy": {"prices": [{"priceKwh": Decimal(1)}]}}
    changed = [TariffChange(at("16:00"), from_station(told))]
    readings = [(at("16:00"), 5000)]
    found = priced(registrar, changes=changed, readings=readings)
    unreadable = priced(registrar, changes=None)

    assert found.flags == {"TARIFF_CHANGED"}
    assert found.cost is not None
    assert found.cost.incl_vat == "5.1"
    assert unreadable.cost is None
    assert unreadable.holds == {"TARIFF_MISSING"}


@given(
    wh=st.integers(0, 40_000),
    told=st.lists(st.tuples(st.integers(0, 240), st.integers(0, 100)), max_size=25),
    amounts=st.lists(st.integers(1, 40_000), min_size=2, max_size=4, unique=True),
    hours=st.lists(st.integers(0, 1439), min_size=2, max_size=4, unique=True),
)
def test_readings_that_are_next_to_no_edge_and_no_amount_change_no_total(
    wh: int, told: list[tuple[int, int]], amounts: list[int], hours: list[int]
) -> None:
    clock = [f"{each // 60:02}:{each % 60:02}" for each in sorted(hours)]
    elements = [
        element(component("ENERGY", f"0.{low % 97}"), min_kwh=kwh(low), max_kwh=kwh(high))
        for low, high in pairwise(sorted(amounts))
    ]
    elements += [
        element(component("ENERGY", f"0.{number}1"), start_time=first, end_time=after)
        for number, (first, after) in enumerate(pairwise(clock), 1)
    ]
    tariff = read_tariff(document("K", elements=elements))
    minute, start = 60_000_000, at("12:00")
    evidence = Evidence(
        start_us=start,
        end_us=start + 240 * minute,
        start_wh=0,
        energy_wh=wh,
        readings=[(start + when * minute, wh * share // 100) for when, share in told],
    )
    known = price_amounts(tariff)
    times = price_edges(tariff, "Europe/Amsterdam", evidence.start_us, evidence.end_us, known)
    thin, whole = (
        price(session_of(evidence, *edges), tariff, "Europe/Amsterdam")
        for edges in ((times, known), (None, ()))
    )

    assert times is not None
    assert (thin.excl, thin.incl) == (whole.excl, whole.incl)


def test_a_price_that_moves_twice_asks_for_few_of_many_readings() -> None:
    step, start = 20_000_000, at("12:00")
    tariff = read_tariff(
        document(
            "K",
            elements=[
                element(component("ENERGY", 1), start_time="13:00", end_time="14:00"),
                element(component("ENERGY", 2), min_kwh=20),
                element(component("ENERGY", 3)),
            ],
        )
    )
    evidence = Evidence(
        start_us=start,
        end_us=start + 3001 * step,
        start_wh=0,
        energy_wh=300_100,
        readings=[(start + n * step, 100 * n) for n in range(3001)],
    )
    known = price_amounts(tariff)
    times = price_edges(tariff, "Europe/Amsterdam", evidence.start_us, evidence.end_us, known)

    assert len(session_of(evidence, times, known).periods) < 20


@given(
    wh=st.integers(0, 40_000),
    told=st.lists(st.tuples(st.integers(0, 240), st.integers(0, 100)), max_size=25),
    states=st.lists(
        st.tuples(st.integers(0, 245), st.sampled_from(["Charging", "SuspendedEV", "Idle"])),
        max_size=5,
    ),
    hours=st.lists(st.integers(0, 1439), min_size=2, max_size=6, unique=True),
    after_s=st.integers(1, 14_000),
)
def test_readings_that_are_next_to_no_edge_of_a_price_split_nothing_that_counts(
    wh: int,
    told: list[tuple[int, int]],
    states: list[tuple[int, str]],
    hours: list[int],
    after_s: int,
) -> None:
    clock = [f"{each // 60:02}:{each % 60:02}" for each in sorted(hours)]
    elements = [
        element(component("ENERGY", f"0.{number}1"), start_time=first, end_time=after)
        for number, (first, after) in enumerate(pairwise(clock), 1)
    ]
    late = element(component("ENERGY", 1), component("PARKING_TIME", 2), min_duration=after_s)
    tariff = read_tariff(document("K", elements=[*elements, late]))
    minute, start = 60_000_000, at("12:00")
    evidence = Evidence(
        start_us=start,
        end_us=start + 240 * minute,
        start_wh=0,
        energy_wh=wh,
        readings=[(start + when * minute, wh * share // 100) for when, share in told],
        states=[(start + when * minute, state) for when, state in states],
    )
    times = price_edges(tariff, "Europe/Amsterdam", evidence.start_us, evidence.end_us)
    thin, whole = (
        price(session_of(evidence, edges), tariff, "Europe/Amsterdam") for edges in (times, None)
    )

    assert times is not None
    assert (thin.excl, thin.incl, thin.flags) == (whole.excl, whole.incl, whole.flags)
    assert thin.periods == whole.periods
