"""Where each microsecond of a CALL goes: the edge's steps, each timed on its own.

All stations tell one CALL, then the first step is done for all of them, then the second, and so on
as the edge does for the CALLs that it takes together: the same code on the same state.
The clock is read twice per step and hundred CALLs. CPU time of the thread; rounds of a turn are
added up, and of the turns the median counts. Sockets, their system calls and the event loop are not
in it.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.embedded import directory
from benchmarks.history import PARTITION, History, Teller, received, unframed
from benchmarks.rows import Row
from infra.collector import calm_collector
from infra.journal_sqlite import SWITCH_INTERVAL_S
from ingress import rpc
from ingress.stream import Stream
from schemas import frames, payloads
from schemas.records import CdrReleased, MessageReceived, Record, encode

TITLE = "The hot path: CPU of one CALL, step by step"
STATIONS = 100
TURNS = 9
ROUNDS = 90
"""Ten sessions of every station in each turn."""

INCARNATION = "0123456789ab"
COMMAND = "python -m benchmarks hotpath"

STREAM_IN = "WebSocket: bytes → text"
DECODE = "decode UTF-8"
PARSE = "parse the JSON, bounded"
SCHEMA = "check the payload against the schema"
READ = "the rest of reading: frame, ids, action"
RECORD = "make the record of the CALL"
ENCODE_RECEIVED = "encode the CALL's record"
FOLD_RECEIVED = "filter and fold it"
DECIDE = "decide the answer"
ENCODE_SENT = "encode the answer's record"
FOLD_SENT = "filter and fold it (what the CALL meant takes effect)"
RELEASE = "look for more to decide; at a session's end release, encode and fold the CDR"
ENQUEUE = "queue the batch for the commit"
COMMIT = "the commit: row, INSERT, fsync, wake-up (all threads; 100 CALLs share one)"
STREAM_OUT = "WebSocket: text → bytes"
STEPS = (
    *(STREAM_IN, DECODE, PARSE, SCHEMA, READ, RECORD, ENCODE_RECEIVED, FOLD_RECEIVED, DECIDE),
    *(ENCODE_SENT, FOLD_SENT, RELEASE, ENQUEUE, COMMIT, STREAM_OUT),
)


def run() -> list[Row]:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    calm_collector()
    with directory() as data:
        turns = asyncio.run(_turns(data))
    figures = {step: statistics.median(turn[step] for turn in turns) for step in STEPS}
    total = statistics.median(sum(turn.values()) for turn in turns)
    rows = [
        Row(name=step, command=COMMAND, figure=f"{us:.2f} µs", ratio=f"{us / total:.0%}")
        for step, us in figures.items()
    ]
    return [*rows, Row(name="**in all**", command=COMMAND, figure=f"**{total:.1f} µs**")]


async def _turns(data: Path) -> list[dict[str, float]]:
    history = await History.open(data, STATIONS)
    path = Steps(history)
    try:
        await path.turn()  # Everything compiled and warm.
        return [await path.turn() for _ in range(TURNS)]
    finally:
        await history.close()


class Steps:
    """The edge's path for many CALLs at a time, on a real journal and a real owner."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._stream = Stream((), bytes_max=256 * 1024, fragments_max=1024)
        self._sequence = 0
        self._durable = asyncio.Event()
        history.journal.on_durable(self._durable.set)
        self._spent = dict.fromkeys(STEPS, 0.0)

    async def turn(self) -> dict[str, float]:
        """Return microseconds per CALL of every step."""
        self._spent = dict.fromkeys(STEPS, 0.0)
        gc.collect()
        for _ in range(ROUNDS):
            await self._round()
        return {step: s * 1e6 / ROUNDS / STATIONS for step, s in self._spent.items()}

    async def _round(self) -> None:
        history, tellers = self._history, self._history.tellers
        history.now_us += 1_000_000
        heard, parsed = self._heard(tellers)
        values = [[value] for value in self._timed(ENCODE_RECEIVED, self._encode, heard)]
        offset = history.journal.next_offset(PARTITION)
        self._fold(FOLD_RECEIVED, offset, heard, parsed)
        now = history.now_us
        sent = self._timed(DECIDE, lambda _: history.owner.decide_next(now), tellers)
        for each, value in zip(values, self._timed(ENCODE_SENT, self._encode, sent), strict=True):
            each.append(value)
        self._fold(FOLD_SENT, offset + STATIONS, sent, [None] * STATIONS)
        self._release(offset + 2 * STATIONS, values)
        self._timed(ENQUEUE, lambda v: history.journal.enqueue(PARTITION, v), values)
        await self._commit()
        self._timed(STREAM_OUT, lambda s: self._stream.text(s.frame.encode()), sent)
        by_station = {teller.name: teller for teller in tellers}
        for answer in sent:
            by_station[answer.station].script.answered(answer.frame.encode())

    def _heard(self, tellers: Sequence[Teller]) -> tuple[list[MessageReceived], list[object]]:
        wire = [teller.script.next_call() for teller in tellers]
        bodies = self._timed(STREAM_IN, lambda data: self._stream.receive(data)[0], wire)
        assert bodies == [unframed(data) for data in wire]
        texts = self._timed(DECODE, lambda body: body.decode(), bodies)
        whole = self._timed(READ, lambda text: rpc.read("1.6", text), texts)
        self._timed(PARSE, frames.parse, texts)
        self._timed(SCHEMA, lambda f: payloads.violations("1.6", f.action, f.payload), whole)
        history = self._history
        pairs = list(zip(tellers, texts, whole, strict=True))
        records = self._timed(RECORD, lambda p: received(p[0], p[1], p[2], history.now_us), pairs)
        return records, [frame.payload for frame in whole]

    def _timed(self, step: str, do: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        began = time.thread_time()
        made = [do(item) for item in items]
        spent = time.thread_time() - began
        self._spent[step] += spent
        if step in (PARSE, SCHEMA):
            # They were part of reading; this was the second time.
            self._spent[READ] -= spent
        return made

    def _encode(self, record: Record) -> bytes:
        self._sequence += 1
        return encode(record, INCARNATION, self._sequence)

    def _fold(
        self, step: str, offset: int, records: Sequence[Record], parsed: Sequence[object]
    ) -> None:
        fold, sequence = self._history.owner.fold_queued, self._sequence - len(records)
        items = list(enumerate(zip(records, parsed, strict=True), 1))

        def one(item: tuple[int, tuple[Record, object]]) -> None:
            number, (record, payload) = item
            fold(offset + number - 1, record, INCARNATION, sequence + number, payload)

        self._timed(step, one, items)

    def _release(self, offset: int, values: list[list[bytes]]) -> None:
        history = self._history
        owner, now = history.owner, history.now_us
        released: list[bytes] = []

        def one(_: object) -> None:
            record = owner.decide_next(now)
            if record is not None:
                assert isinstance(record, CdrReleased)
                released.append(self._encode(record))
                owner.fold_queued(
                    offset + len(released) - 1, record, INCARNATION, self._sequence, None
                )

        self._timed(RELEASE, one, values)
        for each, value in zip(values, released, strict=False):
            each.append(value)

    async def _commit(self) -> None:
        journal = self._history.journal
        end, began = journal.next_offset(PARTITION), time.process_time()
        while journal.durable[PARTITION] < end:
            self._durable.clear()
            await self._durable.wait()
        self._spent[COMMIT] += time.process_time() - began
