"""Ids and the canonical form of a CDR."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from schemas.cdr import cdr_id

NAMESPACE = UUID("6f1c2a52-5d0c-5c0e-9d0a-0f6f0c1e7c11")


@given(st.text(), st.text(), st.text(), st.integers(0, 9))
def test_an_id_is_a_uuid5(tenant: str, station: str, transaction_id: str, generation: int) -> None:
    name = f"{tenant}/{station}/{transaction_id}/{generation}"

    found = cdr_id(tenant, station, transaction_id, generation)

    assert found == str(uuid5(NAMESPACE, name))
