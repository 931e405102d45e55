"""How late a projection is: what waits longest, and not how long nothing was said."""

from datetime import UTC, datetime

from projections.marks import MARKS_MAX, Marks
from projections.progress import Lateness, ProjectionProgress

SECOND = 1_000_000
NOON = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()) * SECOND


def progress(offset: int, recorded_at: int) -> ProjectionProgress:
    at = datetime.fromtimestamp(recorded_at // SECOND, UTC)
    return ProjectionProgress(name="read", positions={1: offset}, recorded_at=at, poison=0)


def test_who_has_everything_is_not_late() -> None:
    assert Lateness().seconds(progress(10, NOON - 3600 * SECOND), {1: 10}, NOON) == 0.0


def test_what_waits_is_as_old_as_the_record_before_it() -> None:
    assert Lateness().seconds(progress(8, NOON - 20 * SECOND), {1: 10}, NOON) == 20.0


def test_the_first_record_after_a_quiet_night_is_not_hours_late() -> None:
    lateness = Lateness()
    night = progress(10, NOON - 3600 * SECOND)
    lateness.seconds(night, {1: 10}, NOON - SECOND)

    assert lateness.seconds(night, {1: 11}, NOON) == 1.0


def test_one_that_is_stuck_gets_later() -> None:
    lateness = Lateness()
    stuck = progress(10, NOON - 5 * SECOND)
    lateness.seconds(stuck, {1: 10}, NOON - SECOND)

    late = [lateness.seconds(stuck, {1: 11}, NOON + s * SECOND) for s in (0, 60)]

    assert late == [1.0, 61.0]


def test_a_partition_that_stands_still_is_late_though_another_goes_on() -> None:
    lateness = Lateness()

    def look(second: int) -> float:
        at = NOON + second * SECOND
        going = ProjectionProgress(
            name="read",
            positions={1: 10, 2: second},
            recorded_at=datetime.fromtimestamp(at // SECOND, UTC),
            poison=0,
        )
        return lateness.seconds(going, {1: 11 if second else 10, 2: second}, at)

    assert [look(second) for second in (0, 10, 40, 70)] == [0.0, 0.0, 30.0, 60.0]


def test_of_what_waits_long_the_oldest_is_remembered_in_bounded_memory() -> None:
    marks = Marks()
    for second in range(10_000):
        marks.saw({1: second + 1}, NOON + second * SECOND)

    def waiting_s(position: int) -> float:
        waiting = marks.waiting_us({1: position}, NOON + 10_000 * SECOND)
        return waiting.get(1, 0) / SECOND

    for position in (100, 4_000, 9_000, 9_900, 9_990):
        age_s = 10_000 - position
        assert 0.7 * age_s <= waiting_s(position) <= age_s
    assert waiting_s(10_000) == 0
    assert max(len(each) for each in marks._marks.values()) <= MARKS_MAX  # noqa: SLF001
