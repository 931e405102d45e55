"""The auditor's view of a log: order, both clocks, what counts, and what made a transaction."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from infra.cli.replaying import as_json, as_text
from infra.journal_memory import MemoryJournal
from infra.replay import (
    Position,
    Range,
    Replayed,
    is_cdr,
    is_transaction,
    records_of_station,
    records_of_transaction,
)
from schemas.cdr import cdr_id
from schemas.records import (
    CALL,
    CALLRESULT,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    PartitionClaimed,
    Record,
    StationRegistered,
    encode,
)

EVERYTHING = Range()
START = (
    '[2,"m1","StartTransaction",{"connectorId":1,"idTag":"T","meterStart":5,'
    '"timestamp":"2026-01-01T00:00:00Z"}]'
)
STARTED = '[3,"m1",{"idTagInfo":{"status":"Accepted"},"transactionId":77}]'
BEAT, BEATEN = '[2,"m2","Heartbeat",{}]', '[3,"m2",{"currentTime":"2026-01-01T00:00:00Z"}]'


def opened(station: str) -> ConnectionOpened:
    return ConnectionOpened(
        tenant="default",
        station=station,
        recorded_at=1,
        connection=f"c-{station}",
        protocol="1.6",
        node="0/n",
        remote="",
        proof="none",
        registered=False,
    )


def received(station: str, number: int, frame: str, action: str) -> MessageReceived:
    return MessageReceived(
        tenant="default",
        station=station,
        recorded_at=1_700_000_000_000_000,
        connection=f"c-{station}",
        number=number,
        frame=frame,
        message_type=CALL,
        message_id=f"m{number}",
        action=action,
    )


def sent(station: str, cause: int, frame: str, action: str, epoch: int = 0) -> MessageSent:
    return MessageSent(
        tenant="default",
        station=station,
        recorded_at=2,
        cause=cause,
        purpose="answer",
        epoch=epoch,
        connection=f"c-{station}",
        frame=frame,
        message_type=CALLRESULT,
        message_id=frame.split('"')[1],
        action=action,
    )


RECORDS: Sequence[tuple[Record, str, int]] = [
    (PartitionClaimed(recorded_at=1, owner="o"), "owner", 1),
    (opened("A"), "edge", 1),
    (opened("B"), "edge", 2),
    (received("A", 1, START, "StartTransaction"), "edge", 3),
    (received("B", 2, BEAT, "Heartbeat"), "edge", 4),
    (sent("A", 3, STARTED, "StartTransaction"), "owner", 2),
    (sent("A", 3, STARTED, "StartTransaction"), "owner", 2),
    (sent("A", 3, STARTED, "StartTransaction"), "owner", 3),
    (sent("B", 4, BEATEN, "Heartbeat", epoch=9), "owner", 4),
]


@pytest.fixture
async def journal() -> AsyncIterator[MemoryJournal]:
    journal = MemoryJournal(1)
    registered = StationRegistered(tenant="default", station="A", recorded_at=1, actor="x")
    await journal.append(0, [encode(registered, "api", 1)])
    for record, incarnation, sequence in RECORDS:
        await journal.append(1, [encode(record, incarnation, sequence)])
    yield journal
    await journal.close()


async def collected(found: AsyncIterator[Replayed]) -> list[Replayed]:
    return [each async for each in found]


def places(found: Sequence[Replayed]) -> list[tuple[int, int]]:
    return [(each.partition, each.offset) for each in found]


async def test_a_station_has_its_registration_and_its_records_in_order(
    journal: MemoryJournal,
) -> None:
    found = await collected(records_of_station(journal, "default", "A", EVERYTHING))

    assert places(found) == [(0, 1), (1, 1), (1, 3), (1, 5), (1, 6), (1, 7)]


async def test_what_no_reader_counts_is_shown_and_marked(journal: MemoryJournal) -> None:
    of_a = await collected(records_of_station(journal, "default", "A", EVERYTHING))
    of_b = await collected(records_of_station(journal, "default", "B", EVERYTHING))

    assert [each.dropped for each in of_a[-3:]] == [
        "",
        "a repeat",
        "the second decision of the same cause",
    ]
    assert of_b[-1].dropped == "fenced: epoch 9, the latest claim is 0"


async def test_both_ends_of_a_range_are_shown(journal: MemoryJournal) -> None:
    within = Range(Position(1, 3), Position(1, 5))

    found = await collected(records_of_station(journal, "default", "A", within))

    assert places(found) == [(1, 3), (1, 5)]


async def test_a_transaction_has_only_the_records_that_made_it(journal: MemoryJournal) -> None:
    by_id = records_of_transaction(journal, "default", is_transaction("77"), EVERYTHING)
    wanted = is_cdr("default", cdr_id("default", "A", "77"))
    by_cdr = records_of_transaction(journal, "default", wanted, EVERYTHING)
    of_another = is_transaction("77", "B")

    assert places(await collected(by_id)) == [(1, 3), (1, 5)]
    assert places(await collected(by_cdr)) == [(1, 3), (1, 5)]
    assert await collected(records_of_transaction(journal, "default", of_another, EVERYTHING)) == []


async def test_a_record_that_cannot_be_read_is_no_stations(journal: MemoryJournal) -> None:
    await journal.append(1, [b'{"kind":"of-the-future.v9"}'])

    found = await collected(records_of_station(journal, "default", "A", EVERYTHING))

    assert len(found) == 6


async def test_text_has_both_clocks_and_the_frame_verbatim(journal: MemoryJournal) -> None:
    found = await collected(records_of_station(journal, "default", "A", EVERYTHING))

    heading, frame, *_ = as_text(found[2]).split("\n")

    assert heading == (
        "1:3  2023-11-14T22:13:20.000000Z  message-received.v1  default/A"
        "  (station: 2026-01-01T00:00:00Z)"
    )
    assert frame.removeprefix("    <- ") == START


async def test_json_has_the_record_as_it_stands_in_the_log(journal: MemoryJournal) -> None:
    found = await collected(records_of_station(journal, "default", "A", EVERYTHING))

    line = json.loads(as_json(found[4]))

    assert (line["counts"], line["dropped"]) == (False, "a repeat")
    assert line["record"] == json.loads(found[4].value)
    assert found[4].value.decode() in as_json(found[4])
