"""Postgres from the wheel: in our process group, and itself again after any kill."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.postgres_cluster import PostgresFailed
from infra.postgres_embedded import EmbeddedPostgres, embedded_postgres

pytestmark = pytest.mark.postgres

COUNT_ROWS = """
SELECT count(*) FROM json_to_recordset(%s) AS told (station text, number integer)
"""


def start(server: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    server.prepare()
    with server.log_path.open("ab") as log:
        process = subprocess.Popen(server.command(), stdout=log, stderr=log)
    server.wait_ready(lambda: process.poll() is None)
    return process


def write(dsn: str, number: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS public.kept (number integer)")
        connection.execute("INSERT INTO public.kept VALUES (%s)", (number,))


def read(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM public.kept ORDER BY 1")]


async def test_it_keeps_what_was_committed_over_a_stop_and_a_start(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path / "postgres") as server:
        await asyncio.to_thread(write, server.dsn, 1)

    async with embedded_postgres(tmp_path / "postgres") as server:
        kept = await asyncio.to_thread(read, server.dsn)

    assert kept == [1]


def test_it_leaves_the_process_group_of_its_starter_and_is_not_root(tmp_path: Path) -> None:
    process = start(EmbeddedPostgres(tmp_path / "postgres"))

    try:
        # What a terminal or a script tells the whole group is not for it: others still write to it.
        assert os.getpgid(process.pid) == process.pid
        assert psutil.Process(process.pid).uids().effective != 0
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of one mapping is read from /proc")
def test_what_one_large_batch_took_is_given_back(tmp_path: Path) -> None:
    process = start(server := EmbeddedPostgres(tmp_path / "postgres"))
    rows = json.dumps([{"station": f"S{number:06d}", "number": number} for number in range(50_000)])

    try:
        with psycopg.connect(server.dsn) as connection:
            before = heap_bytes(connection.info.backend_pid)
            for _ in range(3):
                connection.execute(COUNT_ROWS, (rows,))
            # What a statement took is free when the next one comes.
            connection.commit()
            grown = heap_bytes(connection.info.backend_pid) - before
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert grown < len(rows) / 2


def heap_bytes(pid: int) -> int:
    """What a process has of the kernel for `malloc`, outside of mappings of their own."""
    mappings = psutil.Process(pid).memory_maps(grouped=False)
    return sum(each.rss for each in mappings if each.path == "[heap]")


def test_what_billing_changed_of_its_own_role_ends_with_the_next_start(tmp_path: Path) -> None:
    shown = "SELECT current_setting('search_path'), current_setting('statement_timeout')"
    found = []
    for _ in range(2):
        process = start(server := EmbeddedPostgres(tmp_path / "postgres"))
        try:
            with psycopg.connect(server.billing_dsn, autocommit=True) as connection:
                found.append(connection.execute(shown).fetchone())
                connection.execute("SET default_transaction_read_only = off")
                connection.execute("ALTER ROLE billing SET search_path = pg_catalog")
                connection.execute("ALTER ROLE billing SET statement_timeout = 0")
                connection.execute("ALTER ROLE billing SET work_mem = '1GB'")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)

    assert found == [("billing", "1min")] * 2


def test_after_a_kill_of_every_process_it_recovers(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    process = start(server)
    write(server.dsn, 1)
    everybody = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    for each in everybody:
        each.kill()
    process.wait(timeout=30)

    again = EmbeddedPostgres(tmp_path / "postgres")
    process = start(again)

    try:
        assert read(again.dsn) == [1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


@pytest.mark.parametrize("port_is_kept", [True, False])
def test_an_orphan_with_a_busy_client_is_stopped_at_the_next_start(
    tmp_path: Path, *, port_is_kept: bool
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    orphan = start(server)
    write(server.dsn, 1)
    client = psycopg.connect(server.dsn)
    client.execute("SELECT 1")

    again = EmbeddedPostgres(tmp_path / "postgres", server.port if port_is_kept else 0)
    process = start(again)

    try:
        assert orphan.wait(timeout=1) == 0
        assert read(again.dsn) == [1]
    finally:
        client.close()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_backends_of_a_killed_postmaster_do_not_hinder_the_next_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    process = start(server)
    write(server.dsn, 1)
    process.kill()
    process.wait(timeout=30)

    again = EmbeddedPostgres(tmp_path / "postgres")
    process = start(again)

    try:
        assert read(again.dsn) == [1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_a_pid_file_that_names_another_program_is_no_hindrance(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    process = start(server)
    process.kill()
    process.wait(timeout=30)
    pid_file = tmp_path / "postgres" / "cluster" / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *rest]))

    process = start(EmbeddedPostgres(tmp_path / "postgres"))

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def test_it_stops_when_its_starter_is_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys\n"
        "from infra.postgres_embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))\n"
        "server.prepare()\n"
        "child = subprocess.Popen(server.command(), stderr=subprocess.DEVNULL)\n"
        "server.wait_ready(lambda: child.poll() is None)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "postgres")]
    root = Path(__file__).parents[2]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root)
    assert starter.stdout is not None
    postgres = psutil.Process(int(starter.stdout.readline()))

    starter.kill()
    starter.wait(timeout=30)
    starter.stdout.close()

    _, alive = psutil.wait_procs([postgres], timeout=30)
    assert not alive


def test_a_directory_too_deep_for_a_socket_is_served_by_tcp(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120) / "postgres"
    server = EmbeddedPostgres(deep)
    process = start(server)

    try:
        assert psycopg.conninfo.conninfo_to_dict(server.dsn)["host"] == "127.0.0.1"
        write(server.dsn, 1)
        assert read(server.dsn) == [1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_an_initialisation_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "cluster.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    process = start(EmbeddedPostgres(tmp_path / "postgres"))

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert not unfinished.exists()


def test_a_port_that_is_taken_is_reported(
    tmp_path: Path, postgres_server: EmbeddedPostgres
) -> None:
    with pytest.raises(PostgresFailed, match="could not bind"):
        start(EmbeddedPostgres(tmp_path / "postgres", postgres_server.port))


def test_the_passwords_are_for_their_owner_only(postgres_server: EmbeddedPostgres) -> None:
    passwords = postgres_server.log_path.parent / "passwords.json"

    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_without_its_password_nobody_is_superuser_or_owner(
    postgres_server: EmbeddedPostgres,
) -> None:
    for dsn in (postgres_server.superuser_dsn, postgres_server.dsn):
        for host in (psycopg.conninfo.conninfo_to_dict(dsn)["host"], "127.0.0.1"):
            wrong = psycopg.conninfo.make_conninfo(dsn, password="guess", host=host)
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(wrong)


def test_lost_passwords_are_reported(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.prepare()
    (tmp_path / "postgres" / "passwords.json").unlink()

    with pytest.raises(PostgresFailed, match="missing"):
        _ = server.dsn
