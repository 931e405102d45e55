"""Whatever a provider says, and whatever happens meanwhile: each CALL is answered once."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.provider_requests import ProviderRequestMoved
from domain.providing import OPEN_MAX
from domain.registry import Registry
from domain.station import OUTBOX_MAX, Station, dump, load
from domain.transaction_ids import TransactionIds
from schemas.provided import PROVIDABLE
from schemas.records import CALL, MessageSent
from tests import payload_strategies
from tests.domain.log import NOW, SECOND, Log, Worker
from tests.domain.providing import ACTION, ASKED, PROVIDED, closes, gives, provided, sent_in


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize(
    ("version", "action"),
    [(version, action) for version, actions in PROVIDABLE.items() for action in sorted(actions)],
)
@given(data=st.data())
def test_whatever_a_provider_may_say_reaches_the_station_and_folds(
    version: str, action: str, data: st.DataObject
) -> None:
    log, worker = provided(version)
    asked = data.draw(payload_strategies.valid(version, action))
    said = data.draw(payload_strategies.valid_result(version, action))
    if action == "Authorize":
        asked = {**asked, "certificate": "MIIB"}
    call = log.calls(action, asked, "mine")
    worker.settle()
    gives(log, call, said)
    worker.settle()

    [sent] = sent_in(log)
    again = Worker(log, "again")
    again.read()
    assert msgspec.json.decode(sent.frame) == [3, "mine", msgspec.json.decode(
        msgspec.json.encode(said))]  # fmt: skip
    assert worker.owner.poisoned == {}
    assert dump(again.station) == dump(worker.station)


KINDS: dict[str, tuple[str, Any]] = {
    "certificate": (ACTION, ASKED),
    "another": (ACTION, {**ASKED, "exiRequest": "another"}),
    "data": ("DataTransfer", {"vendorId": "V"}),
    "contract": (
        "Authorize",
        {"idToken": {"idToken": "X", "type": "eMAID"}, "certificate": "MIIB"},
    ),
    "needs": (
        "NotifyEVChargingNeeds",
        {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}},
    ),
    "beat": ("Heartbeat", {}),
}
CALLS = st.tuples(
    st.just("calls"), st.sampled_from(sorted(KINDS)), st.sampled_from("ab"), st.booleans()
)
STEPS = st.lists(
    st.one_of(
        CALLS,
        CALLS,
        st.tuples(st.just("floods"), st.sampled_from(sorted(KINDS))),
        st.tuples(st.just("gives"), st.integers(-3, 3)),
        st.tuples(st.just("waits"), st.sampled_from([1, 7, 25, -3, -30])),
        st.tuples(st.sampled_from(["comes", "goes", "dies", "restarts", "is slow", "commands"])),
    ),
    max_size=20,
)


class Life:
    """A station, a provider and owners, as the steps say."""

    def __init__(self) -> None:
        self.log, self.worker = provided()
        self.calls: list[int] = []
        self._connections = ["c1"]
        self._names = 1

    def take(self, step: Sequence[Any]) -> None:
        log, connection = self.log, self._connections[-1]
        match step:
            case ("calls", kind, message_id, is_late):
                of = self._connections[-2:][0] if is_late else connection
                self.calls.append(log.calls(*KINDS[kind], message_id, connection=of))
            case ("floods", kind):
                for _ in range(OPEN_MAX + 2):
                    self.calls.append(log.calls(*KINDS[kind], "f", connection=connection))
            case ("gives", place) if self.calls:
                gives(log, self.calls[place % len(self.calls)], {"status": f"{len(log.values)}"})
            case ("waits", seconds):
                log.now += seconds * SECOND
            case (str(name),) if name != "is slow":
                self._happens(name)
            case _:
                return
        self.settle()

    def _happens(self, name: str) -> None:
        match name:
            case "comes":
                self._connections.append(f"c{len(self._connections) + 1}")
                self.log.opens(self._connections[-1], protocol="2.0.1")
            case "goes":
                closes(self.log, self._connections[-1])
            case "commands":
                self.log.requests("Reset", {"type": "Immediate"}, f"k{len(self.log.values)}")
            case "dies":
                self.worker = self._successor()
                self.worker.claim()
            case _:
                self._restart()

    def settle(self) -> None:
        """As `Worker.settle`, but it comes to an end."""
        self.worker.read()
        for _ in range(500):
            if not self.worker.decide():
                return
            self.worker.read()
        raise AssertionError("it decides for ever")

    def _successor(self) -> Worker:
        self._names += 1
        return Worker(self.log, f"w{self._names}", policy=PROVIDED)

    def _restart(self) -> None:
        self.worker.read()
        old, new = self.worker.owner, self._successor()
        new.owner = Owner(
            1,
            name=new.name,
            policy=PROVIDED,
            ids=TransactionIds(b"k" * 32),
            registry=Registry(),
            stations=[load(dump(self.worker.station))],
            position=old.position,
            log_filter=old.log_filter,
        )
        self.worker = new
        new.claim()


@settings(deadline=None)
@given(steps=STEPS)
def test_whatever_happens_each_call_is_answered_once_and_none_waits_for_ever(
    steps: list[tuple[Any, ...]],
) -> None:
    life = Life()
    for step in steps:
        life.take(step)
    life.settle()
    life.log.now = max(life.log.now, NOW) + 130 * SECOND
    life.settle()

    log, station = life.log, life.worker.station
    assert station.open_calls == {}
    assert life.worker.owner.poisoned == {}
    folded = Folded(log)
    assert set(life.calls) <= folded.answered.keys()
    assert max(folded.answered.values(), default=1) == 1
    assert dump(folded.station) == dump(station)
    ends = (["waiting", "answered"], ["waiting", "unanswered"], ["answered"], ["unanswered"])
    assert [fates for fates in folded.fates.values() if fates not in ends] == []
    # No two CALLs of different content have one provider's answer, which is like no other.
    given = Counter(frame for _, frame in folded.given)
    assert max(given.values(), default=1) == 1


class Folded:
    """The log folded anew, and once more by one whose state is kept and loaded at every record."""

    def __init__(self, log: Log) -> None:
        self.station, kept = Station("default", "CP1", 1), Station("default", "CP1", 1)
        self.answered: Counter[int] = Counter()
        self.fates: dict[int, list[str]] = {}
        self.given: set[tuple[str, str]] = set()
        """What CALLs said, and the provider's answer that they got."""
        log_filter = LogFilter()
        for offset in range(len(log.values)):
            record = log.read(offset)
            if not log_filter.admit(offset, record) or record.station != "CP1":
                continue
            facts = fold(self.station, offset, record)
            kept = load(dump(kept))
            fold(kept, offset, record)
            assert dump(kept) == dump(self.station)
            assert len(self.station.unseen) <= OUTBOX_MAX
            if isinstance(record, MessageSent) and record.message_type != CALL:
                self.answered[record.cause] += 1
            for fact in facts:
                if isinstance(fact, ProviderRequestMoved):
                    self.fates.setdefault(fact.call.offset, []).append(fact.fate)
                    if fact.fate == "answered":
                        self.given.add((fact.call.frame, str(fact.forwarded.answer)))
