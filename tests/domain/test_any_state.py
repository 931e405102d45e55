"""Whatever stations tell and answer, what they hold folds, the same each time and within bounds."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import holdings, state_fields
from domain.meanings import MEANINGS
from domain.routes import ROUTES, SENDS
from domain.state_table import ANSWERED, ASKED
from domain.station import dump, load
from schemas import payloads
from schemas.records import CALL, SEND
from tests import payload_strategies
from tests.domain.holding import Holder, values_of
from tests.domain.log import working
from tests.domain.test_every_action import tells

EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TOLD = [
    (version, action)
    for version, meanings in MEANINGS.items()
    for action in sorted(meanings.keys() & state_fields.TOLD.keys())
]
ANSWERS = [(version, action) for version, folds in ANSWERED.items() for action in sorted(folds)]
NO_STATE = {
    "ChangeAvailability", "ClearCache", "DataTransfer", "ExtendedTriggerMessage",
    "GetTransactionStatus", "RemoteStopTransaction", "RequestStopTransaction", "Reset",
    "TriggerMessage", "UnlockConnector",
}  # fmt: skip
"""What they bring about, the station tells in a CALL of its own."""
ELSEWHERE = {
    "Authorize", "BootNotification", "MeterValues", "StartTransaction", "StatusNotification",
    "StopTransaction", "TransactionEvent",
}  # fmt: skip
"""Told of transactions, connectors and the station itself."""


def members(value: Any) -> list[Any]:
    found = [value]
    if isinstance(value, dict):
        found += [each for inner in value.values() for each in members(inner)]
    elif isinstance(value, list):
        found += [each for inner in value for each in members(inner)]
    return found


def mutated(payload: Any, data: st.DataObject) -> Any:
    """The payload with something in it that is not as its schema says."""
    places = [(each, key) for each in members(payload) if isinstance(each, dict) for key in each]
    if not places:
        return data.draw(st.sampled_from(payload_strategies.BROKEN))
    inside, key = data.draw(st.sampled_from(places))
    inside[key] = data.draw(st.sampled_from(payload_strategies.BROKEN))
    return payload


def assert_within_bounds(holder: Holder) -> None:
    holder.assert_rebuilt()
    station = holder.worker.station
    assert load(dump(station)).held == station.held
    if station.held is not None:
        for facet, items in station.held.items.items():
            assert len(items) <= holdings.FACETS[facet].items_max
            assert all(len(key) < 255 for key in items)
    for facet, values in holder.values.items():
        for value in values.values():
            assert len(msgspec.json.encode(value)) < 300_000, facet


@pytest.mark.parametrize(("version", "action"), ANSWERS)
@EXAMPLES
@given(st.data())
def test_a_valid_answer_folds(version: str, action: str, data: st.DataObject) -> None:
    holder = Holder(version)
    for _ in range(data.draw(st.integers(1, 3))):
        request = data.draw(payload_strategies.valid(version, action))
        holder.asked(action, request, data.draw(payload_strategies.valid_result(version, action)))

    assert_within_bounds(holder)


@pytest.mark.parametrize(("version", "action"), ANSWERS)
@EXAMPLES
@given(st.data())
def test_an_answer_of_any_shape_folds(version: str, action: str, data: st.DataObject) -> None:
    holder = Holder(version)
    request = data.draw(payload_strategies.valid(version, action))
    result = data.draw(payload_strategies.valid_result(version, action))
    holder.asked(action, request, result)
    holder.asked(action, mutated(request, data), mutated(result, data))

    assert_within_bounds(holder)


@pytest.mark.parametrize(("version", "action"), TOLD)
@EXAMPLES
@given(st.data())
def test_what_is_told_again_changes_nothing(version: str, action: str, data: st.DataObject) -> None:
    payload = data.draw(payload_strategies.valid(version, action))
    log, worker = working(protocol=version)
    kind = SEND if action in SENDS[version] else CALL
    tells(log, version, action, payload, kind)
    worker.settle()
    once = values_of(log)

    tells(log, version, action, payload, kind)
    worker.settle()

    again = values_of(log)
    for values in (once, again):
        # How many parts came is counted.
        values.pop("reports", None)
    assert again == once
    assert worker.owner.poisoned == {}


@EXAMPLES
@given(st.permutations(range(4)), st.data())
def test_the_order_of_parts_does_not_matter(order: list[int], data: st.DataObject) -> None:
    holder = Holder("2.0.1")
    asked = {"requestId": 7, "reportBase": "FullInventory"}
    holder.asked("GetBaseReport", asked, {"status": "Accepted"})
    for number in order:
        item = {
            "component": {"name": "C"},
            "variable": {"name": f"V{number}"},
            "variableAttribute": [{"value": "1"}],
        }
        told = {"requestId": 7, "generatedAt": "2026-11-23T10:00:00Z", "reportData": [item]}
        again = data.draw(st.integers(1, 2))
        for _ in range(again):
            holder.tells("NotifyReport", {**told, "seqNo": number, "tbc": number != 3})

    assert sorted(each["variable"] for each in holder.of("variables").values()) == [
        "V0", "V1", "V2", "V3",
    ]  # fmt: skip
    assert holder.one("reports")["state"] == "complete"


def test_every_action_has_its_state_in_the_tables_or_none() -> None:
    for version, routes in ROUTES.items():
        outbound = payloads.actions(version) - routes.keys() - SENDS[version]
        both_ways = {"DataTransfer"}
        assert outbound - ANSWERED[version].keys() - both_ways <= NO_STATE
        assert ANSWERED[version].keys() <= outbound
        assert ASKED[version].keys() <= ANSWERED[version].keys()


def test_every_action_that_carries_state_names_where_it_is_read() -> None:
    told = {a for meanings in MEANINGS.values() for a, each in meanings.items() if each.facts}
    assert told - ELSEWHERE == state_fields.TOLD.keys()
    assert {a for folds in ANSWERED.values() for a in folds} == state_fields.ASKED.keys()
    for field in (*state_fields.TOLD.values(), *state_fields.ASKED.values()):
        for part in field.split("; "):
            assert part.partition(":")[0] in holdings.FACETS
