"""Deliberately broken builds: one promise-keeping piece each, exchanged for a plausible mistake.

Switched on by exchanging a function for the length of a run; production code has no switch for any.
The suite must turn red for every one of them, or its checkers prove nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from domain import command_lane, conversation, providing
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.self_check import SelfCheck
from domain.transactions import Transactions
from infra import batching_log, clock
from infra.batching_log import BatchingLog
from infra.edge_log import EdgeLog
from infra.node_watch import LOST_AFTER_S, NodeWatch
from infra.superseded import Superseded
from ingress.connection import Connection
from ingress.deliveries import Deliveries
from ingress.server import Server
from projections.clickhouse_sink import TABLES, ClickHouseSink
from projections.run import Projection
from schemas.journal import Entry, Unavailable
from schemas.records import ConnectionClosed, ConnectionLost, MessageSent, decode
from tests.simulation.determinism import replaced
from tests.simulation.world import Deployment

Replacement = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """`kinds`: faults under which the mistake shows; `finding`: the checker that must see it."""

    replacements: Callable[[], Iterable[Replacement]]
    deployment: Deployment
    kinds: tuple[str, ...]
    finding: str
    seed: int = 0
    """From which on it is looked for: those before do not show it."""
    asks: int = 0
    """What each station asks of a provider."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, value in self.replacements():
                stack.enter_context(replaced(owner, name, value))
            yield


def _original(owner: Any, name: str) -> Any:
    return getattr(owner, name)


def _answer_before_append() -> Iterable[Replacement]:
    take = _original(EdgeLog, "_take")

    def broken(self: Any, owner: Owner, posted: Any) -> None:
        take(self, owner, posted)
        waiting = list(self._leaving)
        self._leaving = deque(each for each in waiting if not isinstance(each[2], MessageSent))
        for _, offset, out, _ in waiting:
            if isinstance(out, MessageSent):
                self._deliver(offset, out)

    yield EdgeLog, "_take", broken


def _sameness_by_message_id_only() -> Iterable[Replacement]:
    yield Transactions, "find_start", lambda _self, _key, _at: None


def _who_waits_for_a_provider_waits_for_ever() -> Iterable[Replacement]:
    expires_at = _original(providing, "_expires_at")
    yield providing, "_expires_at", lambda *known: expires_at(*known) + 3_600_000_000


def _stale_close_removes_the_new_socket() -> Iterable[Replacement]:
    folders = dict(_original(conversation, "_FOLDERS"))

    closed = _original(conversation, "_closed")

    def broken(station: Any, offset: int, record: Any, payload: Any) -> Any:
        facts = closed(station, offset, record, payload)
        station.connection = None
        return facts

    folders |= {ConnectionClosed: broken, ConnectionLost: broken}
    yield conversation, "_FOLDERS", folders


def _naive_poller() -> Iterable[Replacement]:
    """Goes on behind the latest time it has seen, as one who asks for `id > last` does."""

    def broken(self: Any, entries: Sequence[Entry]) -> Sequence[Entry]:
        kept = []
        for entry in entries:
            at = decode(entry.value).recorded_at
            if self._until is not None or at >= getattr(self, "latest", 0):
                kept.append(entry)
            self.latest = max(at, getattr(self, "latest", 0))
        if self._until is not None:
            return [each for each in kept if each.offset < self._until.get(each.partition, 0)]
        return kept

    yield Projection, "_within", broken


def _position_before_rows() -> Iterable[Replacement]:
    async def broken(self: Any, batch: Any) -> None:
        if batch.lookups:
            await self._look_up(batch)
        await self._positions.save(batch.progress)
        for table in TABLES:
            if batch.rows[table.name]:
                await self._tables.insert(table, batch.rows[table.name])

    yield ClickHouseSink, "write", broken


def _callerror_when_the_log_fails() -> Iterable[Replacement]:
    def broken(self: Any, record: Any, payload: Any) -> None:
        try:
            self._node.log.post(record, payload)
        except Unavailable:
            self.send(f'[4,"{record.message_id}","InternalError","",{{}}]')

    yield Connection, "_post", broken


def _accepted_and_dropped_when_the_log_fails() -> Iterable[Replacement]:
    def broken(self: Any, record: Any, payload: Any) -> None:
        try:
            self._node.log.post(record, payload)
        except Unavailable:
            return

    yield Connection, "_post", broken
    yield Server, "close_all", lambda _self, *_: 0


def _unfenced_old_owner() -> Iterable[Replacement]:
    def broken(self: Any, offset: int, record: Any) -> None:
        if record.owner == self.name:
            self.epoch = offset

    yield Owner, "_claimed", broken
    yield LogFilter, "_admit_decision", lambda _self, _record: True


def _unbounded_queue() -> Iterable[Replacement]:
    yield batching_log, "WAITING_BYTES_MAX", 2**60
    yield BatchingLog, "_close", lambda _self, _partition, _lane: None


def _repeats_are_folded_again() -> Iterable[Replacement]:
    admit = LogFilter.admit

    def broken(self: Any, offset: int, record: Any) -> bool:
        self._sequences.pop(record.incarnation, None)
        return admit(self, offset, record)

    yield LogFilter, "admit", broken


def _leases_by_the_wall_clock() -> Iterable[Replacement]:
    hear = _original(NodeWatch, "_hear")

    def heard(self: Any, node: str, now: float) -> None:
        hear(self, node, now)
        self.__dict__.setdefault("by_wall", {})[node] = clock.now_us() / 1e6

    def is_lost(self: Any, node: str) -> bool:
        at = self.__dict__.get("by_wall", {}).get(node)
        return at is not None and clock.now_us() / 1e6 - at > LOST_AFTER_S

    yield NodeWatch, "_hear", heard
    yield NodeWatch, "is_lost", is_lost


def _a_node_that_is_cut_off_keeps_its_sockets() -> Iterable[Replacement]:
    yield Server, "close_all", lambda _self, *_: 0


def _deliveries_are_written_again() -> Iterable[Replacement]:
    deliver = Deliveries.deliver

    def broken(self: Any, connection: str, offset: int, *arguments: Any, **more: Any) -> bool:
        target = self._connections.get(connection)
        if target is not None:
            target.last_offset = -1
        return deliver(self, connection, offset, *arguments, **more)

    yield Deliveries, "deliver", broken


def _what_was_on_its_way_is_sent_again() -> Iterable[Replacement]:
    def broken(station: Any, offset: int, at: int, fate: Any = "unknown") -> list[Any]:
        command = station.commands.get(station.in_flight)
        station.in_flight = ""
        if command is None or command.fate != "dispatched":
            return []
        command.fate, command.dispatched, command.dispatch_cause = "requested", -1, offset
        return []

    yield command_lane, "drop_in_flight", broken


def _superseded_sockets_stay_open() -> Iterable[Replacement]:
    """An opening that lands after a younger one leaves that without answers."""
    yield Superseded, "close", lambda _self, _dispatcher: None


def _canaries_are_not_answered() -> Iterable[Replacement]:
    yield SelfCheck, "due", lambda _self, _now, _epoch: None


CONTROLS: dict[str, Control] = {
    "answer_before_append": Control(
        replacements=_answer_before_append,
        finding="acked_lost",
        deployment="embedded",
        kinds=("disk_full", "lying_disk", "kill"),
    ),
    "sameness_by_message_id_only": Control(
        replacements=_sameness_by_message_id_only,
        finding="duplicate_effects",
        deployment="kafka",
        kinds=("lost_answers",),
    ),
    "stale_close_removes_the_new_socket": Control(
        replacements=_stale_close_removes_the_new_socket,
        finding="unanswered",
        deployment="kafka",
        kinds=("half_open", "kill"),
    ),
    "canaries_are_not_answered": Control(
        replacements=_canaries_are_not_answered,
        finding="unanswered",
        deployment="embedded",
        kinds=("kill",),
    ),
    "naive_poller": Control(
        replacements=_naive_poller, finding="acked_lost", deployment="kafka", kinds=("storm",)
    ),
    "position_before_rows": Control(
        replacements=_position_before_rows,
        finding="rebuilt_otherwise",
        deployment="embedded",
        kinds=("kill", "stores"),
    ),
    "callerror_when_the_log_fails": Control(
        replacements=_callerror_when_the_log_fails,
        finding="money_refused",
        deployment="embedded",
        kinds=("disk_full",),
    ),
    "accepted_and_dropped_when_the_log_fails": Control(
        replacements=_accepted_and_dropped_when_the_log_fails,
        finding="unanswered",
        deployment="embedded",
        kinds=("disk_full",),
    ),
    "who_waits_for_a_provider_waits_for_ever": Control(
        replacements=_who_waits_for_a_provider_waits_for_ever,
        finding="unanswered",
        deployment="kafka",
        kinds=("stores",),
        asks=4,
    ),
    "unfenced_old_owner": Control(
        replacements=_unfenced_old_owner,
        finding="duplicate_effects",
        deployment="kafka",
        kinds=("rebalance", "storm"),
    ),
    "unbounded_queue": Control(
        replacements=_unbounded_queue,
        finding="unbounded",
        deployment="kafka",
        kinds=("flood",),
        seed=2,
    ),
    "repeats_are_folded_again": Control(
        replacements=_repeats_are_folded_again,
        finding="duplicate_effects",
        deployment="kafka",
        kinds=("storm",),
    ),
    "leases_by_the_wall_clock": Control(
        replacements=_leases_by_the_wall_clock,
        finding="unanswered",
        deployment="kafka",
        kinds=("clock_jump",),
    ),
    "a_node_that_is_cut_off_keeps_its_sockets": Control(
        replacements=_a_node_that_is_cut_off_keeps_its_sockets,
        finding="unanswered",
        deployment="kafka",
        kinds=("cut_off",),
        seed=1,
    ),
    "deliveries_are_written_again": Control(
        replacements=_deliveries_are_written_again,
        finding="duplicate_effects",
        deployment="kafka",
        kinds=("rebalance", "kill", "storm"),
    ),
    "superseded_sockets_stay_open": Control(
        replacements=_superseded_sockets_stay_open,
        finding="unanswered",
        deployment="kafka",
        kinds=("cut_off", "outage", "offline"),
    ),
    "what_was_on_its_way_is_sent_again": Control(
        replacements=_what_was_on_its_way_is_sent_again,
        finding="stuck_commands",
        deployment="kafka",
        kinds=("cut_link", "half_open"),
        seed=1,
    ),
}
