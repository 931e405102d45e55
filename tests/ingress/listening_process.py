"""A process that is an ingress node with a log in memory, until it is killed.

`python -m tests.ingress.listening_process PORT` prints the port once it listens.
"""

import asyncio
import os
import sys

from ingress.options import Options
from ingress.server import Server
from tests.ingress.node import NOW_US, Answering, Stations, Vault


async def main() -> None:
    log = Answering()
    async with Server(
        log=log,
        directory=Stations(),
        secrets=Vault(),
        now_us=lambda: NOW_US,
        node="0/killed",
        options=Options(accept_unknown_stations=True),
    ) as server:
        log.server = server
        port = await server.listen("127.0.0.1", int(sys.argv[1]))
        os.write(1, b"%d\n" % port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
