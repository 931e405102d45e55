"""Released CDRs in the words of OCPI 2.2.1 and 2.3.0."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.ocpi_cdrs import NotInOcpi, date_time, ocpi_cdr, ocpi_document
from schemas.ocpi_cdr import Version, violation
from schemas.released import Released, read_released
from tests.domain.released import RELEASED_AT, credited, document, released

VERSIONS: tuple[Version, ...] = ("2.2.1", "2.3.0")


def made(version: Version = "2.2.1", **changes: Any) -> dict[str, Any]:
    text = ocpi_document(released(**changes), version, RELEASED_AT)
    return dict(json.loads(text, parse_float=Decimal))


def refused(version: Version = "2.2.1", **changes: Any) -> str:
    with pytest.raises(NotInOcpi) as error:
        ocpi_cdr(released(**changes), version, RELEASED_AT)
    return error.value.reason


@pytest.mark.parametrize("version", VERSIONS)
def test_a_priced_session_is_a_cdr(version: Version) -> None:
    cdr = made(version)
    assert cdr["start_date_time"] == "2026-03-10T16:00:00Z"
    assert (cdr["total_energy"], cdr["total_time"]) == (20, 2)
    assert cdr["total_parking_time"] == Decimal("0.5")
    assert [period["start_date_time"] for period in cdr["charging_periods"]] == [
        "2026-03-10T16:00:00Z",
        "2026-03-10T17:30:00Z",
    ]
    assert cdr["cdr_location"]["evse_id"] == "NL*TST*E1"
    assert "credit" not in cdr


def test_prices_of_2_2_1_have_vat_and_those_of_2_3_0_taxes() -> None:
    assert made("2.2.1")["total_cost"] == {"excl_vat": Decimal("6"), "incl_vat": Decimal("6.7")}
    assert made("2.3.0")["total_cost"] == {
        "before_taxes": Decimal("6"),
        "taxes": [
            {"name": "VAT", "percentage": 10, "amount": Decimal("0.5")},
            {"name": "VAT", "percentage": 20, "amount": Decimal("0.2")},
        ],
    }
    assert made("2.3.0")["tariffs"][0]["tax_included"] == "NO"
    assert "tax_included" not in made("2.2.1")["tariffs"][0]


def test_a_credit_gives_the_total_back_and_nothing_else() -> None:
    cdr = json.loads(ocpi_document(credited(), "2.2.1", RELEASED_AT), parse_float=Decimal)
    original = made()
    assert cdr["credit"] is True
    assert cdr["credit_reference_id"] == original["id"] != cdr["id"]
    assert cdr["total_cost"] == {"excl_vat": Decimal("-6"), "incl_vat": Decimal("-6.7")}
    for same in ("total_energy", "total_time", "total_energy_cost", "charging_periods"):
        assert cdr[same] == original[same]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cost": None}, "unpriced"),
        ({"tariff": None}, "unpriced"),
        ({"started_at": None}, "no-times"),
        ({"energy_wh": None}, "no-energy"),
        ({"location": None}, "no-location"),
        ({"evse": 2}, "no-location"),
        ({"connector": 2}, "no-location"),
        ({"id_token": "é"}, "against-the-rules"),
        ({"id_token": "x" * 37}, "against-the-rules"),
        ({"energy_wh": 20_001}, "against-the-rules"),
    ],
)
def test_what_has_no_form_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    for version in VERSIONS:
        assert refused(version, **changes) == reason


def test_a_price_that_its_own_periods_do_not_give_is_refused() -> None:
    plain = document()
    plain["cost"]["excl_vat"] = "6.0001"
    with pytest.raises(NotInOcpi) as error:
        ocpi_cdr(_read(plain), "2.2.1", RELEASED_AT)
    assert error.value.reason == "price-differs"


def test_a_tariff_that_2_2_1_cannot_say_is_refused_there() -> None:
    plain = document()
    plain["tariff"]["document"]["tax_included"] = "YES"
    with pytest.raises(NotInOcpi):
        ocpi_cdr(_read(plain), "2.2.1", RELEASED_AT)


def test_limits_are_told_in_the_words_of_the_version() -> None:
    for version, names in (
        ("2.2.1", {"excl_vat", "incl_vat"}),
        ("2.3.0", {"before_taxes", "after_taxes"}),
    ):
        plain = document()
        plain["tariff"]["document"]["max_price"] = {"excl_vat": 100, "incl_vat": 110}
        checked: Version = "2.2.1" if version == "2.2.1" else "2.3.0"
        cdr = ocpi_cdr(_read(plain), checked, RELEASED_AT)
        assert cdr["tariffs"][0]["max_price"].keys() == names


def test_volumes_are_rounded_along_the_session_so_that_they_add_up() -> None:
    plain = document()
    for period in plain["charging_periods"]:
        period["energy_wh"] = "6.6666666667"
    plain["charging_periods"][1]["energy_wh"] = "0.0333333333"
    plain["energy_wh"] = "6.7"
    plain["cost"] |= {"excl_vat": "1.00175", "incl_vat": "1.201925"}
    plain["cost"]["energy"] |= {"excl_vat": "0.00175", "incl_vat": "0.001925"}
    cdr = ocpi_cdr(_read(plain), "2.2.1", RELEASED_AT)
    volumes = [
        dimension["volume"]
        for period in cdr["charging_periods"]
        for dimension in period["dimensions"]
        if dimension["type"] == "ENERGY"
    ]
    assert sum(volumes) == cdr["total_energy"] == Decimal("0.0067")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-03-10T16:00:00Z", "2026-03-10T16:00:00Z"),
        ("2026-03-10T16:00:00.000000Z", "2026-03-10T16:00:00Z"),
        ("2026-03-10T16:00:00.123456Z", "2026-03-10T16:00:00.1234Z"),
    ],
)
def test_times_fit_into_25_characters(text: str, told: str) -> None:
    assert date_time(text) == told
    assert len(told) <= 25


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("country_code", "NLD"),
        ("party_id", "TS"),
        ("currency", "eur"),
        ("start_date_time", "2026-03-10T16:00:00+00:00"),
        ("total_energy", Decimal("20.00001")),
        ("total_energy", Decimal("-20")),
        ("total_time", Decimal("1")),
        ("auth_method", "APP"),
        ("remark", "x" * 256),
        ("charging_periods", []),
        ("id", "x" * 37),
        ("credit", True),
        ("credit_reference_id", "x"),
        ("end_date_time", "2026-03-10T15:00:00Z"),
        ("surprise", 1),
    ],
)
def test_the_rules_refuse(member: str, value: Any) -> None:
    cdr = ocpi_cdr(released(), "2.2.1", RELEASED_AT)
    assert violation("2.2.1", cdr) == ""
    assert violation("2.2.1", {**cdr, member: value}) != ""


def test_the_rules_of_one_version_refuse_the_prices_of_the_other() -> None:
    assert violation("2.3.0", ocpi_cdr(released(), "2.2.1", RELEASED_AT)) != ""
    assert violation("2.2.1", ocpi_cdr(released(), "2.3.0", RELEASED_AT)) != ""


def _read(plain: dict[str, Any]) -> Released:
    return read_released(msgspec.json.encode(plain))
