"""A command sets a station's password: when the new one counts, and when the old one ends."""

from typing import Any

import msgspec
import pytest

from domain.passwords import sets_password
from domain.registry import Registry
from infra.directory import RegistryDirectory
from schemas.records import (
    ConnectionClosed,
    ConnectionOpened,
    Record,
    StationDeregistered,
    StationPasswordOffered,
    StationPasswordSettled,
    StationRegistered,
)
from tests.domain.log import KEY, NOW, SECOND, Log, Worker

OLD, NEW = "secret:old", "secret:new"
CHANGE = {"key": "AuthorizationKey", "value": "secret:s1"}
PROFILE = {"configurationSlot": 1, "connectionData": {"basicAuthPassword": "secret:s1"}}


def variables(*names: str) -> dict[str, Any]:
    return {
        "setVariableData": [
            {
                "component": {"name": "SecurityCtrlr"},
                "variable": {"name": name},
                "attributeValue": f"secret:{name}",
            }
            for name in names
        ]
    }


def results(**status_by_name: str) -> dict[str, Any]:
    return {
        "setVariableResult": [
            {
                "component": {"name": "SecurityCtrlr"},
                "variable": {"name": name},
                "attributeStatus": status,
            }
            for name, status in status_by_name.items()
        ]
    }


class Place:
    """A registered station, its owner, and the registry that both it and ingress read."""

    def __init__(self, protocol: str = "1.6", credential: str = OLD) -> None:
        self.registry = Registry()
        self.log = Log()
        self.protocol = protocol
        self.settled: list[StationPasswordSettled] = []
        self.worker = Worker(self.log, registry=self.registry)
        self._connections = 0
        self.register(StationRegistered(**self._named(), actor="a", credential=credential))
        self.worker.claim()
        self.connects(credential)

    def _named(self) -> dict[str, Any]:
        return {"tenant": KEY[0], "station": KEY[1], "recorded_at": self.log.now}

    def register(self, record: Record) -> None:
        self.registry.fold(self.registry.position, record)

    def asks(self, action: str, payload: Any) -> None:
        self.register(
            StationPasswordOffered(**self._named(), actor="a", command_id="k1", credential=NEW)
        )
        self.log.requests(action, payload, secrets=("s1",), version=self.protocol)
        self.settle()

    def connects(self, credential: str) -> None:
        self._connections += 1
        self.log.append(
            ConnectionOpened(
                **self._named(),
                connection=f"c{self._connections}",
                protocol=self.protocol,
                node="0/a",
                remote="",
                proof="basic",
                registered=True,
                credential=credential,
            )
        )
        self.settle()

    def goes(self) -> None:
        self.log.append(
            ConnectionClosed(**self._named(), connection=f"c{self._connections}", code=1006)
        )
        self.settle()

    def says(self, frame: Any) -> None:
        self.log.says(frame, connection=f"c{self._connections}")
        self.settle()

    def settle(self) -> None:
        self.worker.settle()
        for settled in self.worker.owner.settled_passwords(self.log.now):
            self.settled.append(settled)
            self.register(settled)

    def works(self) -> tuple[str, ...]:
        """The passwords that let the station in, at any ingress node."""
        directory = RegistryDirectory(self.registry, lambda secret_id: f"verifier of {secret_id}")
        return directory.admission(*KEY).credentials


@pytest.mark.parametrize(
    ("value", "refused"),
    [(True, "blocked"), ("true", "blocked"), ("yes", "blocked"), (1, "blocked")]
    + [(value, "") for value in (False, None, "false", "", "no", " Off", "0", 0)],
)
def test_a_station_is_blocked_by_whatever_is_not_no(value: Any, refused: str) -> None:
    registry = Registry()
    registered = StationRegistered(
        tenant="default", station="CP1", recorded_at=1, actor="a", attributes={"blocked": value}
    )
    registry.fold(0, registered)

    admission = RegistryDirectory(registry, lambda _: None).admission("default", "CP1")

    assert admission.refused == refused


def test_both_work_until_the_station_has_answered() -> None:
    place = Place()
    assert place.works() == (OLD,)

    place.asks("ChangeConfiguration", CHANGE)

    assert place.works() == (OLD, NEW)
    assert place.settled == []


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "answer"),
    [
        ("1.6", "ChangeConfiguration", CHANGE, {"status": "Accepted"}),
        (
            "2.0.1",
            "SetVariables",
            variables("OrganizationName", "BasicAuthPassword"),
            results(OrganizationName="Rejected", BasicAuthPassword="Accepted"),
        ),
    ],
)
def test_a_11_what_the_station_accepted_counts_alone_from_then_on(
    protocol: str, action: str, payload: Any, answer: Any
) -> None:
    place = Place(protocol)
    place.asks(action, payload)
    place.says([3, "k1", answer])

    assert place.works() == (NEW,)
    assert [settled.counts for settled in place.settled] == [True]


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "frame"),
    [
        ("1.6", "ChangeConfiguration", CHANGE, [3, "k1", {"status": "Rejected"}]),
        ("1.6", "ChangeConfiguration", CHANGE, [3, "k1", {"status": "NotSupported"}]),
        ("1.6", "ChangeConfiguration", CHANGE, [4, "k1", "InternalError", "", {}]),
        (
            "2.1",
            "SetVariables",
            variables("BasicAuthPassword", "OrganizationName"),
            [3, "k1", results(BasicAuthPassword="Rejected", OrganizationName="Accepted")],
        ),
    ],
)
def test_a_12_what_the_station_refused_counts_for_nothing(
    protocol: str, action: str, payload: Any, frame: Any
) -> None:
    place = Place(protocol)
    place.asks(action, payload)
    place.says(frame)

    assert place.works() == (OLD,)


@pytest.mark.parametrize("silence", ["cut off", "silent"])
@pytest.mark.parametrize(("first", "other"), [(OLD, NEW), (NEW, OLD)])
def test_a_13_without_an_answer_each_works_until_the_first_success_with_one(
    silence: str, first: str, other: str
) -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    if silence == "cut off":
        place.goes()
    else:
        place.log.now += 31 * SECOND
        place.settle()
    assert place.works() == (OLD, NEW)

    place.connects(first)

    assert place.works() == (first,)
    assert other not in place.works()


def test_a_late_answer_settles_it_as_well() -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    place.log.now += 31 * SECOND
    place.settle()
    place.says([3, "k1", {"status": "Accepted"}])

    assert place.works() == (NEW,)


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "status"),
    [
        ("1.6", "ChangeConfiguration", CHANGE, "RebootRequired"),
        ("2.1", "SetNetworkProfile", PROFILE, "Accepted"),
    ],
)
def test_one_that_counts_later_does_not_lock_out_who_comes_with_the_old_one_before(
    protocol: str, action: str, payload: Any, status: str
) -> None:
    place = Place(protocol)
    place.asks(action, payload)
    place.says([3, "k1", {"status": status}])
    place.connects(OLD)
    assert place.works() == (OLD, NEW)

    place.connects(NEW)

    assert place.works() == (NEW,)


def test_an_old_connection_that_is_still_open_decides_nothing() -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    place.log.now += 31 * SECOND
    place.settle()

    assert place.works() == (OLD, NEW)


def test_a_command_that_was_never_sent_takes_its_password_back() -> None:
    place = Place()
    place.goes()
    place.asks("ChangeConfiguration", CHANGE)
    place.log.now += 61 * SECOND
    place.settle()

    assert place.works() == (OLD,)


def test_an_offer_without_a_command_is_taken_back_some_day() -> None:
    place = Place()
    place.register(
        StationPasswordOffered(
            tenant=KEY[0],
            station=KEY[1],
            recorded_at=NOW,
            actor="a",
            command_id="lost",
            credential=NEW,
        )
    )
    place.settle()
    assert place.works() == (OLD, NEW)

    place.log.now += 3 * 86_400 * SECOND
    place.settle()

    assert place.works() == (OLD,)


def test_a_station_without_a_password_needs_none_until_it_came_with_one() -> None:
    place = Place(credential="")
    place.asks("ChangeConfiguration", CHANGE)
    directory = RegistryDirectory(place.registry, lambda secret_id: "v")
    assert directory.admission(*KEY).may_come_without

    place.says([3, "k1", {"status": "Accepted"}])

    assert not directory.admission(*KEY).may_come_without
    assert place.works() == (NEW,)


def test_a_registration_that_keeps_the_password_keeps_the_one_that_a_command_set() -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    place.says([3, "k1", {"status": "Accepted"}])
    named: dict[str, Any] = {"tenant": KEY[0], "station": KEY[1], "recorded_at": NOW, "actor": "a"}
    place.register(StationRegistered(**named, credential=OLD, keeps_password=True))
    assert place.works() == (NEW,)

    place.register(StationRegistered(**named, credential=OLD))
    assert place.works() == (OLD,)


def test_who_is_deregistered_is_offered_nothing() -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    named: dict[str, Any] = {"tenant": KEY[0], "station": KEY[1], "recorded_at": NOW, "actor": "a"}
    place.register(StationDeregistered(**named))
    place.register(StationRegistered(**named, credential=OLD))

    assert place.works() == (OLD,)


def test_a_new_owner_decides_the_same_again_and_it_changes_nothing() -> None:
    place = Place()
    place.asks("ChangeConfiguration", CHANGE)
    place.log.says([3, "k1", {"status": "Accepted"}])
    other = Worker(place.log, "w2", registry=place.registry)
    other.claim()
    other.settle()
    first = other.owner.settled_passwords(place.log.now)
    place.settle()
    for settled in first:
        place.register(settled)

    assert len(first) == 1
    assert place.works() == (NEW,)
    assert other.owner.settled_passwords(place.log.now) == []


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("ChangeConfiguration", {"key": "authorizationKEY", "value": "v"}, "v"),
        ("ChangeConfiguration", {"key": "WifiPassword", "value": "v"}, None),
        ("SetVariables", variables("BasicAuthPassword"), "secret:BasicAuthPassword"),
        ("SetVariables", variables("OrganizationName"), None),
        ("SetNetworkProfile", PROFILE, "secret:s1"),
        ("SetNetworkProfile", {"connectionData": {"apn": {"apnPassword": "v"}}}, None),
        ("GetConfiguration", {"key": ["AuthorizationKey"]}, None),
    ],
)
def test_which_commands_set_the_password(action: str, payload: Any, expected: str | None) -> None:
    assert sets_password(action, msgspec.json.decode(msgspec.json.encode(payload))) == expected
