"""The roles on Kafka under a benchmark: one broker, Postgres and each role a process of its own."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.migrations import migrate
from tests.chaos.machines import Postgres
from tests.e2e.roles import Roles, running_roles
from tests.kafka_broker import running_cluster

PREFIX = "bench"


@contextmanager
def deployed(*, partitions: int, ingress_slots: int = 2) -> Iterator[Roles]:
    """Yield a deployment with nothing of it running yet but its stores.

    Raises:
        NoKafka: a broker cannot be had here.
    """
    with (
        running_cluster() as brokers,
        tempfile.TemporaryDirectory(prefix="cl-bench-") as parent,
    ):
        postgres = Postgres(Path(parent) / "postgres")
        try:
            postgres.start()
            asyncio.run(migrate(postgres.server.dsn))
            with running_roles(
                Path(parent),
                brokers.bootstrap,
                PREFIX,
                postgres.server.dsn,
                partitions=str(partitions),
                ingress_slots=str(ingress_slots),
            ) as roles:
                yield roles
        finally:
            postgres.kill()


def cpu_s(roles: Roles, name: str) -> float:
    times = psutil.Process(roles.process(name).pid).cpu_times()
    return float(times.user + times.system)


def unique_bytes(roles: Roles, name: str) -> int:
    return int(psutil.Process(roles.process(name).pid).memory_full_info().uss)
