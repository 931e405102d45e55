"""Pre-rendered client frames: OCPP 1.6 CALLs inside masked WebSocket text frames.

The mask is four zero bytes, which RFC 6455 (5.3) allows on the wire and which leaves the payload
as it is: the server unmasks all the same, the load generator need not mask.

Start's business key is (station, connector, idTag, timestamp): every session of a station begins
in a minute of its own, far in the past, so that none is a repetition of another.
"""

from datetime import UTC, datetime, timedelta
from itertools import count

METER_VALUES_PER_SESSION = 6
CALLS_PER_SESSION = METER_VALUES_PER_SESSION + 3
# Wh between two samples: 6 s of 36 kW, and of no other power, so that a total can be checked.
SAMPLE_WH = 60
SESSION_WH = SAMPLE_WH * METER_VALUES_PER_SESSION
SESSIONS_MAX = 1_000_000

AUTHORIZE = b'[2,"%b","Authorize",{"idTag":"%b"}]'
START = (
    b'[2,"%b","StartTransaction",'
    b'{"connectorId":1,"idTag":"%b","meterStart":%d,"timestamp":"%b:00Z"}]'
)
METER_VALUES = (
    b'[2,"%b","MeterValues",{"connectorId":1,"transactionId":%b,"meterValue":'
    b'[{"timestamp":"%b:%02dZ","sampledValue":['
    b'{"value":"%d","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register",'
    b'"location":"Outlet","unit":"Wh"},'
    b'{"value":"36000","context":"Sample.Periodic","measurand":"Power.Active.Import",'
    b'"location":"Outlet","unit":"W"},'
    b'{"value":"%d","context":"Sample.Periodic","measurand":"SoC",'
    b'"location":"EV","unit":"Percent"}]}]}]'
)
STOP = (
    b'[2,"%b","StopTransaction",{"idTag":"%b","meterStop":%d,"timestamp":"%b:50Z",'
    b'"transactionId":%b,"reason":"Local"}]'
)
HEARTBEAT = b'[2,"%b","Heartbeat",{}]'
BOOT = b'[2,"%b","BootNotification",{"chargePointVendor":"ChargeLedger","chargePointModel":"Load"}]'
PONG = b"\x8a\x80\x00\x00\x00\x00"

_LONG = b"\x81\xfe%c%c\x00\x00\x00\x00"


def masked(payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return b"\x81%c\x00\x00\x00\x00%b" % (0x80 | length, payload)
    return _LONG % (length >> 8, length & 0xFF) + payload


class Minutes:
    """The text of a minute by its number, oldest first; days are formatted once."""

    def __init__(self, now: datetime) -> None:
        first = now.astimezone(UTC) - timedelta(minutes=SESSIONS_MAX)
        self._day = first.replace(hour=0, minute=0)
        self._days: list[bytes] = []
        self._times = [b"%02d:%02d" % divmod(minute, 60) for minute in range(1440)]

    def __getitem__(self, number: int) -> bytes:
        day, minute = divmod(number, 1440)
        while day >= len(self._days):
            self._days.append(self._day.strftime("%Y-%m-%dT").encode())
            self._day += timedelta(days=1)
        return self._days[day] + self._times[minute]


class Script:
    """What one station says: session after session. It remembers the id of its last CALL."""

    __slots__ = (
        "_ids",
        "_minute",
        "_minutes",
        "_register_wh",
        "_station",
        "_token",
        "_transaction",
        "message_id",
        "sessions",
        "step",
    )

    def __init__(self, number: int, minutes: Minutes, run: str) -> None:
        self._station = b"%b%05d" % (run.encode(), number)
        self._token = b"LOAD%06d" % (number % 1000)
        self._ids = count()
        self._minutes = minutes
        self._minute = b""
        self._register_wh = 1_000_000 + number
        self._transaction = b""
        self.message_id = b""
        self.sessions = 0
        # 0 Authorize, 1 Start, 2 … 7 MeterValues, 8 Stop.
        self.step = 0

    def _next_id(self) -> bytes:
        self.message_id = message_id = b"%b%08x" % (self._station, next(self._ids))
        return message_id

    def boot(self) -> bytes:
        return masked(BOOT % self._next_id())

    def heartbeat(self) -> bytes:
        return masked(HEARTBEAT % self._next_id())

    def next_call(self) -> bytes:
        step = self.step
        if 1 < step < 8:
            self._register_wh += SAMPLE_WH
            payload = METER_VALUES % (
                self._next_id(),
                self._transaction,
                self._minute,
                step * 6,
                self._register_wh,
                20 + step,
            )
            length = len(payload)
            return _LONG % (length >> 8, length & 0xFF) + payload
        if step == 0:
            return masked(AUTHORIZE % (self._next_id(), self._token))
        if step == 1:
            self._minute = self._minutes[self.sessions]
            return masked(START % (self._next_id(), self._token, self._register_wh, self._minute))
        return masked(
            STOP
            % (self._next_id(), self._token, self._register_wh, self._minute, self._transaction)
        )

    def answered(self, text: bytes) -> bool:
        """Take the answer to the last CALL; return True when it ended a session.

        Raises:
            ValueError: a Start was answered without a transaction id.
        """
        step = self.step
        if step == 1:
            self._transaction = transaction_id(text)
        elif step == 8:
            self.step = 0
            self.sessions += 1
            return True
        self.step = step + 1
        return False

    def abandon(self) -> None:
        """The session cannot go on; begin the next in a minute of its own."""
        self.step = 0
        self.sessions += 1


def transaction_id(text: bytes) -> bytes:
    at = text.index(b'"transactionId"') + 15
    number = text[at:].lstrip(b": ")
    digits = number[: next(i for i, byte in enumerate(number) if not 48 <= byte <= 57)]
    if not digits:
        raise ValueError(text)
    return digits
