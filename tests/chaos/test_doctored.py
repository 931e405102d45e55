"""The offline checker of chaos runs can fail: evidence that is doctored has another exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.simulator.oplog import OpLog
from schemas.records import CALL, MessageSent, encode
from tests.chaos.__main__ import main
from tests.chaos.evidence import LOG, VIEWS, Shown, Views, keep
from tests.e2e.checking_commands import Commanded
from tests.e2e.one_session import OF_STATION, one_session, told

OPLOG = "oplog.jsonl"
COUNTERS = 8
COMMAND = MessageSent(
    **OF_STATION,
    cause=4,
    purpose="command",
    epoch=0,
    connection="c",
    frame='[2,"m9","ClearCache",{}]',
    message_type=CALL,
    message_id="m9",
    action="ClearCache",
    command_id="m9",
)
ACCEPTED = {"status": "Accepted"}


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """Of one session and one command, with nothing wrong."""
    world = one_session()
    world.records.append(COMMAND)
    with OpLog(tmp_path / OPLOG, keep=False) as oplog:
        for operation in world.operations:
            oplog.note(operation)
        oplog.note(told("m9", "ClearCache", {}, ACCEPTED, command=True))
        oplog.begin(world.transaction)
    views = Views(
        cdrs=world.cdrs,
        series=world.series,
        commands=[Commanded("m9", "answered", ACCEPTED)],
        registry=[Shown(name="S", shown="offline", right=["offline"])],
    )
    keep(tmp_path, world.entries(), views)
    return tmp_path


def doctored_views(evidence: Path, doctor: Callable[[Any], object]) -> None:
    views = json.loads((evidence / VIEWS).read_bytes())
    doctor(views)
    (evidence / VIEWS).write_text(json.dumps(views))


def lines_of(evidence: Path, name: str) -> list[str]:
    return (evidence / name).read_text().splitlines(keepends=True)


def lose_the_answer(evidence: Path) -> None:
    lines = [line for line in lines_of(evidence, LOG) if '[3, \\"m2\\"' not in line]
    assert len(lines) == 7
    (evidence / LOG).write_text("".join(lines))


def bill_twice(evidence: Path) -> None:
    doctored_views(
        evidence,
        lambda views: views["cdrs"].append(views["cdrs"][0] | {"id": "y", "transaction_id": "8"}),
    )


def tell_in_another_order(evidence: Path) -> None:
    first, second, *rest = lines_of(evidence, OPLOG)
    (evidence / OPLOG).write_text("".join([second, first, *rest]))


def bill_one_wh_more(evidence: Path) -> None:
    doctored_views(evidence, lambda views: views["cdrs"][0].update(energy_wh=251))


def leave_the_command(evidence: Path) -> None:
    doctored_views(
        evidence, lambda views: views["commands"].__setitem__(0, ["m9", "dispatched", None])
    )


def command_twice(evidence: Path) -> None:
    again = encode(COMMAND, "writer-9", 1).decode()
    with (evidence / LOG).open("a") as file:
        file.write(f"[1,8,{again}]\n")
    lines = lines_of(evidence, OPLOG)
    (evidence / OPLOG).write_text("".join([*lines, lines[2]]))


def show_it_connected(evidence: Path) -> None:
    doctored_views(evidence, lambda views: views["registry"][0].update(shown="online"))


def replaced(evidence: Path, text: str, by: str) -> None:
    whole = (evidence / OPLOG).read_text()
    assert text in whole
    (evidence / OPLOG).write_text(whole.replace(text, by))


def acknowledge_no_stop(evidence: Path) -> None:
    replaced(evidence, '"stop_acked":true', '"stop_acked":false')


def refuse_the_stop(evidence: Path) -> None:
    first, second, *rest = lines_of(evidence, OPLOG)
    refused = second.replace('"outcome":"answered"', '"outcome":"refused"')
    (evidence / OPLOG).write_text("".join([first, refused, *rest]))


def test_what_is_whole_is_clean(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(evidence)]) == 0

    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert said.pop("of") == "3 answers, 1 sessions, 8 records"
    assert said == dict.fromkeys(
        (
            "acked_lost",
            "duplicate_effects",
            "order_violations",
            "wh_delta",
            "stuck_commands",
            "registry_drift",
            "unacknowledged",
            "money_refused",
        ),
        "0",
    )


@pytest.mark.parametrize(
    ("doctor", "counter"),
    [
        (lose_the_answer, "acked_lost"),
        (bill_twice, "duplicate_effects"),
        (tell_in_another_order, "order_violations"),
        (bill_one_wh_more, "wh_delta"),
        (leave_the_command, "stuck_commands"),
        (command_twice, "stuck_commands"),
        (show_it_connected, "registry_drift"),
        (acknowledge_no_stop, "unacknowledged"),
        (refuse_the_stop, "money_refused"),
    ],
)
def test_what_is_doctored_is_found(
    evidence: Path,
    capsys: pytest.CaptureFixture[str],
    doctor: Callable[[Path], None],
    counter: str,
) -> None:
    doctor(evidence)

    assert main(["--check", str(evidence)]) == 1
    said = capsys.readouterr().out.splitlines()
    counts = dict(line.split() for line in said[:COUNTERS])
    assert [name for name, count in counts.items() if count != "0"] == [counter]
    assert any(line.startswith(f"{counter}: ") for line in said)


def test_a_run_in_which_nobody_was_answered_is_not_clean(evidence: Path) -> None:
    (evidence / OPLOG).write_text("")
    doctored_views(evidence, lambda views: views.update(cdrs=[], series=[], commands=[]))

    assert main(["--check", str(evidence)]) == 1
