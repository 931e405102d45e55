"""What a fact changes in the state of its station."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from domain import auth_methods, transaction_effects
from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MeterValuesReported,
    SettlementReported,
    StateTold,
    StationBooted,
    TokenAsked,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.following import told
from domain.silence import is_back
from domain.station import Connector, Station
from schemas.records import MessageSent

Sent = MessageSent | None
"""Our answer; None to a SEND, which has none."""

CONNECTORS_MAX = 256
"""Of a station; what more it tells of is in the log only. The largest sites have a few dozen."""

REPLAYED_AFTER_US = 2 * 3_600_000_000
"""A status so late was queued. Less is a clock that was set, or told in another zone."""

CLOCK_UNSET_US = 30 * 86_400_000_000
"""More than that no station queues a status: its clock was not set when it told."""


def take_effect(station: Station, fact: Fact, record: Sent) -> Fact:
    """Apply the fact; `record` is our answer, if one was due. Return what was the case.

    That is the fact itself, or a `MessageOrphaned` in its place.
    """
    effect = _EFFECTS.get(type(fact))
    return effect(station, fact, record) if effect is not None else fact


def _status_reported(station: Station, fact: ConnectorStatusReported, _: Sent) -> Fact:
    transaction_effects.charging_state_told(station, fact)
    place = fact.evse_id, fact.connector_id
    before = station.connectors.get(place)
    is_known = before is not None or len(station.connectors) < CONNECTORS_MAX
    if before is not None and _is_outdated(fact, before):
        return replace(fact, outdated=True)
    if is_known and not fact.superseded:
        station.connectors[place] = Connector(
            fact.status,
            fact.error_code,
            fact.detail,
            fact.at,
            fact.recorded_at,
            fact.offset,
            before.since
            if before is not None and before.status == fact.status
            else fact.at or fact.recorded_at,
        )
    return fact


def _is_outdated(fact: ConnectorStatusReported, before: Connector) -> bool:
    if fact.at is None or before.at is None or fact.at >= before.at:
        return False
    if before.at > before.recorded_at + REPLAYED_AFTER_US:
        return False  # The clock that said so was ahead.
    return REPLAYED_AFTER_US < fact.recorded_at - fact.at < CLOCK_UNSET_US


def _booted(station: Station, fact: StationBooted, _: Sent) -> Fact:
    if not fact.superseded:
        station.identity = fact
        station.boot_status = fact.status
        station.is_catching_up = True
        is_back(station, fact.recorded_at, has_booted=True)
    return fact


def _token_asked(station: Station, fact: TokenAsked, _: Sent) -> Fact:
    auth_methods.asked(station, fact)
    return fact


def _state_told(station: Station, fact: StateTold, _: Sent) -> Fact:
    return told(station, fact)


_EFFECTS: dict[type[Fact], Callable[[Station, Any, Sent], Fact]] = {
    StationBooted: _booted,
    ConnectorStatusReported: _status_reported,
    TransactionStarted: transaction_effects.transaction_started,
    MeterValuesReported: transaction_effects.meter_values_reported,
    TransactionEnded: transaction_effects.transaction_ended,
    TransactionEventReported: transaction_effects.transaction_event,
    SettlementReported: transaction_effects.settlement,
    StateTold: _state_told,
    TokenAsked: _token_asked,
}
