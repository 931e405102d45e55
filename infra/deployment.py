"""An embedded deployment's directory: where each thing is, and which ports it was started on.

`deployment.json` is what commands beside a running `up` need to find it. It holds no secrets: the
passwords of Postgres are in `postgres/passwords.json`, keys in `secrets/`, both closed to others.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import msgspec
from msgspec import Struct

from infra.sqlite_log import FILE_NAME

KEY_BYTES = 32
LOSS_BY_KEY = {
    "transaction-id": "new transaction ids could be some that the journal has given already",
    "pepper": "no password of a station could be checked any more",
    "vault": "no secret that is kept for stations could be read any more",
}

LOCK_ATTEMPTS = 4
LOCK_PAUSE_S = 0.05
"""A command that looks whether `up` runs holds the lock for a moment."""

SOCKET_PATH_BYTES_MAX = 103
"""macOS' sun_path less its final NUL; Linux takes four more."""


class NoDeployment(Exception):
    """The directory holds no deployment that this command could work on."""


class DeploymentInUse(Exception):
    """Another process works on this data directory; its pid is in the message."""


class UnusableDirectory(Exception):
    """The data directory cannot be written; the message says why."""


class WrongKey(Exception):
    """A key file is not what it must be; the message says which and why."""


class Deployment(Struct, frozen=True, kw_only=True):
    """As `up` was last started. `pid` is that of `up`; whether it still runs, the lock says."""

    pid: int
    host: str
    ocpp_port: int
    api_host: str
    api_port: int
    clickhouse_port: int
    postgres_port: int
    edge_socket: str
    views_socket: str

    @property
    def ocpp_url(self) -> str:
        return f"ws://{reachable(self.host)}:{self.ocpp_port}/ocpp"

    @property
    def api_url(self) -> str:
        return f"http://{reachable(self.api_host)}:{self.api_port}"

    @property
    def clickhouse_url(self) -> str:
        return f"http://127.0.0.1:{self.clickhouse_port}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below a data directory."""

    data: Path

    @property
    def journal(self) -> Path:
        return self.data / "journal"

    @property
    def has_journal(self) -> bool:
        """Whether `up` was here: its keys are made before its journal."""
        return (self.journal / FILE_NAME).exists()

    @property
    def snapshots(self) -> Path:
        """Of the role `domain`; the embedded edge keeps them with its journal."""
        return self.data / "snapshots.sqlite3"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def migrated(self) -> Path:
        """Holds the number of the newest migration that `up` has seen applied."""
        return self.postgres / "migrated"

    @property
    def clickhouse(self) -> Path:
        return self.data / "clickhouse"

    @property
    def full_flag(self) -> Path:
        return self.data / "edge.full"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def children(self) -> Path:
        return self.data / "children.json"

    @property
    def deployment(self) -> Path:
        return self.data / "deployment.json"

    @property
    def lock_file(self) -> Path:
        return self.data / "up.lock"

    def read(self) -> Deployment:
        """Raises NoDeployment."""
        try:
            return msgspec.json.decode(self.deployment.read_bytes(), type=Deployment)
        except FileNotFoundError as error:
            raise NoDeployment(
                f"{self.data} holds no deployment; `chargeledger up --data {self.data}` makes one"
            ) from error
        except msgspec.MsgspecError as error:
            raise NoDeployment(f"{self.deployment}: {error}") from error

    def write(self, deployment: Deployment) -> None:
        text = msgspec.json.format(msgspec.json.encode(deployment), indent=2)
        new = self.deployment.with_suffix(".new")
        new.write_bytes(text + b"\n")
        new.replace(self.deployment)

    def running(self) -> Deployment | None:
        """Return the deployment if its `up` runs now."""
        try:
            with self.lock():
                return None
        except DeploymentInUse:
            return self.read()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory: `up` and whatever works on it alone. Ends with the process, however.

        Raises:
            DeploymentInUse: somebody holds it.
            UnusableDirectory: it cannot be written.
        """
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UnusableDirectory(
                f"the data directory {self.data} cannot be written: {error.strerror}"
            ) from error
        try:
            if not _locked(descriptor):
                pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                raise DeploymentInUse(f"{self.data} is in use by process {pid}")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            yield
        finally:
            os.close(descriptor)

    def sockets(self) -> Path:
        """Return the directory for Unix sockets: this one, or, if its path is too long, another."""
        here = self.data.resolve()
        if len(os.fsencode(here / "views.sock")) <= SOCKET_PATH_BYTES_MAX:
            return here
        # Of nobody else's making: a directory that only we may enter.
        return Path(tempfile.mkdtemp(prefix="chargeledger-", dir="/tmp"))


def _locked(descriptor: int) -> bool:
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return True
    return False


def ensure_keys(directory: Path, *, is_new: bool) -> None:
    """Make the keys that are missing, each written whole and closed to others.

    Raises:
        WrongKey: one is missing, and the deployment is not new: another one would not do.
    """
    lost = [name for name in LOSS_BY_KEY if not _key_file(directory, name).exists()]
    if lost and not is_new:
        files = ", ".join(str(_key_file(directory, name)) for name in lost)
        raise WrongKey(
            f"{files}: lost, and the journal has records. Put it back from the backup: with another"
            f" key {'; '.join(LOSS_BY_KEY[name] for name in lost)}. Who has no backup and accepts"
            f" that writes {KEY_BYTES} random bytes there"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in lost:
        path = _key_file(directory, name)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
        new.replace(path)


def _key_file(directory: Path, name: str) -> Path:
    return directory / f"{name}.key"


def read_key(directory: Path, name: str) -> bytes:
    """Raises WrongKey: missing, or of another length."""
    path = _key_file(directory, name)
    try:
        key = path.read_bytes()
    except OSError as error:
        raise WrongKey(f"{path} cannot be read: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise WrongKey(f"{path} has {len(key)} bytes; a key has {KEY_BYTES}")
    return key


def reachable(host: str) -> str:
    """Return an address that reaches a server listening on this one from this machine."""
    if host in ("", "0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
