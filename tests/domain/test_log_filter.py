"""The filter under every reader: which records of the log count, and what it remembers."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.log_filter import DECISIONS_MAX, INCARNATIONS_MAX, LogFilter
from schemas.records import ConnectionClosed, PartitionClaimed, Record, TimeoutElapsed


def told(incarnation: str = "i", sequence: int = 1) -> Record:
    return ConnectionClosed(
        recorded_at=0, incarnation=incarnation, sequence=sequence, connection="c", code=1000
    )


def claim(incarnation: str = "w", sequence: int = 1) -> Record:
    return PartitionClaimed(
        recorded_at=0, incarnation=incarnation, sequence=sequence, owner=incarnation
    )


def decided(
    epoch: int,
    cause: int = 0,
    purpose: str = "answer",
    incarnation: str = "w",
    sequence: int = 2,
) -> Record:
    return TimeoutElapsed(
        recorded_at=0,
        incarnation=incarnation,
        sequence=sequence,
        cause=cause,
        purpose=purpose,
        epoch=epoch,
    )


def admitted(log: list[Record]) -> list[int]:
    log_filter = LogFilter()
    return [offset for offset, record in enumerate(log) if log_filter.admit(offset, record)]


def test_the_second_of_one_record_id_is_a_repeat() -> None:
    assert admitted([told(), told(), told(sequence=2), told(), told("j")]) == [0, 2, 4]


def test_the_epoch_is_the_offset_of_the_latest_claim() -> None:
    log = [told(), claim("w1"), claim("w2"), decided(1, incarnation="w1"), decided(2, 3, "x", "w2")]

    assert admitted(log) == [0, 1, 2, 4]


def test_nothing_is_decided_before_the_first_claim() -> None:
    assert admitted([decided(0), decided(-1, sequence=3)]) == [1]
    assert admitted([decided(0, incarnation="w1"), claim("w2")]) == [1]


def test_a_repeated_claim_does_not_take_the_partition_back() -> None:
    old, new = claim("w1"), claim("w2")

    assert admitted([old, new, old, decided(1, incarnation="w2")]) == [0, 1, 3]


def test_of_two_decisions_for_one_cause_and_purpose_the_first_counts() -> None:
    log = [
        claim(),
        decided(0, 7, "answer", sequence=2),
        decided(0, 7, "answer", sequence=3),
        decided(0, 7, "settle", sequence=4),
        decided(0, 8, "answer", sequence=5),
    ]

    assert admitted(log) == [0, 1, 3, 4]


def test_a_fenced_decision_is_not_the_first_of_its_cause() -> None:
    log = [
        claim("w1"),
        claim("w2"),
        decided(0, 7, incarnation="w1"),
        decided(1, 7, incarnation="w2"),
    ]

    assert admitted(log) == [0, 1, 3]


def test_a_repeat_of_a_fenced_record_stays_out() -> None:
    fenced = decided(0, 7, incarnation="w1")

    assert admitted([claim("w1"), claim("w2"), fenced, fenced]) == [0, 1]


def test_a_repeated_decision_is_dropped_as_a_repeat_whatever_it_says() -> None:
    first = decided(0, 7)

    assert admitted([claim(), first, replace(first, cause=8)]) == [0, 1]


def test_what_this_process_has_just_written_is_known_when_it_comes_again() -> None:
    log_filter = LogFilter()
    log = [claim(), decided(0, 7)]

    for offset, record in enumerate(log):
        anonymous = replace(record, incarnation="", sequence=0)
        log_filter.wrote(offset, anonymous, record.incarnation, record.sequence)

    assert log_filter.epoch == 0
    assert not any(log_filter.admit(offset, record) for offset, record in enumerate(log, 2))


def test_incarnations_are_remembered_up_to_a_bound_oldest_first() -> None:
    log_filter = LogFilter()
    for number in range(INCARNATIONS_MAX + 1):
        log_filter.admit(number, told(f"i{number}"))

    assert not log_filter.admit(1_000, told(f"i{INCARNATIONS_MAX}"))
    assert not log_filter.admit(1_001, told("i1"))
    assert log_filter.admit(1_002, told("i0"))


def test_decisions_are_remembered_up_to_a_bound_oldest_first() -> None:
    log_filter = LogFilter()
    log_filter.admit(0, claim())
    for cause in range(DECISIONS_MAX + 1):
        log_filter.admit(cause + 1, decided(0, cause, sequence=cause + 2))

    def comes_again(cause: int) -> bool:
        return log_filter.admit(9_999, decided(0, cause, incarnation=f"other {cause}"))

    assert not comes_again(1)
    assert not comes_again(DECISIONS_MAX)
    assert comes_again(0)


def test_a_claim_forgets_the_decisions_that_it_fences() -> None:
    log_filter = LogFilter()
    log_filter.admit(0, claim("w1"))
    for cause in range(100):
        log_filter.admit(cause + 1, decided(0, cause, incarnation="w1", sequence=cause + 2))
    before = len(log_filter.dump())
    log_filter.admit(200, claim("w2"))

    assert len(log_filter.dump()) < before / 2


records = st.one_of(
    st.builds(told, st.sampled_from("ab"), st.integers(1, 4)),
    st.builds(claim, st.sampled_from("vw"), st.integers(1, 6)),
    st.builds(
        decided,
        st.integers(-1, 12),
        st.integers(0, 3),
        st.sampled_from(["answer", "settle"]),
        st.sampled_from("vw"),
        st.integers(1, 12),
    ),
)


@given(st.lists(records, max_size=25), st.integers(0, 25))
def test_a_filter_from_its_saved_state_goes_on_as_if_it_had_read_everything(
    log: list[Record], saved_at: int
) -> None:
    whole, resumed = LogFilter(), LogFilter()
    for offset, record in enumerate(log):
        if offset == saved_at:
            resumed = LogFilter(resumed.dump())
        assert resumed.admit(offset, record) == whole.admit(offset, record)
        assert resumed.epoch == whole.epoch

    assert resumed.dump() == whole.dump()
    assert LogFilter(whole.dump()).dump() == whole.dump()


@given(st.lists(records, max_size=25))
def test_what_counts_is_never_twice_never_fenced_and_never_a_second_decision(
    log: list[Record],
) -> None:
    counted = [(offset, log[offset]) for offset in admitted(log)]

    last: dict[str, int] = {}
    epoch = -1
    made: set[tuple[int, int, str]] = set()
    for offset, record in counted:
        assert record.sequence > last.get(record.incarnation, -1)
        last[record.incarnation] = record.sequence
        if isinstance(record, PartitionClaimed):
            epoch = offset
        elif isinstance(record, TimeoutElapsed):
            assert record.epoch == epoch
            assert (epoch, record.cause, record.purpose) not in made
            made.add((epoch, record.cause, record.purpose))
