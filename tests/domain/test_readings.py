"""What stations write, read with tolerance: never an error, never a number that nobody told."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.readings import (
    SCHEMA_DEVIATION,
    TZ_ASSUMED_UTC,
    read_decimal,
    read_integer,
    read_text,
    read_time,
    to_iso,
)
from tests.domain.log import NOW

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False)
    | st.text()
    | st.from_regex(r"[+-]?\d{0,40}(\.\d{0,40})?([eE][+-]?\d{0,4})?")
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "seconds", "flag"),
    [
        ("2026-11-23T10:00:00Z", 0, ""),
        ("2026-11-23T11:00:00+01:00", 0, ""),
        ("2026-11-23T10:00:00.25Z", 0.25, ""),
        ("2026-11-23T10:00:00.250000000Z", 0.25, ""),
        ("2026-11-23T10:00:00.1234567Z", 0.123456, ""),
        ("2026-11-23T10:00:00", 0, TZ_ASSUMED_UTC),
        (" 2026-11-23T10:00:00Z ", 0, ""),
        ("2026-11-23t10:00:00z", 0, ""),
        ("2026-11-23t10:00:00.123456789z", 0.123456, ""),
        ("2026-11-23T11:00:00.5+01:00", 0.5, ""),
        ("2026-11-23T09:59:60Z", 0, SCHEMA_DEVIATION),
        ("2026-11-23t10:59:60.999+01:00", 0, SCHEMA_DEVIATION),
        ("2026-11-23T09:59:60", 0, TZ_ASSUMED_UTC),
        ("2026-11-23T24:00:00Z", 14 * 3600, SCHEMA_DEVIATION),
        ("2026-11-23T24:00:00.000+01:00", 13 * 3600, SCHEMA_DEVIATION),
    ],
)
def test_a_time_is_read_to_the_microsecond(text: str, seconds: float, flag: str) -> None:
    assert read_time(text) == (NOW + round(seconds * 1_000_000), flag)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        1_795_428_000,
        None,
        "2026-11-23T24:00:01Z",
        "2026-11-23T10:00:61Z",
        "2026-11-23T10:60:60Z",
        "2026-11-23T24:00:00 noon",
        "9999-12-31T24:00:00Z",
        "2026-11-23T10:00:60.x",
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert read_time(value) == (None, "")


@given(
    st.timedeltas(timedelta(days=-25_000), timedelta(days=2_900_000)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_in_any_zone_is_the_instant_it_names(since: timedelta, minutes: int) -> None:
    zoned = (EPOCH + since).astimezone(timezone(timedelta(minutes=minutes)))

    microseconds, flag = read_time(zoned.isoformat())

    assert flag == ""
    assert microseconds is not None
    assert timedelta(microseconds=microseconds) == since


@given(st.integers(0, 4_000_000_000))
def test_whole_seconds_are_written_as_they_are_read(seconds: int) -> None:
    assert read_time(to_iso(seconds * 1_000_000 + 999_999)) == (seconds * 1_000_000, "")


@pytest.mark.parametrize(
    ("value", "number", "flag"),
    [
        (9000, 9000, ""),
        (0, 0, ""),
        (-1, -1, ""),
        (Decimal("9000.0"), 9000, SCHEMA_DEVIATION),
        ("9000", 9000, SCHEMA_DEVIATION),
        (" 9000 ", 9000, SCHEMA_DEVIATION),
        ("+9000", 9000, SCHEMA_DEVIATION),
        ("9000.", 9000, SCHEMA_DEVIATION),
        (2**63 - 1, 2**63 - 1, ""),
    ],
)
def test_an_integer_is_read_and_a_deviation_flagged(value: Any, number: int, flag: str) -> None:
    assert read_integer(value) == (number, flag)


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", "9000 Wh", "9,000", "0x10", "1e3", Decimal("0.5"), "0.5", 2**63, [1]],
)
def test_what_is_no_integer_is_none_and_not_a_zero(value: Any) -> None:
    assert read_integer(value) == (None, "")


@pytest.mark.parametrize(
    ("text", "number"), [(".5", "0.5"), ("-.5", "-0.5"), ("5.", "5"), ("5.50", "5.50")]
)
def test_a_digit_may_be_missing_at_one_side_of_the_point(text: str, number: str) -> None:
    assert str(read_decimal(text)) == number


@pytest.mark.parametrize(
    "value",
    [".", "-.", "", "+", "1.25E1", "NaN", "Infinity", "-inf", "1_000", "١٢", "1" * 31, "1e3"],
)
def test_what_is_no_plain_number_is_none(value: str) -> None:
    assert read_decimal(value) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_decimal_text_is_read_exactly(number: Decimal) -> None:
    text = f"{number:f}"
    read = read_decimal(text)

    assert read is None or read == number
    if len(text.lstrip("+-").partition(".")[2]) <= 30:
        assert read == number


@given(json_values)
def test_nothing_a_station_writes_raises(value: Any) -> None:
    read_time(value)
    read_integer(value)
    read_decimal(value)
    read_text(value, 20)


@given(json_values)
def test_an_integer_that_is_read_was_told(value: Any) -> None:
    integer, flag = read_integer(value)

    if integer is None:
        assert flag == ""
    elif type(value) is int:
        assert (integer, flag) == (value, "")
    else:
        assert type(value) in (str, Decimal)
        assert flag == SCHEMA_DEVIATION
        assert Decimal(value) == integer


@given(json_values)
def test_a_decimal_that_is_read_was_told(value: Any) -> None:
    number = read_decimal(value)

    if number is not None:
        assert type(value) in (int, str, Decimal)
        assert number.is_finite()
        assert number == Decimal(value)


@given(json_values, st.integers(0, 30))
def test_a_text_is_kept_whole_a_whole_number_is_its_digits_and_all_else_is_empty(
    value: Any, length_max: int
) -> None:
    text, flag = read_text(value, length_max)

    is_whole = type(value) is Decimal and re.fullmatch(r"-?\d+", str(value))
    assert text == (str(value) if type(value) in (str, int) or is_whole else "")
    deviates = len(value) > length_max if type(value) is str else value is not None
    assert flag == (SCHEMA_DEVIATION if deviates else "")
