"""The limits of one append, the same in every adapter, so that what is decided embedded fits Kafka.

A value is one line: adapters keep a batch as its lines.
"""

from collections.abc import Iterator, Sequence

BATCH_BYTES_MAX = 1_000_000
"""One append. Far above any decision (frames are limited at the edge), below Kafka's 1 MiB."""

BATCH_RECORDS_MAX = 10_000
"""What a record costs beside its value stays small beside `BATCH_BYTES_MAX`."""

QUEUE_BYTES_MAX = 64 * 1024 * 1024
"""Queued and not yet durable: some seconds of a node's full load, then appends are refused."""


def joined(values: Sequence[bytes]) -> bytes:
    """Return the values as lines.

    Raises:
        ValueError: no values, a value that is not one line, or more than the limits above.
    """
    lines = b"\n".join(values)
    if lines.count(b"\n") != len(values) - 1:
        raise ValueError("a batch is one or more values, and a value is one line")
    if len(values) > BATCH_RECORDS_MAX:
        raise ValueError(f"a batch of {len(values)} values; at most {BATCH_RECORDS_MAX} are taken")
    if len(lines) > BATCH_BYTES_MAX:
        raise ValueError(f"a batch of {len(lines)} bytes; at most {BATCH_BYTES_MAX} are taken")
    return lines


def split(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield the values, in order, in batches of at most half the bytes that one may have.

    A larger value is a batch of its own.
    """
    if sum(map(len, values)) <= BATCH_BYTES_MAX // 2:
        yield values
        return
    batch: list[bytes] = []
    size = 0
    for value in values:
        size += len(value)
        if batch and size > BATCH_BYTES_MAX // 2:
            yield batch
            batch, size = [], len(value)
        batch.append(value)
    yield batch
