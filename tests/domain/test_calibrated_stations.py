"""Stations under calibration law, from the frame to the released CDR."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.cdr import cdr_of
from domain.registry import Registry
from schemas.cdr import Cdr
from schemas.records import CdrReleased, SignaturesJudged, StationRegistered
from tests.domain.log import NOW, SECOND, Log, Worker, start, stop, working

_FILE = Path(__file__).parents[1] / "data" / "ocmf_containers.jsonl"
CONTAINERS: dict[str, list[dict[str, str]]] = {
    Path(made["source"]).stem: made["containers"]
    for made in map(json.loads, _FILE.read_text().splitlines())
}
KEBA, ALTERED = "test_ocmf_keba_kcp30", "test_ocmf_keba_kcp30_fail"


def registered(registry: Registry, **attributes: Any) -> None:
    registry.fold(
        registry.position,
        StationRegistered(
            tenant="default", station="CP1", recorded_at=NOW, actor="a", attributes=attributes
        ),
    )


def signed(text: str) -> dict[str, Any]:
    """As the application note of the OCA says it for 1.6."""
    data = base64.b64encode(text.encode()).decode()
    return {
        "value": json.dumps({"signedMeterData": data, "encodingMethod": "OCMF"}),
        "format": "SignedData",
        "context": "Transaction.End",
    }


def charge(log: Log, worker: Worker, texts: list[str], first: int, last: int) -> str:
    log.calls("StartTransaction", start(first))
    worker.settle()
    transaction_id = worker.frames()[-1][2]["transactionId"]
    values = [{"timestamp": "2026-11-23T10:00:00Z", "sampledValue": [signed(t) for t in texts]}]
    log.calls("StopTransaction", stop(transaction_id, last, transactionData=values))
    worker.settle()
    return str(transaction_id)


def session(
    name: str, first: int = 259, last: int = 259, *, calibrated: bool = True, key: bool = True
) -> tuple[Log, Worker, Cdr]:
    registry = Registry()
    made = CONTAINERS[name]
    attributes: dict[str, Any] = {"eichrecht": calibrated}
    if key:
        attributes["public_key_hex"] = made[0]["key"]
    registered(registry, **attributes)
    log, worker = working(registry=registry)
    transaction_id = charge(log, worker, [one["text"] for one in made], first, last)
    return log, worker, cdr(worker, transaction_id)


def cdr(worker: Worker, transaction_id: str) -> Cdr:
    transaction = worker.station.transactions.known[transaction_id]
    return cdr_of("default", "CP1", 1, transaction)


def records_of(log: Log, kind: type) -> list[Any]:
    return [r for r in map(log.read, range(len(log.values))) if isinstance(r, kind)]


def test_the_signed_difference_is_the_energy() -> None:
    log, _, made = session(KEBA)
    assert made.state == "FINAL"
    assert "SIGNATURE_VALID" in made.flags
    assert str(made.energy_wh) == "0.1"
    assert made.signed is not None
    assert (made.signed.energy_wh, made.signed.reported_wh) == ("0.1", 0)
    assert made.signed.cross_check_wh == "0"
    released = records_of(log, CdrReleased)[0]
    assert msgspec.json.decode(released.document, type=Cdr).energy_wh == made.energy_wh
    assert b'"energy_wh":"0.1"' in bytes(released.document)


def test_an_altered_container_holds_and_has_no_energy() -> None:
    log, _, made = session(ALTERED)
    assert made.state == "HELD"
    assert "SIGNATURE_INVALID" in made.flags
    assert made.energy_wh is None
    assert made.signed is not None
    assert made.signed.reported_wh == 0
    assert records_of(log, CdrReleased) == []


def test_a_begin_and_an_end_in_two_containers() -> None:
    _, _, made = session("test_ocmf_ebee_01", 7753, 7753)
    assert (made.state, made.energy_wh) == ("FINAL", 0)
    assert {"SIGNATURE_VALID", "ZERO_ENERGY"} <= set(made.flags)
    assert made.signed is not None
    assert made.signed.paginations == ("T28", "T29")


def test_a_meter_without_time_gives_energy_and_no_time() -> None:
    _, _, made = session("ocmf_tariff_1", 62500203, 62500203)
    assert (made.state, made.energy_wh) == ("FINAL", 0)
    assert {"SIGNATURE_VALID", "SIGNED_TIME_UNSYNCED", "ZERO_ENERGY"} <= set(made.flags)


@pytest.mark.parametrize(
    ("name", "first", "last", "flag"),
    [
        ("test_ocmf_ebee_02", 7763, 7763, "SIGNATURE_INVALID"),
        ("20211007-device-with-evt-ocmf-sss-ses", 0, 0, "SIGNED_ERROR_FLAGS"),
        ("test_ocmf_transaction_two_values", 3518, 12641, "SIGNED_EXCEPTION"),
        ("VW_OCMF_load", 57584, 60000, "SIGNED_MISMATCH"),
    ],
)
def test_what_holds_under_calibration_law(name: str, first: int, last: int, flag: str) -> None:
    _, _, made = session(name, first, last)
    assert (made.state, made.energy_wh) == ("HELD", None)
    assert flag in made.flags


def test_elsewhere_the_registers_are_the_energy_and_a_signature_a_check() -> None:
    _, _, made = session("VW_OCMF_load", 57584, 58684, calibrated=False)
    assert (made.state, made.energy_wh) == ("FINAL", 1100)
    assert made.signed is not None
    assert made.signed.cross_check_wh == "1101"
    _, _, made = session(KEBA, calibrated=False, key=False)
    assert made.state == "FINAL"
    assert "SIGNATURE_UNVERIFIED" in made.flags


def test_a_bad_signature_holds_everywhere() -> None:
    _, _, made = session(ALTERED, calibrated=False)
    assert made.state == "HELD"


def test_nothing_signed_under_calibration_law_holds() -> None:
    registry = Registry()
    registered(registry, eichrecht=True)
    log, worker = working(registry=registry)
    made = cdr(worker, charge(log, worker, [], 1000, 9000))
    assert (made.state, made.energy_wh) == ("HELD", None)
    assert "SIGNED_INCOMPLETE" in made.flags


def test_a_key_that_comes_late_makes_a_second_verdict_and_both_stay() -> None:
    log, worker, made = session(KEBA, key=False)
    assert made.state == "HELD"
    assert "SIGNATURE_UNVERIFIED" in made.flags
    registered(worker.owner.registry, eichrecht=True, public_key_hex=CONTAINERS[KEBA][0]["key"])
    worker.settle()
    made = cdr(worker, made.transaction_id)
    assert (made.state, str(made.energy_wh)) == ("FINAL", "0.1")
    verdicts = records_of(log, SignaturesJudged)
    assert [each.verdicts[0].validity for each in verdicts] == ["unverifiable", "valid"]
    assert verdicts[0].registry < verdicts[1].registry


def test_a_key_that_comes_after_the_release_changes_nothing() -> None:
    log, worker, _ = session(KEBA)
    before = len(log.values)
    registered(worker.owner.registry, eichrecht=True)
    worker.settle()
    assert len(log.values) == before


def test_a_station_without_signatures_is_judged_by_nobody() -> None:
    log, worker = working()
    made = cdr(worker, charge(log, worker, [], 1000, 9000))
    assert (made.state, made.energy_wh, made.signed) == ("FINAL", 8000, None)
    assert records_of(log, SignaturesJudged) == []


def test_a_verdict_waits_for_nobody_but_a_release_waits_for_it() -> None:
    registry = Registry()
    registered(registry, eichrecht=True, public_key_hex=CONTAINERS[KEBA][0]["key"])
    log, worker = working(
        registry=registry, policy=working()[1].owner.policy._replace(settle_us=900 * SECOND)
    )
    transaction_id = charge(log, worker, [CONTAINERS[KEBA][0]["text"]], 259, 259)
    assert len(records_of(log, SignaturesJudged)) == 1
    assert cdr(worker, transaction_id).state == "OPEN"
    log.now += 901 * SECOND
    worker.settle()
    assert cdr(worker, transaction_id).state == "FINAL"


def test_another_reader_comes_to_the_same_without_any_key() -> None:
    log, _, made = session(KEBA)
    other = Worker(log, "w2")
    other.read()
    assert cdr(other, made.transaction_id) == made
