"""How whoever charged was let charge, in OCPI's words (AuthMethod).

COMMAND: a remote start of ours. AUTH_REQUEST: the station asked us about the token (Authorize) as
it was presented. Otherwise the station knew it by itself, from its local list or cache: WHITELIST.
"""

from domain import commands
from domain.clocks import TOLERANCE_US, reading_time
from domain.facts import TokenAsked, TransactionEventReported
from domain.station import Station
from domain.transaction import Transaction

COMMAND, AUTH_REQUEST = "COMMAND", "AUTH_REQUEST"

ASKED_MAX = 32
"""Tokens of a station that it asked about last: at no site are more presented in ASKED_US."""

ASKED_US = 15 * 60_000_000
"""So long before a transaction a token may have been presented for it: cables take their time."""

COMMANDED_US = 3_600_000_000
"""So old a remote start may be that a start of the same token is taken to be its effect."""


def asked(station: Station, fact: TokenAsked) -> None:
    kept, token = station.asked, fact.id_token.casefold()
    # One that waited for a provider is answered after later ones.
    kept[token] = max(kept.pop(token, 0), fact.recorded_at)
    if len(kept) > ASKED_MAX:
        del kept[next(iter(kept))]


def begun_16(station: Station, transaction: Transaction) -> None:
    t = transaction
    if station.commands and _is_commanded(station, t):
        t.auth_method = COMMAND
    elif station.asked and _was_asked(
        station, t.id_token, t.started_at, t.start_received, is_live=t.start_is_live
    ):
        t.auth_method = AUTH_REQUEST


def told_by_event(
    station: Station,
    transaction: Transaction,
    fact: TransactionEventReported,
    *,
    is_first: bool,
    is_live: bool,
) -> None:
    """`is_first`: the token of the transaction is what this event presents."""
    t = transaction
    if fact.remote_start_id is not None or fact.trigger_reason == "RemoteStart":
        t.auth_method = COMMAND
    elif is_first and t.auth_method != COMMAND:
        was_asked = _was_asked(station, fact.id_token, fact.at, fact.recorded_at, is_live=is_live)
        t.auth_method = AUTH_REQUEST if was_asked else ""


def _was_asked(
    station: Station, id_token: str, at: int | None, received: int, *, is_live: bool
) -> bool:
    asked_at = station.asked.get(id_token.casefold())
    if asked_at is None:
        return False
    # Of what waited in a queue only its own clock says when it was.
    told_at = received if is_live else reading_time(at, received) + TOLERANCE_US
    return told_at - ASKED_US <= asked_at <= told_at


def _is_commanded(station: Station, t: Transaction) -> bool:
    began = reading_time(t.started_at, t.start_received)
    for command in station.commands.values():
        if command.action != "RemoteStartTransaction" or command.dispatched_at is None:
            continue
        asked_for = commands.payload_in(command.payload)
        if (
            abs(began - command.dispatched_at) <= COMMANDED_US
            and str(asked_for.get("idTag", "")).casefold() == t.id_token.casefold()
            and asked_for.get("connectorId") in (None, t.evse_id)
            and commands.is_watched(command)
        ):
            return True
    return False
