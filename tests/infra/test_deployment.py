"""A data directory: one at a time works on it, and what is secret in it is closed to others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.deployment import (
    SOCKET_PATH_BYTES_MAX,
    Deployment,
    DeploymentInUse,
    Layout,
    NoDeployment,
    UnusableDirectory,
    WrongKey,
    ensure_keys,
    is_loopback,
    read_key,
)

DEPLOYMENT = Deployment(
    pid=1,
    host="0.0.0.0",
    ocpp_port=9000,
    api_host="127.0.0.1",
    api_port=8080,
    clickhouse_port=8123,
    postgres_port=5433,
    edge_socket="/x/edge.sock",
    views_socket="/x/views.sock",
)

HOLD = """
import sys
from pathlib import Path
from infra.deployment import Layout
with Layout(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        Layout(tmp_path).write(DEPLOYMENT)

        with (
            pytest.raises(DeploymentInUse, match=rf"process {holder.pid}$"),
            Layout(tmp_path).lock(),
        ):
            pass
        assert Layout(tmp_path).running() == DEPLOYMENT
        holder.kill()

    with Layout(tmp_path).lock():
        pass
    assert Layout(tmp_path).running() is None


def test_what_was_written_is_read(tmp_path: Path) -> None:
    Layout(tmp_path).write(DEPLOYMENT)

    assert Layout(tmp_path).read() == DEPLOYMENT
    assert DEPLOYMENT.ocpp_url == "ws://127.0.0.1:9000/ocpp"


def test_an_empty_directory_is_no_deployment(tmp_path: Path) -> None:
    with pytest.raises(NoDeployment, match="chargeledger up --data"):
        Layout(tmp_path).read()


def test_keys_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    ensure_keys(directory, is_new=True)
    first = read_key(directory, "pepper")
    ensure_keys(directory, is_new=False)

    assert read_key(directory, "pepper") == first
    assert read_key(directory, "vault") != first
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("transaction-id", "transaction ids"), ("pepper", "password"), ("vault", "secret")],
)
def test_a_lost_key_is_not_made_anew_beside_a_journal(
    name: str, meaning: str, tmp_path: Path
) -> None:
    ensure_keys(tmp_path, is_new=True)
    lost = tmp_path / f"{name}.key"
    lost.unlink()

    with pytest.raises(WrongKey, match=meaning) as refused:
        ensure_keys(tmp_path, is_new=False)

    assert str(lost) in str(refused.value)
    assert not lost.exists()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "data"

    with pytest.raises(UnusableDirectory, match=str(data)), Layout(data).lock():
        pass


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pepper.key").write_bytes(b"short")

    with pytest.raises(WrongKey, match="5 bytes"):
        read_key(tmp_path, "pepper")


def test_a_socket_path_fits_even_when_the_data_directory_is_deep(tmp_path: Path) -> None:
    assert Layout(tmp_path).sockets() == tmp_path

    elsewhere = Layout(tmp_path / ("x" * SOCKET_PATH_BYTES_MAX)).sockets()

    assert len(os.fsencode(elsewhere / "views.sock")) <= SOCKET_PATH_BYTES_MAX
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    elsewhere.rmdir()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("127.evil.example", False), ("10.0.0.1", False), ("::", False)),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
