"""OCPP-J frames as they come in: one text to one `Frame`, without I/O and without memory.

Rules kept here (OCPP-J 1.6, 4.1-4.2; OCPP 2.0.1, part 4, 4; 2.1, part 4, 4):

- Every text has a reading; none raises. What is wrong is named by the code its version prescribes.
- A frame is parsed once, and a CALL's payload is checked against the official schema of its
  action.
- The verdict is a flag. A payload that is readable is handed on, however it violates its schema.
- Of what real stations send, 1.6 tolerates (a violation, but no error) a number as message id and
  an id of up to 64 characters.

Which CALL an answer belongs to, and what is done about an error, is decided by the owner.
"""

from typing import Any, Final

from msgspec import Struct

from schemas import frames, payloads
from schemas.records import CALL, CALLERROR, CALLRESULT, CALLRESULTERROR, SEND

MESSAGE_ID_CHARACTERS_MAX = 36
TOLERATED_ID_CHARACTERS_MAX = 64
"""Seen: "SI-<uuid>_1" of 41 characters (1.6)."""

ACTION_CHARACTERS_MAX = 64
"""The longest of 2.1 has 34."""

UNREADABLE: Final = 0
NAMES: Final = {
    UNREADABLE: "unreadable",
    CALL: "CALL",
    CALLRESULT: "CALLRESULT",
    CALLERROR: "CALLERROR",
    CALLRESULTERROR: "CALLRESULTERROR",
    SEND: "SEND",
}

_TYPES: Final = {
    "1.6": frozenset((CALL, CALLRESULT, CALLERROR)),
    "2.0.1": frozenset((CALL, CALLRESULT, CALLERROR)),
    "2.1": frozenset((CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND)),
}
_LENGTHS: Final = {CALL: 4, CALLRESULT: 3, CALLERROR: 5, CALLRESULTERROR: 5, SEND: 4}


class Frame(Struct, frozen=True, gc=False):
    """What could be read. The fields mean what they mean in `schemas.records.MessageReceived`."""

    message_type: int
    message_id: str = ""
    action: str = ""
    payload: Any = None
    error: str = ""
    violations: tuple[str, ...] = ()


def read(version: str, text: str) -> Frame:
    """Return the reading of a text; never raises."""
    mended = False
    try:
        value = frames.parse(text)
    except frames.UnreadableFrame as first:
        try:
            value = frames.parse(frames.mended(text))
        except frames.UnreadableFrame:
            return unreadable(version, str(first))
        mended = True
    if type(value) is not list or len(value) < 2:
        return unreadable(version, "not an array of a message type and an id")
    message_type, message_id = value[0], value[1]
    if type(message_type) is not int or message_type not in _TYPES[version]:
        return _of_unknown_type(version, message_id)
    faults: list[tuple[str, str]] = []
    if mended:
        faults.append((payloads.formation_violation(version), "raw control characters in a string"))
    if type(message_id) is not str or not 0 < len(message_id) <= MESSAGE_ID_CHARACTERS_MAX:
        message_id = _tolerated_id(version, message_id, faults)
    if len(value) != _LENGTHS[message_type]:
        faults.append((payloads.formation_violation(version), f"$: {len(value)} elements"))
    if message_type in (CALL, SEND):
        return _call(version, message_type, message_id, value, faults)
    return _answer(version, message_type, message_id, value, faults)


def unreadable(version: str, why: str) -> Frame:
    """Return the reading of a frame in which nothing could be read."""
    code = payloads.formation_violation(version) if version == "1.6" else "RpcFrameworkError"
    return Frame(UNREADABLE, error=code, violations=(f"$: {why}",))


def _call(
    version: str,
    message_type: int,
    message_id: str,
    value: list[Any],
    faults: list[tuple[str, str]],
) -> Frame:
    action = value[2] if len(value) > 2 else None
    if type(action) is not str or not 0 < len(action) <= ACTION_CHARACTERS_MAX:
        faults.append((payloads.formation_violation(version), "$[2]: not an action"))
        return _frame(message_type, message_id, "", None, faults)
    payload = frames.payload_in(message_type, value)
    if action not in payloads.actions(version):
        faults.append(("NotImplemented", "$[2]: no action of this version"))
    elif found := payloads.violations(version, action, payload):
        faults.extend((violation.code, str(violation)) for violation in found)
    if not faults:
        return Frame(message_type, message_id, action, payload)
    return _frame(message_type, message_id, action, payload, faults)


def _answer(
    version: str,
    message_type: int,
    message_id: str,
    value: list[Any],
    faults: list[tuple[str, str]],
) -> Frame:
    payload = frames.payload_in(message_type, value)
    if message_type == CALLRESULT:
        if type(payload) is not dict:
            faults.append((payloads.formation_violation(version), "$[2]: not an object"))
    elif not payload or type(payload[0]) is not str:
        faults.append((payloads.formation_violation(version), "$[2]: not an error code"))
    elif len(payload) in (1, 2):
        # Stations leave out the description or the details; the code says enough.
        faults = [(code if "elements" not in rule else "", rule) for code, rule in faults]
    frame = _frame(message_type, message_id, "", payload, faults)
    return frame if not frame.error else _frame(message_type, message_id, "", None, faults)


def _frame(
    message_type: int,
    message_id: str,
    action: str,
    payload: Any,
    faults: list[tuple[str, str]],
) -> Frame:
    return Frame(
        message_type,
        message_id,
        action,
        payload,
        next((code for code, _ in faults if code), ""),
        tuple(rule for _, rule in faults[: payloads.VIOLATIONS_MAX]),
    )


def _of_unknown_type(version: str, message_id: object) -> Frame:
    code = "MessageTypeNotSupported"
    if version == "1.6":
        code = payloads.formation_violation(version)
    readable = type(message_id) is str and 0 < len(message_id) <= MESSAGE_ID_CHARACTERS_MAX
    return Frame(
        UNREADABLE,
        str(message_id) if readable else "",
        error=code,
        violations=("$[0]: no message type of this version",),
    )


def _tolerated_id(version: str, message_id: object, faults: list[tuple[str, str]]) -> str:
    if version == "1.6":
        if type(message_id) is int and abs(message_id) < 10**MESSAGE_ID_CHARACTERS_MAX:
            faults.append(("", "$[1]: a number as message id"))
            return str(message_id)
        if isinstance(message_id, str) and 0 < len(message_id) <= TOLERATED_ID_CHARACTERS_MAX:
            faults.append(("", f"$[1]: {len(message_id)} characters"))
            return message_id
        faults.append((payloads.formation_violation(version), "$[1]: not a message id"))
        return ""
    faults.append(("RpcFrameworkError", "$[1]: not a message id"))
    return ""
