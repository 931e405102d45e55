"""Payloads against the official schemas; codes as OCPP-J 1.6 table 7 and 2.0.1, 4.3 spell."""

from decimal import Decimal
from typing import Any

import pytest

from schemas import payloads

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STOP = {"transactionId": 1, "meterStop": 2, "timestamp": "2026-11-23T14:00:00Z"}
VALUES = {
    "connectorId": 1,
    "meterValue": [{"timestamp": "2026-11-23T14:00:00Z", "sampledValue": [{"value": "1"}]}],
}


def profile(limit: object) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    }


@pytest.mark.parametrize(("version", "count"), [("1.6", 39), ("2.0.1", 64), ("2.1", 91)])
def test_each_version_has_its_actions(version: str, count: int) -> None:
    assert len(payloads.actions(version)) == count


@pytest.mark.parametrize("version", payloads.VERSIONS)
def test_every_schema_compiles(version: str) -> None:
    for action in payloads.actions(version):
        payloads.violations(version, action, {})


@pytest.mark.parametrize("version", payloads.VERSIONS)
def test_every_call_but_the_unanswered_one_has_a_response(version: str) -> None:
    for action in payloads.actions(version) - {"NotifyPeriodicEventStream"}:
        payloads.violations(version, action, {}, response=True)


@pytest.mark.parametrize(
    ("action", "payload"),
    [("BootNotification", BOOT), ("StopTransaction", STOP), ("MeterValues", VALUES)],
)
def test_a_valid_payload_has_no_violation(action: str, payload: dict[str, Any]) -> None:
    assert payloads.violations("1.6", action, payload) == ()


@pytest.mark.parametrize(
    ("action", "payload", "code", "path"),
    [
        ("BootNotification", {"chargePointModel": "M"}, "OccurenceConstraintViolation", "$"),
        ("BootNotification", BOOT | {"x": 1}, "FormationViolation", "$"),
        (
            "BootNotification",
            BOOT | {"chargePointVendor": 3},
            "TypeConstraintViolation",
            "$.chargePointVendor",
        ),
        (
            "BootNotification",
            BOOT | {"chargePointModel": "M" * 21},
            "PropertyConstraintViolation",
            "$.chargePointModel",
        ),
        (
            "StopTransaction",
            STOP | {"reason": "Boredom"},
            "PropertyConstraintViolation",
            "$.reason",
        ),
        (
            "StopTransaction",
            STOP | {"timestamp": "2026-11-23 14:00"},
            "PropertyConstraintViolation",
            "$.timestamp",
        ),
        ("StopTransaction", [], "TypeConstraintViolation", "$"),
        (
            "MeterValues",
            VALUES | {"meterValue": [{"timestamp": "2026-11-23T14:00:00Z", "sampledValue": []}]},
            "OccurenceConstraintViolation",
            "$.meterValue[0].sampledValue",
        ),
    ],
)
def test_a_violation_names_the_place_and_the_code(
    action: str, payload: Any, code: str, path: str
) -> None:
    first, *_ = payloads.violations("1.6", action, payload)

    assert (first.code, first.path) == (code, path)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_later_versions_spell_the_codes_rightly(version: str) -> None:
    missing, *_ = payloads.violations(version, "BootNotification", {"reason": "PowerUp"})
    unknown, *_ = payloads.violations(version, "Heartbeat", {"x": 1})

    assert missing.code == "OccurrenceConstraintViolation"
    assert unknown.code == "FormatViolation"


@pytest.mark.parametrize("limit", [Decimal("0.1"), Decimal("12.3"), Decimal("32.0"), 16])
def test_tenths_are_tenths_however_exact_the_number(limit: object) -> None:
    assert payloads.violations("1.6", "SetChargingProfile", profile(limit)) == ()


def test_hundredths_are_no_tenths() -> None:
    (found,) = payloads.violations("1.6", "SetChargingProfile", profile(Decimal("12.34")))

    assert found.code == "PropertyConstraintViolation"


@pytest.mark.parametrize("value", [10**30, Decimal("1E+30"), Decimal("1.5"), True, None])
def test_numbers_of_any_kind_are_judged_not_choked_on(value: object) -> None:
    found = payloads.violations("1.6", "StopTransaction", STOP | {"meterStop": value})

    assert {violation.code for violation in found} <= {"TypeConstraintViolation"}


def test_violations_are_few_and_short() -> None:
    many = {"connectorId": "x" * 100_000, "meterValue": [{"a": 1}] * 1000}

    found = payloads.violations("1.6", "MeterValues", many)

    assert 0 < len(found) <= payloads.VIOLATIONS_MAX
    assert all(len(str(violation)) < 400 for violation in found)


def test_an_unknown_action_is_the_callers_error() -> None:
    with pytest.raises(KeyError):
        payloads.violations("1.6", "__class__", {})
