"""The reading of a frame's JSON: exact, bounded, the same at the edge and in every later fold."""

import json
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import frames
from schemas.records import MessageReceived

encode = msgspec.msgpack.Encoder().encode
"""As snapshots are."""

REFUSED = {
    "not JSON": "{",
    "empty": "",
    "byte order mark": "\ufeff[]",
    "trailing text": "[1] x",
    "NaN": "[NaN]",
    "infinity": "[-Infinity]",
    "runaway exponent": "[1e400]",
    "runaway negative exponent": "[1e-400]",
    "exponent past Decimal": "[1e99999999999999999999]",
    "integer of 32 digits": "[" + "1" * 32 + "]",
    "integer of 5,000 digits": "[" + "1" * 5000 + "]",
    "fraction of 5,000 digits": "[0." + "1" * 5000 + "]",
    "escaped NUL": '["a\\u0000b"]',
    "NUL in a key": '[{"\\u0000":1}]',
    "raw NUL": '["\x00"]',
    "lone surrogate, escaped": '["\\ud800x"]',
    "lone low surrogate, escaped": '["\\udc00"]',
    "lone surrogate": '["\ud800"]',
    "depth 33": "[" * 33 + "]" * 33,
    "depth 33 of objects": '{"a":' * 33 + "1" + "}" * 33,
    "depth 100,000": "[" * 100_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_no_reader_downstream_should_meet_is_refused(text: str) -> None:
    with pytest.raises(frames.UnreadableFrame):
        frames.parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[0.1]", [Decimal("0.1")]),
        ("[12.340]", [Decimal("12.340")]),
        ("[1E5]", [Decimal("1E+5")]),
        ("[999999999999999999]", [999_999_999_999_999_999]),
        ("[9223372036854775807]", [2**63 - 1]),
        ("[9223372036854775808]", [Decimal(2**63)]),
        ('[{"a":[-18446744073709551616]}]', [{"a": [Decimal(-(2**64))]}]),
        ("[" + "9" * 31 + "]", [Decimal("9" * 31)]),
        ('["89490200001234567890"]', ["89490200001234567890"]),
        ('["\\ud83d\\ude00"]', ["😀"]),
    ],
)
def test_what_stations_send_is_read_exactly(text: str, value: object) -> None:
    assert repr(frames.parse(text)) == repr(value)


@given(st.recursive(st.integers(-(10**31) + 1, 10**31 - 1), lambda inner: st.lists(inner)))
def test_integers_of_any_length_are_exact_and_can_be_kept(value: object) -> None:
    read = frames.parse(json.dumps(value))

    assert read == value
    encode(read)
    assert frames.parse(msgspec.json.Encoder(decimal_format="number").encode(read).decode()) == read


@pytest.mark.parametrize(
    ("value", "digits"),
    [(5, "5"), (Decimal("18446744073709551616"), "18446744073709551616"), (-1, "-1")]
    + [(other, "") for other in (Decimal("5.0"), Decimal("1E+19"), True, "5", None, [5])],
)
def test_a_whole_number_has_digits(value: object, digits: str) -> None:
    assert frames.digits_of(value) == digits


def test_nesting_is_read_as_deep_as_the_bound() -> None:
    assert frames.parse("[" * frames.DEPTH_MAX + "]" * frames.DEPTH_MAX) != []


@pytest.mark.parametrize("level", ["[%s]", '{"a":%s}', "[0,%s]", '{"b":"[{","a":%s}'])
@pytest.mark.parametrize("wide", ["1", "[{}]", '["' + "[" * 99 + '"]'])
def test_nesting_beyond_the_bound_is_refused_in_arrays_and_objects(level: str, wide: str) -> None:
    deep = "1"
    for _ in range(frames.DEPTH_MAX - 1):
        deep = level % deep

    frames.parse(f"[{deep}]")
    with pytest.raises(frames.UnreadableFrame, match="deeper"):
        frames.parse(f"[[{deep}],{wide}]")


@given(st.text())
def test_parse_raises_nothing_but_its_own_error(text: str) -> None:
    with suppress(frames.UnreadableFrame):
        frames.parse(text)


def test_control_characters_inside_strings_can_be_mended() -> None:
    text = '[2,"1","StopTransaction",{"idTag":"BA86\x01\x02","meterStop":1388}]'

    assert frames.parse_mended(text)[3] == {"idTag": "BA86\x01\x02", "meterStop": 1388}


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff[2,"1","A",{"x":["a,]"]}]',
        '[2,"1","A",{"x":["a,]"]}]\0\0\n',
        '[2,"1","A",{"x":["a,]",] ,}\n,]',
    ],
)
def test_marks_nuls_and_commas_too_many_can_be_mended(text: str) -> None:
    assert frames.parse_mended(text) == [2, "1", "A", {"x": ["a,]"]}]


def test_white_space_in_a_string_can_be_mended() -> None:
    assert frames.parse_mended('[2,\n"1",\t"A",{"x":"a\tb\nc\\"d"}]')[3] == {"x": 'a\tb\nc"d'}


def test_a_string_without_end_is_looked_at_once() -> None:
    assert frames.parse_mended('["' + '\\"' * 100_000 + ",]") is None


def test_mending_stops_where_the_record_would_grow_without_bound() -> None:
    assert frames.parse_mended('["' + "\x01" * 10_000 + '"]') is None


def test_what_needs_no_mending_is_not_mended() -> None:
    assert frames.parse_mended("{") is None


@pytest.mark.parametrize(
    ("message_type", "action", "error", "frame", "payload"),
    [
        (2, "Heartbeat", "", '[2,"1","Heartbeat",{}]', {}),
        (2, "Heartbeat", "", '[2,"1","Heartbeat",null]', {}),
        (2, "Heartbeat", "FormationViolation", '[2,"1","Heartbeat"]', {}),
        (2, "", "FormationViolation", '[2,"1",', None),
        (3, "", "", '[3,"1",{"status":"Accepted"}]', {"status": "Accepted"}),
        (3, "", "FormationViolation", '[3,"1",5]', None),
        (4, "", "", '[4,"1","GenericError","",{}]', ["GenericError", "", {}]),
        (0, "", "FormationViolation", "nonsense", None),
    ],
)
def test_a_record_alone_says_what_the_payload_was(
    message_type: int, action: str, error: str, frame: str, payload: object
) -> None:
    record = MessageReceived(
        recorded_at=0,
        connection="c",
        number=1,
        frame=frame,
        message_type=message_type,
        message_id="1",
        action=action,
        error=error,
    )

    assert frames.payload_of(record) == payload


@given(st.integers(0, 9), st.text())
def test_reread_never_raises(message_type: int, text: str) -> None:
    frames.reread(message_type, text)


@pytest.mark.parametrize(
    ("payload", "pointer", "found"),
    [
        ('{"a":[{"b":5},{"b":6}]}', "/3/a/1/b", 6),
        ('{"a":[{"b":5},{"b":6}]}', "/3/a/2/b", None),
        ('{"a":[{"b":5},{"b":6}]}', "/3/a/b", None),
        ('{"a":{"b":5}}', "/3/a/0/b", 5),
        ('{"a":{"b":5}}', "/3/a/1/b", None),
        ('[{"a":[{"b":5}]}]', "/3/a/0/b", 5),
        ('{"a":{"0":{"b":5}}}', "/3/a/0/b", 5),
        ('{"a":5}', "/3/a/0", None),
        ("[]", "/3/a", None),
    ],
)
def test_a_pointer_means_what_was_read_there(payload: str, pointer: str, found: object) -> None:
    assert frames.pointed_at(f'[2,"m","A",{payload}]', pointer) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":1,"b":{"a":1}}', {}),
        ('{"a":1,"a":1}', {"a": False}),
        ('{"a":1,"a":2}', {"a": True}),
        ('{"a":1,"a":2,"a":2}', {"a": True}),
        ('[{"b":{"a":{},"a":[]}},{"a":"x:y"}]', {"a": True}),
        ('{"a" : 1, "a"\n:\t"1"}', {"a": False}),
        ('{"\\u003a":"\\u003A","a":1,"a":1}', {"a": False}),
        ('\ufeff{"a":1,"a":"\x01",}\0', {"a": True}),
        ('{"a":"b:c","d":"\\"e\\":f"}', {}),
        ('{"a":18446744073709551616,"a":18446744073709551617}', {"a": True}),
        ("5", {}),
    ],
)
def test_members_that_stand_twice_are_found(text: str, found: dict[str, bool]) -> None:
    try:
        value = frames.parse(text)
    except frames.UnreadableFrame:
        value = frames.parse_mended(text)

    assert frames.repeated_members(text) == found
    assert frames.repeats_member(text, value) or not found


@given(st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-10**30, 10**30),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_where_none_stands_twice_none_is_found(value: object) -> None:
    text = json.dumps(value)
    with suppress(frames.UnreadableFrame):
        read = frames.parse(text)
        assert frames.repeated_members(text) == {}
        assert frames.repeats_member(text, read) == ("\\u003" in text)
