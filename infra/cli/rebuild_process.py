"""A rebuild in a process of its own: two that run at once have a core each."""

import asyncio
from collections.abc import Callable, Coroutine
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from infra.collector import calm_collector
from infra.rebuild_socket import Advanced, Finished, Line, Refused, Report, heard
from projections.ports import StoreUnavailable
from projections.rebuild import Rebuilt
from schemas.journal import Unavailable

Work = Callable[[Report], Coroutine[Any, Any, Rebuilt]]
"""Can be pickled: a function of a module, or a partial of one."""


async def rebuilt_apart(work: Work, report: Report) -> Rebuilt:
    """Have a new process do the work; it ends with this one.

    Raises:
        StoreUnavailable: refused, or it ended before it was done; it has said why on its stderr.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            line: Line = await asyncio.to_thread(ours.recv)
            if (rebuilt := heard(line, report)) is not None:
                return rebuilt
    except EOFError:
        raise StoreUnavailable("the process that rebuilds ended before it was done") from None
    except asyncio.CancelledError:
        process.terminate()
        raise
    finally:
        await asyncio.to_thread(process.join)


def _work(work: Work, pipe: Connection) -> None:
    calm_collector()
    try:
        rebuilt = asyncio.run(work(lambda done, total: pipe.send(Advanced(done, total))))
    except (StoreUnavailable, Unavailable) as error:
        pipe.send(Refused(str(error)))
    else:
        pipe.send(Finished(rebuilt))
