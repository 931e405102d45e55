"""One URL, one identity, or none (OCPP-J 1.6, 3.1.1; 2.0.1, part 4, 3.1.1)."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.identity import AmbiguousName, Identity, NoSuchPath, identity_of

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1).filter(
    lambda name: len(name) <= 48 and not set(name) & set(":/\\%") and name not in {".", ".."}
)


@pytest.mark.parametrize(
    ("target", "tenant", "station"),
    [
        ("/ocpp/CP1", "default", "CP1"),
        ("/ocpp/acme/CP1", "acme", "CP1"),
        ("/ocpp/RDAM%20123", "default", "RDAM 123"),
        ("/ocpp/CP1?cid=0", "default", "CP1"),
        ("/ocpp/A?x=/B", "default", "A"),
        ("/ocpp/cp1", "default", "cp1"),
        ("/ocpp/%C3%A9", "default", "é"),
        ("/ocpp/" + "x" * 48, "default", "x" * 48),
    ],
)
def test_a_path_names_a_station(target: str, tenant: str, station: str) -> None:
    assert identity_of(target) == Identity(tenant, station)


@pytest.mark.parametrize(
    "target",
    ["/", "", "*", "/ocpp", "/ocpp/", "/ocpp/A/", "/ocpp//A", "/ocpp/a/b/c", "/OCPP/A", "A"],
)
def test_another_path_names_none(target: str) -> None:
    with pytest.raises(NoSuchPath):
        identity_of(target)


@pytest.mark.parametrize(
    "name",
    [
        "A%2FB",
        "A%3AB",
        "A:B",
        "A%5CB",
        "A%00",
        "A%0A",
        "%2541",
        "A%",
        "A%2",
        "A%GG",
        "%FF",
        "%C0%AF",
        "%2E%2E",
        "..",
        "%20A",
        "A%20",
        "x" * 49,
        "e%CC%81",
        "%E2%80%AE",
        "A#B",
    ],
)
def test_a_17_what_two_readers_could_read_differently_is_refused(name: str) -> None:
    with pytest.raises(AmbiguousName):
        identity_of(f"/ocpp/{name}")


@given(NAMES, NAMES)
def test_names_come_out_as_they_were(tenant: str, station: str) -> None:
    target = f"/ocpp/{quote(tenant, safe='')}/{quote(station, safe='')}"

    assert identity_of(target) == Identity(tenant, station)


@given(st.text(st.characters(codec="ascii")))
def test_a_17_any_path_has_one_reading(path: str) -> None:
    with suppress(NoSuchPath, AmbiguousName):
        tenant, station = identity_of(f"/ocpp/{path}")
        assert "/" not in tenant + station
        assert 0 < len(station) <= 48
