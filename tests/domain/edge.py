"""A station whose frames are read by the edge as they came, and what becomes of them."""

from typing import Any

import msgspec

from domain.cdr import cdr_of
from domain.conversation import fold
from domain.facts import Fact, MessageOrphaned
from domain.log_filter import LogFilter
from domain.station import Station, dump, load
from ingress import rpc
from schemas.cdr import Cdr
from schemas.records import MessageReceived
from tests.domain.log import KEY, working


class Edge:
    def __init__(self, version: str = "1.6") -> None:
        self.version = version
        self.log, self.worker = working(protocol=version)

    def says(self, text: str) -> Any:
        """The station's frame, as it came; returns the frame that answers it."""
        frame = rpc.read(self.version, text)
        self.log.append(
            MessageReceived(
                tenant=KEY[0],
                station=KEY[1],
                recorded_at=self.log.now,
                connection="c1",
                number=1,
                frame=text,
                message_type=frame.message_type,
                message_id=frame.message_id,
                action=frame.action,
                error=frame.error,
                violations=frame.violations,
                protocol=frame.version or self.version,
            )
        )
        answered = len(self.worker.dispatched)
        self.worker.settle()
        assert load(dump(self.worker.station)) == self.worker.station
        return self.worker.frames()[-1] if len(self.worker.dispatched) > answered else None

    def calls(self, action: str, payload: Any) -> Any:
        return self.says(msgspec.json.encode([2, "m", action, payload]).decode())

    def facts(self) -> list[Fact]:
        """What a view is told, that folds the log from zero."""
        log_filter, station = LogFilter(), Station(*KEY, 1)
        told: list[Fact] = []
        for offset in range(len(self.log.values)):
            record = self.log.read(offset)
            if log_filter.admit(offset, record) and record.station == KEY[1]:
                told += fold(station, offset, record)
        return told

    def orphans(self) -> list[MessageOrphaned]:
        return [fact for fact in self.facts() if isinstance(fact, MessageOrphaned)]

    def cdrs(self) -> list[Cdr]:
        known = self.worker.station.transactions.known.values()
        return [cdr_of(*KEY, 1, transaction) for transaction in known]
