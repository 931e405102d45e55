"""The short way through a frame and the library's own give the same messages, however cut."""

from collections.abc import Sequence
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from ingress.stream import FRAMES_AT_ONCE, Binary, Message, Stream
from tests.ingress.node import masked

BYTES_MAX = 1000

PAYLOADS = st.one_of(
    st.text(max_size=200).map(str.encode),
    st.sampled_from([b"x" * length for length in (0, 125, 126, 127, 999, 1000)]),
)
WHOLE = st.tuples(st.sampled_from([0x81, 0x82, 0x89, 0x8A]), PAYLOADS).map(
    lambda pair: masked(pair[1][: 125 if pair[0] > 0x88 else None], pair[0])
)
CUT = st.lists(PAYLOADS.map(lambda payload: payload[:100]), min_size=2, max_size=5).map(
    lambda parts: b"".join(
        masked(part, first)
        for first, part in zip([0x01, *[0x00] * (len(parts) - 2), 0x80], parts, strict=True)
    )
)
BROKEN = st.sampled_from(
    [
        b"\x81\x02{}",
        masked(b"{}", 0xC1),
        masked(b"{}", 0x83),
        masked(b"{}", 0x80),
        masked(b"x" * 1001),
        masked(b"x" * 126, 0x89),
        masked((1000).to_bytes(2, "big"), 0x88),
        masked(b"\x03", 0x88),
    ]
) | st.binary(max_size=30)


def by_the_library(data: bytes) -> tuple[list[Message], bytes]:
    protocol = Protocol(SERVER, state=OPEN, max_size=BYTES_MAX)
    protocol.receive_data(data)
    messages: list[Message] = []
    parts: list[bytes] = []
    is_text = True
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            continue
        parts.append(bytes(frame.data))
        if frame.fin:
            payload, parts = b"".join(parts), []
            messages.append(payload if is_text else Binary(payload))
    return messages, b"".join(protocol.data_to_send())


def by_the_stream(data: bytes, cuts: Sequence[int]) -> tuple[list[Message], bytes]:
    stream = Stream((), bytes_max=BYTES_MAX, fragments_max=100)
    messages: list[Message] = []
    written = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        messages += stream.receive(data[start:end])
        written += b"".join(stream.to_write())
    while stream.has_more:
        messages += stream.receive(b"")
        written += b"".join(stream.to_write())
    return messages, written


@given(st.lists(WHOLE | CUT, max_size=12), BROKEN, st.lists(st.integers(0), max_size=8))
def test_the_stream_agrees_with_the_library(
    frames: list[bytes], broken: bytes, cuts: list[int]
) -> None:
    # The zeros complete what is broken: the library refuses some of it before it is complete.
    data = b"".join(frames) + broken + bytes(2 * BYTES_MAX)

    assert by_the_stream(data, cuts) == by_the_library(data)


def test_of_many_frames_in_one_read_a_few_are_worked_off_at_a_time() -> None:
    stream = Stream((), bytes_max=BYTES_MAX, fragments_max=1)
    frames = [masked(str(number).encode()) for number in range(2 * FRAMES_AT_ONCE + 1)]

    turns = [stream.receive(b"".join(frames))]
    while stream.has_more:
        turns.append(stream.receive(b""))

    assert [len(each) for each in turns] == [FRAMES_AT_ONCE, FRAMES_AT_ONCE, 1]
    assert [each for turn in turns for each in turn] == [
        str(number).encode() for number in range(len(frames))
    ]


@pytest.mark.parametrize("length", [0, 1, 511, 512, 5000, 70_000])
@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_sent_is_what_the_library_reads(length: int, compressed: bool) -> None:
    extension = [PerMessageDeflate(True, True, 15, 12)] if compressed else []
    client = Protocol(CLIENT, state=OPEN)
    client.extensions = [PerMessageDeflate(True, True, 12, 15)] if compressed else []
    text = ("äx€" * length)[:length].encode()

    client.receive_data(Stream(extension, bytes_max=BYTES_MAX, fragments_max=1).text(text))

    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data)) == (Opcode.TEXT, text)


def test_a_large_frame_that_comes_byte_by_byte_is_not_read_again_and_again() -> None:
    stream = Stream((), bytes_max=600_000, fragments_max=1)
    data = masked(b"x" * 500_000)

    started_s = process_time()
    messages = [message for byte in data for message in stream.receive(bytes([byte]))]

    assert messages == [b"x" * 500_000]
    assert process_time() - started_s < 2  # A tenth of it; 250 GB of copies would take longer.
