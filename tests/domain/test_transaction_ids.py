"""Transaction ids: a keyed permutation, so that none is given twice and none tells of another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.transaction_ids import ID_MAX, TransactionIds

counters = st.integers(0, ID_MAX - 1)
identifiers = st.integers(1, ID_MAX)
keys = st.binary(min_size=16, max_size=64)


@given(keys, counters)
def test_an_id_is_positive_inside_int32_and_leads_back_to_its_counter(
    key: bytes, counter: int
) -> None:
    ids = TransactionIds(key)

    transaction_id = ids.id_of(counter)

    assert 1 <= transaction_id <= ID_MAX
    assert ids.counter_of(transaction_id) == counter


@given(keys, identifiers)
def test_every_id_is_some_counters_id(key: bytes, transaction_id: int) -> None:
    ids = TransactionIds(key)

    counter = ids.counter_of(transaction_id)

    assert 0 <= counter < ID_MAX
    assert ids.id_of(counter) == transaction_id


@given(keys, counters, counters)
def test_two_counters_never_share_an_id(key: bytes, one: int, other: int) -> None:
    ids = TransactionIds(key)

    assert (ids.id_of(one) == ids.id_of(other)) == (one == other)


@given(keys, st.integers(1, 1_024), st.data())
def test_shares_are_disjoint_and_lead_back(key: bytes, shares: int, data: st.DataObject) -> None:
    share, other = (data.draw(st.integers(0, shares - 1)) for _ in range(2))
    ids, others = TransactionIds(key, share, shares), TransactionIds(key, other, shares)
    counter = data.draw(st.integers(0, ids.counters - 1))
    another = data.draw(st.integers(0, others.counters - 1))

    assert ids.counter_of(ids.id_of(counter)) == counter
    is_same = (share, counter) == (other, another)
    assert (ids.id_of(counter) == others.id_of(another)) == is_same


def test_the_first_twenty_thousand_ids_are_all_different() -> None:
    ids = TransactionIds(b"k" * 32)

    assert len({ids.id_of(counter) for counter in range(20_000)}) == 20_000


def test_both_ends_of_the_range_are_in_the_permutation() -> None:
    ids = TransactionIds(b"k" * 32)

    assert ids.id_of(ids.counter_of(1)) == 1
    assert ids.id_of(ids.counter_of(ID_MAX)) == ID_MAX
    assert ids.counter_of(ids.id_of(0)) == 0
    assert ids.counter_of(ids.id_of(ID_MAX - 1)) == ID_MAX - 1


@given(counters)
def test_the_same_key_gives_the_same_ids_after_a_restart(counter: int) -> None:
    assert TransactionIds(b"k" * 32).id_of(counter) == TransactionIds(b"k" * 32).id_of(counter)


def test_another_key_gives_another_sequence() -> None:
    one, other = TransactionIds(b"k" * 32), TransactionIds(b"l" * 32)

    same = sum(one.id_of(counter) == other.id_of(counter) for counter in range(1_000))

    assert same <= 1


def test_a_neighbours_id_is_far_away_on_average() -> None:
    ids = TransactionIds(b"k" * 32)
    given_ids = [ids.id_of(counter) for counter in range(2_000)]

    rising = sum(after > before for before, after in pairwise(given_ids))
    distance = sum(abs(after - before) for before, after in pairwise(given_ids)) / 1_999

    assert 900 < rising < 1_100
    assert 0.28 * ID_MAX < distance < 0.39 * ID_MAX
