"""Snapshots by somebody who owns nothing: owners to come start there, others do not care."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.station import dump
from domain.transaction_ids import TransactionIds
from infra.deployment import ensure_keys
from infra.journal_kafka import KafkaJournal
from infra.journal_memory import MemoryJournal
from infra.kafka_cluster import KafkaCluster
from infra.preparing import prepare
from infra.recovery import fold_range, owner_from
from infra.shared_snapshots import SharedSnapshots
from infra.snapshots import Snapshots
from schemas.journal import Journal
from schemas.records import encode
from tests.infra.test_domain_worker import heartbeat, opened

ID_KEY = b"k" * 32
NODE = "0/node"


def new_owner(snapshots: Snapshots, journal: Journal) -> Owner:
    return owner_from(
        snapshots,
        1,
        journal.id,
        name="new",
        policy=Policy(),
        ids=TransactionIds(ID_KEY),
        registry=Registry(),
    )


async def prepared(journal: Journal, shared: Path) -> list[tuple[int, int, int]]:
    told: list[tuple[int, int, int]] = []
    await prepare(
        journal,
        shared,
        policy=Policy(),
        id_key=ID_KEY,
        report=lambda *figures: told.append(figures),
    )
    return told


async def test_an_owner_to_come_starts_where_the_log_ended_and_knows_the_same(
    tmp_path: Path,
) -> None:
    journal, shared = MemoryJournal(1), tmp_path / "shared"
    shared.mkdir()
    await journal.append(1, [encode(opened("c", NODE), "i", 1), heartbeat(1, 2), heartbeat(2, 3)])
    assert (await prepared(journal, shared))[-1] == (1, 3, 3)
    await journal.append(1, [heartbeat(3, 4)])
    assert (await prepared(journal, shared))[0] == (1, 3, 4)

    owner = new_owner(SharedSnapshots(tmp_path / "own.sqlite", shared), journal)
    assert owner.position == await journal.head(1) == 4
    folded = new_owner(Snapshots(tmp_path / "none.sqlite"), journal)
    await fold_range(journal, 1, 0, 4, folded.fold)
    key = ("default", "A")
    assert dump(owner.stations[key]) == dump(folded.stations[key])
    assert [path.suffix for path in shared.iterdir()] == [".snapshot"]


@pytest.mark.kafka
async def test_the_command_says_how_far_it_has_prepared_and_what_it_needs(
    kafka: KafkaCluster, kafka_prefix: str, tmp_path: Path
) -> None:
    journal = await KafkaJournal.create_or_open(kafka, kafka_prefix, 1, replication=1)
    await journal.append(1, [encode(opened("c", NODE), "i", 1), heartbeat(1, 2)])
    end = await journal.head(1)
    await journal.close()
    ensure_keys(tmp_path / "secrets", is_new=True)
    settings = {
        "CHARGELEDGER_JOURNAL": "kafka",
        "CHARGELEDGER_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CHARGELEDGER_KAFKA_PREFIX": kafka_prefix,
        "CHARGELEDGER_SECRETS": str(tmp_path / "secrets"),
    }

    refused = await asyncio.to_thread(_command, settings)
    assert refused.returncode != 0
    assert "CHARGELEDGER_SNAPSHOTS_SHARED" in refused.stderr
    settings["CHARGELEDGER_SNAPSHOTS_SHARED"] = str(tmp_path / "nowhere")
    nowhere = await asyncio.to_thread(_command, settings)
    assert nowhere.returncode != 0
    assert "nowhere: No such file or directory" in nowhere.stderr
    settings["CHARGELEDGER_SNAPSHOTS_SHARED"] = str(tmp_path)
    told = await asyncio.to_thread(_command, settings)
    assert (told.returncode, told.stdout) == (0, f"partition 1: prepared up to {end}\n")


def _command(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = "from infra.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "prepare"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60)
