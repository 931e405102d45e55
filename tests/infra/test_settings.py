"""Settings come from the environment, and what means nothing there is said."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.settings import Settings, settings_page, unknown_variables

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == settings_page()


def test_every_setting_is_documented() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_variable_is_read_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGELEDGER_OCPP_PORT", "9001")

    assert Settings().ocpp_port == 9001
    assert Settings(ocpp_port=9002).ocpp_port == 9002


def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGELEDGER_UNKNOWN_TOKENS", "maybe")

    with pytest.raises(ValidationError, match="unknown_tokens"):
        Settings()


def test_what_nobody_else_may_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGELEDGER_PROVIDED", "GetCertificateStatus, Heartbeat")

    with pytest.raises(ValidationError, match=r"(?s)provided.*Heartbeat: none, or any of"):
        Settings()


def test_a_child_reads_from_its_environment_what_its_parent_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meant = Settings(
        unknown_stations="accept",
        settle_s=0,
        data=Path("/somewhere"),
        require_subprotocol=False,
        provided="Get15118EVCertificate,GetCertificateStatus",
    )

    for name, value in meant.environment().items():
        monkeypatch.setenv(name, value)

    assert Settings() == meant


def test_unknown_variables_are_named() -> None:
    environment = {
        "CHARGELEDGER_OCPP_PROT": "9000",
        "CHARGELEDGER_OCPP_PORT": "9000",
        "CHARGELEDGER_TEST_KAFKA": "127.0.0.1:9092",
        "CHARGELEDGER_REQUIRE_KAFKA": "1",
        "HOME": "/root",
    }

    assert unknown_variables(environment) == ["CHARGELEDGER_OCPP_PROT"]
