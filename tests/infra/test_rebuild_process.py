"""A rebuild in a process of its own: progress, result, refusal, and its death."""

import os

import pytest

from infra.cli.rebuild_process import rebuilt_apart
from infra.rebuild_socket import Report
from projections.ports import StoreUnavailable
from projections.rebuild import Rebuilt
from tests.infra.test_rebuild_socket import DONE, fail, rebuild


async def die(report: Report) -> Rebuilt:
    report(1, 2)
    os._exit(9)


async def test_it_tells_how_far_it_is_and_what_came_of_it() -> None:
    told: list[tuple[int, int]] = []

    assert await rebuilt_apart(rebuild, lambda *at: told.append(at)) == DONE

    assert told == [(1, 2), (2, 2)]


async def test_a_refusal_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await rebuilt_apart(fail, lambda *_: None)


async def test_its_death_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="ended before it was done"):
        await rebuilt_apart(die, lambda *_: None)
