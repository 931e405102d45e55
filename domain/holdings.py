"""What a station holds beside its transactions: values by facet and key, folded from what it says.

A facet is one kind of thing (a variable, a charging profile, a reservation). Folds return changes;
`apply` makes them within the facet's bound and returns what was changed, which is what views write.
Here only those members of a value are kept that a later fold reads; the whole of it is in the rows
of the read side. A station that never spoke of any facet has no holdings at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from domain.members import Payload, Value
from domain.readings import read_integer, read_time

KEY_CHARACTERS_MAX = 200
"""Longer ones end in a digest. Names of components and variables have 50 characters at most."""

KEPT_CHARACTERS_MAX = 255
"""Of a text that the state keeps. Ids and times are shorter."""

_DIGEST = 8
_CHANGED = "^"
"""Member of what is kept: the offset of the record that changed it last."""


class Facet(NamedTuple):
    items_max: int
    keeps: tuple[str, ...] = ()
    """Members that later folds read. Those that begin with "_" are for nobody else."""
    lasting: frozenset[str] = frozenset()
    """Values of `state` for which an item makes room only when no other can."""
    is_indexed: bool = False
    """Only a digest of each key is kept: there may be many, and a full one takes in no more."""
    has_rows: bool = True


FACETS: Mapping[str, Facet] = {
    # A device model has a few hundred variables, that of a large site some more.
    "variables": Facet(4_096, is_indexed=True),
    "monitors": Facet(512, ("kind",)),
    "monitoring": Facet(2),
    # Lists of what happened: what somebody looks at; the log has them all.
    "station-events": Facet(100),
    "security-events": Facet(100),
    "der-alarms": Facet(50),
    "settlements": Facet(50),
    # Stations hold some dozens (ChargingProfileEntries); an EVSE has one of each of the others.
    "charging-profiles": Facet(
        256,
        (
            "profile_id", "evse_id", "purpose", "stack_level", "transaction_id", "source",
            "schedule_update",
        ),
    ),
    "charging-limits": Facet(64, ("evse_id", "source")),
    "charging-needs": Facet(64, ("evse_id",)),
    "charging-schedules": Facet(64),
    "composite-schedules": Facet(64),
    "priority-charging": Facet(64),
    # One for each connector at a time; the others are over.
    "reservations": Facet(
        128,
        (
            "reservation_id", "state", "evse_id", "connector_type", "id_token", "id_token_type",
            "group", "expires_at", "reserved_at", "transaction_id", "_made", "_registry",
        ),
        frozenset({"active"}),
    ),
    "local-list": Facet(1, ("version", "tokens")),
    # Its digests tell an addition from an update; of a longer list the tokens are not counted.
    "local-list-tokens": Facet(4_096, is_indexed=True, has_rows=False),
    "certificates": Facet(64, ("certificate_type",)),
    "certificate-requests": Facet(
        16,
        ("state", "certificate_type", "csr_sha256", "request_id", "answer", "requested_at"),
        frozenset({"pending"}),
    ),
    # One of a kind at a time; the others are over.
    "jobs": Facet(
        32,
        (
            "kind", "request_id", "command_id", "state", "status", "status_at", "statuses",
            "location", "log_type", "checksum", "file_name", "asked_at",
        ),
        frozenset({"requested", "accepted", "running"}),
    ),
    "reports": Facet(
        32,
        (
            "kind", "request_id", "whole", "state", "parts", "asked_at",
            "_next", "_ahead", "_last", "_first", "_of",
        ),
        frozenset({"asked", "receiving"}),
    ),
    "display-messages": Facet(128, ("priority", "transaction_id")),
    "network-profiles": Facet(16),
    "der-controls": Facet(128, ("control_id", "control_type", "is_default")),
    "tariffs": Facet(128, ("tariff_id", "kind", "evse_ids", "transaction_id")),
    "costs": Facet(64),
    "event-streams": Facet(64),
    "energy-transfers": Facet(64),
    "afrr-signals": Facet(1),
    "battery-swaps": Facet(64, ("request_id", "state")),
    "web-payments": Facet(64),
    "vat-checks": Facet(16),
}  # fmt: skip


class Change(Struct, frozen=True):
    """A value under a key, none under it any more, or (without a key) none in the facet."""

    facet: str
    key: str | None = None
    value: Value | None = None
    merges: bool = False
    """Members that are not in it stay as they were."""
    before: int | None = None
    """Without a key: only what was last changed by a record before this offset is gone."""


class Holdings(Struct):
    items: dict[str, dict[str, bytes]] = {}
    """Facet → key → what of the value is kept, as JSON; the longest unchanged first."""
    indexes: dict[str, bytearray] = {}
    """Facet → digests of the keys, for those with many."""
    limits: dict[str, int] = {}
    """What the station says that one message of ours may hold; see `limit_of`."""
    security_profile: int | None = None
    """As it told last."""
    due: int | None = None
    """When the next reservation expires."""

    def kept(self, facet: str, key: str) -> Value | None:
        """Return what is kept of a value; None if there is none under this key."""
        item = self.items.get(facet, {}).get(bounded(key))
        return None if item is None else _told(item)

    def each(self, facet: str) -> Iterator[tuple[str, Value]]:
        """Return keys and what is kept of the values, the longest unchanged first."""
        for key, item in list(self.items.get(facet, {}).items()):
            yield key, _told(item)

    def changed(self, facet: str, key: str) -> int:
        """Return the offset of the record that changed what is there last."""
        return int(_decode(self.items[facet][bounded(key)])[_CHANGED])

    def has(self, facet: str, key: str) -> bool:
        """Whether an indexed facet has something under this key."""
        return _find(self.indexes.get(facet, bytearray()), _digest(bounded(key))) >= 0

    def count(self, facet: str) -> int:
        return len(self.indexes.get(facet, b"")) // _DIGEST or len(self.items.get(facet, {}))


class Telling(Struct, frozen=True):
    """A request and its result, whoever asked; without a result at the time of asking."""

    request: Payload
    result: Payload
    offset: int
    """Of the record at which it takes effect: the result's, or that of what has none."""
    recorded_at: int
    held: Holdings
    command_id: str = ""
    """Of a command of ours."""
    registry: int = -1
    """How much of the registry the owner knew when it sent the command."""

    @property
    def status(self) -> str:
        status = self.result.get("status")
        return status if isinstance(status, str) else ""

    @property
    def is_accepted(self) -> bool:
        return self.status == "Accepted"


Fold = Callable[[Telling], Iterable[Change]]


def put(facet: str, key: str | int, value: Value) -> Change:
    return Change(facet, str(key), value)


def merge(facet: str, key: str | int, value: Value) -> Change:
    return Change(facet, str(key), value, merges=True)


def gone(facet: str, key: str | int) -> Change:
    return Change(facet, str(key))


def emptied(facet: str, before: int | None = None) -> Change:
    """Nothing is in it any more, or nothing that was last changed before this offset."""
    return Change(facet, before=before)


def apply(held: Holdings, offset: int, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Make the changes, in order; return those that were made, with what had to make room."""
    made: list[Change] = []
    for change in changes:
        if change.facet == "variables" and change.value is not None:
            _note_limit(held, change.value)
        applied = list(_applied(held, offset, _bounded(change)))
        if FACETS[change.facet].has_rows:
            made += applied
    if any(change.facet == "reservations" for change in made):
        held.due = _next_expiry(held)
    return tuple(made)


def bounded(key: str) -> str:
    if len(key) <= KEY_CHARACTERS_MAX:
        return key
    return f"{key[:KEY_CHARACTERS_MAX]}~{blake2b(key.encode(), digest_size=16).hexdigest()}"


def _bounded(change: Change) -> Change:
    if change.key is None or len(change.key) <= KEY_CHARACTERS_MAX:
        return change
    return msgspec.structs.replace(change, key=bounded(change.key))


def _applied(held: Holdings, offset: int, change: Change) -> Iterator[Change]:
    facet = FACETS[change.facet]
    if facet.is_indexed:
        if _index(held.indexes.setdefault(change.facet, bytearray()), facet, change):
            yield change
        return
    items = held.items.get(change.facet)
    if items is None:
        if change.value is None:
            return
        items = held.items[change.facet] = {}
    if change.key is None:
        _empty(items, change.before)
        yield change
    elif change.value is None:
        if items.pop(change.key, None) is not None:
            yield change
    else:
        before = items.pop(change.key, None)
        items[change.key] = _kept(facet, change, offset, before)
        yield change
        while len(items) > facet.items_max:
            victim = _makes_room(items, facet)
            del items[victim]
            yield gone(change.facet, victim)


def _empty(items: dict[str, bytes], before: int | None) -> None:
    for key in [
        k for k, item in items.items() if before is None or _decode(item)[_CHANGED] < before
    ]:
        del items[key]


def _told(item: bytes) -> Value:
    kept = _decode(item)
    del kept[_CHANGED]
    return kept


def _kept(facet: Facet, change: Change, offset: int, before: bytes | None) -> bytes:
    value = change.value or {}
    kept: Value = _decode(before) if change.merges and before is not None else {}
    kept.update({name: _cut(value[name]) for name in facet.keeps if name in value})
    kept[_CHANGED] = offset
    return _encode(kept)


def _cut(value: Any) -> Any:
    return value[:KEPT_CHARACTERS_MAX] if isinstance(value, str) else value


def _makes_room(items: Mapping[str, bytes], facet: Facet) -> str:
    if facet.lasting:
        for key, item in items.items():
            if _decode(item).get("state") not in facet.lasting:
                return key
    return next(iter(items))


def _index(index: bytearray, facet: Facet, change: Change) -> bool:
    if change.key is None:
        # Which keys are older is not known here: those that come again are let in again.
        index.clear()
        return True
    digest = _digest(change.key)
    position = _find(index, digest)
    if change.value is None:
        if position >= 0:
            del index[position : position + _DIGEST]
        return position >= 0
    if position < 0:
        if len(index) >= facet.items_max * _DIGEST:
            return False
        index += digest
    return True


def _find(index: bytearray, digest: bytes) -> int:
    position = index.find(digest)
    while position >= 0 and position % _DIGEST:
        position = index.find(digest, position + 1)
    return position


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_DIGEST).digest()


def _next_expiry(held: Holdings) -> int | None:
    times = (
        read_time(kept.get("expires_at"))[0]
        for _, kept in held.each("reservations")
        if kept.get("state") == "active"
    )
    return min((at for at in times if at is not None), default=None)


LIMITS = ("ItemsPerMessage", "BytesPerMessage")
_LIMITS_16 = ("GetConfigurationMaxKeys", "SendLocalListMaxLength")
_ONLY_ACTION = {"LocalAuthListCtrlr": "SendLocalList"}
"""Component to the action that its limits are for, where the variable has no instance."""


def _note_limit(held: Holdings, value: Value) -> None:
    variable = str(value.get("variable", ""))
    if not variable.startswith(LIMITS) and variable not in _LIMITS_16:
        return
    number = read_integer(value.get("value"))[0]
    if number is not None and number > 0:
        instance = value.get("variable_instance") or _ONLY_ACTION.get(str(value.get("component")))
        held.limits[f"{variable}{instance or ''}"] = number


_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
