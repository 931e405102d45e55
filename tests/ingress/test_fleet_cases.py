"""Cases of groups F and N at the door: clones, storms with TLS and cold caches, a killed node."""

import asyncio
import ssl
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from infra import clock
from ingress.flapping import REMEMBERED_MAX, WITHIN_S, Flapping
from ingress.identity import Identity
from schemas.credentials import make_verifier, matches
from schemas.records import ConnectionClosed
from tests.ingress.node import HEARTBEAT, Answering, Raw, basic, request, serving

PASSWORD = b"0123456789abcdef"
STORM = 150


async def test_n_05_two_boxes_of_one_name_do_not_replace_each_other_for_ever() -> None:
    async with serving(Answering()) as node:
        boxes = [await node.connect("/ocpp/CLONE") for _ in range(4)]
        last = boxes[-1]
        for _ in range(3):
            with pytest.raises(InvalidStatus) as refused:
                await node.connect("/ocpp/CLONE")
            response = refused.value.response
            assert response.status_code == 503
            assert WITHIN_S - 10 < int(response.headers["Retry-After"]) <= WITHIN_S + 120

        assert await said_heartbeat(last)
        replaced = [each for each in node.log.of(ConnectionClosed) if "replaced" in each.reason]
        assert len(replaced) == 3
        outcomes = node.server.counters()["handshakes"]
        assert outcomes == {"opened": 4, "flapping": 3}
        async with await node.connect("/ocpp/OTHER") as other:
            assert await said_heartbeat(other)
        for box in boxes:
            await box.close()


async def said_heartbeat(station: ClientConnection) -> bool:
    await station.send(HEARTBEAT)
    async with asyncio.timeout(20):
        return "currentTime" in str(await station.recv())


def test_n_05_who_waited_a_minute_comes_in_and_a_rare_replacement_costs_nothing() -> None:
    now = [1_000.0]
    name, other = Identity("default", "CLONE"), Identity("default", "OTHER")
    flapping = Flapping(3, lambda: now[0])
    for _ in range(10):
        flapping.replaced(other)
        now[0] += WITHIN_S / 2
        assert flapping.wait_s(other) == 0
    for _ in range(3):
        flapping.replaced(name)
        now[0] += 1
    assert flapping.wait_s(name) == WITHIN_S - 3
    now[0] += WITHIN_S - 3
    assert flapping.wait_s(name) == 0
    flapping.replaced(name)
    assert flapping.wait_s(name) == 1


def test_n_05_the_names_that_are_remembered_are_bounded() -> None:
    flapping = Flapping(1, lambda: 0.0)
    for number in range(REMEMBERED_MAX + 1):
        flapping.replaced(Identity("default", str(number)))

    assert flapping.wait_s(Identity("default", "0")) == 0
    assert flapping.wait_s(Identity("default", "1")) > 0


def test_f_05_two_thousand_passwords_are_checked_in_a_fraction_of_a_second() -> None:
    """A slow hash of 0.15 s each (argon2id) would take a core five minutes."""
    verifier = make_verifier(PASSWORD, b"pepper", bytes(16))
    began = time.process_time()
    assert all(matches(verifier, PASSWORD, b"pepper") for _ in range(2_000))
    assert not any(matches(verifier, b"another password", b"pepper") for _ in range(2_000))
    assert time.process_time() - began < 1.0


def certificate(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and its clients' context, on a certificate of a P-256 key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = clock.now()
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = directory / "station.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_f_02_a_storm_over_tls_comes_in_once_the_passwords_are_at_hand(
    tmp_path: Path,
) -> None:
    theirs, ours = certificate(tmp_path)
    async with serving(Answering(), handshakes_max=STORM) as node:
        port = await node.server.listen("127.0.0.1", 0, theirs)
        for number in range(STORM):
            node.stations.register(f"S{number}", PASSWORD)

        async def knock(number: int) -> bool:
            """Whether it was let in; False: it is to come again later."""
            try:
                async with connect(
                    f"wss://localhost:{port}/ocpp/S{number}",
                    ssl=ours,
                    subprotocols=[Subprotocol("ocpp1.6")],
                    additional_headers={"Authorization": basic(f"S{number}", PASSWORD)},
                    open_timeout=60,
                ) as station:
                    return await said_heartbeat(station)
            except InvalidStatus as refused:
                response = refused.response
                return (response.status_code, "Retry-After" in response.headers) != (503, True)

        node.stations.cold = True
        cold = await asyncio.gather(*map(knock, range(10)))
        node.stations.cold = False
        warm = await asyncio.gather(*map(knock, range(STORM)))

    assert not any(cold)
    assert all(warm)


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[tuple[Process, int]]:
    module = ["-m", "tests.ingress.listening_process", str(port)]
    process = await asyncio.create_subprocess_exec(sys.executable, *module, stdout=PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            yield process, int(await process.stdout.readline())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def at(port: int) -> Raw:
    return Raw(*await asyncio.open_connection("127.0.0.1", port))


async def test_n_13_a_node_killed_in_a_storm_listens_on_its_port_again_at_once() -> None:
    async with listening() as (process, port):
        peers = [await at(port) for _ in range(300)]
        for peer in peers[100:]:
            peer.write(request()[:40])
        for number, peer in enumerate(peers[200:]):
            peer.write(request(f"/ocpp/S{number}")[40:])
        await peers[-1].head()
        process.kill()
        await process.wait()

        async with listening(port) as (again, same):
            assert same == port
            at_rest = psutil.Process(again.pid).num_fds()
            newcomers = [await at(port) for _ in range(50)]
            assert b" 101 " in await newcomers[0].upgrade()
            for peer in [*peers, *newcomers]:
                peer.writer.transport.abort()
            await until_at_most(psutil.Process(again.pid), at_rest)


async def until_at_most(process: psutil.Process, descriptors: int) -> None:
    async with asyncio.timeout(20):
        while process.num_fds() > descriptors:  # noqa: ASYNC110 - asked, not told.
            await asyncio.sleep(0.05)
