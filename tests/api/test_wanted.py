"""Every action that we may send, in every version: accepted, or refused by the field's name."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import wanted as asking
from api.payloads import secrets_of
from api.problems import Invalid
from api.wanted import CommandWanted
from domain.outbound import OUTBOUND
from schemas import payloads
from tests import payload_strategies

EXAMPLES = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NOW = 1_795_428_000_000_000
ID = "5f0c7c44-7a2d-5d53-9a0c-3a3d1e0b8a11"
EVERY = [(version, action) for version, actions in OUTBOUND.items() for action in actions]
SECRET = "7Qw2zK9vXe4LmT1rBn8YcU5pGh3JdA6s"


def asked(payload: Any, *, spoken: str = "", **more: Any) -> asking.Asked:
    wanted = CommandWanted.model_validate({"payload": payload, **more})
    return asking.asked(wanted, spoken, ID, NOW)


def digest(secret: str) -> str:
    return f"digest-of-{len(secret)}"


def recorded(wanted: CommandWanted, spoken: str, ids: Mapping[str, str]) -> Any:
    return asking.record(
        wanted,
        asking.asked(wanted, spoken, ID, NOW),
        tenant="default",
        station="CP1",
        actor="somebody",
        idempotency_key="k",
        digest="d",
        secret_ids=ids,
        now_us=NOW,
    )


@pytest.mark.parametrize(("version", "action"), EVERY)
@EXAMPLES
@given(st.data())
def test_a_payload_of_the_schema_is_accepted_as_it_is(
    version: str, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payload_strategies.valid(version, action))

    result = asked(payload, action=action, spoken=version)

    assert (result.version, result.action, result.payload) == (version, action, payload)
    assert len(asking.digest_of(result, digest)) == 64


@pytest.mark.parametrize(("version", "action"), EVERY)
@EXAMPLES
@given(st.data())
def test_a_broken_payload_is_refused_and_its_field_named(
    version: str, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payload_strategies.broken(version, action))
    if not payloads.violations(version, action, payload):
        return

    with pytest.raises(Invalid) as refused:
        asked(payload, action=action, spoken=version)

    assert refused.value.errors
    assert all(error.field.startswith("payload") for error in refused.value.errors)
    assert all(error.message for error in refused.value.errors)


@pytest.mark.parametrize(
    ("spoken", "action", "payload", "fields"),
    [
        ("1.6", "RemoteStartTransaction", {}, ["payload.idTag"]),
        (
            "1.6",
            "RemoteStartTransaction",
            {"idTag": "A", "connectorID": 1},
            ["payload.connectorID"],
        ),
        ("1.6", "ChangeConfiguration", {"key": "A"}, ["payload.value"]),
        (
            "2.0.1",
            "GetVariables",
            {"getVariableData": [{"component": {}, "variable": {"name": "A"}, "x": 1}]},
            [
                "payload.getVariableData[0].component.name",
                "payload.getVariableData[0].x",
            ],
        ),
        ("2.1", "RequestStopTransaction", {"transactionId": 1}, ["payload.transactionId"]),
    ],
)
def test_a_member_that_is_missing_or_too_many_is_the_field_that_is_named(
    spoken: str, action: str, payload: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        asked(payload, action=action, spoken=spoken)

    assert sorted(error.field for error in refused.value.errors) == fields


def test_the_table_has_every_action_but_those_that_only_stations_send() -> None:
    from domain.routes import ROUTES, SENDS

    both = {"1.6": {"DataTransfer"}, "2.0.1": {"DataTransfer"}}
    both["2.1"] = {"DataTransfer", "NotifyWebPaymentStarted"}
    for version, actions in OUTBOUND.items():
        inbound = ROUTES[version].keys() | SENDS[version]
        assert actions.keys() | inbound == payloads.actions(version)
        assert actions.keys() & inbound == both[version]


@pytest.mark.parametrize(
    ("spoken", "explicit", "expected"),
    [("", None, "1.6"), ("2.0.1", None, "2.0.1"), ("", "2.1", "2.1"), ("1.6", "2.0.1", "2.0.1")],
)
def test_the_version_is_the_one_asked_for_or_spoken_last(
    spoken: str, explicit: str | None, expected: str
) -> None:
    assert asked({}, action="ClearCache", spoken=spoken, version=explicit).version == expected


@pytest.mark.parametrize(
    ("spoken", "body"),
    [
        ("2.0.1", {"action": "RemoteStartTransaction", "payload": {"idTag": "A"}}),
        ("1.6", {"action": "GetBaseReport", "payload": {"requestId": 1, "reportBase": "Full"}}),
        ("2.0.1", {"action": "GetTariffs", "payload": {"evseId": 1}}),
        ("2.1", {"action": "TransactionEvent"}),
        ("2.1", {}),
        ("2.1", {"action": "ClearCache", "command": "reset"}),
    ],
)
def test_an_action_that_the_version_does_not_have_is_refused(
    spoken: str, body: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as refused:
        asked(body.pop("payload", {}), spoken=spoken, **body)

    assert [error.field for error in refused.value.errors] == ["action"]


PROFILE: dict[str, Any] = {
    "configurationSlot": 1,
    "connectionData": {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wired0",
        "apn": {
            "apn": "internet",
            "apnUserName": "me",
            "apnPassword": "apn-word",
            "simPin": 1234,
            "apnAuthentication": "CHAP",
        },
        "vpn": {
            "server": "vpn.example",
            "user": "me",
            "password": "vpn-word",
            "key": "vpn-key",
            "type": "IKEv2",
        },
    },
}
SECRETS: dict[str, tuple[str, str, Any, list[str]]] = {
    "an AuthorizationKey": (
        "1.6",
        "ChangeConfiguration",
        {"key": "authorizationkey", "value": SECRET},
        [SECRET],
    ),
    "two variables of three": (
        "2.0.1",
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                    "attributeValue": SECRET,
                },
                {
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": "HeartbeatInterval"},
                    "attributeValue": "60",
                },
                {
                    "component": {"name": "WiFi"},
                    "variable": {"name": "Passphrase"},
                    "attributeValue": "other-word",
                },
            ]
        },
        [SECRET, "other-word"],
    ),
    "a network profile": (
        "2.0.1",
        "SetNetworkProfile",
        PROFILE,
        ["apn-word", "1234", "vpn-word", "vpn-key"],
    ),
    "a network profile of 2.1": (
        "2.1",
        "SetNetworkProfile",
        {
            "configurationSlot": 1,
            "connectionData": PROFILE["connectionData"] | {"basicAuthPassword": SECRET},
        },
        ["apn-word", "1234", "vpn-word", "vpn-key", SECRET],
    ),
    "a URL with a password": (
        "1.6",
        "GetDiagnostics",
        {"location": "ftp://me:pass-word@files.example/logs"},
        ["ftp://me:pass-word@files.example/logs"],
    ),
}


@pytest.mark.parametrize(
    ("version", "action", "payload", "secrets"), SECRETS.values(), ids=SECRETS.keys()
)
def test_every_secret_of_a_payload_is_replaced(
    version: str, action: str, payload: Any, secrets: list[str]
) -> None:
    wanted = CommandWanted.model_validate({"action": action, "payload": payload})
    found = secrets_of(asking.asked(wanted, version, ID, NOW).payload)
    ids = {secret: f"id-{number}" for number, secret in enumerate(found)}

    record = recorded(wanted, version, ids)

    assert found == secrets
    assert record.secrets == tuple(ids.values())
    text = bytes(record.payload).decode()
    for secret in secrets:
        assert f'"{secret}"' not in text
        assert f":{secret}," not in text
    for secret_id in ids.values():
        assert f':{secret_id}"' in text


def test_a_number_that_is_secret_is_marked_as_a_number() -> None:
    wanted = CommandWanted.model_validate({"action": "SetNetworkProfile", "payload": PROFILE})

    record = recorded(
        wanted, "2.0.1", dict.fromkeys(["1234", "apn-word", "vpn-word"], "i") | {"vpn-key": "i"}
    )

    assert b'"simPin":"secret-number:i"' in bytes(record.payload)


def test_the_digest_tells_secrets_apart_and_does_not_hold_them() -> None:
    def of(value: str) -> str:
        result = asked({"key": "AuthorizationKey", "value": value}, action="ChangeConfiguration")
        return asking.digest_of(result, lambda secret: f"keyed {secret[::-1]}")

    assert of(SECRET) == of(SECRET)
    assert of(SECRET) != of(SECRET[:-1] + "E")


@pytest.mark.parametrize(
    "payload",
    [
        {
            "setVariableData": [
                {"attributeValue": SECRET, "variable": {"name": "BasicAuthPassword"}}
            ]
        },
        {"setVariableData": {"attributeValue": SECRET}},
        {"setVariableData": [SECRET]},
    ],
)
def test_a_refused_secret_is_not_repeated(payload: Any) -> None:
    with pytest.raises(Invalid) as refused:
        asked(payload, action="SetVariables", spoken="2.0.1")

    assert SECRET not in str([(e.field, e.message) for e in refused.value.errors])
