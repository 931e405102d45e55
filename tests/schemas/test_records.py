"""The records of the journal: every kind ever released is read for ever, and comes out the same."""

from base64 import b64decode, b64encode
from importlib.resources import files
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.handshake import VERSIONS
from schemas import records
from schemas.cdr import Cdr, digest
from schemas.records import CdrReleased, CommandRequested, MessageReceived, MessageSent

EXAMPLES = {
    Path(entry.name).name.removesuffix(".json"): entry.read_bytes().removesuffix(b"\n")
    for entry in (files("schemas") / "examples").iterdir()
    if entry.name.endswith(".json")
}
KINDS = {kind.__struct_config__.tag: kind for kind in get_args(records.AnyRecord)}

frame_texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("value", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_an_example_is_read_and_comes_out_the_same(value: bytes) -> None:
    record = records.decode(value)

    assert records.encode(record, record.incarnation, record.sequence) == value


@pytest.mark.parametrize("value", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_p_10_a_member_that_we_do_not_know_is_passed_over(value: bytes) -> None:
    later = value[:-1] + b',"of_a_later_version":{"a":[1,"x"]}}'

    assert records.decode(later) == records.decode(value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_examples_name_is_its_kind(name: str) -> None:
    assert type(records.decode(EXAMPLES[name])) is KINDS[name]


def test_every_kind_has_its_example() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("value", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_an_example_names_who_wrote_it_and_when(value: bytes) -> None:
    record = records.decode(value)

    assert record.incarnation
    assert record.sequence > 0
    assert record.recorded_at > 0


def test_an_example_is_one_line() -> None:
    assert [name for name, value in EXAMPLES.items() if b"\n" in value] == []


def test_the_released_document_is_the_one_that_its_record_vouches_for() -> None:
    record = records.decode(EXAMPLES["cdr-released.v1"])

    assert isinstance(record, CdrReleased)
    assert digest(bytes(record.document)) == record.sha256
    assert msgspec.json.decode(record.document, type=Cdr).id == record.cdr_id


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"recorded_at":1,"owner":"w"}',
        b'{"kind":"partition-claimed","recorded_at":1,"owner":"w"}',
        b'{"kind":"partition-claimed.v2","recorded_at":1,"owner":"w"}',
        b'{"kind":"invented.v1","recorded_at":1}',
        b'{"kind":"partition-claimed.v1","recorded_at":"1","owner":"w"}',
        b'{"kind":"partition-claimed.v1","recorded_at":1}',
        b'{"kind":"partition-claimed.v1","recorded_at":1,"owner":"\xff"}',
        b'{"kind":"station-registered.v1","attributes":' + b'{"a":' * 100_000,
    ],
    ids=lambda value: repr(value[:70]),
)
def test_what_is_no_record_of_a_known_kind_and_version_is_unreadable(value: bytes) -> None:
    with pytest.raises(records.UnreadableRecord):
        records.decode(value)


@given(st.binary())
def test_reading_raises_nothing_but_its_own_error(value: bytes) -> None:
    with pytest.raises(records.UnreadableRecord):
        records.decode(value)


@given(frame=frame_texts, message_id=frame_texts, number=st.integers(1, 2**53))
def test_a_frame_survives_character_for_character(frame: str, message_id: str, number: int) -> None:
    received = MessageReceived(
        recorded_at=1, connection="c", number=number, frame=frame, message_id=message_id
    )
    value = records.encode(received, "i", 1)

    record = records.decode(value)

    assert isinstance(record, MessageReceived)
    assert (record.frame, record.message_id, record.number) == (frame, message_id, number)
    assert b"\n" not in value


@given(frame=frame_texts)
def test_a_frame_of_ours_survives_character_for_character(frame: str) -> None:
    sent = MessageSent(
        recorded_at=1,
        cause=0,
        purpose="answer",
        epoch=0,
        connection="c",
        frame=frame,
        message_type=3,
        message_id="1",
        action="Heartbeat",
    )

    record = records.decode(records.encode(sent, "i", 1))

    assert isinstance(record, MessageSent)
    assert record.frame == frame


@given(st.binary())
def test_a_frame_that_was_no_text_survives_byte_for_byte(frame: bytes) -> None:
    received = MessageReceived(
        recorded_at=1, connection="c", number=1, frame_base64=b64encode(frame).decode()
    )

    record = records.decode(records.encode(received, "i", 1))

    assert isinstance(record, MessageReceived)
    assert b64decode(record.frame_base64) == frame


@given(
    st.dictionaries(frame_texts, st.none() | st.integers(-(2**53), 2**53) | frame_texts),
    st.booleans(),
)
def test_a_commands_payload_is_kept_as_it_was_written(
    payload: dict[str, object], spaced: bool
) -> None:
    text = msgspec.json.encode(payload)
    if spaced:
        text = msgspec.json.format(text, indent=1).replace(b"\n", b" ")
    requested = CommandRequested(
        recorded_at=1,
        command_id="k",
        action="Reset",
        payload=msgspec.Raw(text),
        payload_digest="",
        expires_at=2,
        actor="a",
    )

    record = records.decode(records.encode(requested, "i", 1))

    assert isinstance(record, CommandRequested)
    assert bytes(record.payload) == text


def test_a_record_that_was_read_is_written_under_its_new_id_only() -> None:
    read = records.decode(EXAMPLES["partition-claimed.v1"])

    again = records.decode(records.encode(read, "new", 10))

    assert (again.incarnation, again.sequence) == ("new", 10)


def test_a_frame_of_1_6_does_not_say_its_version() -> None:
    frame = MessageReceived(recorded_at=1, connection="c", number=1, protocol=VERSIONS["ocpp1.6"])
    newer = MessageReceived(recorded_at=1, connection="c", number=1, protocol="2.1")

    assert b"protocol" not in records.encode(frame, "i", 1)
    assert records.decode(records.encode(frame, "i", 1)) == msgspec.structs.replace(
        frame, incarnation="i", sequence=1
    )
    assert records.decode(records.encode(newer, "i", 1)) == msgspec.structs.replace(
        newer, incarnation="i", sequence=1
    )
