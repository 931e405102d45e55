"""The clockwork: what is put comes back when its time is due, once."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.wheel import Wheel


@given(st.lists(st.floats(0.01, 200), max_size=20))
def test_each_item_is_due_once_after_its_time(seconds: list[float]) -> None:
    wheel: Wheel[int] = Wheel(0.25)
    for item, after_s in enumerate(seconds):
        wheel.put(item, after_s)

    due_at = {item: turn for turn in range(1, 900) for item in wheel.turn()}

    assert due_at == {item: wheel.ticks(after_s) for item, after_s in enumerate(seconds)}


def test_what_is_due_may_be_put_again() -> None:
    wheel: Wheel[str] = Wheel(1.0)
    wheel.put("a", 2)
    turns = []
    for turn in range(1, 8):
        for item in wheel.turn():
            turns.append(turn)
            wheel.put(item, 2)

    assert turns == [2, 4, 6]
