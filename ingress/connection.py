"""One socket after its handshake, to its end.

Nothing waits in a task of its own; what takes time is a count of ticks, which the node's pace works
off. Reading is paused, and nothing dropped: while the log does not take a record, while the station
sends faster than its allowance, while it does not read what we wrote.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ingress import redaction, rpc
from ingress.delivery import Delivery
from ingress.echoes import Echoes
from ingress.handshake import may_stay
from ingress.identity import Identity
from ingress.node import Node
from ingress.reading import LOG, MORE, OPENING, PEER, RATE, Reading
from ingress.stream import POLICY_VIOLATION, Binary, Message, Stream
from schemas.journal import Unavailable
from schemas.records import CALL, CALLERROR, CALLRESULT, MessageReceived
from schemas.switches import NONE, Switches

ABNORMAL: Final = 1006
NOT_UTF8: Final = 1007
TRY_AGAIN: Final = 1013


class Connection(Reading):
    __slots__ = (
        "_code", "_countdown", "_due_us", "_echoes", "_heard", "_held", "_last_id", "_last_said",
        "_lost", "_node", "_number", "_pinged", "_reason", "_silent_s", "_stream", "_switches",
        "_unreadable", "_unreadable_since", "_unwritten", "_version", "asked", "id", "identity",
        "is_open", "last_offset", "order", "outbox", "owed",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        stream: Stream,
        *,
        version: str,
        id: str,
        identity: Identity,
        order: int,
        lost: Callable[["Connection", int, str], None],
        switches: Switches = NONE,
    ) -> None:
        super().__init__()
        self._node = node
        self._lost = lost
        self._stream = stream
        self._version = version
        self._switches = switches
        self._last_id = ""
        """Of the last CALL without an error, and all that it said, hashed."""
        self._last_said = 0
        self._held: deque[tuple[MessageReceived, Any]] | None = None
        self._unwritten: list[bytes] | None = None
        self._countdown = 0
        self._number = 0
        self._due_us = 0
        self._echoes: Echoes | None = None
        self._unreadable = 0
        self._unreadable_since = 0
        self._heard = False
        self._pinged = False
        self._silent_s = 0.0
        self._code = ABNORMAL
        self._reason = ""
        self.id = id
        self.identity = identity
        self.order = order
        """Of its opening in the log, among this node's."""
        self.is_open = True
        self.last_offset = -1
        """Of the deliveries written."""
        self.owed, self.asked = 0, False
        """CALLs of the station that we have not answered; whether it owes us an answer."""
        self.outbox: deque[Delivery] | None = None
        """Deliveries that wait for a secret, and those behind them."""

    def take(self, transport: asyncio.Transport, early: bytes) -> None:
        """Begin with this socket, and with what it sent already."""
        self._transport = transport
        transport.set_write_buffer_limits(high=self._node.options.outbound_bytes_max)
        if early:
            self.data_received(early)
        self._resume(OPENING)

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        self._heard = True
        stream, now_us = self._stream, self._node.now_us()
        for message in stream.receive(data):
            self._message_received(message, now_us)
        if stream.frames_seen:
            self._spend(stream.frames_seen, now_us)
            stream.frames_seen = 0
        if stream.has_more:
            self._pause(MORE)
        elif self._paused & MORE:
            self._resume(MORE)
        if not stream.has_answered:
            return
        stream.has_answered = False
        self._flush()
        if self.is_open and not stream.is_open:
            if stream.ended is not None:
                self._code, self._reason = stream.ended
                if self._echoes is not None:
                    self._reason, _ = self._echoes.in_text(self._reason)
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.is_open = False
        if self._held is not None:
            self._post_held()
            self._held = None
        self._lost(self, self._code, self._reason)

    def pause_writing(self) -> None:
        self._pause(PEER)
        self._watch(self._node.options.outbound_stall_s)

    def resume_writing(self) -> None:
        self._resume(PEER)

    @property
    def is_held(self) -> bool:
        """Whether a record of this connection waits for the log."""
        return self._held is not None

    @property
    def is_idle(self) -> bool:
        return not self.owed and not self.asked

    @property
    def is_slowed(self) -> bool:
        """Whether it is not read, because it sends too fast or does not read what we wrote."""
        return self._paused & (RATE | PEER) != 0

    @property
    def answers_pings(self) -> bool:
        return self._stream.ponged

    # Messages in.

    def _message_received(self, message: Message, now_us: int) -> None:
        if isinstance(message, Binary):
            self._bytes_received(message.payload, "a binary frame", now_us)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._bytes_received(message, "not UTF-8", now_us)
            self.close(NOT_UTF8, "not UTF-8")
            return
        read = redaction.read(self._version, text, self._switches, self._node.digest, self._echoes)
        frame, text = read.frame, read.text
        if frame.message_type == CALL and frame.message_id:
            said = hash(text)
            if (
                frame.message_id == self._last_id
                and said != self._last_said
                and not self._switches.reuses_message_ids
            ):
                frame = rpc.reused(frame.version or self._version, frame)
            if not frame.error:
                self._last_id, self._last_said = frame.message_id, said
        if frame.error and rpc.is_kept_as_bytes(frame, text):
            self._frame_received(frame, now_us, "", text.encode(), read.redactions)
        else:
            self._frame_received(frame, now_us, text, b"", read.redactions)

    def _bytes_received(self, data: bytes, what: str, now_us: int) -> None:
        data, redactions = redaction.redacted_bytes(data, self._node.digest, self._echoes)
        self._frame_received(rpc.unreadable(self._version, what), now_us, "", data, redactions)

    def _frame_received(
        self, frame: rpc.Frame, now_us: int, text: str, binary: bytes, redactions: int
    ) -> None:
        self._number += 1
        if frame.message_type == CALL:
            self.owed += bool(frame.message_id)
        elif frame.message_type in (CALLRESULT, CALLERROR):
            self.asked = False
        tenant, station = self.identity
        self._post(
            MessageReceived(
                tenant=tenant,
                station=station,
                recorded_at=now_us,
                connection=self.id,
                number=self._number,
                frame=text,
                frame_base64=base64.b64encode(binary).decode() if binary else "",
                message_type=frame.message_type,
                message_id=frame.message_id,
                action=frame.action,
                error=frame.error,
                violations=frame.violations,
                protocol=frame.version or self._version,
                redactions=redactions,
            ),
            frame.payload,
        )
        self._node.count_frame(frame)
        if frame.message_type == rpc.UNREADABLE:
            self._count_unreadable(now_us)

    def _count_unreadable(self, now_us: int) -> None:
        if not 0 <= now_us - self._unreadable_since < 60_000_000:
            self._unreadable, self._unreadable_since = 0, now_us
        self._unreadable += 1
        if self._unreadable >= self._node.options.unreadable_per_minute_max:
            self.close(POLICY_VIOLATION, "too many unreadable frames")

    def _post(self, record: MessageReceived, payload: Any) -> None:
        if self._held is not None:
            # Once we said that we close, what still comes is not answered, and sent again.
            if self.is_open:
                self._held.append((record, payload))
            return
        try:
            self._node.log.post(record, payload)
        except Unavailable:
            self._held = deque([(record, payload)])
            self._pause(LOG)
            self._watch(self._node.options.hold_s)

    def _post_held(self) -> bool:
        held = self._held
        while held:
            try:
                self._node.log.post(*held[0])
            except Unavailable:
                return False
            held.popleft()
        self._held = None
        self._resume(LOG)
        return True

    def _spend(self, frames: int, now_us: int) -> None:
        # One integer is the whole bucket: when these frames would be due at the steady rate.
        node, due_us = self._node, self._due_us
        due_us = (due_us if due_us > now_us else now_us) + frames * node.frame_interval_us
        self._due_us = due_us
        if due_us - now_us > node.frame_burst_us and self.is_open:
            self._pause(RATE)
            node.pace.watched.add(self)

    # Messages out.

    def send(self, frame: str) -> bool:
        """Have a text written before this turn of the loop ends; False if none is taken any more.

        Texts of one turn are written at once: a write each would be a system call each.
        """
        if not self.is_open:
            return False
        data = self._stream.text(frame.encode())
        if self._unwritten is None:
            self._unwritten = [data]
            self._node.pace.flush_soon(self)
        else:
            self._unwritten.append(data)
        return True

    def was_told(self, secret: str) -> None:
        """It stands in what was sent, and nothing that the station says of it is to be kept."""
        self._echoes = self._echoes or Echoes(self._node.digest)
        self._echoes.add(secret)

    def flush(self) -> None:
        """Write what was sent."""
        unwritten, self._unwritten = self._unwritten, None
        transport = self._transport
        if unwritten is None or transport is None:
            return
        transport.write(unwritten[0] if len(unwritten) == 1 else b"".join(unwritten))
        if self._paused & PEER:
            limit = 2 * self._node.options.outbound_bytes_max
            if transport.get_write_buffer_size() > limit:
                self.abort("a slow reader")

    def _flush(self) -> None:
        data = self._stream.to_write()
        if not data or self._transport is None:
            return
        self.flush()
        for piece in data:
            if piece:
                self._transport.write(piece)
            else:
                self._transport.close()

    # The end.

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the socket is cut if the peer does not answer soon.

        A station that would not come again after it is only hung up on. What a log that fails did
        not take is forgotten: what came before it may be gone.
        """
        if not self.is_open:
            return
        if code == TRY_AGAIN and self._held:
            self._held.clear()
        if self._switches.cut_not_closed and self._transport is not None:
            self._code, self._reason = code, reason
            self.flush()
            self._transport.close()
        else:
            if self._stream.is_open:
                self._code, self._reason = code, reason
            self._stream.close(code, reason)
            self._flush()
        self._end()

    def abort(self, reason: str) -> None:
        """Cut the socket."""
        if self.is_open:
            self._code, self._reason = ABNORMAL, reason
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self.is_open = False
        # Whatever it was paused for: the peer's close must be read.
        self._resume(LOG | RATE | PEER)
        self._watch(self._node.options.closing_s)

    # Time.

    def due(self) -> float:
        """Do what the wheel wakes this connection for; return after how long to do so again."""
        options = self._node.options
        if not self.is_open:
            return 0
        if not self._pinged:
            if not may_stay(self.identity, options, self._node.directory):
                self.close(POLICY_VIOLATION, "not admitted any more")
                return 0
            if self._heard:
                self._silent_s = 0.0
            self._pinged, self._heard = True, False
            if not self._switches.never_pinged:
                self._stream.ping()
                self._node.pings += 1
                self._flush()
            return options.pong_s
        self._pinged = False
        if self._heard or self._paused:
            self._silent_s = 0.0
        else:
            self._silent_s += options.ping_s
            if self._stream.ponged or self._silent_s >= options.silence_s:
                self.abort("ping unanswered")
                return 0
        return self._node.pace.jittered(max(options.ping_s - options.pong_s, options.tick_s))

    def tick(self) -> bool:
        """Work off what this connection waits for; False once that is nothing."""
        if self._transport is None:
            return False
        self._countdown -= 1
        late = self._countdown <= 0
        if self.is_open:
            return self._tick_open(late)
        if late:
            self.abort("")
        return True

    def _tick_open(self, late: bool) -> bool:
        if self._held is not None and not self._post_held() and late:
            self.close(TRY_AGAIN, "the log cannot be written")
            return True
        if self._paused & PEER and late:
            self.abort("a slow reader")
        if self._paused & RATE and self._has_allowance():
            self._resume(RATE)
        return self._paused != 0

    def _has_allowance(self) -> bool:
        ahead_us = self._due_us - self._node.now_us() - self._node.frame_burst_us
        if ahead_us > 60_000_000:
            # Our clock was set back; no station owes minutes.
            self._due_us = 0
            return True
        return ahead_us <= 0

    def _watch(self, seconds: float) -> None:
        pace = self._node.pace
        self._countdown = pace.ticks(seconds)
        pace.watched.add(self)
