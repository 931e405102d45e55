"""What a registration may switch, and what it may not."""

from typing import Any

import pytest

from schemas.switches import NONE, SAID, Switches, fault_of, switches_of


def test_attributes_that_are_no_switches_switch_nothing() -> None:
    assert switches_of({"boot_policy": "Pending", "note": 5}) is NONE


def test_switches_are_read_with_their_types() -> None:
    attributes = {"switch_speaks": "2.1", "switch_never_pinged": True, "switch_id_token_until": "_"}

    assert switches_of(attributes) == Switches(speaks="2.1", never_pinged=True, id_token_until="_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("switch_speak", "2.1"),
        ("switch_speaks", "2.0"),
        ("switch_speaks", True),
        ("switch_never_pinged", 1),
        ("switch_never_pinged", "true"),
        ("switch_id_token_until", "x" * 9),
    ],
)
def test_what_is_no_switch_or_no_value_is_named_and_switches_nothing(name: str, value: Any) -> None:
    assert name in fault_of(name, value)
    assert switches_of({name: value}) == NONE


def test_null_is_the_default() -> None:
    assert fault_of("switch_speaks", None) == ""
    assert switches_of({"switch_speaks": None}) == NONE


def test_every_switch_is_explained() -> None:
    assert SAID.keys() == set(Switches.__struct_fields__)
