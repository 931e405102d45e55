"""Stations that are Pending or Rejected (OCPP 1.6, 4.2; 2.0.1, B01-B03): what they may say, and be
asked."""

from typing import Any

import pytest

from domain.commands import CommandMoved
from domain.conversation import fold
from domain.registry import Registry
from domain.station import Station
from schemas.records import CALL, CALLERROR, CALLRESULT, StationRegistered
from tests.domain.events import ended, started
from tests.domain.log import KEY, NOW, POLICY, SECOND, Log, Worker, start, working

BOOT = {
    "1.6": {"chargePointVendor": "V", "chargePointModel": "M"},
    "2.0.1": {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"},
}
BOOT["2.1"] = BOOT["2.0.1"]
VERSIONS = pytest.mark.parametrize("version", BOOT)


def booted(policy: Any, version: str) -> tuple[Log, Worker, Registry]:
    registry = Registry()
    registers(registry, policy)
    log, worker = working(registry=registry, protocol=version)
    log.calls("BootNotification", BOOT[version])
    worker.settle()
    return log, worker, registry


def registers(registry: Registry, policy: Any, station: str = "CP1") -> None:
    registry.fold(
        registry.position,
        StationRegistered(
            tenant="default",
            station=station,
            recorded_at=NOW,
            actor="somebody",
            attributes={"boot_policy": policy},
        ),
    )


def answer_to(log: Log, worker: Worker, action: str, payload: Any) -> Any:
    log.calls(action, payload)
    worker.settle()
    return worker.frames()[-1]


@VERSIONS
@pytest.mark.parametrize("policy", ["Accepted", None, "Perhaps", 1, ["Rejected"]])
def test_who_is_not_held_back_is_accepted(version: str, policy: Any) -> None:
    log, worker, _ = booted(policy, version)

    assert worker.frames()[0][2]["status"] == "Accepted"
    assert worker.frames()[0][2]["interval"] == 300
    assert answer_to(log, worker, "Heartbeat", {})[0] == CALLRESULT


@VERSIONS
@pytest.mark.parametrize(("policy", "seconds"), [("Accepted", 300), ("Pending", 60)])
def test_what_a_fleet_is_told_to_wait_is_spread_and_each_station_s_is_always_the_same(
    version: str, policy: str, seconds: int
) -> None:
    told = []
    for number in range(40):
        registry, station = Registry(), f"CP{number}"
        registers(registry, policy, station)
        log, worker = working(POLICY._replace(spread_percent=10), registry, version)
        log.opens(f"c-{station}", station=station, protocol=version)
        for _ in range(2):
            more = {"connection": f"c-{station}", "station": station}
            log.calls("BootNotification", BOOT[version], **more)
            worker.settle()
        first, again = (frame[2]["interval"] for frame in worker.frames()[-2:])
        assert first == again
        told.append(first)

    assert seconds * 0.9 <= min(told) < seconds * 0.95
    assert seconds * 1.05 < max(told) <= seconds * 1.1
    assert len(set(told)) > 8


@VERSIONS
@pytest.mark.parametrize("policy", ["Pending", "Rejected"])
def test_who_is_held_back_may_boot_again_and_not_much_else(version: str, policy: str) -> None:
    log, worker, registry = booted(policy, version)

    assert worker.frames()[0][2]["status"] == policy
    assert worker.frames()[0][2]["interval"] == 60
    refused = answer_to(log, worker, "Heartbeat", {})
    assert (refused[0], refused[2]) == (CALLERROR, "SecurityError")

    registers(registry, "Accepted")
    assert answer_to(log, worker, "BootNotification", BOOT[version])[2]["status"] == "Accepted"
    assert answer_to(log, worker, "Heartbeat", {})[0] == CALLRESULT


@pytest.mark.parametrize("policy", ["Pending", "Rejected"])
def test_money_is_kept_and_answered_all_the_same(policy: str) -> None:
    log, worker, _ = booted(policy, "1.6")
    assert answer_to(log, worker, "StartTransaction", start())[0] == CALLRESULT

    log, worker, _ = booted(policy, "2.0.1")
    assert answer_to(log, worker, "TransactionEvent", started())[0] == CALLRESULT
    assert answer_to(log, worker, "TransactionEvent", ended())[0] == CALLRESULT
    assert list(worker.station.transactions.known) == ["T-1"]


@pytest.mark.parametrize(
    ("version", "action", "asked", "said"),
    [
        ("1.6", "TriggerMessage", {"requestedMessage": "Heartbeat"}, "Heartbeat"),
        ("2.0.1", "TriggerMessage", {"requestedMessage": "Heartbeat"}, "Heartbeat"),
        (
            "1.6",
            "ExtendedTriggerMessage",
            {"requestedMessage": "SignChargePointCertificate"},
            "SignCertificate",
        ),
        (
            "2.1",
            "TriggerMessage",
            {"requestedMessage": "SignV2GCertificate"},
            "SignCertificate",
        ),
        ("2.0.1", "GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}, "NotifyReport"),
    ],
)
@pytest.mark.parametrize("policy", ["Pending", "Rejected"])
def test_who_is_pending_may_say_what_it_was_asked_for(
    policy: str, version: str, action: str, asked: Any, said: str
) -> None:
    log, worker, _ = booted(policy, version)
    before = answer_to(log, worker, said, {})
    log.requests(action, asked)
    worker.settle()

    after = answer_to(log, worker, said, {})

    assert before[2] == "SecurityError"
    assert after[0] == (CALLRESULT if policy == "Pending" else CALLERROR)


STARTS: dict[str, tuple[str, Any]] = {
    "1.6": ("RemoteStartTransaction", {"idTag": "TAG"}),
    "2.0.1": (
        "RequestStartTransaction",
        {"idToken": {"idToken": "TAG", "type": "Central"}, "remoteStartId": 1},
    ),
}
STARTS["2.1"] = STARTS["2.0.1"]
STOPS: dict[str, tuple[str, Any]] = {
    "1.6": ("RemoteStopTransaction", {"transactionId": 7}),
    "2.0.1": ("RequestStopTransaction", {"transactionId": "T-1"}),
}
STOPS["2.1"] = STOPS["2.0.1"]
CLEARS: tuple[str, Any] = ("ClearCache", {})
BOOTS: tuple[str, Any] = ("TriggerMessage", {"requestedMessage": "BootNotification"})
BEATS: tuple[str, Any] = ("TriggerMessage", {"requestedMessage": "Heartbeat"})
RESETS: tuple[str, Any] = ("Reset", {"type": "Soft"})


def fates(log: Log) -> list[str]:
    """Of the command, and why, as a view is told of it."""
    station, told = Station(*KEY, 1), []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if record.station == "CP1":
            facts = fold(station, offset, record)
            moved = [fact.command for fact in facts if isinstance(fact, CommandMoved)]
            told += [f"{command.fate} {command.error_description}".strip() for command in moved]
    return told


@pytest.mark.parametrize(
    ("policy", "version", "asked", "is_sent"),
    [
        *(("Pending", version, asked[version], False) for version in BOOT
          for asked in (STARTS, STOPS)),
        *(("Pending", version, asked, True) for version in BOOT
          for asked in (CLEARS, BOOTS, BEATS, RESETS)),
        *(("Rejected", version, asked, False) for version in BOOT
          for asked in (STARTS[version], STOPS[version], CLEARS, BEATS, RESETS)),
        ("Rejected", "1.6", BOOTS, False),
        ("Rejected", "2.0.1", BOOTS, True),
        ("Rejected", "2.1", BOOTS, True),
        *(("Accepted", version, STARTS[version], True) for version in BOOT),
    ],
)  # fmt: skip
def test_who_is_held_back_is_asked_only_what_it_may_be(
    policy: str, version: str, asked: tuple[str, Any], is_sent: bool
) -> None:
    log, worker, _ = booted(policy, version)
    log.requests(*asked)
    worker.settle()

    sent = [frame[2:] for frame in worker.frames() if frame[0] == CALL]
    assert sent == ([list(asked)] if is_sent else [])
    refused = f"undeliverable refused: the station is {policy}"
    assert fates(log) == ["requested", "dispatched" if is_sent else refused]
    assert worker.station.in_flight == ("k1" if is_sent else "")


@VERSIONS
def test_who_is_accepted_meanwhile_is_asked_and_who_is_rejected_meanwhile_is_not(
    version: str,
) -> None:
    log, worker, registry = booted("Rejected", version)
    registers(registry, "Accepted")
    log.requests(*STARTS[version])
    answer_to(log, worker, "BootNotification", BOOT[version])
    assert fates(log)[-1] == "dispatched"

    log, worker, registry = booted("Accepted", version)
    registers(registry, "Rejected")
    log.requests(*STARTS[version])
    answer_to(log, worker, "BootNotification", BOOT[version])
    assert fates(log)[-1] == "undeliverable refused: the station is Rejected"


def test_no_more_of_a_list_goes_to_who_is_rejected_meanwhile() -> None:
    log, worker, registry = booted("Accepted", "1.6")
    keys = [{"key": "GetConfigurationMaxKeys", "readonly": True, "value": "1"}]
    log.requests("GetConfiguration", {}, "k0")
    worker.settle()
    log.says([3, "k0", {"configurationKey": keys}])
    log.requests("GetConfiguration", {"key": ["A", "B"]})
    worker.settle()
    registers(registry, "Rejected")
    log.calls("BootNotification", BOOT["1.6"])
    worker.settle()
    log.says([3, "k1", {"unknownKey": ["A"]}])
    worker.settle()
    log.now += 31 * SECOND
    worker.settle()

    assert [frame[3] for frame in worker.frames() if frame[0] == CALL] == [{}, {"key": ["A"]}]
    assert fates(log)[-1] == "timed_out"


@VERSIONS
def test_a_station_that_never_booted_is_asked_anything(version: str) -> None:
    registry = Registry()
    registers(registry, "Rejected")
    log, worker = working(registry=registry, protocol=version)
    log.requests(*STARTS[version])
    worker.settle()

    assert fates(log) == ["requested", "dispatched"]


@VERSIONS
def test_a_station_that_never_booted_is_served(version: str) -> None:
    registry = Registry()
    registers(registry, "Rejected")
    log, worker = working(registry=registry, protocol=version)

    assert answer_to(log, worker, "Heartbeat", {})[0] == CALLRESULT
