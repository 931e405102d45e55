"""Positions of a feed: per partition the (offset, index) of the last thing consumed, as one string.

Opaque to consumers and safe in a URL. Two strings that mean the same position are equal; whether
one is later than another is not defined, only that a feed goes on after it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

_FORMAT = "1"
LENGTH_MAX = 16_384
"""A thousand partitions with long offsets."""

NUMBER_MAX = 2**62
PARTITION_MAX = 2**31 - 1

_Numbers = list[tuple[int, int, int]]
_encode = msgspec.msgpack.Encoder().encode
_decode: msgspec.msgpack.Decoder[_Numbers] = msgspec.msgpack.Decoder(_Numbers)


class UnreadablePosition(Exception):
    """Not a position that a feed has given."""


def encode(vector: Mapping[int, tuple[int, int]]) -> str:
    numbers = sorted((partition, *position) for partition, position in vector.items())
    return _FORMAT + urlsafe_b64encode(_encode(numbers)).decode().rstrip("=")


def decode(text: str) -> dict[int, tuple[int, int]]:
    """Return what was encoded.

    Raises:
        UnreadablePosition: the text is no position.
    """
    if not text.startswith(_FORMAT) or len(text) > LENGTH_MAX or not text.isascii():
        raise UnreadablePosition(text[:80])
    body = text[1:]
    try:
        numbers = _decode.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError as error:  # What binascii and msgspec raise.
        raise UnreadablePosition(text[:80]) from error
    vector = {partition: (offset, index) for partition, offset, index in numbers}
    if any(abs(number) > NUMBER_MAX for triple in numbers for number in triple):
        raise UnreadablePosition(text[:80])
    if any(not 0 <= partition <= PARTITION_MAX for partition in vector):
        raise UnreadablePosition(text[:80])
    return vector
