"""Asks the process that holds the embedded ClickHouse to rebuild it: only that one can.

A Unix socket, one connection per rebuild, lines of JSON: how far it is, and what came of it.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from infra.unix_listener import listen
from projections.ports import StoreUnavailable
from projections.rebuild import Rebuilt
from schemas.journal import Unavailable

Report = Callable[[int, int], None]


class Advanced(Struct, frozen=True, tag="advanced"):
    done: int
    total: int


class Finished(Struct, frozen=True, tag="finished"):
    rebuilt: Rebuilt


class Refused(Struct, frozen=True, tag="refused"):
    reason: str


Line = Advanced | Finished | Refused
_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


def heard(line: Line, report: Report) -> Rebuilt | None:
    """Report how far it is, or return what came of it.

    Raises:
        StoreUnavailable: refused.
    """
    match line:
        case Advanced(done, total):
            report(done, total)
            return None
        case Finished(rebuilt):
            return rebuilt
        case Refused(reason):
            raise StoreUnavailable(reason)


class RebuildDesk:
    """Use as `async with RebuildDesk(path) as desk`; when `asked` is set, call `serve`."""

    def __init__(self, path: Path) -> None:
        self.asked = asyncio.Event()
        self._path = path
        self._server: asyncio.Server | None = None
        self._writer: StreamWriter | None = None
        self._served = asyncio.Event()

    async def serve(self, rebuild: Callable[[Report], Awaitable[Rebuilt]]) -> None:
        """Rebuild for whoever asked, and tell them; its failures are theirs to hear."""
        try:
            rebuilt = await rebuild(lambda done, total: self._tell(Advanced(done, total)))
        except (StoreUnavailable, Unavailable) as error:
            self._tell(Refused(str(error)))
        else:
            self._tell(Finished(rebuilt))
        finally:
            self.asked.clear()
            self._served.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._meet, sock=listen(self._path))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        self._served.set()
        self._path.unlink(missing_ok=True)

    async def _meet(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.asked.is_set():
            writer.write(_encode(Refused("a rebuild is running already")) + b"\n")
        else:
            self._writer = writer
            self._served.clear()
            self.asked.set()
            await self._served.wait()
            self._writer = None
        writer.close()

    def _tell(self, line: Line) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(_encode(line) + b"\n")


async def ask_to_rebuild(path: Path, report: Report) -> Rebuilt:
    """Have it rebuilt.

    Raises:
        StoreUnavailable: refused, not reachable, or it ended before it was done.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        raise StoreUnavailable(f"nobody answers on {path}: {error.strerror}") from error
    try:
        async for text in reader:
            if (rebuilt := heard(_lines.decode(text), report)) is not None:
                return rebuilt
    finally:
        writer.close()
    raise StoreUnavailable("the process that rebuilds ended before it was done")
