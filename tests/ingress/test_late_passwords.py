"""A station may connect in the moment in which its password was set."""

import base64

import pytest

from ingress.server import LOOKS_MAX
from schemas.records import ConnectionOpened
from tests.ingress.node import request, serving

PROOF = "Basic " + base64.b64encode(b"CP1:0123456789abcdef").decode()


async def test_a_password_that_is_not_at_hand_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingress.server.LOOK_AGAIN_S", 0.01)
    async with serving() as node:
        node.stations.register("CP1", b"0123456789abcdef")
        node.stations.late = LOOKS_MAX - 1
        station = await node.connect(authorization=PROOF)
        await station.close()
        assert node.stations.late == 0

        node.stations.late = LOOKS_MAX
        late = await node.raw()
        late.write(request())
        assert (await late.head()).startswith(b"HTTP/1.1 503 ")
        await late.close()

        node.stations.late = LOOKS_MAX
        gone = await node.raw()
        gone.write(request())
        await gone.close()
        await node.until(lambda: node.server.counters()["sockets"] == 0)
        assert len(node.log.of(ConnectionOpened)) == 1
