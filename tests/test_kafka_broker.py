"""Where Kafka's tests cannot run they say why, and in CI that is a failure."""

from pathlib import Path

import pytest

from tests import kafka_broker
from tests.kafka_fixtures import REQUIRED, skip_or_fail


def test_without_java_and_maven_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert kafka_broker.why_not() == "needs java and mvn on the path"


def test_an_old_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("java", "mvn"):
        (tmp_path / program).write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "needs Java 17 or later" in kafka_broker.why_not()


def test_a_maven_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mvn").write_text("#!/bin/sh\necho 'no such artifact'\nexit 1\n")
    (tmp_path / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kafka_broker, "JARS", tmp_path / "jars")

    with pytest.raises(kafka_broker.NoKafka, match="no such artifact"):
        kafka_broker.resolve_jars()


def test_a_lack_is_skipped_unless_kafka_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no JDK"):
        skip_or_fail("no JDK")

    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no JDK"):
        skip_or_fail("no JDK")
