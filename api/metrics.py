"""The API's figures, its view of the projections, and what the edge tells of itself.

Names of tenants and stations are never labels: the figures are the deployment's, and bounded.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.vitals import Vitals
from projections.ports import StoreUnavailable
from projections.read_model import NAME as READ
from schemas.journal import Unavailable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
METHODS = frozenset({"GET", "PUT", "POST", "DELETE"})


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "chargeledger_http_requests",
            "Requests answered by the API; a rise of 5xx wants a look now.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "chargeledger_http_request_seconds",
            "From a request to the start of its answer (with ?wait=, that is waiting too).",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    async def text(self, vitals: Vitals) -> bytes:
        """Return all the figures; those whose source does not answer are left out."""
        registry = CollectorRegistry(auto_describe=False)
        gauges, edge = await asyncio.gather(_gauges(vitals), vitals.edge_metrics())
        registry.register(_Collected(gauges))
        return generate_latest(self._registry) + generate_latest(registry) + edge


class _Collected(Collector):
    def __init__(self, gauges: Iterable[GaugeMetricFamily]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._gauges


class Measured:
    """ASGI: counts each request under the route that answered it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                seconds = time.perf_counter() - started_s
                self._metrics.answered(scope["method"], route, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, sent)


async def _gauges(vitals: Vitals) -> list[GaugeMetricFamily]:
    try:
        found = await _counts(vitals)
        with contextlib.suppress(Unavailable):
            found += await _lags(vitals)
    except StoreUnavailable:
        return [_up(0)]
    return [_up(1), *found]


def _up(value: int) -> GaugeMetricFamily:
    return _gauge("chargeledger_postgres_up", "0: the read side cannot be asked.", value)


async def _lags(vitals: Vitals) -> list[GaugeMetricFamily]:
    seconds = GaugeMetricFamily(
        "chargeledger_projection_lag_seconds",
        "Age of the records that wait to be projected; rises while a projection is stuck.",
        labels=["projection"],
    )
    records = GaugeMetricFamily(
        "chargeledger_projection_lag_records",
        "Records of the journal that are not projected yet.",
        labels=["projection"],
    )
    poison = GaugeMetricFamily(
        "chargeledger_projection_poison_records",
        "Records set aside because they cannot be folded; above 0 somebody must look.",
        labels=["projection"],
    )
    owners = GaugeMetricFamily(
        "chargeledger_owner_waiting_seconds",
        "How long stations of a partition wait while its owner decides nothing; rises if it is"
        " stuck, or gone.",
        labels=["partition"],
    )
    for lag in await vitals.lags():
        seconds.add_metric([lag.name], lag.seconds)
        records.add_metric([lag.name], lag.records)
        poison.add_metric([lag.name], lag.poison)
        for partition, waiting_s in lag.waiting_s.items():
            if lag.name == READ:
                owners.add_metric([str(partition)], waiting_s)
    return [seconds, records, poison, owners]


async def _counts(vitals: Vitals) -> list[GaugeMetricFamily]:
    counts = await vitals.counts()
    cdrs = GaugeMetricFamily("chargeledger_cdrs", "CDRs by state.", labels=["state"])
    cdrs.add_metric(["OPEN"], counts.cdrs_open)
    cdrs.add_metric(["HELD"], counts.cdrs_held)
    cdrs.add_metric(["FINAL"], counts.cdrs_final)
    return [
        _gauge("chargeledger_stations", "Stations known.", counts.stations),
        _gauge("chargeledger_stations_online", "Stations connected.", counts.stations_online),
        _gauge("chargeledger_transactions_active", "Active.", counts.transactions_active),
        _gauge("chargeledger_commands_open", "Commands without a fate.", counts.commands_open),
        _gauge(
            "chargeledger_owner_set_aside_records",
            "Records because of which owners decide nothing for a station; above 0 somebody must"
            " look.",
            counts.set_aside,
        ),
        _gauge("chargeledger_energy_wh", "Wh of all CDRs with known energy.", counts.energy_wh),
        cdrs,
    ]


def _gauge(name: str, documentation: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)
