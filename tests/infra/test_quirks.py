"""Frames of real stations over a real socket, through the embedded edge, into its journal."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from domain.commands import CommandMoved
from tests.edge_stations import (
    answers_until_heartbeat,
    asked,
    connected,
    hears,
    journal_of,
    registered,
    running,
)
from tests.quirks import Quirk, is_valid_answer, told

REFUSED = {
    7: "FormationViolation",  # Half of the JSON is missing; its id is there.
    31: "OccurenceConstraintViolation",  # A boot of nothing.
    47: "NotImplemented",  # HeartBeat; a switch reads it.
    69: "FormationViolation",
    70: "FormationViolation",
    71: "TypeConstraintViolation",
    72: "NotImplemented",
    74: "ProtocolError",  # A heartbeat under a number; a switch answers it.
}
"""What gets an error, because nothing it is about can be read. All else gets a result."""

UNANSWERED = {75}
"""[]: 1.6 has no id to answer it under."""

ODD_TO_US = {5, 6, 27, 35, 74}
"""Flagged, though no schema says so: short zones, another version, a number as id."""

NOT_ODD = {90}
"""null for {}, which OCPP-J 1.6 allows."""


def by_name(quirk: Quirk) -> str:
    return quirk.name


CALLS = [quirk for quirk in told("CP->CS", "CS->CP") if quirk.frame[:2] != "[4"]
RESULTS = told("CP->CS (CALLRESULT)")


@pytest.mark.parametrize("quirk", CALLS, ids=by_name)
async def test_a_call_is_answered_so_that_the_station_goes_on(quirk: Quirk, tmp_path: Path) -> None:
    async with running(tmp_path) as at, connected(at, quirk.protocol) as station:
        await station.send(quirk.frame)
        answers = await answers_until_heartbeat(station)
        assert at.log.owners[0].poisoned == {}
    received, _, _ = await journal_of(tmp_path)

    record = received[0]
    assert record.frame == quirk.frame
    is_odd = quirk.json_valid is False or bool(quirk.schema_errors)
    is_odd = (is_odd or quirk.number in ODD_TO_US | UNANSWERED) and quirk.number not in NOT_ODD
    assert bool(record.violations) == is_odd
    if quirk.number in UNANSWERED:
        assert answers == []
        return
    [answer] = answers
    if quirk.number in REFUSED:
        assert (answer[0], answer[2]) == (4, REFUSED[quirk.number])
    else:
        assert answer[0] == 3
        assert is_valid_answer(record.protocol, record.action, answer[2])
    assert str(answer[1]) == record.message_id


@pytest.mark.parametrize("quirk", RESULTS, ids=by_name)
async def test_a_result_settles_its_command_or_lets_it_time_out(
    quirk: Quirk, tmp_path: Path
) -> None:
    message_id = orjson.loads(quirk.frame)[1] if quirk.json_valid else quirk.frame.split('"')[1]
    action = "SetChargingProfile" if "status" in quirk.frame else "GetConfiguration"
    async with running(tmp_path) as at, connected(at, "1.6") as station:
        await answers_until_heartbeat(station)
        await asked(at, message_id, action)
        assert (await hears(station))[:3] == [2, message_id, action]
        await station.send(quirk.frame)
        assert await answers_until_heartbeat(station) == []
    received, _, facts = await journal_of(tmp_path)

    record = next(record for record in received if record.frame == quirk.frame)
    fates = [fact.command for fact in facts if isinstance(fact, CommandMoved)]
    if quirk.json_valid:
        answer = msgspec.json.decode(fates[-1].answer or b"null")
        assert answer == orjson.loads(quirk.frame)[2]
    else:
        assert record.violations
        assert all(command.answer is None for command in fates)


async def test_an_error_that_nobody_waits_for_is_kept_and_disturbs_nothing(tmp_path: Path) -> None:
    [quirk] = [quirk for quirk in told("CP->CS") if quirk.frame.startswith("[4")]
    async with running(tmp_path) as at, connected(at, "1.6") as station:
        await station.send(quirk.frame)
        assert await answers_until_heartbeat(station) == []
    received, _, facts = await journal_of(tmp_path)

    assert received[0].frame == quirk.frame
    assert not any(isinstance(fact, CommandMoved) for fact in facts)


async def test_our_errors_have_no_details_and_tell_nothing_of_us(tmp_path: Path) -> None:
    [leak] = [quirk for quirk in told("CS->CP") if quirk.frame.startswith("[4")]
    async with running(tmp_path) as at, connected(at, "1.6") as station:
        await station.send('[2,"m1","DataTransfer",{"data":5}]')
        [answer] = await answers_until_heartbeat(station)

    assert isinstance(orjson.loads(leak.frame)[4], str)
    assert answer[0] == 4
    assert answer[4] == {}
    assert "SQL" not in answer[3]


# Switches of the registration, over the whole way.


async def test_a_heartbeat_in_another_case_is_answered_with_the_switch(tmp_path: Path) -> None:
    async with running(tmp_path) as at:
        await registered(at, switch_any_case_actions=True)
        async with connected(at, "1.6") as station:
            await station.send('[2,"1","HeartBeat",{}]')
            [answer] = await answers_until_heartbeat(station)
    received, _, _ = await journal_of(tmp_path)

    assert answer[0] == 3
    assert (received[0].action, received[0].error) == ("Heartbeat", "")
    assert received[0].violations


async def test_a_station_that_speaks_another_version_than_it_offers_is_taken_at_its_registration(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at:
        await registered(at, switch_speaks="2.0.1")
        async with connected(at, "1.6") as station:
            status: dict[str, Any] = {
                "timestamp": "2026-11-23T10:00:00Z",
                "connectorStatus": "Available",
            }
            status |= {"evseId": 1, "connectorId": 1}
            await station.send(orjson.dumps([2, "1", "StatusNotification", status]).decode())
            [answer] = await answers_until_heartbeat(station)

    assert answer == [3, "1", {}]
