"""Fixtures for tests that need Kafka.

Their own broker starts once per run; `CHARGELEDGER_TEST_KAFKA=host:port` points them at another.
`CHARGELEDGER_REQUIRE_KAFKA=1` (CI) makes the lack of one a failure.
"""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.kafka_cluster import KafkaCluster
from tests.kafka_broker import Cluster, running_cluster, why_not

ELSEWHERE = "CHARGELEDGER_TEST_KAFKA"
REQUIRED = "CHARGELEDGER_REQUIRE_KAFKA"


def skip_or_fail(reason: str) -> None:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"no Kafka, and {REQUIRED}=1: {reason}")
    pytest.skip(f"no Kafka: {reason} (or set {ELSEWHERE}=host:port)")


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Return host:port of a broker that other tests use as well."""
    if elsewhere := os.environ.get(ELSEWHERE):
        yield elsewhere
        return
    if reason := why_not():
        skip_or_fail(reason)
    with running_cluster() as cluster:
        yield cluster.bootstrap


@pytest.fixture
def kafka(kafka_bootstrap: str) -> KafkaCluster:
    return KafkaCluster(kafka_bootstrap)


@pytest.fixture
def kafka_prefix() -> str:
    """Return a prefix of topics that no other test has."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def own_kafka() -> Iterator[Cluster]:
    """Return a cluster of the test's own, to kill and to start again."""
    if reason := why_not():
        skip_or_fail(reason)
    with running_cluster() as cluster:
        yield cluster
