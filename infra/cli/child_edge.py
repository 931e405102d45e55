"""The edge of `up`: stations, owner and journal in one process."""

import asyncio
import signal
from pathlib import Path

from domain.answering import Policy
from infra.append_socket import AppendSocket
from infra.child import say_ready, stop_on
from infra.collector import calm_collector
from infra.deployment import Deployment, Layout, read_key
from infra.edge import EdgeOptions, edge
from infra.giving_way import FullFlag, tell_when_full
from infra.metrics import edge_metrics
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.settings import Settings
from infra.vault import Vault
from infra.vault_keys import VaultKeys, derive
from infra.verifier_cache import CachedVerifiers
from ingress.options import Options
from schemas.provided import actions_in


async def run_edge(settings: Settings, layout: Layout, deployment: Deployment) -> None:
    calm_collector()
    stop = stop_on(signal.SIGTERM)
    directory = settings.secrets or layout.secrets
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    keys = vault_keys(directory)
    async with Postgres(dsn) as database:
        vault = Vault(database, keys)
        verifiers = CachedVerifiers(vault, layout.data / "verifiers.sqlite3")
        options = EdgeOptions(
            data=layout.journal,
            host=deployment.host,
            port=deployment.ocpp_port,
            partitions=settings.partitions,
            policy=policy(settings),
            ingress=ingress_options(settings, keys),
            id_key=read_key(directory, "transaction-id"),
            verifier=verifiers.verifier,
            secrets=vault,
        )
        async with (
            edge(options) as running,
            AppendSocket(
                Path(deployment.edge_socket),
                append=running.log.append_values,
                partitions=running.journal.partitions,
                metrics=lambda: edge_metrics(running),
            ),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(verifiers.run(stop))
            telling = group.create_task(tell_when_full(FullFlag(layout.full_flag)))
            await running.run(stop, lambda port: say_ready(str(port)))
            telling.cancel()
        verifiers.close()


def vault_keys(directory: Path) -> VaultKeys:
    return derive(pepper=read_key(directory, "pepper"), vault=read_key(directory, "vault"))


def policy(settings: Settings) -> Policy:
    return Policy(
        accept_unknown_tokens=settings.unknown_tokens == "accept",
        accept_certificate_requests=settings.certificate_requests == "accept",
        provided=actions_in(settings.provided),
        provider_answer_us=round(settings.provider_answer_s * 1e6),
        heartbeat_interval_s=settings.heartbeat_interval_s,
        spread_percent=settings.spread_percent,
        settle_us=round(settings.settle_s * 1e6),
        settle_offline_us=round(settings.settle_offline_s * 1e6),
        close_grace_us=round(settings.close_grace_s * 1e6),
        answer_timeout_us=round(settings.answer_timeout_s * 1e6),
        set_aside_max=settings.set_aside_max,
    )


def ingress_options(settings: Settings, keys: VaultKeys) -> Options:
    return Options(
        require_subprotocol=settings.require_subprotocol,
        accept_unknown_stations=settings.unknown_stations == "accept",
        pepper=keys.pepper,
        connections_max=settings.connections_max,
        tenant_share_percent=settings.tenant_share_percent,
        frames_per_s=settings.frames_per_s,
        ping_s=settings.ping_s,
        retry_after_s=(min(5, settings.retry_after_max_s), settings.retry_after_max_s),
    )
