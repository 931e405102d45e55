"""A machine of its own on this one: a network namespace with two cables that can be pulled.

Needs root and iproute2. It is held by a process that dies with us, and goes with its last process.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.faulty_link import LOOPBACK
from tests.kafka_broker import dies_with_us

INNER, OUTER = "inner", "outer"
NOBODY = "02:00:00:00:00:01"
UP_WITHIN_S = 5.0


class NoEnclave(Exception):
    """This machine has none to give, and why."""


class Enclave:
    """`inner` leads to the brokers and databases, `outer` to the stations."""

    def __init__(self) -> None:
        self._number = os.getpid() % 250
        self._holder = subprocess.Popen(
            [*dies_with_us(), "unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL
        )

    @property
    def command(self) -> list[str]:
        """What to put before a command that shall run there."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def here(self, cable: str) -> str:
        return f"10.213.{self._number}.{1 if cable == INNER else 5}"

    def there(self, cable: str) -> str:
        return f"10.213.{self._number}.{2 if cable == INNER else 6}"

    def connect(self) -> None:
        """
        Raises:
            NoEnclave: what the machine said.
        """
        self._wait_until_unshared()
        self._there("link", "set", "lo", "up")
        for cable in (INNER, OUTER):
            near, far = self._ends(cable)
            _ip("link", "add", near, "type", "veth", "peer", "name", far)
            _ip("link", "set", far, "netns", str(self._holder.pid))
            _ip("addr", "add", f"{self.here(cable)}/30", "dev", near)
            self._there("addr", "add", f"{self.there(cable)}/30", "dev", far)
            self._there("link", "set", far, "up")
            _ip("link", "set", near, "up")

    def pull(self, cable: str) -> None:
        """Nothing passes any more, and nobody is told."""
        self.deafen(cable)
        self.mute(cable)

    def deafen(self, cable: str) -> None:
        """What is sent from there still arrives; nothing reaches it."""
        _ip(*_sent_to_nobody(self.there(cable), self._ends(cable)[0]))

    def mute(self, cable: str) -> None:
        """It is reached, and nothing that it says arrives."""
        self._there(*_sent_to_nobody(self.here(cable), self._ends(cable)[1]))

    def heal(self, cable: str) -> None:
        near, far = self._ends(cable)
        with suppress(NoEnclave):
            _ip("neigh", "del", self.there(cable), "dev", near)
        with suppress(NoEnclave):
            self._there("neigh", "del", self.here(cable), "dev", far)

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()
        for cable in (INNER, OUTER):
            with suppress(NoEnclave):
                _ip("link", "del", self._ends(cable)[0])

    def _ends(self, cable: str) -> tuple[str, str]:
        name = f"clc{self._number}{cable[0]}"
        return f"{name}0", f"{name}1"

    def _there(self, *words: str) -> None:
        _run(*self.command, "ip", *words)

    def _wait_until_unshared(self) -> None:
        ours, deadline = os.readlink("/proc/self/ns/net"), time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline and self._holder.poll() is None:
            with suppress(OSError):
                if os.readlink(f"/proc/{self._holder.pid}/ns/net") != ours:
                    return
            time.sleep(0.01)
        raise NoEnclave("unshare --net: not permitted")


@contextmanager
def enclave() -> Iterator[Enclave | str]:
    """Yield one, or why there is none."""
    try:
        made = Enclave()
    except OSError as error:
        yield str(error)
        return
    try:
        try:
            made.connect()
        except (NoEnclave, OSError) as error:
            yield str(error)
        else:
            yield made
    finally:
        made.end()


def address_of(made: Enclave | str) -> str:
    """Return where we listen for those who may be in it."""
    return made.here(INNER) if isinstance(made, Enclave) else LOOPBACK


def _sent_to_nobody(address: str, device: str) -> list[str]:
    return ["neigh", "replace", address, "lladdr", NOBODY, "dev", device, "nud", "permanent"]


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise NoEnclave(f"{' '.join(command)}: {ran.stderr.strip()}")
