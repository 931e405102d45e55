"""What each role of a deployment on servers says of itself: its parts, and its figures."""

from collections.abc import Iterator, Mapping, Sequence

from infra import clock
from infra.domain_node import DomainNode
from infra.domain_worker import STUCK_S, PartitionWorker
from infra.health_http import OK, Health
from infra.ingress_node import IngressNode
from infra.metrics import Sample, server_samples, text_of
from projections.marks import Marks
from projections.ports import Database, StoreUnavailable
from projections.progress import Lateness, ProjectionProgress, find_progress, records_behind
from schemas.journal import Journal, Unavailable

LATE_S = 60.0
"""Behind by more, what is read misleads."""


def of_ingress(node: IngressNode) -> Health:
    async def parts() -> Mapping[str, str]:
        return node.parts()

    async def figures() -> str:
        return text_of(_ingress_samples(node))

    return Health(parts=parts, figures=figures)


def _ingress_samples(node: IngressNode) -> Iterator[Sample]:
    yield from server_samples(node.server)
    yield "chargeledger_journal_refuses", (), float(bool(node.log.closed_partitions()))
    yield "chargeledger_heartbeat_age_seconds", (), node.unheard_s()


def of_domain(node: DomainNode) -> Health:
    marks = Marks()

    async def parts() -> Mapping[str, str]:
        now = clock.now_us()
        return node.parts(now) | await deaf(node.journal, node.working, marks, now)

    async def figures() -> str:
        return text_of(_domain_samples(node))

    return Health(parts=parts, figures=figures)


async def deaf(
    journal: Journal, working: Mapping[int, PartitionWorker], marks: Marks, now_us: int
) -> dict[str, str]:
    """Return the partitions whose owner reads nothing, though more is in the log.

    Who waits is counted by the owner as it reads; for one that reads nothing, nobody waits.
    """
    owners = {p: worker for p, worker in working.items() if worker.owns}
    try:
        marks.saw({p: await journal.head(p) for p in owners}, now_us)
    except Unavailable:
        return {"journal": "not reachable"}
    waiting = marks.waiting_us({p: worker.position for p, worker in owners.items()}, now_us)
    return {
        f"partition {p}": f"reads nothing for {us / 1e6:.0f} s"
        for p, us in waiting.items()
        if p in owners and us / 1e6 > STUCK_S
    }


def _domain_samples(node: DomainNode) -> Iterator[Sample]:
    now = clock.now_us()
    workers = sorted(node.working.items())
    labelled = [((("partition", str(partition)),), worker) for partition, worker in workers]
    for label, worker in labelled:
        yield "chargeledger_partition_owned", label, float(worker.owns)
    for label, worker in labelled:
        yield "chargeledger_partition_position", label, worker.position
    for label, worker in labelled:
        yield "chargeledger_owner_waiting_seconds", label, worker.waiting_s(now)
    for label, worker in labelled:
        yield "chargeledger_stations_owned", label, worker.stations
    for label, worker in labelled:
        yield "chargeledger_stations_set_aside", label, worker.set_aside


def of_projections(journal: Journal, database: Database) -> Health:
    lateness = Lateness()

    async def lags() -> list[tuple[ProjectionProgress, int, float]]:
        heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
        now = clock.now_us()
        return [
            (each, records_behind(each, heads), lateness.seconds(each, heads, now))
            for each in await find_progress(database)
        ]

    async def parts() -> Mapping[str, str]:
        try:
            found = await lags()
        except StoreUnavailable:
            return {"postgres": "not reachable"}
        except Unavailable:
            return {"journal": "not reachable"}
        said = {
            each.name: OK if late_s <= LATE_S else f"{late_s:.0f} s and {behind} records behind"
            for each, behind, late_s in found
        }
        return {"postgres": OK, "journal": OK, **said}

    async def figures() -> str:
        try:
            found = await lags()
        except (StoreUnavailable, Unavailable):
            return ""
        return text_of(_projection_samples(found))

    return Health(parts=parts, figures=figures)


def _projection_samples(found: Sequence[tuple[ProjectionProgress, int, float]]) -> Iterator[Sample]:
    labels = [(("projection", each.name),) for each, _, _ in found]
    for label, (_, _, late_s) in zip(labels, found, strict=True):
        yield "chargeledger_projection_lag_seconds", label, late_s
    for label, (_, behind, _) in zip(labels, found, strict=True):
        yield "chargeledger_projection_lag_records", label, behind
    for label, (each, _, _) in zip(labels, found, strict=True):
        yield "chargeledger_projection_poison_records", label, each.poison
