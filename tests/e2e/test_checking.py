"""The checker can fail: each wrong in the log or in the views moves its counter."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from schemas.journal import Entry
from schemas.records import (
    CALL,
    CdrReleased,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    PartitionClaimed,
    Record,
    encode,
)
from tests.e2e.checking import Told, check
from tests.e2e.checking_commands import Commanded, wrong_fates
from tests.e2e.one_session import World, one_session, sent, told


@pytest.fixture
def world() -> World:
    return one_session()


def frame_of(record: Record, text: str) -> Record:
    assert isinstance(record, MessageReceived | MessageSent)
    return changed(record, frame=text)


def lose_the_answer(world: World) -> None:
    opened = world.records[1]
    assert isinstance(opened, ConnectionOpened)
    world.records[5] = changed(opened, connection="d")


def answer_something_else(world: World) -> None:
    world.records[5] = frame_of(world.records[5], '[3,"m2",{"idTagInfo":{"status":"Invalid"}}]')


def keep_another_frame(world: World) -> None:
    text = world.records[4]
    assert isinstance(text, MessageReceived)
    world.records[4] = frame_of(text, text.frame.replace("13:00", "14:00"))


def fence_the_answer(world: World) -> None:
    answer = world.records[5]
    assert isinstance(answer, MessageSent)
    world.records[5] = changed(answer, epoch=99)


def lose_the_cdr(world: World) -> None:
    world.cdrs.clear()


def leave_the_cdr_open(world: World) -> None:
    world.cdrs[0] = changed(world.cdrs[0], state="OPEN")


def bill_twice(world: World) -> None:
    world.cdrs.append(changed(world.cdrs[0], id="y", transaction_id="8"))


def bill_what_nobody_told(world: World) -> None:
    world.cdrs.append(changed(world.cdrs[0], id="y", transaction_id="8", meter_start_wh=99))


def release_twice(world: World) -> None:
    released = world.records[6]
    assert isinstance(released, CdrReleased)
    world.records.append(changed(released, cause=5))


def decide_in_two_epochs(world: World) -> None:
    answer = world.records[5]
    assert isinstance(answer, MessageSent)
    world.records.append(PartitionClaimed(recorded_at=1, owner="o"))
    world.records.append(changed(answer, epoch=7))


def write_the_series_twice(world: World) -> None:
    world.series.append(world.series[0])


def tell_in_another_order(world: World) -> None:
    world.operations.reverse()


def skip_a_number(world: World) -> None:
    stop = world.records[4]
    assert isinstance(stop, MessageReceived)
    world.records[4] = changed(stop, number=3)


def never_open(world: World) -> None:
    world.records[1] = PartitionClaimed(recorded_at=1, owner="o")
    world.records[2:] = [
        changed(each, epoch=1) if isinstance(each, MessageSent | CdrReleased) else each
        for each in world.records[2:]
    ]


def bill_one_wh_more(world: World) -> None:
    world.cdrs[0] = changed(world.cdrs[0], energy_wh=251)


def chart_two_wh_less(world: World) -> None:
    world.series[0] = world.series[0]._replace(energy_wh=248)


def lose_the_series(world: World) -> None:
    world.series.clear()


def read_less_in_the_frame(world: World) -> None:
    """Also an answer lost: the frame is not the one that was told."""
    stop = world.records[4]
    assert isinstance(stop, MessageReceived)
    world.records[4] = frame_of(stop, stop.frame.replace("350", "340"))


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    assert world.counters() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        # acked_lost, duplicate_effects, order_violations, wh_delta
        (lose_the_answer, (1, 0, 0, 0)),
        (answer_something_else, (1, 0, 0, 0)),
        (keep_another_frame, (1, 0, 0, 0)),
        (fence_the_answer, (1, 0, 0, 0)),
        (lose_the_cdr, (1, 0, 0, 250)),
        (leave_the_cdr_open, (1, 0, 0, 0)),
        (bill_twice, (0, 1, 0, 0)),
        (bill_what_nobody_told, (0, 1, 0, 0)),
        (release_twice, (0, 1, 0, 0)),
        (decide_in_two_epochs, (0, 1, 0, 0)),
        (write_the_series_twice, (0, 1, 0, 0)),
        (tell_in_another_order, (0, 0, 1, 0)),
        (skip_a_number, (0, 0, 1, 0)),
        (never_open, (0, 0, 1, 0)),
        (bill_one_wh_more, (0, 0, 0, 1)),
        (chart_two_wh_less, (0, 0, 0, 2)),
        (lose_the_series, (0, 0, 0, 250)),
        (read_less_in_the_frame, (1, 0, 0, 10)),
    ],
)
def test_each_wrong_moves_its_counter(
    world: World, spoil: Callable[[World], None], expected: tuple[int, int, int, int]
) -> None:
    spoil(world)

    assert world.counters() == expected


def test_a_frame_that_is_not_in_the_log_is_lost(world: World) -> None:
    """And so are its answer and its Wh, and the next frame's number is not the next one."""
    del world.records[2:4]
    world.records = [
        changed(each, cause=2) if isinstance(each, MessageSent | CdrReleased) else each
        for each in world.records
    ]

    assert world.counters() == (1, 0, 1, 250)


def test_a_call_of_ours_that_is_not_in_the_log_is_lost(world: World) -> None:
    world.operations.append(replace(told("m9", "ClearCache", {}, {}), command=True))

    assert world.counters() == (1, 0, 0, 0)


def test_a_repeated_append_counts_once(world: World) -> None:
    records = [*world.records[:6], *world.records[4:]]
    entries = [
        Entry(1, offset, encode(record, "writer", 1 + world.records.index(record)))
        for offset, record in enumerate(records)
    ]
    verdict = check(Told(world.operations, [world.transaction]), entries, world.cdrs, world.series)

    assert verdict.is_clean, verdict.findings
    assert (verdict.answers, verdict.sessions) == (2, 1)


@pytest.mark.parametrize(
    ("fate", "answer", "times", "wrong"),
    [
        ("answered", {"status": "Accepted"}, 1, 0),
        ("undeliverable", None, 0, 0),
        ("unknown", None, 1, 0),
        ("unknown", None, 0, 0),
        ("dispatched", None, 1, 1),
        ("requested", None, 0, 1),
        ("undeliverable", None, 1, 1),
        ("unknown", None, 2, 1),
        ("answered", {"status": "Rejected"}, 1, 1),
        ("answered", {"status": "Accepted"}, 0, 1),
    ],
)
def test_a_fate_that_contradicts_the_station_is_found(
    fate: str, answer: Any, times: int, wrong: int
) -> None:
    call = changed(sent(0, "m9", "ClearCache", {}), message_type=CALL, command_id="x")
    entries = [Entry(1, 0, encode(call, "writer", 1))]
    operation = replace(told("m9", "ClearCache", {}, {"status": "Accepted"}), command=True)

    found = wrong_fates([operation] * times, entries, [Commanded("x", fate, answer)])

    assert len(found) == wrong, found
    assert len(wrong_fates([operation], [], [])) == 1
