"""What a connection was told of a secret is replaced wherever it comes back, and nothing else."""

import json
from collections.abc import Callable

import pytest

from ingress import redaction, rpc
from ingress.echoes import KEPT_MAX, Echoes
from schemas.switches import NONE

WORD = 'pass"wörd/16chars'


def digest(secret: str) -> str:
    return f"of-{len(secret)}"


MARK = f"redacted:{digest(WORD)}"


def told(*secrets: str) -> Echoes:
    echoes = Echoes(digest)
    for secret in secrets:
        echoes.add(secret)
    return echoes


def read(text: str, *secrets: str) -> redaction.Reading:
    return redaction.read("1.6", text, NONE, digest, told(*secrets))


STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "info": WORD}
ECHOES = {
    "the description of an error": [4, "k", "GenericError", f"value {WORD} not allowed", {}],
    "its details": [4, "k", "GenericError", "", {"value": [WORD]}],
    "a member of an answer": [3, "k", {"status": "Accepted", "was": [{"it": WORD}]}],
    "our own CALL": [2, "k", "ChangeConfiguration", {"key": "Motto", "value": WORD}],
    "another CALL": [2, "m", "DataTransfer", {"vendorId": "v", "data": f"<{WORD}>"}],
    "a status": [2, "m", "StatusNotification", STATUS],
    "a meter value": [2, "m", "MeterValues", {"connectorId": 1, "vendor": WORD, "meterValue": []}],
}


def escaped(text: str) -> str:
    return text.replace("/", "\\/")


def numbered(text: str) -> str:
    return text.replace("pass", "\\u0070ass")


def loud(text: str) -> str:
    return text.replace("pass", "PASS")


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("written", [str, escaped, numbered, loud])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_found_in_every_text_however_it_is_written(
    name: str, written: Callable[[str], str], *, ascii_only: bool
) -> None:
    text = written(json.dumps(ECHOES[name], ensure_ascii=ascii_only))

    reading = read(text, "an-older-one", WORD)

    plain = json.dumps(WORD, ensure_ascii=False)[1:-1]
    expected = json.dumps(ECHOES[name], ensure_ascii=False).replace(plain, MARK)
    assert json.loads(reading.text) == json.loads(expected)
    assert reading.redactions == 1
    assert reading.frame == rpc.read("1.6", reading.text, NONE)


def test_what_stands_around_it_stays_as_it_was_written() -> None:
    text = '[3, "k", {"status" : "Accepted","n":1.50,"was":"a-long-password"}]'

    assert read(text, "a-long-password").text == text.replace("a-long-password", "redacted:of-15")


def test_two_ways_of_writing_it_in_one_frame_are_both_found() -> None:
    text = '[3,"k",{"a":"long/secret","b":"long\\/secret","c":"\\u006cong/secret"}]'

    assert json.loads(read(text, "long/secret").text)[2] == dict.fromkeys("abc", "redacted:of-11")


def test_a_longer_secret_is_replaced_before_one_that_stands_in_it() -> None:
    text = json.dumps([3, "k", {"a": "internet-12345678 internet"}])

    reading = read(text, "internet", "internet-12345678")

    assert json.loads(reading.text)[2]["a"] == "redacted:of-17 redacted:of-8"


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1234","Heartbeat",{}]',
        '[2,"m","FirmwareStatusNotification",{"status":"Idle","requestId":1234}]',
        '[2,"m","Authorize",{"idTag":"1234"}]',
        '[2,"m","StopTransaction",{"transactionId":1234,"idTag":"1234","meterStop":1234}]',
        '[3,"k",{"status":"Accepted","readonly":true,"n":null}]',
        '[3,"k",{"wh":"12345","1234":"x"}]',
    ],
)
def test_a_short_secret_is_also_a_word_that_means_something_else(text: str) -> None:
    frame = rpc.read("1.6", text, NONE)

    assert read(text, "1234", "true", "null") == redaction.Reading(frame, text, 0)


def test_a_short_secret_is_found_as_a_word_of_a_text() -> None:
    reading = read('[4,"k","GenericError","PIN 1234.",{"a":"1234"}]', "1234")

    mark = "redacted:of-4"
    assert json.loads(reading.text) == [4, "k", "GenericError", f"PIN {mark}.", {"a": mark}]


def test_a_secret_that_is_an_action_does_not_change_the_frame() -> None:
    text = '[2,"a-long-secret","Heartbeat",{"x":"Heartbeat"}]'

    reading = read(text, "Heartbeat", "a-long-secret")

    assert json.loads(reading.text) == [2, "a-long-secret", "Heartbeat", {"x": "redacted:of-9"}]


@pytest.mark.parametrize("secret", ["long/secret", "wörter-geheim"])
def test_what_nobody_can_read_is_searched_however_it_is_written(secret: str) -> None:
    for written in (secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/")):
        reading = read(f'[3,"k",{{"a":"{written}', secret)
        assert (written in reading.text, reading.redactions) == (False, 1)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        data = f'[3,"k",{{"a":"{secret}"}}]'.encode(encoding)
        masked, count = redaction.redacted_bytes(data, digest, told(secret))
        assert (secret.encode(encoding) in masked, count) == (False, 1)


def test_a_text_that_says_it_thousands_of_times_does_not_grow_beyond_a_record() -> None:
    for said in (json.dumps([3, "k", {"a": "secret-1" * 30_000}]), "secret-1" * 30_000):
        reading = read(said, "secret-1")
        data, count = redaction.redacted_bytes(said.encode(), digest, told("secret-1"))

        assert (reading.redactions, count) == (30_000, 30_000)
        assert (len(reading.text) < 100, len(data) < 100) == (True, True)


def test_the_newest_secrets_of_a_connection_are_remembered() -> None:
    names = [f"password-{number:03d}" for number in range(KEPT_MAX + 1)]

    text, count = told(*names).in_text(" ".join(names))

    assert (text.count("password-"), count) == (1, KEPT_MAX)
