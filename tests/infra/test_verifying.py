"""What differs between the log and its views is named: a doctored one never passes."""

from decimal import Decimal
from typing import Any

import pytest

from infra.verifying import (
    CdrSaid,
    Expected,
    FramesSeen,
    compare_cdrs,
    compare_series,
    expected_at,
    read_log,
)
from schemas.records import CdrReleased, decode, encode
from tests.domain.log import start, stop
from tests.projections.world import World

ID = "6f1c2a52-5d0c-5c0e-9d0a-0f6f0c1e7c11"


def expected(energy_wh: int | Decimal | None = 500) -> Expected:
    return Expected({ID: CdrSaid("FINAL", 3, energy_wh, "abc")}, frames=10)


def cdr(**more: Any) -> dict[str, Any]:
    return {"id": ID, "state": "FINAL", "revision": 3, "energy_wh": 500, "sha256": "abc"} | more


def session(**more: Any) -> dict[str, Any]:
    row = {"cdr_id": ID, "state": "FINAL", "energy_wh": "500", "cdr_energy_wh": "500"}
    return row | {"signed": False} | more


def test_what_agrees_is_not_named() -> None:
    assert compare_cdrs(expected(), [cdr()]) == []
    assert compare_series(expected(), [session()], FramesSeen(10)) == []
    unknown = session(energy_wh=None, cdr_energy_wh=None)
    assert compare_series(expected(None), [unknown], FramesSeen(10)) == []


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [cdr(energy_wh=501)],
        [cdr(state="OPEN")],
        [cdr(revision=4)],
        [cdr(sha256="abd")],
        [cdr(), cdr(id="another")],
    ],
)
def test_doctored_cdrs_are_named(rows: list[dict[str, Any]]) -> None:
    assert any(sentence.startswith("CDRs: ") for sentence in compare_cdrs(expected(), rows))


@pytest.mark.parametrize(
    ("rows", "frames"),
    [
        ([], 10),
        ([session()], 9),
        ([session(), session()], 10),
        ([session(energy_wh="499")], 10),
        ([session(energy_wh=None)], 10),
        ([session(cdr_energy_wh="499")], 10),
        ([session(state="OPEN")], 10),
        ([session(), session(cdr_id="another")], 10),
    ],
)
def test_a_doctored_series_is_named(rows: list[dict[str, Any]], frames: int) -> None:
    assert any(
        each.startswith("series") for each in compare_series(expected(), rows, FramesSeen(frames))
    )


def test_registers_may_differ_where_the_energy_is_signed() -> None:
    row = session(energy_wh="500", cdr_energy_wh="500.4", signed=True)

    assert compare_series(expected(Decimal("500.4")), [row], FramesSeen(10)) == []


OPEN = CdrSaid("OPEN", 1, None, "")
HELD = CdrSaid("HELD", 2, 400, "d")


@pytest.mark.parametrize(
    ("row", "frames", "is_right"),
    [
        # As at the position, and as at any place beyond it.
        (session(state="OPEN", energy_wh=None, cdr_energy_wh=None), FramesSeen(10, 0), True),
        (session(state="HELD", energy_wh="400", cdr_energy_wh="400"), FramesSeen(10, 2), True),
        (session(), FramesSeen(10, 4), True),
        # What no place of the log explains.
        (session(state="HELD"), FramesSeen(10, 4), False),
        (session(energy_wh="499"), FramesSeen(10, 4), False),
        (session(cdr_id="another"), FramesSeen(10, 4), False),
        (session(), FramesSeen(10, 5), False),
        (session(), FramesSeen(9, 4), False),
    ],
)
def test_rows_ahead_of_the_position_are_held_against_the_log_beyond_it(
    row: dict[str, Any], frames: FramesSeen, is_right: bool
) -> None:
    final = CdrSaid("FINAL", 3, 500, "abc")
    at_position = Expected({ID: OPEN}, frames=10, later={ID: {HELD, final}}, later_frames=4)
    before_it = Expected({}, frames=10, later={ID: {OPEN, HELD, final}}, later_frames=4)

    assert (compare_series(at_position, [row], frames) == []) == is_right
    assert (compare_series(before_it, [row], frames) == []) == is_right


async def charged() -> World:
    world = await World().start()
    await world.opens("CP1")
    await world.says("CP1", [2, "1", "StartTransaction", start()])
    await world.settle()
    answer = decode(world.values[world.partition("CP1")][-1])
    number = int(str(getattr(answer, "frame", "")).partition('"transactionId":')[2].rstrip("}]"))
    await world.says("CP1", [2, "2", "StopTransaction", stop(number)])
    await world.settle()
    return world


async def test_the_log_says_what_views_at_a_position_have_to_say() -> None:
    world = await charged()
    heads = {p: await world.journal.head(p) for p in range(world.journal.partitions + 1)}

    at_head = await expected_at(world.journal, heads)
    at_start = await expected_at(world.journal, dict.fromkeys(heads, 0))
    of_another = await expected_at(world.journal, heads, "another")

    (said,) = at_head.cdrs.values()
    assert (said.state, said.energy_wh, at_head.frames) == ("FINAL", 8000, 4)
    assert (at_start.cdrs, at_start.frames) == ({}, 0)
    assert (at_start.later_frames, said in at_start.later[next(iter(at_head.cdrs))]) == (4, True)
    assert (at_head.later, at_head.later_frames) == ({}, 0)
    assert (of_another.cdrs, of_another.frames) == ({}, 0)
    assert await expected_at(world.journal, heads, "default") == at_head


async def test_a_log_with_a_changed_document_a_repeat_and_a_gap_is_told() -> None:
    world = await charged()
    partition = world.partition("CP1")
    sound = await read_log(world.journal)
    assert (sound.wrong, sound.not_counted, sound.gaps) == ([], 0, 0)

    released = next(
        record for record in map(decode, world.values[partition]) if isinstance(record, CdrReleased)
    )
    changed = CdrReleased(
        tenant=released.tenant,
        station=released.station,
        recorded_at=released.recorded_at,
        cause=released.cause + 1_000,
        purpose=released.purpose,
        epoch=released.epoch,
        transaction_id=released.transaction_id,
        cdr_id=released.cdr_id,
        document=released.document,
        sha256="0" * 64,
    )
    last = world.values[partition][-1]
    await world.append_values(partition, [last, encode(changed, f"owner-{partition}", 1_000)])
    await world.append_values(partition, [b"no record"])

    report = await read_log(world.journal)

    assert (report.not_counted, report.unreadable) == (1, 1)
    assert report.gaps > 900
    assert len(report.wrong) == 2
