"""A running deployment for the end-to-end tests: each test brings station names of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Up


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`chargeledger up`, ready; at the end SIGTERM must end it with exit code 0."""
    deployment = Up(tmp_path_factory.mktemp("up") / "data")
    deployment.start()
    try:
        deployment.wait_ready()
        yield deployment
        assert deployment.stop() == 0, deployment.output.read_text()
    finally:
        deployment.end()


@pytest.fixture
def own_up(tmp_path: Path) -> Iterator[Up]:
    """A deployment that the test may stop, or close to others."""
    deployment = Up(tmp_path / "data")
    deployment.start()
    try:
        deployment.wait_ready()
        yield deployment
    finally:
        deployment.end()
