"""A run of its own for `make test-long`; `make chaos` has others every time."""

from pathlib import Path

import pytest

from tests.chaos.run import Chaos, wreak
from tests.kafka_broker import say, why_not
from tests.kafka_fixtures import skip_or_fail

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.long]


@pytest.mark.timeout(900)
async def test_all_promises_hold_when_things_break(tmp_path: Path) -> None:
    if reason := why_not():
        skip_or_fail(reason)
    report = await wreak(Chaos(seed=20261126, seconds=120), tmp_path, say)

    assert report.is_clean, str(report)
    assert report.sessions > 100
