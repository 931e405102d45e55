"""`up` before it starts anything: its settings, its ports, its greeting, its figures."""

import socket
from pathlib import Path

import pytest

from infra.cli.failures import Failed
from infra.cli.greeting import greeting
from infra.cli.status import line_of
from infra.cli.up import UpPorts, run_up, settings_of_up
from infra.deployment import Deployment, Layout
from projections.progress import Counts

DEPLOYMENT = Deployment(
    pid=1,
    host="127.0.0.1",
    ocpp_port=9000,
    api_host="127.0.0.1",
    api_port=8080,
    clickhouse_port=8123,
    postgres_port=5433,
    edge_socket="",
    views_socket="",
)


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNKNOWN_STATIONS", "UNKNOWN_TOKENS", "SETTLE_S", "PARTITIONS"):
        monkeypatch.delenv(f"CHARGELEDGER_{name}", raising=False)


def test_on_loopback_a_first_try_needs_no_registration(tmp_path: Path) -> None:
    settings = settings_of_up(tmp_path, "127.0.0.1")

    assert (settings.unknown_stations, settings.unknown_tokens) == ("accept", "accept")
    assert settings.settle_s == 0


def test_elsewhere_unknown_stations_and_tokens_are_refused(tmp_path: Path) -> None:
    settings = settings_of_up(tmp_path, "0.0.0.0")

    assert (settings.unknown_stations, settings.unknown_tokens) == ("refuse", "refuse")
    assert settings.settle_s == 900


def test_what_is_set_is_so_on_loopback_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGELEDGER_UNKNOWN_TOKENS", "refuse")
    monkeypatch.setenv("CHARGELEDGER_SETTLE_S", "900")

    settings = settings_of_up(tmp_path, "127.0.0.1")

    assert (settings.unknown_stations, settings.unknown_tokens) == ("accept", "refuse")
    assert settings.settle_s == 900


def test_the_greeting_says_what_is_accepted_and_where(tmp_path: Path) -> None:
    settings = settings_of_up(tmp_path, "127.0.0.1")

    text = greeting(Layout(tmp_path), settings, DEPLOYMENT, 10)

    assert "ws://127.0.0.1:9000/ocpp/{station}" in text
    assert "http://127.0.0.1:8080/docs" in text
    assert "unknown stations: accept, unknown id tokens: accept" in text
    assert "10 simulated stations" in text


def test_a_port_that_is_taken_is_told_with_the_option_to_change_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = UpPorts(ocpp=0, api=taken.getsockname()[1], clickhouse=0, postgres=0)

        with pytest.raises(Failed, match="--api-port"):
            run_up(tmp_path, "127.0.0.1", ports, 0)


def counts(**more: int) -> Counts:
    figures = {
        "stations": 12,
        "stations_online": 10,
        "transactions_active": 4,
        "cdrs_open": 4,
        "cdrs_held": 1,
        "cdrs_final": 95,
        "energy_wh": 234_500,
        "commands_open": 0,
    }
    return Counts(**{**figures, **more})


def test_the_status_line_has_the_five_figures() -> None:
    assert line_of(counts(), 0.04) == (
        "lag 0.0s  stations 10/12  sessions 4  CDRs 100 (1 held)  234.500 kWh"
    )
    grown = counts(cdrs_held=0, cdrs_final=1_234_567, energy_wh=43_210_000_000)
    assert line_of(grown, 321.4) == ("lag 321s  stations 10/12  sessions 4  CDRs 1234k  43210 MWh")


@pytest.mark.parametrize("energy_wh", [0, 999_999, 99_999_900, 9_999_999_999, 10**13])
@pytest.mark.parametrize("cdrs", [0, 99_999, 12_345_678])
def test_the_status_line_fits_into_a_terminal_of_80_columns(energy_wh: int, cdrs: int) -> None:
    many = counts(
        stations=20_000,
        stations_online=19_500,
        transactions_active=8_000,
        cdrs_held=cdrs // 100,
        cdrs_final=cdrs,
        energy_wh=energy_wh,
    )

    assert max(len(line_of(many, lag_s)) for lag_s in (0.0, 99.9, 86_400.0)) < 80
