"""What a station tells of its secrets is replaced before it is recorded, and nothing else is."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import redaction, rpc
from schemas.frames import reread
from schemas.switches import NONE
from tests.ingress.node import serving

SECRET = "F00DF00DF00DF00DF00DF00DF00DF00D"


def digest(secret: str) -> str:
    return f"digest-of-{len(secret)}"


MARK = f"redacted:{digest(SECRET)}"


def read(version: str, text: str) -> redaction.Reading:
    return redaction.read(version, text, NONE, digest)


def variable(name: str) -> dict[str, Any]:
    return {"component": {"name": "SecurityCtrlr"}, "variable": {"name": name}}


def report(*data: Any) -> dict[str, Any]:
    return {
        "requestId": 1,
        "generatedAt": "2026-11-23T10:00:00Z",
        "seqNo": 0,
        "reportData": list(data),
    }


TOLD: dict[str, tuple[str, list[Any]]] = {
    "1.6 GetConfiguration": (
        "1.6",
        [
            3,
            "k1",
            {
                "configurationKey": [
                    {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
                    {"key": "AuthorizationKey", "readonly": False, "value": SECRET},
                ]
            },
        ],
    ),
    "a key in another case": (
        "1.6",
        [3, "k1", {"configurationKey": [{"key": "AUTHORIZATIONKEY", "value": SECRET}]}],
    ),
    "2.x GetVariables": (
        "2.0.1",
        [
            3,
            "k1",
            {
                "getVariableResult": [
                    {
                        "attributeStatus": "Accepted",
                        "attributeValue": SECRET,
                        **variable("BasicAuthPassword"),
                    }
                ]
            },
        ],
    ),
    "NotifyReport": (
        "2.1",
        [
            2,
            "m1",
            "NotifyReport",
            report(
                {**variable("OrganizationName"), "variableAttribute": [{"value": "Us"}]},
                {**variable("BasicAuthPassword"), "variableAttribute": [{"value": SECRET}]},
            ),
        ],
    ),
    "NotifyEvent": (
        "2.0.1",
        [
            2,
            "m1",
            "NotifyEvent",
            {
                "generatedAt": "2026-11-23T10:00:00Z",
                "seqNo": 0,
                "eventData": [
                    {
                        "eventId": 1,
                        "timestamp": "2026-11-23T10:00:00Z",
                        "trigger": "Delta",
                        "actualValue": SECRET,
                        "eventNotificationType": "HardWiredMonitor",
                        **variable("BasicAuthPassword"),
                    }
                ],
            },
        ],
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_secret_is_replaced_by_its_digest_and_the_rest_stays_as_it_was_written(name: str) -> None:
    version, frame = TOLD[name]
    text = json.dumps(frame, indent=1)

    reading = read(version, text)

    assert reading.redactions == 1
    assert reading.text == text.replace(SECRET, MARK)
    assert reading.frame == rpc.read(version, reading.text, NONE)
    assert reading.frame.payload == reread(frame[0], reading.text)
    assert reading.frame.error == ""


ODD: dict[str, str] = {
    "an escaped value": json.dumps(
        [3, "k", {"configurationKey": [{"key": "WifiPassword", "value": SECRET}]}]
    ).replace("F00D", "\\u0046\\u00300D", 1),
    "the value elsewhere too": json.dumps(
        [
            3,
            "k",
            {
                "configurationKey": [
                    {"key": "AuthorizationKey", "value": SECRET},
                    {"key": "Label", "value": SECRET},
                ]
            },
        ]
    ),
    "a result behind the name of its action": json.dumps(
        [
            3,
            "k",
            "GetConfiguration",
            {"configurationKey": [{"key": "WifiPassword", "value": SECRET}]},
        ]
    ).replace("F00D", "\\u0046\\u00300D", 1),
    "a number": json.dumps([3, "k", {"configurationKey": [{"key": "SimPin", "value": 123456}]}]),
    "a list": json.dumps(
        [3, "k", {"configurationKey": [{"key": "AuthorizationKey", "value": [SECRET]}]}]
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_secret_that_cannot_be_replaced_in_place_is_replaced_all_the_same(name: str) -> None:
    reading = read("1.6", ODD[name])

    (first, *_) = reading.frame.payload["configurationKey"]
    assert reading.redactions == 1
    assert first["value"].startswith("redacted:digest-of-")
    assert "123456" not in reading.text
    assert reread(3, reading.text) == reading.frame.payload
    if name != "the value elsewhere too":
        assert SECRET not in reading.text


@pytest.mark.parametrize(
    "item",
    [
        {"Key": "AuthorizationKey", "Value": SECRET},
        {"key": ["AuthorizationKey"], "value": SECRET},
        {"key": "AuthorizationKey", "VALUE": {"v": SECRET}},
        {"variable": {"Name": "BasicAuthPassword"}, "attributeValue": SECRET},
    ],
)
def test_a_secret_is_known_by_a_name_in_another_shape(item: dict[str, Any]) -> None:
    reading = read("1.6", json.dumps([3, "k", {"configurationKey": [item]}]))

    assert SECRET not in reading.text
    assert reading.redactions == 1


@pytest.mark.parametrize(
    "frame",
    [
        [2, "m", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}],
        [4, "k", "InternalError", "no", {"key": "AuthorizationKey", "value": SECRET}],
    ],
)
def test_a_frame_that_is_wrong_gives_no_secret_away(frame: list[Any]) -> None:
    reading = read("1.6", json.dumps(frame))

    assert SECRET not in reading.text
    assert reading.frame.payload is None or SECRET not in repr(reading.frame.payload)
    assert json.loads(reading.text) == json.loads(json.dumps(frame).replace(SECRET, MARK))


KEY_AND = '"key":"AuthorizationKey","value":'
UNREAD: dict[str, str] = {
    "cut off in the value": f'[3,"k",{{"configurationKey":[{{{KEY_AND}"{SECRET}',
    "cut off after it": f'[3,"k",{{"configurationKey":[{{{KEY_AND}"{SECRET}"}}',
    "of no type": f'[9,"k",{{{KEY_AND}"{SECRET}"}}]',
    "a report cut off": (
        '[2,"m","NotifyReport",{"reportData":[{"variable":{"name":"BasicAuthPassword"},'
        f'"variableAttribute":[{{"value": "{SECRET}'
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_nobody_can_read_gives_no_secret_away(name: str) -> None:
    reading = read("2.0.1", UNREAD[name])

    assert SECRET not in reading.text
    assert reading.redactions == 1
    assert all(SECRET not in rule for rule in reading.frame.violations)


@pytest.mark.parametrize("values", [redaction.VALUES_MAX, 20_000])
def test_what_nobody_can_read_does_not_grow_beyond_a_record(values: int) -> None:
    text = '[2,"m","NotifyReport",{"Password":[' + '"value":1,' * values
    reading = read("2.0.1", text)

    assert reading.redactions == values
    assert len(reading.text) < 300_000
    assert '"value":1' not in reading.text


PLAIN = (
    '[2,"1","Heartbeat",{}]',
    '[3,"k",{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"60"}]}]',
    '[3,"k",{"status":"Accepted"}]',
    '[3,"k",{"configurationKey":[{"key":"AuthorizationKey","readonly":false}]}]',
    '[4,"k","InternalError","no password",{}]',
    "not a frame",
)


@pytest.mark.parametrize("text", PLAIN)
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert read("1.6", text) == redaction.Reading(rpc.read("1.6", text, NONE), text, 0)


@given(st.text(max_size=40), st.sampled_from(["value", "attributeValue", "actualValue"]))
def test_no_value_of_a_secret_is_kept_whatever_it_is(value: str, member: str) -> None:
    payload = {"a": [{"key": "x", "variable": {"name": "PASSWORD"}, member: f"~{value}~"}]}
    reading = read("2.1", json.dumps([3, "k", payload], ensure_ascii=False))

    if reading.frame.payload is not None:
        assert reading.frame.payload["a"][0][member].startswith("redacted:")


async def test_the_record_holds_the_digest_and_says_that_it_does() -> None:
    frame = json.dumps(TOLD["1.6 GetConfiguration"][1])
    async with serving() as node, await node.connect() as station:
        await station.send(frame)
        await station.send(frame.encode())
        await station.send('[2,"1","Heartbeat",{}]')
        records = await node.log.received(3)

    assert [record.redactions for record in records] == [1, 2, 0]
    assert records[0].frame == frame.replace(SECRET, MARK)
    assert SECRET.encode() not in base64.b64decode(records[1].frame_base64)
    assert SECRET not in repr(records) + repr(node.log.payloads)
