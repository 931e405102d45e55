"""How it is seen that what a command asked for has happened: one rule per way of showing it.

A rule looks at what the station tells after the command was sent, and returns a step where it
concerns the command. What the station says of a job that failed ends the watch without an effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from domain.facts import (
    ConnectorStatusReported,
    Fact,
    StationBooted,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)

Payload = Mapping[str, Any]

AHEAD_MAX = 64
"""Parts of a report that came before one that is missing; more of them are not remembered."""


class Parts(Struct):
    """Which parts of a report have come: numbers 0 to n, the last of them known.

    Where the first to come has the number 1, it is 1 to n.
    """

    first: int = 0
    heard: int = 0
    """All from the first up to below this number."""
    ahead: list[int] = []
    last: int = -1

    @property
    def count(self) -> int:
        return self.heard - self.first

    @property
    def is_complete(self) -> bool:
        return 0 <= self.last < self.heard

    def hear(self, number: int, is_last: bool) -> None:
        if is_last:
            self.last = number
        if number == 1 and not self.heard and not self.ahead:
            self.first = self.heard = number
        self.first = min(self.first, number)
        if number < self.heard or number in self.ahead:
            return
        if number > self.heard:
            if len(self.ahead) < AHEAD_MAX:
                self.ahead.append(number)
            return
        self.heard += 1
        while self.heard in self.ahead:
            self.ahead.remove(self.heard)
            self.heard += 1


class Seen(NamedTuple):
    """A CALL of the station, answered, and the facts that it states."""

    action: str
    payload: Payload
    facts: Sequence[Fact]


class Step(NamedTuple):
    progress: str
    """Where the job is, in the station's words."""
    is_effect: bool = False
    is_over: bool = False
    """It ended without the effect: nothing more is looked for."""


Rule = Callable[[Payload, Seen, Parts], Step | None]


class Effect(NamedTuple):
    shown_by: str
    """In words, for people."""
    rule: Rule | None = None
    """None: the answer shows it."""
    is_answer: Callable[[Payload], bool] = lambda _: False
    """Whether the answer alone shows it although there is a rule, as this payload asks it."""
    accepts_any: bool = False
    """Whether any result shows it: what was asked for is in it."""


def started_16(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    for fact in seen.facts:
        if (
            isinstance(fact, TransactionStarted)
            and not fact.repeated
            and fact.id_token.casefold() == str(asked.get("idTag", "")).casefold()
            and asked.get("connectorId") in (None, fact.evse_id)
        ):
            return Step(f"transaction {fact.transaction_id}", is_effect=True)
    return None


def started_2(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    for fact in seen.facts:
        if (
            isinstance(fact, TransactionEventReported)
            and fact.remote_start_id is not None
            and fact.remote_start_id == asked.get("remoteStartId")
        ):
            return Step(f"transaction {fact.transaction_id}", is_effect=True)
    return None


def ended(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    wanted = str(asked.get("transactionId"))
    for fact in seen.facts:
        if isinstance(fact, TransactionEnded) and fact.transaction_id == wanted:
            return Step(fact.reason, is_effect=True)
        if (
            isinstance(fact, TransactionEventReported)
            and fact.event_type == "Ended"
            and fact.transaction_id == wanted
        ):
            return Step(fact.stopped_reason, is_effect=True)
    return None


def booted(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    evse_id = asked.get("evseId")
    for fact in seen.facts:
        if isinstance(fact, StationBooted):
            return Step(fact.reason, is_effect=True)
        if evse_id and isinstance(fact, ConnectorStatusReported) and fact.evse_id == evse_id:
            # An EVSE that is reset by itself does not boot the station (2.0.1, B11).
            return Step(fact.status, is_effect=True)
    return None


def available_16(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    return _availability(seen, asked.get("connectorId"), None, asked.get("type"))


def available_2(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    evse = member(asked, "evse")
    return _availability(
        seen, evse.get("id", 0), evse.get("connectorId"), asked.get("operationalStatus")
    )


def _availability(seen: Seen, evse_id: Any, connector_id: Any, wanted: Any) -> Step | None:
    for fact in seen.facts:
        if (
            isinstance(fact, ConnectorStatusReported)
            and evse_id in (0, fact.evse_id)
            and connector_id in (None, fact.connector_id)
            and (fact.status == "Unavailable") == (wanted == "Inoperative")
        ):
            return Step(fact.status, is_effect=True)
    return None


def triggered(asked: Payload, seen: Seen, _: Parts) -> Step | None:
    wanted = str(asked.get("requestedMessage", ""))
    if wanted.startswith("Sign"):
        # SignChargePointCertificate, SignV2GCertificate, SignCombinedCertificate, …
        wanted = "SignCertificate"
    if wanted not in (seen.action, seen.action.removeprefix("Signed")):
        return None
    evse_id = asked.get("connectorId", member(asked, "evse").get("id"))
    told = seen.payload.get(
        "connectorId" if "connectorId" in asked else "evseId",
        member(seen.payload, "evse").get("id"),
    )
    if evse_id is not None and told is not None and evse_id != told:
        return None
    return Step(seen.action, is_effect=True)


def reserved(id_member: str) -> Rule:
    def rule(asked: Payload, seen: Seen, _: Parts) -> Step | None:
        wanted = asked.get(id_member)
        for fact in seen.facts:
            if (
                isinstance(fact, TransactionStarted | TransactionEventReported)
                and fact.reservation_id is not None
                and fact.reservation_id == wanted
            ):
                return Step("Used", is_effect=True)
        if seen.action == "ReservationStatusUpdate" and seen.payload.get("reservationId") == wanted:
            return Step(str(seen.payload.get("reservationUpdateStatus", "")), is_effect=True)
        return None

    return rule


def job(
    *actions: str,
    done: str,
    failed: Sequence[str] = (),
    id_member: str = "requestId",
    status_member: str = "status",
) -> Rule:
    """A job that tells its states under the id that the command gave it; 1.6 gives some none."""

    def rule(asked: Payload, seen: Seen, _: Parts) -> Step | None:
        if seen.action not in actions:
            return None
        status = str(seen.payload.get(status_member, ""))
        wanted, told = asked.get(id_member), seen.payload.get(id_member)
        # A station with one job at a time may leave the id out (2.0.1, L01.FR.20: of an Idle).
        if status == "Idle" or (wanted is not None and told not in (None, wanted)):
            return None
        return Step(status, is_effect=status == done, is_over=status in failed)

    return rule


def report(action: str) -> Rule:
    """A report in parts under the id that the command gave it; the last one says so (tbc)."""

    def rule(asked: Payload, seen: Seen, parts: Parts) -> Step | None:
        if seen.action != action or seen.payload.get("requestId") != asked.get("requestId"):
            return None
        is_last = seen.payload.get("tbc") is not True
        number = seen.payload.get("seqNo")
        # Where parts have no number, they are counted: they come in order.
        parts.hear(number if isinstance(number, int) else parts.heard, is_last)
        return Step(f"{parts.count} parts", is_effect=parts.is_complete)

    return rule


def member(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}
