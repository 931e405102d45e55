"""The command line: it teaches, it is quick, and it says in one sentence what is wrong."""

import asyncio
import errno
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.roles import ROLES
from infra.cli.csv_rows import read_stations, read_tokens
from infra.cli.failures import SAYABLE, Failed, told
from infra.cli.program import app
from infra.cli.querying import run_sql
from infra.cli.registering import KeyRole
from infra.cli.simulating import Troubles
from infra.csv_file import UnreadableCsv
from infra.deployment import DeploymentInUse, Layout
from infra.journal_sqlite import SqliteJournal
from infra.simulator.csv_sessions import UnreadableSessions, read_rows
from tests.engines import PostgresDatabase

COMMANDS = [
    *("up", "ingress", "domain", "projections", "api"),
    *("simulate", "replay", "rebuild", "sql", "price", "what-if", "settings-page"),
    "conformance-page",
    *("key create", "key list", "key revoke", "import stations", "import tokens"),
]
WITH_EXAMPLES = {"up", "simulate", "replay", "rebuild", "sql", "what-if", "key create"}
PROGRAM = "from infra.cli import main; main()"
HEAVY = ("psycopg", "chdb", "clickhouse_connect", "fastapi", "aiokafka", "websockets", "pydantic")


def program(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHARGELEDGER_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment | settings,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})

    assert shown.exit_code == 0, shown.output
    assert "Usage:" in shown.output
    if command in WITH_EXAMPLES:
        assert "Example: chargeledger" in shown.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from infra.cli.program import app\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert shown.stdout.strip() == "[]"


def test_the_roles_of_keys_are_those_of_the_api() -> None:
    assert [role.value for role in KeyRole] == list(ROLES)


def test_the_sayable_errors_exist() -> None:
    for module, names in SAYABLE.items():
        imported = __import__(module, fromlist=names)
        for name in names:
            assert issubclass(getattr(imported, name), Exception), name


def test_an_error_for_people_is_told_and_a_bug_is_not() -> None:
    assert told(DeploymentInUse("x is in use by process 1")) == "x is in use by process 1"
    assert told(ExceptionGroup("", [ExceptionGroup("", [Failed("so")])])) == "so"
    assert told(ZeroDivisionError("bug")) is None


def test_a_wrong_setting_is_told_by_the_name_of_its_variable() -> None:
    ran = program("ingress", CHARGELEDGER_SETTLE_S="soon")

    assert ran.returncode == 1
    assert ran.stderr.startswith("chargeledger: settings: CHARGELEDGER_SETTLE_S:")


def test_a_variable_that_means_nothing_is_warned_of() -> None:
    ran = program("settings-page", CHARGELEDGER_OCPP_PROT="1")

    assert ran.returncode == 0
    assert "CHARGELEDGER_OCPP_PROT is no setting" in ran.stderr


@pytest.mark.parametrize(
    "command", ["sql SELECT", "rebuild", "key list", "replay --station X", "simulate"]
)
def test_a_directory_without_a_deployment_is_told(command: str, tmp_path: Path) -> None:
    ran = program(*command.split(), "--data", str(tmp_path / "nothing"))

    assert ran.returncode == 1
    assert ran.stderr.startswith("chargeledger: "), ran.stderr
    assert "chargeledger up" in ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        "import tokens {file} --tenant bad/tenant",
        "import stations {file} --tenant .",
        "key create --role admin --name x --tenant bad/tenant",
        "key create --role admin --name ",
        "key list --tenant x:y",
        "replay --station X --tenant ",
        "verify --tenant a%b",
        "simulate --tenant bad/tenant",
    ],
)
def test_a_name_that_the_api_would_refuse_is_refused_here(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text("uid,station\nT1,CP1\n")
    words = [word.format(file=file) for word in command.split(" ")]

    shown = CliRunner().invoke(app, [*words, "--data", str(tmp_path)], env={"COLUMNS": "200"})

    assert shown.exit_code == 2, shown.output
    assert "is no name" in shown.output


@pytest.mark.parametrize(
    "options",
    [
        "--url http://127.0.0.1:9000/ocpp",
        "--url 127.0.0.1:9000",
        "--url ws:///ocpp",
        "--url ws://127.0.0.1:none/ocpp",
        "--url ws://127.0.0.1:9/ocpp --prefix a/b",
    ],
)
def test_an_address_at_which_no_station_could_connect_is_told_at_once(options: str) -> None:
    shown = CliRunner().invoke(app, ["simulate", *options.split()])

    assert isinstance(shown.exception, Failed)
    assert str(shown.exception).startswith(tuple(options.split()[::2]))


def test_why_nobody_is_connected_is_told_once_it_lasts_and_once_only() -> None:
    said: list[str] = []
    troubles = Troubles(said.append)

    for at_s, trouble in enumerate(("refused", "", *["refused"] * 5, "404", "404", "", "404")):
        troubles.look(trouble, float(at_s))

    assert ["refused" in each for each in said] == [True, False]


def test_a_port_that_refuses_is_told_and_ctrl_c_is_obeyed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as lent:
        url = f"ws://127.0.0.1:{lent.getsockname()[1]}/ocpp"
    ran = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "simulate", "--url", url],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ran.stderr is not None
    said = ran.stderr.readline()
    ran.send_signal(signal.SIGINT)
    out, _ = ran.communicate(timeout=20)

    assert "no station can connect" in said
    assert "refused" in said.lower() or "Connect call failed" in said
    assert ran.returncode == 1
    assert out.endswith("NOT OK\n")


@pytest.mark.parametrize(("what", "rows"), [("stations", "station\nCP1\n"), ("tokens", "uid\nT\n")])
def test_an_import_without_a_deployment_is_told(what: str, rows: str, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text(rows)

    ran = program("import", what, str(file), "--data", str(tmp_path / "nothing"))

    assert ran.returncode == 1
    assert "holds no deployment" in ran.stderr


def test_a_role_needs_kafka() -> None:
    ran = program("domain")

    assert ran.returncode == 1
    assert "CHARGELEDGER_JOURNAL=kafka" in ran.stderr


async def make_journal(data: Path) -> None:
    journal = await SqliteJournal.create_or_open(Layout(data).journal, 1)
    await journal.close()


def test_tokens_are_imported_once_and_again_at_will(tmp_path: Path) -> None:
    asyncio.run(make_journal(tmp_path))
    file = tmp_path / "tokens.csv"
    file.write_text("uid,status,expires_at,group\nT1,Accepted,2030-01-01T00:00:00Z,F\nT2,,,\n")

    first = program("import", "tokens", str(file), "--data", str(tmp_path))
    again = program("import", "tokens", str(file), "--data", str(tmp_path))
    file.write_text("uid,status\nT2,Blocked\nT1,Accepted\n")
    changed = program("import", "tokens", str(file), "--data", str(tmp_path))

    assert first.stdout == "2 id tokens registered, 0 were so already\n", first.stderr
    assert again.stdout == "0 id tokens registered, 2 were so already\n"
    assert changed.stdout == "2 id tokens registered, 0 were so already\n"


def test_every_wrong_row_is_named_and_nothing_is_used(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text("uid,status,expires_at\nA,Fine,\nB,,2030-01-01T00:00:00\nC,,\nC,,\n,,\nD\n")

    with pytest.raises(Failed) as failure:
        read_tokens(file)

    lines = str(failure.value).split("\n")[1:]
    assert [re.split(r":", line)[0] for line in lines] == [
        *("line 2", "line 3", "line 5", "line 6", "line 7")
    ]
    assert "'C' stands in the file twice" in lines[2]


NOT_UTF8 = "uid,group\nT1,a\nT2,M\xfcnchen\n".encode("latin-1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (NOT_UTF8, "line 3: not UTF-8"),
        (b"uid,na\xefve\nT1,a\n", "line 1: not UTF-8"),
        (b"\xff\xfeu\x00i\x00d\x00", "line 1: not UTF-8"),
        (b"uid,status,status\nT1,Blocked,Accepted\n", "line 1: the header names .*'status' twice"),
        (b'uid,"sta"tus\nT1,x\n', "line 1: "),
    ],
)
def test_a_file_that_is_no_csv_of_ours_is_told_with_its_line(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.csv"
    file.write_bytes(content)

    with pytest.raises(Failed, match=f"tokens.csv, {reason}"):
        read_tokens(file)
    with pytest.raises(UnreadableCsv, match=f"tokens.csv, {reason}"):
        read_rows(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Session,CCS\n1,A\n", "line 2: the header names no column 'Arrival'"),
        ("Session,Arrival\n1,yesterday\n", "line 2: time data 'yesterday'"),
        ("Session,Arrival\n1\n", "line 2: "),
        ("", "line 1: no sessions"),
    ],
)
def test_a_file_of_other_sessions_is_told_with_its_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "sessions.csv"
    file.write_text(text)

    with pytest.raises(UnreadableSessions, match=f"sessions.csv, {reason}"):
        read_rows(file)


def test_a_full_disk_is_told_in_a_sentence() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/data/deployment.new")

    assert told(ExceptionGroup("", [full])) == (
        "a file cannot be written (No space left on device): /data/deployment.new"
    )
    assert told(OSError(errno.EBADF, "Bad file descriptor")) is None


@pytest.mark.postgres
def test_a_statement_for_postgres_reads_and_is_one(
    postgres_database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CHARGELEDGER_JOURNAL", "kafka")
    monkeypatch.setenv("CHARGELEDGER_POSTGRES_DSN", postgres_database.dsn)

    def ask(query: str) -> str:
        run_sql(query, postgres=True, form="csv", data=tmp_path)
        return capsys.readouterr().out

    assert ask("SELECT count(*) AS n FROM billing.cdrs") == "n\n0\n"
    for refused in (
        "CREATE TABLE read.mine (a int)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; CREATE TABLE read.mine ()",
        "SELECT 1; SELECT 2",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; CREATE TABLE read.mine (); END $$",
        "SELECT set_config('transaction_read_only', 'off', false)",
    ):
        with pytest.raises(Failed):
            ask(refused)
    assert ask("SELECT to_regclass('read.mine') AS t") == 't\n""\n'


def test_columns_that_are_not_known_become_attributes(tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    file.write_text("\ufeffstation,name,password,site\nCP1,Garage,sixteen-letters-or-more,Bern\n")

    ((station, body),) = read_stations(file)

    assert (station, body.name, dict(body.attributes)) == ("CP1", "Garage", {"site": "Bern"})
    assert body.password is not None


def test_cells_of_attributes_that_decide_something_have_their_type(tmp_path: Path) -> None:
    names = "station,blocked,switch_never_pinged,cost_updates_s,max_power_w,site,floor"
    file = tmp_path / "stations.csv"
    file.write_text(f"{names}\nCP1,true,False,30,22000,true,3\nCP2,FALSE,,,,,\n")

    first, second = (dict(body.attributes) for _, body in read_stations(file))

    assert first == {
        "blocked": True,
        "switch_never_pinged": False,
        "cost_updates_s": 30,
        "max_power_w": 22000,
        "site": "true",
        "floor": "3",
    }
    assert second == {"blocked": False}


@pytest.mark.parametrize(
    ("name", "cell"),
    [("blocked", "yes"), ("eichrecht", "1"), ("max_power_w", "22 kW"), ("cost_updates_s", "-5")],
)
def test_a_cell_that_would_decide_nothing_is_refused(name: str, cell: str, tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    file.write_text(f"station,{name}\nCP1,{cell}\n")

    with pytest.raises(Failed, match=f"line 2: attributes: .*{name}"):
        read_stations(file)


@pytest.mark.parametrize("row", ["CP:1,", "CP1,short", "CP1,sixteen-letters-ör-more"])
def test_a_station_that_nobody_could_connect_as_is_refused(row: str, tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    file.write_text(f"station,password\n{row}\n")

    with pytest.raises(Failed, match="line 2"):
        read_stations(file)


def test_a_file_without_the_column_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text("token\nA\n")

    with pytest.raises(Failed, match="no column 'uid'"):
        read_tokens(file)
