"""What a station says again, or anew, while a CALL of it waits for a provider."""

from typing import Any

import msgspec
import pytest

from domain.providing import OPEN_MAX
from schemas.records import (
    ProviderAsked,
)
from tests.domain.holding import values_of
from tests.domain.log import NOW, SECOND, working
from tests.domain.providing import (
    ACTION,
    ASKED,
    GIVEN,
    LET_IN,
    PRESENTED,
    PROVIDED,
    REFUSED,
    WAIT_S,
    answers_in,
    gives,
    moves,
    needs,
    provided,
    sent_in,
)
from tests.domain.registering import Registrar


def test_of_one_action_several_may_wait() -> None:
    log, worker = provided()
    first = log.calls(ACTION, ASKED, "first")
    second = log.calls(ACTION, {**ASKED, "exiRequest": "other"}, "second")
    worker.settle()
    gives(log, second)
    gives(log, first, REFUSED)
    worker.settle()

    assert sorted(worker.frames()) == [[3, "first", REFUSED], [3, "second", GIVEN]]


@pytest.mark.parametrize(
    ("action", "again", "error"),
    [
        (ACTION, {**ASKED, "exiRequest": "another car's"}, ""),
        (ACTION, {**ASKED, "exiRequest": "another car's"}, "RpcFrameworkError"),
        ("Authorize", {**PRESENTED, "certificate": "another"}, "RpcFrameworkError"),
        ("Authorize", {"idToken": {"idToken": "UNKNOWN", "type": "ISO14443"}}, ""),
    ],
)
def test_another_call_under_a_used_id_gets_nothing_of_the_first(
    action: str, again: Any, error: str
) -> None:
    policy = PROVIDED._replace(accept_unknown_tokens=False)
    log, worker = provided(policy=policy)
    asked = ASKED if action == ACTION else PRESENTED
    valid = GIVEN if action == ACTION else LET_IN
    call = log.calls(action, asked, "1")
    worker.settle()
    log.calls(action, again, "1", error=error, violations=("reused-id",) if error else ())
    worker.settle()
    gives(log, call, valid)
    log.now += WAIT_S * SECOND
    worker.settle()

    assert answers_in(log).count(valid) == 1
    assert len(sent_in(log)) == 2


def test_a_card_that_is_shown_meanwhile_leaves_a_contract_waiting() -> None:
    log, worker = provided()
    call = log.calls("Authorize", PRESENTED, "contract")
    worker.settle()
    log.calls("Authorize", {"idToken": {"idToken": "TAG", "type": "ISO14443"}}, "card")
    worker.settle()
    gives(log, call, LET_IN)
    worker.settle()

    assert [frame[1] for frame in worker.frames()] == ["card", "contract"]
    assert worker.frames()[1][2] == LET_IN


@pytest.mark.parametrize("connection", ["c1", "c2"])
def test_what_a_superseded_connection_says_late_does_not_take_its_place(connection: str) -> None:
    log, worker = provided()
    log.opens("c2", protocol="2.0.1")
    worker.settle()
    call = log.calls("NotifyEVChargingNeeds", needs("11"), "new", connection="c2")
    worker.settle()
    log.calls("NotifyEVChargingNeeds", needs("10"), "other", connection=connection)
    worker.settle()
    gives(log, call, {"status": "Accepted"})
    worker.settle()

    is_told = {"status": "Accepted"} in answers_in(log)
    assert is_told == (connection == "c1")


def test_the_same_sent_again_around_another_keeps_its_answer() -> None:
    log, worker = provided()
    first = log.calls("NotifyEVChargingNeeds", needs("10"), "1")
    worker.settle()
    log.calls("NotifyEVChargingNeeds", {**needs("11"), "evseId": 2}, "2")
    log.calls("NotifyEVChargingNeeds", needs("10"), "1")
    worker.settle()
    gives(log, first, {"status": "Accepted"})
    worker.settle()

    assert worker.frames() == [[3, "1", {"status": "Accepted"}]] * 2
    [waiting] = worker.station.open_calls.values()
    assert waiting.message_id == "2"


def test_a_repeat_that_an_earlier_version_asked_about_keeps_its_own_answer() -> None:
    log, worker = provided()
    first = log.calls(ACTION, ASKED, "1")
    worker.settle()
    again = log.calls(ACTION, ASKED, "1")
    asked = log.read(first + 1)
    assert isinstance(asked, ProviderAsked)
    log.append(msgspec.structs.replace(asked, cause=again), writer=worker.name)
    worker.read()
    gives(log, again, {**GIVEN, "exiResponse": "two"}, "two")
    gives(log, first)
    worker.settle()

    assert sorted(frame[2]["exiResponse"] for frame in worker.frames()) == ["gJgDAA==", "two"]
    assert sorted(actor for fate, _, actor in moves(log) if fate == "answered") == ["pki", "two"]


@pytest.mark.parametrize("is_given", [True, False])
def test_a_call_that_is_sent_again_gets_the_answer_to_the_first(is_given: bool) -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED, "mine")
    worker.settle()
    log.calls(ACTION, ASKED, "mine")
    worker.settle()
    before = worker.frames()
    if is_given:
        gives(log, call)
    else:
        log.now += WAIT_S * SECOND
    worker.settle()

    assert before == []
    assert worker.frames() == [[3, "mine", GIVEN if is_given else REFUSED]] * 2
    assert [fate for fate, *_ in moves(log)].count("waiting") == 1
    assert worker.station.open_calls == {}


def test_of_a_flood_nothing_waits() -> None:
    log, worker = provided()
    log.calls(ACTION, ASKED, "mine")
    worker.settle()
    for _ in range(OPEN_MAX):
        log.calls(ACTION, ASKED, "mine")
    worker.settle()

    assert len(worker.frames()) == OPEN_MAX + 1
    assert worker.station.open_calls == {}


def test_about_a_flood_nobody_is_asked() -> None:
    log, worker = provided()
    for number in range(OPEN_MAX + 3):
        log.calls(ACTION, ASKED, f"m{number}")
    worker.settle()

    assert [frame[1] for frame in worker.frames()] == ["m0", "m1", "m2"]
    assert len(moves(log)) == OPEN_MAX


def test_the_same_on_a_newer_connection_is_another_call() -> None:
    log, worker = provided()
    first = log.calls(ACTION, ASKED, "1")
    worker.settle()
    log.opens("c2", protocol="2.0.1")
    second = log.calls(ACTION, ASKED, "1", connection="c2")
    worker.settle()
    gives(log, second)
    worker.settle()

    assert answers_in(log) == [REFUSED, GIVEN]
    assert moves(log)[1:] == [
        ("unanswered", first, ""),
        ("waiting", second, ""),
        ("answered", second, "pki"),
    ]


def test_a_late_answer_does_not_make_a_token_asked_for_longer_ago() -> None:
    log, worker = provided()
    call = log.calls("Authorize", PRESENTED, "contract")
    worker.settle()
    log.now += 5 * SECOND
    log.calls("Authorize", {"idToken": PRESENTED["idToken"]}, "card")
    worker.settle()
    gives(log, call, LET_IN)
    worker.settle()

    assert worker.station.asked == {"nl-tst-c1": NOW + 5 * SECOND}


def test_a_station_that_is_held_back_meanwhile_is_refused() -> None:
    registrar = Registrar()
    log, worker = working(PROVIDED, registrar.registry, "2.0.1")
    call = log.calls(ACTION, ASKED)
    worker.settle()
    registrar.station("CP1", boot_policy="Pending")
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
    log.calls("BootNotification", boot)
    worker.settle()
    gives(log, call)
    worker.settle()

    assert worker.frames()[-1][2] == "SecurityError"
    assert moves(log)[-1][:2] == ("unanswered", call)


def test_older_needs_of_an_ev_do_not_take_the_place_of_newer_ones() -> None:
    log, worker = provided()
    log.calls("NotifyEVChargingNeeds", needs("11"), "old")
    worker.settle()
    newer = log.calls("NotifyEVChargingNeeds", needs("12"), "new")
    worker.settle()
    gives(log, newer, {"status": "Accepted"})
    log.now += WAIT_S * SECOND
    worker.settle()

    [value] = values_of(log)["charging-needs"].values()
    assert value["departure_time"] == "2026-11-23T12:00:00Z"
