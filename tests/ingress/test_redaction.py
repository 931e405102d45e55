"""What a station tells of its secrets is replaced before it is recorded, and nothing else is."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import redaction, rpc
from ingress.echoes import KEPT_MAX, Echoes
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


WORD = 'pass"wörd-16chars'
ECHOES = {
    "the description of an error": [4, "k", "GenericError", f"value {WORD} not allowed", {}],
    "its details": [4, "k", "GenericError", "", {"value": WORD}],
    "its code": [4, "k", WORD, "", {}],
    "a member of an answer": [3, "k", {"status": "Accepted", "was": [{"it": WORD}]}],
    "our own CALL": [2, "k", "ChangeConfiguration", {"key": "Motto", "value": WORD}],
    "a status of another time": [2, "m", "DataTransfer", {"vendorId": "v", "data": f"<{WORD}>"}],
    "a meter value": [2, "m", "MeterValues", {"connectorId": 1, "vendor": WORD, "meterValue": []}],
    "the id": [3, WORD, {}],
}


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_a_connection_was_told_is_not_kept_wherever_it_comes_back(
    name: str, ascii_only: bool
) -> None:
    echoes = Echoes(digest)
    echoes.add("an older one")
    echoes.add(WORD)
    text = json.dumps(ECHOES[name], ensure_ascii=ascii_only)

    reading = redaction.read("1.6", text, NONE, digest, echoes)

    mark = f"redacted:{digest(WORD)}"
    assert reading.redactions == 1
    written = json.dumps(WORD, ensure_ascii=ascii_only)[1:-1]
    assert reading.text == text.replace(written, mark)
    assert reading.frame == rpc.read("1.6", reading.text, NONE)


def test_a_told_secret_is_found_however_its_characters_are_written() -> None:
    echoes = Echoes(digest)
    echoes.add(SECRET)
    text = json.dumps([3, "k", {"status": SECRET}]).replace("F00D", "\\u0046\\u00300D", 1)

    reading = redaction.read("1.6", text, NONE, digest, echoes)

    assert json.loads(reading.text) == [3, "k", {"status": MARK}]
    assert reading.redactions == 1


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        ([3, "k", {"n": [4711]}], [3, "k", {"n": [f"redacted:{digest('4711')}"]}]),
        (
            [3, "k", {"text": "PIN 4711, no"}],
            [3, "k", {"text": f"PIN redacted:{digest('4711')}, no"}],
        ),
        ([3, "k", {"wh": 14711, "at": "4711.5"}], [3, "k", {"wh": 14711, "at": "4711.5"}]),
    ],
)
def test_a_number_that_was_told_is_not_kept_as_a_whole(frame: list[Any], kept: list[Any]) -> None:
    echoes = Echoes(digest)
    echoes.add("4711")

    assert json.loads(redaction.read("1.6", json.dumps(frame), NONE, digest, echoes).text) == kept


def test_a_number_that_was_told_is_a_reading_where_energy_is_told() -> None:
    echoes = Echoes(digest)
    echoes.add("4711")
    stop = {"transactionId": 1, "meterStop": 4711, "timestamp": "2026-11-23T10:00:00Z"}
    text = json.dumps([2, "m", "StopTransaction", stop])

    assert redaction.read("1.6", text, NONE, digest, echoes) == redaction.Reading(
        rpc.read("1.6", text, NONE), text, 0
    )


def test_the_newest_secrets_of_a_connection_are_remembered() -> None:
    echoes = Echoes(digest)
    for number in range(KEPT_MAX + 1):
        echoes.add(f"password-{number:02d}")
    echoes.add("p")

    text, count = echoes.without("password-00 password-01 p", is_money=False)

    assert (text, count) == (f"password-00 redacted:{digest('password-01')} p", 1)


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


@pytest.mark.parametrize("values", [redaction.UNREAD_VALUES_MAX, 20_000])
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
