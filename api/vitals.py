"""What readiness and figures ask of others."""

from collections.abc import Sequence

from api.lag import Lag, find_lag
from api.ports import Ports
from api.questions import NoAnswer, Question
from projections.progress import Counts, count


class Vitals:
    def __init__(self, ports: Ports) -> None:
        self._trouble = Question(ports.log.trouble)
        self._edge = Question(ports.edge_metrics)
        self._lags = Question(lambda: find_lag(ports))
        self._counts = Question(lambda: count(ports.db))

    async def trouble(self) -> str:
        """Return why nothing could be appended now; empty if nothing speaks against it."""
        try:
            return await self._trouble.answer()
        except NoAnswer as error:
            return str(error)

    async def edge_metrics(self) -> bytes:
        """Return the edge's figures; empty if it does not answer."""
        try:
            return await self._edge.answer() or b""
        except NoAnswer:
            return b""

    async def lags(self) -> Sequence[Lag]:
        """Raises StoreUnavailable, Unavailable: as `find_lag`."""
        return await self._lags.answer()

    async def counts(self) -> Counts:
        """Raises StoreUnavailable."""
        return await self._counts.answer()
