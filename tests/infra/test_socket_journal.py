"""The embedded journal through the edge's Unix socket: the contract, and what a socket adds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.append_socket import AppendSocket
from infra.journal_sqlite import SqliteJournal
from infra.socket_journal import SocketJournal
from schemas.journal import AppendUnknown, Journal, Unavailable
from tests.contract.journal import ENOUGH_S, PARTITIONS, JournalContract, lines


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[SqliteJournal]:
    journal = await SqliteJournal.create_or_open(directory, PARTITIONS)
    async with AppendSocket(
        directory / "edge.sock",
        append=journal.append,
        partitions=PARTITIONS,
        metrics=lambda: "# nothing\n",
    ):
        yield journal
    await journal.close()


@asynccontextmanager
async def connected(
    directory: Path, answer_within_s: float = ENOUGH_S
) -> AsyncIterator[SocketJournal]:
    journal = await SocketJournal.open(
        directory / "edge.sock", directory, answer_within_s=answer_within_s
    )
    yield journal
    await journal.close()


class TestSocketJournal(JournalContract):
    wakes_within_s = 0.030

    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        async with serving(tmp_path), connected(tmp_path) as journal:
            yield journal


class Edge:
    """An edge that takes appends and answers only when it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, Sequence[bytes]]] = []
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        self.taken.append((partition, values))
        self.asked.set()
        await self.answer.wait()
        return range(len(values))


async def test_without_an_edge_nothing_was_appended(tmp_path: Path) -> None:
    async with serving(tmp_path):
        pass
    async with connected(tmp_path) as journal:
        with pytest.raises(Unavailable, match="does not listen"):
            await journal.append(1, lines("a", 1))


async def test_a_late_answer_means_unknown_and_disturbs_no_later_append(tmp_path: Path) -> None:
    edge = Edge()
    async with (
        serving(tmp_path),
        AppendSocket(
            tmp_path / "edge.sock", append=edge.append, partitions=PARTITIONS, metrics=str
        ),
        connected(tmp_path, answer_within_s=0.05) as journal,
    ):
        with pytest.raises(AppendUnknown, match="no answer within"):
            await journal.append(1, lines("a", 1))
        edge.answer.set()

        assert await journal.append(2, lines("b", 3)) == [0, 1, 2]
    assert [partition for partition, _ in edge.taken] == [1, 2]


async def test_a_connection_that_breaks_before_the_answer_means_unknown(tmp_path: Path) -> None:
    server_side: list[asyncio.StreamWriter] = []

    async def take_and_hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_side.append(writer)
        writer.close()
        await writer.wait_closed()

    async with serving(tmp_path):
        pass
    server = await asyncio.start_unix_server(take_and_hang_up, tmp_path / "edge.sock")
    async with server, connected(tmp_path) as journal:
        with pytest.raises(AppendUnknown, match="broke"):
            await journal.append(1, lines("a", 1))
    assert len(server_side) == 1


async def test_an_edge_that_is_started_anew_is_found_again(tmp_path: Path) -> None:
    async with serving(tmp_path), connected(tmp_path) as journal:
        first = await journal.append(1, lines("a", 1))
    async with connected(tmp_path) as journal:
        async with serving(tmp_path):
            second = await journal.append(1, lines("b", 1))
        with contextlib.suppress(Unavailable, AppendUnknown):
            await journal.append(1, lines("lost", 1))
        async with serving(tmp_path):
            third = await journal.append(1, lines("c", 1))

    assert [*first, *second, *third] == [0, 1, 2]


async def test_many_requests_are_in_flight_and_keep_their_order(tmp_path: Path) -> None:
    async with serving(tmp_path), connected(tmp_path) as journal, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(journal.append(1, [b'{"n":%d}' % number])) for number in range(200)
        ]
    assert [task.result()[0] for task in tasks] == list(range(200))


async def test_a_partition_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path), connected(tmp_path) as journal:
        with pytest.raises(ValueError, match="no partition 5"):
            await journal.append(PARTITIONS + 1, lines("a", 1))


async def test_the_edge_tells_its_metrics(tmp_path: Path) -> None:
    async with serving(tmp_path), connected(tmp_path) as journal:
        assert await journal.metrics() == "# nothing\n"


async def test_what_is_not_our_protocol_is_hung_up_on(tmp_path: Path) -> None:
    async with serving(tmp_path):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "edge.sock")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(ENOUGH_S):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_only_its_owner_may_reach_the_socket(tmp_path: Path) -> None:
    async with serving(tmp_path):
        assert (tmp_path / "edge.sock").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "edge.sock").exists()
