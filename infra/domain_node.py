"""A process that owns partitions on Kafka: those that the consumer group hints at, by log.

It follows the registry and the heartbeats of ingress nodes for all of them. It ends when it is told
to, or when it cannot go on (`AppenderFailed`): whoever runs the deployment starts it anew.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.answering import Policy
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import watchdog
from infra.dispatcher import Dispatcher
from infra.domain_worker import Fenced, PartitionWorker
from infra.journal_kafka import KafkaJournal
from infra.kafka_assignment import Assignment
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from infra.recovery import fold_registry, follow_registry
from infra.set_aside import TooManySetAside
from infra.snapshots import Snapshots
from schemas.journal import AppenderFailed, Unavailable

RETRY_S = 1.0
FENCED_S = 3.0
"""A fenced owner is usually no longer assigned, and learns of it by then."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNode:
    cluster: KafkaCluster
    prefix: str
    replication: int
    journal: KafkaJournal
    deliveries: KafkaDispatch
    nodes: KafkaDispatch
    snapshots: Snapshots
    policy: Policy
    id_key: bytes
    """Of the transaction ids; the same for the life of the deployment."""
    working: dict[int, PartitionWorker] = field(default_factory=dict)
    """What is assigned to us, by partition."""

    def parts(self, now_us: int) -> dict[str, str]:
        """Return the condition of each partition that is ours; "ok" for one that is decided for."""
        return {f"partition {p}": each.condition(now_us) for p, each in self.working.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Own what is assigned until `stop` is set.

        Raises:
            AppenderFailed: the producer is broken; a new process must take over.
            Stalled, in a group: a partition's loop takes no step; the process is to be ended.
            Unavailable: the cluster could not be reached at the start.
        """
        registry = Registry()
        log_filter = await fold_registry(self.journal, registry)
        watch = NodeWatch(self.nodes)
        failed: Exception | None = None
        working = self.working
        try:
            async with Dispatcher(self.deliveries) as dispatcher, asyncio.TaskGroup() as group:
                following = [
                    group.create_task(watch.run()),
                    group.create_task(follow_registry(self.journal, registry, log_filter)),
                    group.create_task(watchdog.watch(lambda: _steps(working.values()))),
                ]

                def worker(partition: int) -> PartitionWorker:
                    return PartitionWorker(
                        partition,
                        journal=self.journal,
                        dispatcher=dispatcher,
                        watch=watch,
                        registry=registry,
                        snapshots=self.snapshots,
                        policy=self.policy,
                        ids=TransactionIds(self.id_key, partition - 1, self.journal.partitions),
                        is_leaving=lambda: assignment.is_ending,
                    )

                left: list[PartitionWorker] = []

                async def own(partition: int) -> None:
                    try:
                        while True:
                            working[partition] = worker(partition)
                            await one_life(working[partition], assignment)
                            del working[partition]
                    finally:
                        last = working.pop(partition, None)
                        if last is not None and assignment.is_ending:
                            left.append(last)

                assignment = Assignment(self.cluster, self.prefix, own)
                await assignment.run(self.journal.partitions, self.replication, stop)
                # Their stations have another owner by now: they do not wait for our disk.
                for each in left:
                    await each.keep_last()
                for task in following:
                    task.cancel()
        except* AppenderFailed as errors:
            failed = _first(errors)
        if failed is not None:
            # One for all the partitions: they share the producer.
            raise failed


async def one_life(worker: PartitionWorker, assignment: Assignment) -> None:
    """Own the partition until cancelled, or until it is to be claimed anew."""
    partition = worker.partition
    fenced = unavailable = refused = None
    try:
        await _lived(worker)
    except* Fenced as errors:
        fenced = _first(errors)
    except* Unavailable as errors:
        unavailable = _first(errors)
    except* TooManySetAside as errors:
        refused = _first(errors)
    # Outside of those clauses, out of which a cancellation comes in a group before Python 3.11.4.
    if fenced is not None:
        # If the group gave it to somebody else, this is cancelled meanwhile. If it is still ours,
        # it was claimed by a process that had been asleep: nobody owns it now.
        _logger.warning("partition %d has another owner's claim", partition)
        await asyncio.sleep(FENCED_S)
        await assignment.settled.wait()
    if unavailable is not None:
        _logger.warning("partition %d: %s", partition, unavailable)
        await asyncio.sleep(RETRY_S)
    if refused is not None:
        # The other partitions go on; another process would come no further with this one.
        worker.stopped = str(refused)
        _logger.critical("stopped: %s", worker.stopped)
        await asyncio.Event().wait()


async def _lived(worker: PartitionWorker) -> None:
    """Run it in a task of its own, where no error of its loops can hide that we are cancelled.

    Before Python 3.13 a group of tasks forgets a cancellation that comes while it ends with errors.
    """
    living = asyncio.get_running_loop().create_task(worker.run())
    try:
        await asyncio.wait([living])
    except asyncio.CancelledError:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        raise
    living.result()


def _steps(workers: Iterable[PartitionWorker]) -> dict[str, int]:
    steps = {}
    for worker in workers:
        if worker.reading_steps and not worker.stopped:
            steps[f"partition {worker.partition} is read"] = worker.reading_steps
            steps[f"partition {worker.partition} is decided for"] = worker.deciding_steps
    return steps


def _first(errors: BaseExceptionGroup[BaseException]) -> Exception:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
