"""How what is to be appended becomes batches."""

from hypothesis import given
from hypothesis import strategies as st

from infra.journal_batches import BATCH_BYTES_MAX, split

HALF = BATCH_BYTES_MAX // 2


@given(st.lists(st.sampled_from([1, 100, HALF // 3, HALF, HALF + 1]), min_size=1, max_size=20))
def test_a_split_keeps_all_values_in_order_and_the_limit(sizes: list[int]) -> None:
    values = [bytes([number]) * size for number, size in enumerate(sizes)]
    batches = list(split(values))

    assert [value for batch in batches for value in batch] == values
    assert all(len(batch) == 1 or sum(map(len, batch)) <= HALF for batch in batches)
    assert all(batches)
