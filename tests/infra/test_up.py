"""`up` before it starts anything: its settings, its ports, its greeting, its figures."""

import asyncio
import socket
from pathlib import Path

import pytest

from infra.cli.belonging import (
    refuse_foreign_databases,
    refuse_old_views,
    refuse_orphaned_databases,
)
from infra.cli.failures import Failed
from infra.cli.greeting import greeting
from infra.cli.status import line_of
from infra.cli.up import UpPorts, run_up, settings_of_up
from infra.deployment import Deployment, Layout, WrongKey, is_loopback
from infra.journal_sqlite import SqliteJournal
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.postgres_embedded import embedded_postgres
from infra.read_store import PostgresReadStore
from infra.settings import Settings
from projections.ports import Progress
from projections.progress import Counts
from projections.states import FOLD_VERSION
from tests.engines import PostgresDatabase

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


def test_a_16_by_default_nothing_but_this_machine_is_listened_to() -> None:
    settings = Settings()

    assert is_loopback(settings.ocpp_host)
    assert is_loopback(settings.api_host)
    assert (settings.unknown_stations, settings.unknown_tokens) == ("refuse", "refuse")


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


def free(**more: int) -> UpPorts:
    return UpPorts(**{"ocpp": 0, "api": 0, "clickhouse": 0, "postgres": 0, **more})


def test_a_port_that_is_taken_is_told_with_the_option_to_change_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(Failed, match="--api-port"),
    ):
        run_up(data, "127.0.0.1", free(api=taken.getsockname()[1]), 0)

    assert not data.exists()


def test_two_options_with_one_port_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as lent:
        port = lent.getsockname()[1]

    with pytest.raises(Failed, match=f"--api-port and --postgres-port are both {port}"):
        run_up(tmp_path / "data", "127.0.0.1", free(api=port, postgres=port), 0)


@pytest.mark.parametrize("host", ["203.0.113.7", "a..b", "not an address", "300.1.1.1"])
def test_a_host_that_is_none_of_ours_is_told(host: str, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="--host"):
        run_up(tmp_path / "data", host, free(), 0)


def test_up_does_not_start_without_the_keys_of_its_journal(tmp_path: Path) -> None:
    asyncio.run(make_journal(tmp_path))

    with pytest.raises(WrongKey, match=r"transaction-id\.key"):
        run_up(tmp_path, "127.0.0.1", free(), 0)


async def make_journal(data: Path) -> str:
    journal = await SqliteJournal.create_or_open(Layout(data).journal, 1)
    await journal.close()
    return journal.id


@pytest.mark.postgres
async def test_databases_of_another_journal_are_refused_with_its_id(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    async with embedded_postgres(layout.postgres) as server:
        await migrate(server.dsn)
        layout.migrated.write_text("1")
        async with Postgres(server.dsn) as database:
            progress = Progress(
                name="read",
                journal_id="the-old-one",
                fold_version=FOLD_VERSION,
                before={},
                positions={0: 1},
                recorded_at=1,
                waiting={},
                checkpoint=None,
            )
            await PostgresReadStore(database).save(progress)
        await refuse_foreign_databases(layout, server.dsn)
        await refuse_old_views(layout, server.dsn)
    with pytest.raises(Failed, match=r"from journal the-old-one, .* holds no journal"):
        await refuse_orphaned_databases(layout)
    found = await make_journal(tmp_path)
    await refuse_orphaned_databases(layout)
    async with embedded_postgres(layout.postgres) as server:
        with pytest.raises(Failed, match=f"from journal the-old-one, .* holds journal {found}"):
            await refuse_foreign_databases(layout, server.dsn)


@pytest.mark.postgres
async def test_views_of_another_fold_are_refused_with_what_makes_them_anew(
    tmp_path: Path, postgres_database: PostgresDatabase
) -> None:
    await migrate(postgres_database.dsn)
    async with Postgres(postgres_database.dsn) as database:
        old = Progress(
            name="clickhouse",
            journal_id="j",
            fold_version=FOLD_VERSION - 1,
            before={},
            positions={0: 1},
            recorded_at=1,
            waiting={},
            checkpoint=None,
        )
        await PostgresReadStore(database).save(old)

    with pytest.raises(Failed, match=rf"version {FOLD_VERSION - 1}, .*chargeledger rebuild --data"):
        await refuse_old_views(Layout(tmp_path), postgres_database.dsn)


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
