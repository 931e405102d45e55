"""The owner of one partition, without I/O: folds the log and decides what to append to it.

The shell feeds every record of the partition in log order to `fold` and appends what `decide`
returns. A station is decided for only while the records of all its earlier decisions are folded: in
Kafka they are read back, embedded they are folded as they are queued, because there the queue's
order is the log's. What is open (unanswered CALLs, unsent commands, due timers) is folded state, so
recovery and live processing are the same code. After a fence or a failed append the shell throws
the owner away and folds anew.

    new owner:  fold to the head → append `claim` → fold up to it → decide
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import chain
from operator import itemgetter
from typing import Any

from domain import closing, following, judging, passwords, providing, routes
from domain.answering import Context, Policy
from domain.billing import Billing
from domain.conversation import fold
from domain.dispatching import dispatch, due, timed_out
from domain.endings import connection_lost
from domain.log_filter import LogFilter
from domain.outages import Outages
from domain.registry import Registry
from domain.self_check import SelfCheck
from domain.set_aside import SetAside, reason_of
from domain.settling import may_be_due
from domain.station import OpenCall, Station
from domain.transaction_ids import TransactionIds
from schemas.records import (
    CALL,
    CdrDoubtOverruled,
    ConnectionLost,
    MessageReceived,
    MessageSent,
    OwnerRecord,
    PartitionClaimed,
    ProviderAsked,
    Record,
    SignaturesJudged,
    StationPasswordSettled,
    TimeoutElapsed,
)

Key = tuple[str, str]


class Owner:
    def __init__(
        self,
        partition: int,
        *,
        name: str,
        policy: Policy,
        ids: TransactionIds,
        registry: Registry,
        log_filter: LogFilter | None = None,
        stations: Iterable[Station] = (),
        position: int = 0,
        next_counter: int = 0,
        poisoned: Mapping[Key, SetAside] | None = None,
        unreadable: Mapping[int, str] | None = None,
        outages: Outages | None = None,
    ) -> None:
        """Start from nothing, or from all that a snapshot keeps."""
        self.partition = partition
        self.name = name
        self.policy = policy
        self.registry = registry
        self.log_filter = log_filter or LogFilter()
        self.stations: dict[Key, Station] = {(s.tenant, s.station): s for s in stations}
        self.position = position
        """The offset after the last record folded."""
        self.next_counter = next_counter
        """Of transaction ids: above every one that was given in this partition."""
        self.epoch: int | None = None
        self.touched: set[Key] = set()
        """Stations folded since the last snapshot; whoever takes one clears it."""
        self.self_check = SelfCheck(poisoned or {}, unreadable or {}, policy.set_aside_max)
        self.poisoned = self.self_check.poisoned
        """Stations that are set aside: nothing is decided for them."""
        self.unreadable = self.self_check.unreadable
        """Why a value of the log is no record, by its offset."""
        self.outages = outages or Outages()
        self._ids = ids
        self._ready: dict[Key, None] = {}
        self._undecided: dict[Key, int] = {}
        self._drawn: dict[int, int] = {}
        self._ending: set[int] = set()
        self._latest = 0
        self._timers: list[tuple[int, Key]] = []
        self._registrations = len(registry.registrations)
        self._billing = Billing(registry, policy, self._again)
        self._expiries: dict[Key, int] = {}
        """When the next reservation of a station expires, as far as a timer was set for it."""
        for key, station in self.stations.items():
            self._arm(key, station)
            for call in station.open_calls.values():
                if call.forwarded is not None:
                    self._again(call.forwarded.expires_at, key)
            if station.held is not None and station.held.due is not None:
                self._arm_expiry(key, station.held.due)
            if station.open_calls or station.commands or station.cdr_requests:
                self._ready[key] = None

    # Folding

    def fold(self, offset: int, record: Record) -> bool:
        """Apply the record at this offset; return whether it counts (the log's filter says)."""
        self.position = offset + 1
        if not self.log_filter.admit(offset, record):
            return False
        self._apply(offset, record, None)
        return True

    def pass_over(self, offset: int, reason: str) -> None:
        """What stands there is no record; nobody knows whose it was to be."""
        self.position = offset + 1
        self.self_check.pass_over(offset, reason)

    def fold_queued(
        self, offset: int, record: Record, incarnation: str, sequence: int, payload: Any = None
    ) -> None:
        """Apply a record whose place has just been fixed by this process, the log's only writer."""
        self.position = offset + 1
        self.log_filter.wrote(offset, record, incarnation, sequence)
        self._apply(offset, record, payload)

    def _apply(self, offset: int, record: Record, payload: Any) -> None:
        if not record.station:
            self._of_partition(offset, record)
            return
        self.outages.note(record)
        key = (record.tenant, record.station)
        station = self.stations.get(key)
        if station is None:
            station = self.stations[key] = Station(record.tenant, record.station, self.partition)
        if offset <= station.offset:
            return
        try:
            fold(station, offset, record, payload)
        except Exception as error:  # noqa: BLE001 - it is pure: it fails the same way every time.
            self.self_check.set_aside(key, SetAside(offset, reason_of(error), True))
            self._undecided.pop(key, None)
            return
        self.touched.add(key)
        if isinstance(record, OwnerRecord):
            self._read_back(key, station, record)
        elif (
            not isinstance(record, MessageReceived)
            or record.message_type != CALL
            or not station.open_calls
        ):
            self._arm(key, station)
        if station.held is not None and station.held.due is not None:
            self._arm_expiry(key, station.held.due)
        if station.open_calls or station.commands or station.cdr_requests:
            self._ready[key] = None

    def _of_partition(self, offset: int, record: Record) -> None:
        if isinstance(record, PartitionClaimed):
            self._claimed(offset, record)
        else:
            self.outages.note(record)
        self.self_check.fold(offset, record)

    def _read_back(self, key: Key, station: Station, record: OwnerRecord) -> None:
        left = self._undecided.pop(key, 1)
        if left > 1:
            self._undecided[key] = left - 1
        if isinstance(record, MessageSent):
            if record.action == "StartTransaction":
                self._count_ids(station)
            if may_be_due(station, record, self._billing.tells):
                self._arm(key, station)
        elif isinstance(record, ProviderAsked):
            self._again(record.expires_at, key)
        elif isinstance(record, SignaturesJudged | CdrDoubtOverruled) or (
            isinstance(record, TimeoutElapsed) and record.purpose == following.EXPIRED
        ):
            self._arm(key, station)
        elif isinstance(record, ConnectionLost):
            self._ending.discard(record.cause)
            # What settles while its station is there waits for longer now.
            self._arm(key, station)

    def _count_ids(self, station: Station) -> None:
        newest = station.transactions.newest_given()
        if newest is None:
            return
        counter = self._drawn.pop(newest, None)
        if counter is None:
            counter = self._ids.counter_of(newest)
        self.next_counter = max(self.next_counter, counter + 1)

    def _claimed(self, offset: int, record: PartitionClaimed) -> None:
        self.outages.end(record.recorded_at)
        self.epoch = offset if record.owner == self.name else None
        # Whose decisions are not read back by now: those will not count.
        self._ready.update(dict.fromkeys(self._undecided))
        self._undecided.clear()
        self._ending.clear()

    # Deciding

    @property
    def owns(self) -> bool:
        """Whether the latest claim in the log, as far as folded, is ours."""
        return self.epoch is not None

    def claim(self, now: int) -> PartitionClaimed:
        return PartitionClaimed(recorded_at=now, owner=self.name)

    def decide(self, now: int, decisions_max: int = 1_000_000) -> list[OwnerRecord]:
        """Return the next decision of each station that has one. Append them all.

        Call again once they are folded, until nothing comes.
        """
        records: list[OwnerRecord] = []
        while len(records) < decisions_max and (decided := self.decide_next(now)) is not None:
            records.append(decided)
        return records

    def decide_next(self, now: int) -> OwnerRecord | None:
        """Return one decision of some station that has one, or of ours; None if there is none."""
        if self.epoch is None:
            return None
        if self._registrations < len(self.registry.registrations):
            self._look_again()
        if now < self._latest:
            # The clock was set back: no timer says any more when they have waited enough.
            self._ready.update((key, None) for key, s in self.stations.items() if s.open_calls)
        self._latest = now
        ready = self._ready
        while ready:
            key, _ = ready.popitem()
            if key not in self._undecided and (
                decided := self._decided(key, self._answer_or_dispatch, now)
            ):
                return decided
        timers = self._timers
        while timers and timers[0][0] <= now:
            key = timers[0][1]
            if key in self._undecided:
                break
            if decided := self._decided(key, self._due, now):
                return decided
            heappop(timers)
        return self.self_check.due(now, self.epoch) if self.self_check.owes else None

    def _look_again(self) -> None:
        registered = self.registry.registrations[self._registrations :]
        self._registrations += len(registered)
        for key in registered:
            if key in self.stations:
                self._arm(key, self.stations[key])

    def _decided(
        self, key: Key, decide: Callable[[Station, int], OwnerRecord | None], now: int
    ) -> OwnerRecord | None:
        if key in self.poisoned:
            return None
        station = self.stations[key]
        try:
            decided = decide(station, now)
        except Exception as error:  # noqa: BLE001 - it is pure: it fails the same way every time.
            self.self_check.set_aside(key, SetAside(station.offset, reason_of(error), False))
            return None
        if decided is not None:
            self._undecided[key] = 1
        return decided

    def _answer_or_dispatch(self, station: Station, now: int) -> OwnerRecord | None:
        if station.open_calls and (decided := self._answer_next(station, now)):
            return decided
        known = self.epoch or 0, self.registry.position
        if station.cdr_requests and (decided := self._billing.requested(station, now, known[0])):
            return decided
        if station.commands:
            return dispatch(station, self.policy, self.outages, known, now)
        return None

    def _answer_next(self, station: Station, now: int) -> OwnerRecord | None:
        for call in station.open_calls.values():
            if providing.is_waiting(call, station, now):
                continue
            if providing.is_wanted(call, station, self.registry, self.policy, now):
                known = self.epoch or 0, self.registry.position
                return providing.ask(call, station, self.policy, now, known)
            return self._answer(station, call, now)
        return None

    def _answer(self, station: Station, call: OpenCall, now: int) -> MessageSent:
        def context(payload: dict[str, Any]) -> Context:
            return Context(
                station, payload, now, self.registry, self.policy, self._draw, call.version,
                call.recorded_at, call.superseded,
            )  # fmt: skip

        answer = routes.answer(call, station, context)
        return MessageSent(
            tenant=station.tenant,
            station=station.station,
            recorded_at=now,
            cause=call.offset,
            purpose="answer",
            epoch=self.epoch or 0,
            registry=self.registry.position,
            connection=call.connection,
            frame=answer.frame,
            message_type=answer.message_type,
            message_id=call.message_id,
            action=call.action,
            secrets=answer.secrets,
        )

    def _draw(self) -> int:
        counter = self.next_counter % self._ids.counters
        transaction_id = self._ids.id_of(counter)
        self._drawn[transaction_id] = counter
        self.next_counter += 1
        return transaction_id

    def unconfirmed(self, now: int) -> list[tuple[int, MessageSent]]:
        """Return, in order, what a new owner hands over again to connections that are still open.

        Ingress writes nothing at or below the last offset it has written on the connection.
        """
        found = chain.from_iterable(s.unconfirmed(now) for s in self.stations.values())
        return sorted(found, key=itemgetter(0))

    def lost(self, is_lost: Callable[[str], bool], now: int) -> Iterator[ConnectionLost]:
        """Return the end of every open connection whose ingress node is lost."""
        for key, station in self.stations.items():
            connection = station.connection
            if connection is None or self.epoch is None or not is_lost(connection.node):
                continue
            if connection.opened in self._ending:
                # Said already. A second record of it would never be read back: it does not count.
                continue
            self._ending.add(connection.opened)
            self._undecided[key] = self._undecided.get(key, 0) + 1
            yield connection_lost(station, connection, now, self.epoch)

    def settled_passwords(self, now: int) -> list[StationPasswordSettled]:
        """Return what is decided of stations' passwords: for the registry, not this partition.

        Once it is folded there it is not decided again; said twice, it is the same.
        """
        if self.epoch is None or not self.registry.offers:
            return []
        return list(passwords.settled(self.registry, self.stations, now))

    # Timers

    def next_due(self) -> int | None:
        """When the earliest timer is due, in microseconds; it may turn out to be void."""
        return self._timers[0][0] if self._timers else None

    def _arm(self, key: Key, station: Station) -> None:
        for command in station.commands.values():
            if command.is_open:
                heappush(self._timers, (due(command, self.outages), key))
        if judging.next_unjudged(station, self.registry) is not None:
            heappush(self._timers, (0, key))
        for at in chain(self._billing.dues(station), closing.dues(station, self.policy)):
            heappush(self._timers, (at, key))

    def _arm_expiry(self, key: Key, due: int) -> None:
        if self._expiries.get(key) != due:
            self._expiries[key] = due
            heappush(self._timers, (due, key))

    def _due(self, station: Station, now: int) -> OwnerRecord | None:
        billing, epoch = self._billing, self.epoch or 0
        known = epoch, self.registry.position
        if station.open_calls and (decided := self._answer_next(station, now)):
            return decided
        if (elapsed := timed_out(station, self.outages, epoch, now)) is not None:
            return elapsed
        for command in station.commands.values():
            if command.is_open and command.due <= now:
                self._again(due(command, self.outages), (station.tenant, station.station))
        if (unjudged := judging.next_unjudged(station, self.registry)) is not None:
            return judging.verdict(station, unjudged, now=now, epoch=epoch, registry=known[1])
        if (expiry := following.expiry(station, now, epoch)) is not None:
            return expiry
        if station.cdr_requests and (decided := billing.requested(station, now, epoch)):
            return decided
        if (decided := closing.decide(station, now, known, self.policy)) is not None:
            return decided
        if (decided := billing.settled(station, now, epoch)) is not None:
            return decided
        return billing.told(station, now, epoch, self.policy)

    def _again(self, at: int, key: Key) -> None:
        heappush(self._timers, (at, key))
