"""Whatever a station says is answered once and folds: no report sets its station aside."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.station import dump
from ingress import rpc
from schemas.payloads import actions
from schemas.records import MessageReceived
from tests.domain.log import Log, Worker, working

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(["1", "-1", "1e25", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00", "kWh"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
sampled = st.dictionaries(
    st.sampled_from(["value", "unit", "measurand", "phase", "location", "format", "context"]),
    anything,
)
meter_values = st.lists(
    anything
    | st.fixed_dictionaries(
        {}, optional={"timestamp": anything, "sampledValue": st.lists(anything | sampled)}
    ),
    max_size=3,
)
small = st.sampled_from([-1, 0, 1, 2, 1.0, "1"])
payloads = st.fixed_dictionaries(
    {},
    optional={
        "connectorId": small | anything,
        "idTag": st.sampled_from(["TAG", "tag", ""]) | anything,
        "meterStart": small | anything,
        "meterStop": small | anything,
        "transactionId": small | anything,
        "timestamp": anything,
        "meterValue": meter_values | anything,
        "transactionData": meter_values | anything,
        "status": st.sampled_from(["Available", "Unavailable"]) | anything,
        "errorCode": st.just("NoError") | anything,
        "reason": anything,
        "reservationId": anything,
        "chargePointVendor": anything,
        "chargePointModel": anything,
    },
)
calls = st.tuples(st.sampled_from([*sorted(actions("1.6")), "Nonsense"]), payloads | anything)


def tells(log: Log, number: int, action: str, payload: Any) -> None:
    """The station's frame as the edge reads it and puts it into the log."""
    text = msgspec.json.encode([2, f"m{number}", action, payload]).decode()
    frame = rpc.read("1.6", text)
    log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection="c1",
            number=number,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            action=frame.action,
            error=frame.error,
            violations=frame.violations,
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(calls, max_size=6))
def test_every_report_is_answered_once_and_folds_the_same_again(
    told: list[tuple[str, Any]],
) -> None:
    log, worker = working()
    for number, (action, payload) in enumerate(told, 1):
        tells(log, number, action, payload)
        worker.settle()

    assert worker.owner.poisoned == {}
    answered = [frame for frame in worker.frames() if frame[0] in (3, 4)]
    assert [frame[1] for frame in answered] == [f"m{n}" for n in range(1, len(told) + 1)]
    again = Worker(log, "again")
    again.read()
    assert dump(again.station) == dump(worker.station)
