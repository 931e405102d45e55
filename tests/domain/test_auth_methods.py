"""How whoever charged was let charge, as the CDR and OCPI say it."""

from typing import Any

import pytest

from domain.auth_methods import ASKED_MAX
from domain.cdr import cdr_of
from domain.ocpi_cdrs import ocpi_cdr
from schemas.cdr import Cdr
from schemas.ocpi_cdr import Version
from tests.domain import events
from tests.domain.holding import Holder
from tests.domain.log import SECOND, start
from tests.domain.released import RELEASED_AT, released

ACCEPTED = {"status": "Accepted"}
MINUTE = 60 * SECOND
NOON = "2026-11-23T10:00:00Z"


def latest(holder: Holder) -> Cdr:
    transaction = list(holder.worker.station.transactions.known.values())[-1]
    return cdr_of("default", "CP1", 1, transaction)


def begins(holder: Holder, **more: Any) -> str | None:
    holder.tells("StartTransaction", start(at=NOON, **more))
    return latest(holder).auth_method


def asks(holder: Holder, token: str = "TAG") -> None:
    holder.tells("Authorize", {"idTag": token})


def test_a_station_that_asked_about_the_token_was_let_by_us() -> None:
    holder = Holder()
    asks(holder, "tag")
    holder.log.now += 14 * MINUTE

    assert begins(holder) == "AUTH_REQUEST"


def test_one_that_asked_long_ago_or_about_another_token_let_it_by_itself() -> None:
    holder = Holder()
    asks(holder, "OTHER")
    assert begins(holder) is None
    asks(holder, "TAG")
    holder.log.now += 16 * MINUTE

    assert begins(holder, connectorId=2) is None


def test_a_start_out_of_a_queue_goes_by_when_it_was() -> None:
    holder = Holder()
    asks(holder)
    holder.log.now += 180 * MINUTE
    holder.log.opens("c2")

    holder.log.calls("StartTransaction", start(at=NOON), connection="c2")
    holder.worker.settle()
    assert latest(holder).auth_method == "AUTH_REQUEST"
    holder.log.calls("Authorize", {"idTag": "NEXT"}, connection="c2")
    queued = start(at="2026-11-23T11:00:00Z", idTag="NEXT", connectorId=2)
    holder.log.calls("StartTransaction", queued, connection="c2")
    holder.worker.settle()

    assert latest(holder).auth_method is None


@pytest.mark.parametrize(
    ("asked", "status", "method"),
    [
        ({}, "Accepted", "COMMAND"),
        ({"connectorId": 1}, "Accepted", "COMMAND"),
        ({"connectorId": 2}, "Accepted", None),
        ({"idTag": "OTHER"}, "Accepted", None),
        ({}, "Rejected", None),
    ],
)
def test_a_remote_start_is_a_command(
    asked: dict[str, Any], status: str, method: str | None
) -> None:
    holder = Holder()
    holder.asked("RemoteStartTransaction", {"idTag": "TAG", **asked}, {"status": status})

    assert begins(holder) == method


def test_a_remote_start_of_which_the_station_asked_us_is_a_command_all_the_same() -> None:
    holder = Holder()
    holder.asked("RemoteStartTransaction", {"idTag": "TAG"}, ACCEPTED)
    asks(holder)

    assert begins(holder) == "COMMAND"
    holder.log.now += MINUTE
    assert begins(holder, connectorId=2) == "AUTH_REQUEST"


def test_events_tell_the_type_of_the_token_and_a_remote_start() -> None:
    holder = Holder("2.0.1")
    token = {"idToken": "TAG", "type": "eMAID"}
    holder.tells("Authorize", {"idToken": token})
    holder.tells("TransactionEvent", events.started(idToken=token, timestamp=NOON))
    made = latest(holder)
    assert (made.auth_method, made.id_token_type) == ("AUTH_REQUEST", "eMAID")

    info = {"transactionId": "T-1", "remoteStartId": 5}
    holder.tells("TransactionEvent", events.event("Updated", 1, transactionInfo=info))

    assert latest(holder).auth_method == "COMMAND"


def test_a_repeated_event_is_not_let_by_what_was_asked_since() -> None:
    holder = Holder("2.0.1")
    holder.tells("TransactionEvent", events.started(timestamp=NOON))
    holder.tells("Authorize", {"idToken": events.TOKEN})
    holder.tells("TransactionEvent", events.started(timestamp=NOON))

    assert latest(holder).auth_method is None


def test_what_is_kept_of_what_a_station_asks_is_bounded() -> None:
    holder = Holder()
    for number in range(2 * ASKED_MAX):
        asks(holder, f"T{number}")

    kept = holder.worker.station.asked
    assert len(kept) == ASKED_MAX
    assert f"t{2 * ASKED_MAX - 1}" in kept


@pytest.mark.parametrize(
    ("told", "version", "said"),
    [
        ("ISO14443", "2.2.1", "RFID"),
        ("ISO15693", "2.3.0", "RFID"),
        ("Central", "2.2.1", "APP_USER"),
        ("DirectPayment", "2.3.0", "AD_HOC_USER"),
        ("eMAID", "2.2.1", "OTHER"),
        ("eMAID", "2.3.0", "EMAID"),
        ("KeyCode", "2.3.0", "OTHER"),
        (None, "2.2.1", "RFID"),
    ],
)
def test_ocpi_has_words_for_some_types_of_token(
    told: str | None, version: Version, said: str
) -> None:
    cdr = ocpi_cdr(released(id_token_type=told), version, RELEASED_AT)
    assert cdr["cdr_token"]["type"] == said
    assert cdr["auth_method"] == "WHITELIST"


@pytest.mark.parametrize("method", ["COMMAND", "AUTH_REQUEST"])
def test_ocpi_says_the_method_of_the_cdr(method: str) -> None:
    assert ocpi_cdr(released(auth_method=method), "2.2.1", RELEASED_AT)["auth_method"] == method


def test_a_token_that_our_command_brought_to_a_station_of_1_6_may_be_anything() -> None:
    cdr = ocpi_cdr(released(auth_method="COMMAND"), "2.2.1", RELEASED_AT)

    assert cdr["cdr_token"]["type"] == "OTHER"
