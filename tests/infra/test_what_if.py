"""`chargeledger what-if`: the difference in money that another tariff would make, and no trace."""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from domain.meter_rules import METER_RULES, MeterRule
from domain.reference import Reference
from infra.cli.failures import Failed
from infra.cli.program import app
from infra.deployment import Layout
from infra.journal_sqlite import SqliteJournal
from infra.what_if import replay_into
from projections.what_if import WhatIf
from schemas.records import decode, encode
from tests.domain.registering import document
from tests.projections.test_money_rows import eventful, priced_world
from tests.projections.world import SECOND, World, iso


def run(data: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(
        app, ["what-if", "--data", str(data), *map(str, arguments)], env={"COLUMNS": "200"}
    )


def told(result: Result) -> dict[tuple[str, str], tuple[Any, ...]]:
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {
        (line["station"], line["currency"]): (
            line["sessions"],
            line["billed"],
            line["would_be"],
            line["difference"],
        )
        for line in lines
    }


async def kept(world: World, data: Path) -> None:
    """Write the world's log where an embedded deployment has it."""
    journal = await SqliteJournal.create_or_open(Layout(data).journal, world.journal.partitions)
    for partition, values in world.values.items():
        for value in values:
            record = decode(value)
            await journal.append(partition, [encode(record, record.incarnation, record.sequence)])
    await journal.close()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    world = await priced_world()
    await eventful(world)
    await kept(world, tmp_path)
    return tmp_path


@pytest.fixture
def double(tmp_path: Path) -> Path:
    file = tmp_path / "double.json"
    file.write_text(json.dumps(told_tariff("0.50")), "utf-8")
    return file


def told_tariff(price: str) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": float(price), "step_size": 1, "vat": 10}
    return document("D", elements=[{"price_components": [component]}])


def test_each_session_counts_as_it_stands(data: Path, double: Path) -> None:
    # CP1 has 8 kWh that were repriced to 0.50 and 1 kWh at 0.50; CP2 and CP4 were billed at 0.25.
    assert told(run(data, "--tariff", double, "--json")) == {
        ("CP1", "EUR"): (2, "4.95", "4.95", "0"),
        ("CP2", "EUR"): (1, "2.2", "4.4", "2.2"),
        ("CP4", "EUR"): (1, "2.31", "4.62", "2.31"),
        ("(all)", "EUR"): (4, "9.46", "13.97", "4.51"),
    }


def test_it_is_shown_as_a_table(data: Path, double: Path) -> None:
    shown = run(data, "--tariff", double)

    assert shown.exit_code == 0
    assert "difference" in shown.output
    assert "4.51" in shown.output.splitlines()[-2]


def test_only_sessions_of_the_time_count(data: Path, double: Path) -> None:
    none = told(run(data, "--tariff", double, "--json", "--from", "2027-01-01"))
    all_ = told(run(data, "--tariff", double, "--json", "--to", "2027-01-01T00:00:00Z"))

    assert none == {("(all)", ""): (0, "0", "0", "0")}
    assert all_["(all)", "EUR"][0] == 4


def test_the_log_is_left_as_it_was(data: Path, double: Path) -> None:
    def digests() -> dict[str, str]:
        files = [file for file in data.rglob("*") if file.is_file() and "-shm" not in file.name]
        return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    before = digests()
    run(data, "--tariff", double)

    assert {name: found for name, found in digests().items() if name in before} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what is to be otherwise"),
        (["--meter-rule", "99"], "there is no meter rule 99"),
        (["--meter-rule", "1", "--from", "yesterday"], "no time of RFC 3339"),
        (["--meter-rule", "1", "--from", "2026-02-01", "--to", "2026-01-01"], "not before --to"),
    ],
)
def test_what_it_cannot_do_it_says(data: Path, arguments: Sequence[str], message: str) -> None:
    result = run(data, *arguments)

    assert isinstance(result.exception, Failed)
    assert message in str(result.exception)


def test_a_file_that_is_no_tariff_is_named(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    file.write_text('{"id": "K"}', "utf-8")
    result = run(data, "--tariff", file)

    assert isinstance(result.exception, Failed)
    assert "none.json" in str(result.exception)


async def test_another_meter_rule_holds_what_it_would_have_held() -> None:
    world = await priced_world()
    transaction_id = await world.starts("CP1", 1000)
    for register in (5000, 9001):
        world.now += 3_600 * SECOND
        await world.samples("CP1", transaction_id, register)
    await world.stops("CP1", transaction_id, 9000)
    strict = MeterRule(version=0, register_tolerance_wh=0)
    reference = Reference()
    scratch = WhatIf("default", reference, rule=strict)
    await replay_into(world.journal, scratch, reference)
    [compared] = scratch.compared().values()

    assert (compared.sessions, compared.held, compared.energy_wh) == (1, 1, Decimal(8000))
    assert compared.differences() == {"EUR": -compared.billed["EUR"]}


@pytest.fixture
async def keba(tmp_path: Path) -> Path:
    """Whole registers at the ends, and in transactionData the same with decimals."""
    world = await priced_world()
    transaction_id = await world.starts("CP1", 173)
    world.now += 3_600 * SECOND
    sampled = [
        {"timestamp": iso(world.now), "sampledValue": [{"value": value, "context": context}]}
        for value, context in (("173.8", "Transaction.Begin"), ("498.7", "Transaction.End"))
    ]
    await world.stops("CP1", transaction_id, 498, transactionData=sampled)
    await world.session("CP2", 1000, 8000)
    await kept(world, tmp_path)
    return tmp_path


def test_the_second_meter_rule_takes_what_was_sampled_at_both_ends(keba: Path) -> None:
    def energies(version: int) -> dict[str, tuple[str, str]]:
        result = run(keba, "--meter-rule", str(version), "--json")
        assert result.exit_code == 0, result.output
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        return {each["station"]: (each["energy_wh"], each["energy_would_be_wh"]) for each in lines}

    assert energies(1) == {
        "CP1": ("325", "325"),
        "CP2": ("8000", "8000"),
        "(all)": ("8325", "8325"),
    }
    assert energies(2) == {
        "CP1": ("325", "324.9"),
        "CP2": ("8000", "8000"),
        "(all)": ("8325", "8324.9"),
    }


@pytest.mark.parametrize("context", ["Transaction.Begin", "Transaction.End"])
async def test_the_second_meter_rule_mixes_no_sample_with_a_register(context: str) -> None:
    world = await priced_world()
    transaction_id = await world.starts("CP1", 173)
    world.now += 3_600 * SECOND
    told = {"value": "300", "context": context}
    values = [{"timestamp": iso(world.now), "sampledValue": [told]}]
    await world.stops("CP1", transaction_id, 498, transactionData=values)
    reference = Reference()
    scratch = WhatIf("default", reference, rule=METER_RULES[2])
    await replay_into(world.journal, scratch, reference)
    [compared] = scratch.compared().values()

    assert compared.energy_would_be_wh == compared.energy_wh == 325
