"""A station that holds things: what it tells and answers, and the values that views then have."""

from collections.abc import Sequence
from typing import Any

from domain.conversation import fold
from domain.facts import StateChanged
from domain.log_filter import LogFilter
from domain.station import Station
from schemas.records import SEND
from tests.domain.log import Log, Worker, working

Values = dict[str, dict[str, Any]]


class Holder:
    def __init__(self, protocol: str = "1.6") -> None:
        self.log, self.worker = working(protocol=protocol)
        self._asked = 0

    def tells(self, action: str, payload: Any, **more: Any) -> Any:
        """The station's CALL, and the payload of our answer."""
        self.log.calls(action, payload, **more)
        self.worker.settle()
        return self.worker.frames()[-1][2]

    def sends(self, action: str, payload: Any) -> None:
        self.log.says([SEND, "s1", action, payload])
        self.worker.settle()

    def ask(self, action: str, payload: Any) -> str:
        """A command on its way; its id."""
        self._asked += 1
        command_id = f"k{self._asked}"
        self.log.requests(action, payload, command_id)
        self.worker.settle()
        return command_id

    def asked(self, action: str, payload: Any, result: Any) -> None:
        """A command, and the station's result."""
        self.answers(self.ask(action, payload), result)

    def answers(self, command_id: str, result: Any) -> None:
        self.log.says([3, command_id, result])
        self.worker.settle()

    @property
    def values(self) -> Values:
        return values_of(self.log)

    def of(self, facet: str) -> dict[str, Any]:
        return self.values.get(facet, {})

    def one(self, facet: str) -> Any:
        """The only value of a facet."""
        [value] = self.of(facet).values()
        return value

    def assert_rebuilt(self) -> None:
        assert self.worker.owner.poisoned == {}
        again = Worker(self.log, "again")
        again.read()
        assert again.station.held == self.worker.station.held


def values_of(log: Log) -> Values:
    """Fold the log anew, and make the changes as views make them."""
    station, log_filter = Station("default", "CP1", 1), LogFilter()
    found: dict[str, dict[str, tuple[int, dict[str, Any]]]] = {}
    for offset in range(len(log.values)):
        record = log.read(offset)
        if not log_filter.admit(offset, record) or record.station != "CP1":
            continue
        for fact in fold(station, offset, record):
            if isinstance(fact, StateChanged):
                _make(found, offset, fact)
    return {facet: {k: v for k, (_, v) in items.items()} for facet, items in found.items()}


def _make(
    found: dict[str, dict[str, tuple[int, dict[str, Any]]]], offset: int, fact: StateChanged
) -> None:
    for change in fact.changes:
        items = found.setdefault(change.facet, {})
        if change.key is None:
            before = offset + 1 if change.before is None else change.before
            for key in [key for key, (at, _) in items.items() if at < before]:
                del items[key]
        elif change.value is None:
            items.pop(change.key, None)
        else:
            earlier = items.get(change.key, (0, {}))[1] if change.merges else {}
            items[change.key] = (offset, {**earlier, **change.value})


def column(values: dict[str, Any], *names: str) -> Sequence[Any]:
    """The members of these names of each value, in the order of their keys."""
    told = [tuple(values[key].get(name) for name in names) for key in sorted(values)]
    return [row[0] for row in told] if len(names) == 1 else told
