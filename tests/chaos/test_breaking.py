"""What chaos breaks things with does break them, and heals them."""

import asyncio
import errno
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.disks import Disk, small_disk
from tests.chaos.enclave import INNER, Enclave, enclave
from tests.faulty_link import Link, linked


@asynccontextmanager
async def echoed() -> AsyncIterator[Link]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with linked(server.sockets[0].getsockname()) as link:
        yield link
    server.close()


@asynccontextmanager
async def caller(link: Link) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answered_in(link: Link, data: bytes) -> float:
    began = asyncio.get_running_loop().time()
    async with caller(link) as (reader, writer):
        writer.write(data)
        async with asyncio.timeout(10):
            assert await reader.readexactly(len(data)) == data
    return asyncio.get_running_loop().time() - began


async def test_a_link_carries_and_is_late_and_narrow_when_told() -> None:
    async with echoed() as link:
        await answered_in(link, b"x" * 200_000)
        link.delay_s = 0.1
        assert await answered_in(link, b"x") > 0.2
        link.delay_s, link.slice_bytes = 0.01, 10
        assert await answered_in(link, b"x" * 100) > 0.1
        link.heal()
        assert await answered_in(link, b"x") < 0.2


async def test_a_link_that_is_cut_resets() -> None:
    async with echoed() as link, caller(link) as (reader, writer):
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        assert link.cut(reset=True) == 1
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_half_open_link_says_nothing_and_is_reset_when_it_heals() -> None:
    async with echoed() as link, caller(link) as (reader, writer):
        link.silence()
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read()
        link.heal()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert await answered_in(link, b"x") < 1


def test_a_disk_is_full_until_it_is_cleared(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        if not isinstance(disk, Disk):
            pytest.skip(disk)
        (disk.path / "before").write_bytes(b"x" * 1_000)
        disk.fill()
        with pytest.raises(OSError, match="No space") as refused:
            (disk.path / "large").write_bytes(b"x" * 200_000)
        assert refused.value.errno == errno.ENOSPC
        disk.clear()
        (disk.path / "large").write_bytes(b"x" * 200_000)
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.fixture
def machine() -> Iterator[Enclave]:
    with enclave() as made:
        if isinstance(made, str):
            pytest.skip(made)
        yield made


LISTENING = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
while True:
    listener.accept()[0].sendall(b"x")
"""


@pytest.mark.parametrize("how", ["pull", "deafen", "mute"])
def test_a_machine_whose_cable_is_out_is_not_reached(machine: Enclave, how: str) -> None:
    address = machine.there(INNER)
    with subprocess.Popen(
        [*machine.command, sys.executable, "-c", LISTENING, address],
        stdout=subprocess.PIPE,
        text=True,
    ) as listener:
        try:
            assert listener.stdout is not None
            port = int(listener.stdout.readline())

            def reached() -> bytes:
                with socket.create_connection((address, port), 0.3) as connection:
                    return connection.recv(1)

            assert reached() == b"x"
            ways = {"pull": machine.pull, "deafen": machine.deafen, "mute": machine.mute}
            ways[how](INNER)
            with pytest.raises(TimeoutError):
                reached()
            machine.heal(INNER)
            assert reached() == b"x"
        finally:
            listener.kill()
