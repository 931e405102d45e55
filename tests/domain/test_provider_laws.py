"""Whatever a provider says, and whatever happens meanwhile: each CALL is answered once."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.station import dump
from schemas.provided import PROVIDABLE
from schemas.records import (
    ProviderAsked,
)
from tests import payload_strategies
from tests.domain.log import SECOND, Worker
from tests.domain.providing import (
    ACTION,
    ASKED,
    PROVIDED,
    REFUSED,
    WAIT_S,
    closes,
    gives,
    moves,
    provided,
    sent_in,
)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize(
    ("version", "action"),
    [(version, action) for version, actions in PROVIDABLE.items() for action in sorted(actions)],
)
@given(data=st.data())
def test_whatever_a_provider_may_say_reaches_the_station_and_folds(
    version: str, action: str, data: st.DataObject
) -> None:
    log, worker = provided(version)
    asked = data.draw(payload_strategies.valid(version, action))
    said = data.draw(payload_strategies.valid_result(version, action))
    if action == "Authorize":
        asked = {**asked, "certificate": "MIIB"}
    call = log.calls(action, asked, "mine")
    worker.settle()
    gives(log, call, said)
    worker.settle()

    [sent] = sent_in(log)
    again = Worker(log, "again")
    again.read()
    assert msgspec.json.decode(sent.frame) == [3, "mine", msgspec.json.decode(
        msgspec.json.encode(said))]  # fmt: skip
    assert worker.owner.poisoned == {}
    assert dump(again.station) == dump(worker.station)


STEPS = st.lists(
    st.sampled_from(
        ["asks", "beats", "gives", "gives the first", "waits", "goes", "comes", "dies"]
    ),
    max_size=14,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_whatever_happens_each_call_is_answered_once_and_none_waits_for_ever(
    steps: list[str],
) -> None:
    log, worker = provided()
    calls: list[int] = []
    connection, number = "c1", 1
    for step in steps:
        match step:
            case "asks":
                calls.append(log.calls(ACTION, ASKED, connection=connection))
            case "beats":
                log.calls("Heartbeat", {}, connection=connection)
            case "gives" if calls:
                gives(log, calls[-1])
            case "gives the first" if calls:
                gives(log, calls[0], REFUSED, "another")
            case "waits":
                log.now += 7 * SECOND
            case "goes":
                closes(log, connection)
            case "comes":
                number += 1
                connection = f"c{number}"
                log.opens(connection, protocol="2.0.1")
            case "dies":
                worker = Worker(log, f"w{len(log.values)}", policy=PROVIDED)
                worker.claim()
            case _:
                pass
        worker.settle()
    log.now += WAIT_S * SECOND
    worker.settle()

    records = [log.read(offset) for offset in range(len(log.values))]
    asked = [record for record in records if isinstance(record, ProviderAsked)]
    answered = [sent.cause for sent in sent_in(log)]
    assert worker.station.open_calls == {}
    assert len(set(answered)) == len(answered)
    assert set(calls) <= set(answered)
    assert [fate for fate, *_ in moves(log)].count("waiting") == len(asked)
    assert len(moves(log)) == 2 * len(asked)
