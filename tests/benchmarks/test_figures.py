"""How benchmarks search and sum up, without a system under them."""

from typing import Any

import pytest

from benchmarks import cdrs, largest
from benchmarks.embedded import spent
from benchmarks.sustained import highest_kept
from schemas import payloads
from schemas.records import CdrReleased, decode


@pytest.mark.parametrize(
    ("limit", "found"), [(-1, 0), (0, 0), (2, 2), (3, 3), (4, 4), (7, 7), (9, 7)]
)
def test_the_highest_kept_rate_is_found_from_either_side(limit: int, found: int) -> None:
    tried: list[int] = []

    def is_kept(index: int) -> bool:
        tried.append(index)
        return index <= limit

    assert highest_kept(is_kept, first=3, last=7) == found
    assert len(tried) == len(set(tried))
    assert set(tried) <= set(range(8))


def test_shares_of_a_core_are_largest_first_and_nothing_idle_is_shown() -> None:
    before = {"edge": 1.0, "views": 2.0, "up": 1.0}
    after = {"edge": 6.0, "views": 4.0, "up": 1.0, "postgres": 1.0}

    assert spent(before, after, 10.0) == "edge 50%, views 20%, postgres 10%"


@pytest.mark.parametrize(("name", "version", "action", "payload"), largest.frames())
def test_the_largest_frames_are_what_the_schemas_allow(
    name: str, version: str, action: str, payload: Any
) -> None:
    assert payloads.violations(version, action, payload) == ()


def test_every_session_that_is_built_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdrs, "SESSIONS", 3)

    released = [
        sum(isinstance(decode(value), CdrReleased) for value in log) for log in cdrs.logs_of(2)
    ]

    assert released == [3, 3]
    assert cdrs.built_per_s(cdrs.written(), sessions_before=100) > 0
