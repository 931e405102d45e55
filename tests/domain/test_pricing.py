"""What a session costs, rule by rule."""

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from domain.pricing import TariffChange, price
from domain.pricing_clock import HOUR_US, ZoneUnknown, edges, zone_of
from domain.pricing_lines import Kind
from domain.pricing_money import apportion
from domain.pricing_session import (
    Activity,
    Change,
    Period,
    PricedSession,
    Ramp,
    Reading,
    Reservation,
    SessionInvalid,
    session_of_readings,
)
from domain.tariff import Dimension, Tariff, TaxRate
from tests.domain.pricing_examples import (
    Json,
    amounts,
    at,
    charge,
    component,
    cost,
    element,
    park,
    tariff,
)

AMSTERDAM = "Europe/Amsterdam"


def by_the_hour(**window: object) -> Tariff:
    """1 an hour inside the window, nothing outside."""
    return tariff(element(component("TIME", "1"), **window))


@pytest.mark.parametrize(
    ("window", "start", "hours", "expected"),
    [
        ({"start_time": "02:00", "end_time": "03:00"}, "2026-10-24T22:00:00Z", 8, "2"),
        ({"start_time": "02:00", "end_time": "03:00"}, "2026-03-28T22:00:00Z", 8, "0"),
        ({"start_time": "02:30", "end_time": "03:30"}, "2026-03-28T22:00:00Z", 8, "1/2"),
        ({"start_time": "02:30", "end_time": "03:30"}, "2026-10-24T22:00:00Z", 8, "3/2"),
        ({"start_time": "00:00", "end_time": "03:00"}, "2026-10-24T22:00:00Z", 8, "4"),
        ({"start_time": "22:00", "end_time": "06:00"}, "2026-10-24T18:00:00Z", 12, "9"),
        ({"start_time": "22:00", "end_time": "06:00"}, "2026-03-28T19:00:00Z", 12, "7"),
        ({"day_of_week": ["SUNDAY"]}, "2026-10-24T12:00:00Z", 60, "25"),
        ({"day_of_week": ["SUNDAY"]}, "2026-03-28T12:00:00Z", 60, "23"),
        ({"start_date": "2026-03-29", "end_date": "2026-03-30"}, "2026-03-28T12:00:00Z", 60, "23"),
        ({"start_time": "20:00", "end_time": "00:00"}, "2026-06-01T10:00:00Z", 24, "4"),
        ({"start_time": "07:00", "end_time": "07:00"}, "2026-06-01T10:00:00Z", 24, "24"),
        ({"start_time": "17:00"}, "2026-06-01T10:00:00Z", 24, "7"),
        ({"end_time": "17:00"}, "2026-06-01T10:00:00Z", 24, "17"),
        (
            {"start_time": "22:00", "end_time": "06:00", "day_of_week": ["MONDAY"]},
            "2026-05-31T10:00:00Z",
            48,
            "8",
        ),
        ({"min_duration": 3600}, "2026-06-01T10:00:00Z", 4, "3"),
        ({"max_duration": 3600}, "2026-06-01T10:00:00Z", 4, "1"),
    ],
)
def test_windows_are_local(window: Json, start: str, hours: int, expected: str) -> None:
    assert amounts(cost(by_the_hour(**window), charge(start, hours), zone=AMSTERDAM))[0] == expected


def test_a_window_that_begins_with_the_session_is_open_and_one_that_ends_then_is_not() -> None:
    moment = charge("2026-03-09T17:00:00Z", 0, 1000)
    charged = tariff(
        element(component("ENERGY", "1"), end_time="17:00"),
        element(component("ENERGY", "2"), start_time="17:00"),
    )

    assert amounts(cost(charged, moment))[0] == "2"


def test_clocks_are_found_where_they_move() -> None:
    zone = zone_of("Australia/Lord_Howe")
    start = at("2026-04-04T00:00:00Z")

    found = edges(zone, start, start + 48 * HOUR_US, [])

    assert found == [(start, 11 * HOUR_US), (at("2026-04-04T15:00:00Z"), 21 * HOUR_US // 2)]


def test_clocks_that_move_there_and_back_in_one_session_are_both_found() -> None:
    start = at("2026-03-01T00:00:00Z")

    found = edges(zone_of(AMSTERDAM), start, start + 300 * 24 * HOUR_US, [])

    assert found == [
        (start, HOUR_US),
        (at("2026-03-29T01:00:00Z"), 2 * HOUR_US),
        (at("2026-10-25T01:00:00Z"), HOUR_US),
    ]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../UTC", "", "Europe", "/etc/localtime"])
def test_a_zone_that_does_not_exist_is_an_error(zone: str) -> None:
    with pytest.raises(ZoneUnknown):
        cost(by_the_hour(), charge("2026-03-09T17:00:00Z", 1), zone=zone)


def test_each_dimension_finds_its_own_element() -> None:
    charged = tariff(
        element(component("TIME", "1"), start_time="08:00", end_time="10:00"),
        element(component("ENERGY", "0.5"), component("TIME", "3")),
        element(component("ENERGY", "9"), component("PARKING_TIME", "2")),
    )

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 2, 4000), park("2026-03-09T11:00:00Z", 1))

    told = sorted((line.kind, line.element, str(line.excl)) for line in priced.lines)
    assert told == [
        (Kind.ENERGY, 1, "2"),
        (Kind.PARKING, 2, "2"),
        (Kind.TIME, 0, "1"),
        (Kind.TIME, 1, "3"),
    ]


def test_a_line_says_why() -> None:
    charged = tariff(element(component("ENERGY", "0.5", 500), start_time="08:00"))

    (line,) = cost(charged, charge("2026-03-09T09:00:00Z", 2, 4100)).lines

    assert line.because == "element 1 (start_time 08:00), rounded up to steps of 500"
    assert (line.volume, line.step_surplus) == (4100, 400)


def test_charging_that_was_interrupted_is_two_lines() -> None:
    begin, pause, again = (f"2026-03-09T{hour}:00:00Z" for hour in ("09", "10", "11"))

    priced = cost(by_the_hour(), charge(begin, 1), park(pause, 1), charge(again, 2))

    assert [(line.start_us, line.volume) for line in priced.lines] == [
        (at(begin), 3600),
        (at(again), 7200),
    ]


def test_energy_that_flows_back_is_paid_back() -> None:
    charged = tariff(
        element(component("ENERGY", "1", 500), max_kwh=10), element(component("ENERGY", "2", 500))
    )

    priced = cost(
        charged,
        charge("2026-03-09T09:00:00Z", 1, 12_000),
        charge("2026-03-09T10:00:00Z", 1, -4_000),
    )

    assert amounts(priced)[0] == "8"


def test_energy_that_reaches_a_tier_is_cut_there_and_said_to_be_interpolated() -> None:
    charged = tariff(
        element(component("ENERGY", "0.2"), max_kwh=10), element(component("ENERGY", "0.4"))
    )

    priced = cost(charged, charge("2026-03-10T09:00:00Z", "3/2", 18_000))

    assert amounts(priced) == ("26/5", "26/5")
    assert [each.energy_wh for each in priced.periods] == [10_000, 8_000]
    assert priced.periods[1].start_us == at("2026-03-10T09:50:00Z")
    assert priced.flags == ("INTERPOLATED",)


def test_a_price_that_changes_at_a_reading_is_not_interpolated() -> None:
    charged = tariff(
        element(component("ENERGY", "0.2"), end_time="17:00"), element(component("ENERGY", "0.4"))
    )
    readings = [
        Reading(at_us=at("2026-03-10T16:30:00Z"), register_wh=1000),
        Reading(at_us=at("2026-03-10T17:00:00Z"), register_wh=6000),
        Reading(at_us=at("2026-03-10T17:30:00Z"), register_wh=8000),
    ]

    measured = price(session_of_readings(readings), charged, "UTC")
    guessed = price(session_of_readings([readings[0], readings[-1]]), charged, "UTC")

    assert (amounts(measured)[0], measured.flags) == ("9/5", ())
    assert (amounts(guessed)[0], guessed.flags) == ("21/10", ("INTERPOLATED",))


def test_a_cut_that_changes_no_price_is_not_interpolated() -> None:
    charged = tariff(
        element(component("ENERGY", "0.2"), end_time="17:00"), element(component("ENERGY", "0.20"))
    )

    priced = cost(charged, charge("2026-03-10T16:30:00Z", 1, 7_000))

    assert priced.flags == ()
    assert len(priced.periods) == 1


def test_energy_is_spread_over_the_time_in_which_the_vehicle_charged() -> None:
    charged = tariff(
        element(component("ENERGY", "0.2"), component("PARKING_TIME", "1"), end_time="17:00"),
        element(component("ENERGY", "0.4"), component("PARKING_TIME", "1")),
    )
    session = session_of_readings(
        [
            Reading(at_us=at("2026-03-10T16:00:00Z"), register_wh=0),
            Reading(at_us=at("2026-03-10T18:00:00Z"), register_wh=6000),
        ],
        [
            Change(at("2026-03-10T16:30:00Z"), Activity.PARKING),
            Change(at("2026-03-10T17:00:00Z"), Activity.CHARGING),
            Change(at("2026-03-10T17:15:00Z"), Activity.UNPRICED),
        ],
    )

    priced = price(session, charged, "UTC")

    assert [each.energy_wh for each in priced.periods] == [4000, 0, 2000, 0]
    assert [each.unpriced_s for each in priced.periods] == [0, 0, 0, 2700]
    assert amounts(priced)[0] == str(Fraction("0.8") + Fraction("0.8") + Fraction("0.5"))
    assert priced.flags == ("INTERPOLATED",)
    assert priced.usage.charging_s + priced.usage.parking_s + priced.usage.unpriced_s == 7200


def test_energy_without_any_charging_is_not_lost() -> None:
    charged = tariff(element(component("ENERGY", "1")))
    session = session_of_readings(
        [Reading(at_us=0, register_wh=0), Reading(at_us=HOUR_US, register_wh=2000)],
        [Change(0, Activity.UNPRICED)],
    )

    assert amounts(price(session, charged, "UTC"))[0] == "2"


def test_waiting_before_charging_costs_nothing() -> None:
    charged = tariff(
        element(component("TIME", "3", 60, "10"), component("PARKING_TIME", "5", 300, "20"))
    )
    moments = ["08:50", "09:00", "10:00", "10:20", "10:40", "11:00"]
    registers = [0, 0, 6000, 6000, 8000, 8000]
    what = [Activity.UNPRICED, *[Activity.CHARGING, Activity.PARKING] * 2]
    times = [at(f"2026-03-10T{each}:00Z") for each in moments]

    priced = price(
        session_of_readings(
            [
                Reading(at_us=time, register_wh=register)
                for time, register in zip(times, registers, strict=True)
            ],
            [Change(time, activity) for time, activity in zip(times[:-1], what, strict=True)],
        ),
        charged,
        AMSTERDAM,
    )

    assert amounts(priced) == ("22/3", "42/5")
    assert (priced.excl_rounded, priced.incl_rounded) == (Decimal("7.33"), Decimal("8.40"))
    assert [each.unpriced_s for each in priced.periods] == [600, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("ramp", "expected"),
    [(Ramp(16, 16), "1"), (Ramp(32, 32), "2"), (Ramp(16, 48), "3/2"), (Ramp(32, 16), "1")],
)
def test_current_below_and_from_a_limit_on(ramp: Ramp, expected: str) -> None:
    charged = tariff(
        element(component("TIME", "1"), max_current=32),
        element(component("TIME", "2"), min_current=32),
    )

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 1, current_a=ramp))

    assert amounts(priced)[0] == expected
    assert priced.flags == (("INTERPOLATED",) if ramp == Ramp(16, 48) else ())


def test_a_limit_on_what_is_not_known_does_not_hold_and_is_flagged() -> None:
    charged = tariff(
        element(component("ENERGY", "1"), max_power=16), element(component("ENERGY", "2"))
    )

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 1, 1000))

    assert (amounts(priced)[0], priced.flags) == ("2", ("POWER_UNKNOWN",))


def test_power_that_was_not_sampled_is_what_the_registers_say() -> None:
    charged = tariff(
        element(component("ENERGY", "1"), max_power=16), element(component("ENERGY", "2"))
    )
    slow, fast = (
        session_of_readings(
            [Reading(at_us=0, register_wh=0), Reading(at_us=HOUR_US // 2, register_wh=wh)]
        )
        for wh in (7_999, 8_000)
    )

    assert amounts(price(slow, charged, "UTC"))[0] == str(Fraction("7.999"))
    assert amounts(price(fast, charged, "UTC"))[0] == "16"


def test_a_start_fee_is_owed_once_when_it_first_holds() -> None:
    charged = tariff(
        element(component("FLAT", "1"), start_time="17:00", end_time="18:00"),
        element(component("FLAT", "2"), start_time="18:00"),
    )

    early = cost(charged, charge("2026-03-09T15:00:00Z", 1))
    across = cost(charged, charge("2026-03-09T16:00:00Z", 4))

    assert amounts(early)[0] == "0"
    assert [(str(line.excl), line.start_us) for line in across.lines] == [
        ("1", at("2026-03-09T17:00:00Z"))
    ]


RESERVED = tariff(
    element(component("TIME", "3", 600), component("FLAT", "2"), reservation="RESERVATION"),
    element(component("TIME", "6", 600), reservation="RESERVATION_EXPIRES"),
    element(component("FLAT", "0.5"), component("ENERGY", "0.25"), component("TIME", "1", 600)),
    min_price={"excl_vat": 1, "incl_vat": 1},
)


def test_a_reservation_and_its_session_are_priced_apart() -> None:
    begin = at("2026-03-09T09:00:00Z")
    session = PricedSession(
        periods=(charge("2026-03-09T09:22:00Z", "1/3", 20_000),),
        reservation=Reservation(start_us=begin, end_us=begin + 22 * 60_000_000),
    )

    priced = price(session, RESERVED, "UTC")

    parts = {part.kind: str(part.excl) for part in priced.parts}
    assert parts == {
        Kind.RESERVATION: str(Fraction("3.5")),
        Kind.FIXED: str(Fraction("0.5")),
        Kind.ENERGY: "5",
        Kind.TIME: "1/3",
    }
    assert priced.billed(Dimension.TIME, reservation=True) == 1800
    assert priced.usage.reservation_s == 1320


def test_an_expired_reservation_prefers_the_price_of_expiry_and_owes_no_start_fee() -> None:
    gone = Reservation(start_us=0, end_us=HOUR_US, expired=True)

    priced = price(PricedSession(periods=(), reservation=gone), RESERVED, "UTC")

    assert amounts(priced)[0] == "8"
    assert {line.kind for line in priced.lines} == {Kind.RESERVATION}


def test_nothing_at_all_costs_nothing() -> None:
    assert amounts(price(PricedSession(periods=()), RESERVED, "UTC")) == ("0", "0")


def test_a_limit_of_one_amount_moves_the_other_in_proportion() -> None:
    most = tariff(
        element(component("ENERGY", "1", 1, "10"), component("FLAT", "0.25")),
        max_price={"excl_vat": 10},
    )

    priced = cost(most, charge("2026-03-09T09:00:00Z", 1, 19_750))

    assert amounts(priced) == ("10", str(Fraction("21.975") / 2))


def test_a_tax_that_is_absent_is_not_one_of_zero_percent() -> None:
    session = charge("2026-03-09T09:00:00Z", 1, 1000)

    absent = cost(tariff(element(component("ENERGY", "1"))), session)
    zero = cost(tariff(element(component("ENERGY", "1", 1, "0"))), session)

    assert amounts(absent) == amounts(zero) == ("1", "1")
    assert absent.taxes == ()
    assert [(tax.name, tax.percentage, tax.amount) for tax in zero.taxes] == [
        ("VAT", Decimal(0), Fraction(0))
    ]


@pytest.mark.parametrize(
    ("included", "vat", "expected"),
    [
        ("YES", "25", ("4", "5")),
        ("YES", None, ("None", "5")),
        ("NO", "25", ("5", "25/4")),
        ("NO", None, ("5", "5")),
        ("N/A", None, ("5", "5")),
    ],
)
def test_prices_with_taxes_in_them(
    included: str, vat: str | None, expected: tuple[str, str]
) -> None:
    charged = tariff(element(component("ENERGY", "5", 1, vat)), tax_included=included)

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 1, 1000))

    assert amounts(priced) == expected


def test_a_tax_can_be_levied_on_a_tax() -> None:
    plain = tariff(element(component("ENERGY", "10")))
    (part,) = plain.elements[0].price_components
    taxes = (TaxRate("B", Decimal(10), 1), TaxRate("A", Decimal(5), 0))
    stacked = replace(
        plain,
        elements=(replace(plain.elements[0], price_components=(replace(part, taxes=taxes),)),),
    )

    priced = cost(stacked, charge("2026-03-09T09:00:00Z", 1, 1000))

    assert amounts(priced) == ("10", str(Fraction("11.55")))
    assert [(tax.name, str(tax.amount)) for tax in priced.taxes] == [("A", "1/2"), ("B", "21/20")]


@pytest.mark.parametrize(
    ("currency", "amount", "wh", "expected"),
    [
        ("JPY", "55", 8333, ("458", "504")),
        ("KWD", "0.025", 8333, ("0.208", "0.229")),
        ("EUR", "0.25", 5000, ("1.25", "1.38")),
    ],
)
def test_money_is_rounded_to_the_unit_of_its_currency(
    currency: str, amount: str, wh: int, expected: tuple[str, str]
) -> None:
    charged = tariff(element(component("ENERGY", amount, 1, "10")), currency=currency)

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 1, wh))

    assert (str(priced.excl_rounded), str(priced.incl_rounded)) == expected


def test_a_missing_unit_goes_to_the_part_that_lost_most() -> None:
    parts = [Fraction("0.2"), Fraction("0.7"), Fraction("0.1"), Fraction(5)]

    rounded = apportion(parts, Decimal(6), 0)

    assert [each.amount for each in rounded] == [0, 1, 0, 5]


def test_two_half_cents_are_one_cent_and_the_correction_is_shown() -> None:
    charged = tariff(element(component("ENERGY", "0.005"), component("TIME", "0.005")))

    priced = cost(charged, charge("2026-03-09T09:00:00Z", 1, 1000))

    assert priced.excl_rounded == Decimal("0.01")
    shown = [part.excl_rounded for part in priced.parts]
    assert [(str(each.amount), str(each.correction)) for each in shown if each] == [
        ("0.01", "0.00"),
        ("0.00", "-0.01"),
    ]


def test_after_a_change_the_other_tariff_prices_and_steps_stand_for_themselves() -> None:
    first = tariff(element(component("FLAT", "1"), component("ENERGY", "0.2", 500)))
    other = tariff(
        element(component("FLAT", "3"), component("ENERGY", "0.3", 1000)),
        max_price={"before_taxes": 100},
    )
    session = PricedSession(periods=(charge("2026-03-09T09:00:00Z", 1, 6_400),))

    priced = price(session, first, "UTC", [TariffChange(at("2026-03-09T09:30:00Z"), other)])

    assert [(line.kind, line.volume, line.step_surplus) for line in priced.lines] == [
        (Kind.FIXED, 1, 0),
        (Kind.ENERGY, 3200, 300),
        (Kind.ENERGY, 3200, 800),
    ]
    assert amounts(priced)[0] == str(Fraction("2.9"))
    assert priced.flags == ("INTERPOLATED",)


def test_a_change_of_currency_is_an_error() -> None:
    session = PricedSession(periods=(charge("2026-03-09T09:00:00Z", 1),))
    kroner = tariff(element(component("TIME", "1")), currency="SEK")

    with pytest.raises(SessionInvalid, match="currency"):
        price(session, by_the_hour(), "UTC", [TariffChange(0, kroner)])


@pytest.mark.parametrize(
    "periods",
    [
        [Period(start_us=5, end_us=4)],
        [Period(start_us=0, end_us=5), Period(start_us=4, end_us=6)],
        [Period(start_us=0, end_us=10**18)],
    ],
)
def test_a_session_out_of_order_is_an_error(periods: list[Period]) -> None:
    with pytest.raises(SessionInvalid):
        cost(by_the_hour(), *periods)


def test_readings_out_of_order_are_an_error() -> None:
    with pytest.raises(SessionInvalid):
        session_of_readings([Reading(at_us=1, register_wh=0), Reading(at_us=0, register_wh=1)])
    with pytest.raises(SessionInvalid):
        session_of_readings([Reading(at_us=1, register_wh=0)])
