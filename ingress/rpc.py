"""OCPP-J frames as they come in: one text to one `Frame`, without I/O and without memory.

Rules kept here (OCPP-J 1.6, 4.1-4.2; OCPP 2.0.1, part 4, 4; 2.1, part 4, 4):

- Every text has a reading; none raises. What is wrong is named by the code its version prescribes.
- A frame is parsed once, and a CALL's payload is checked against the official schema of its
  action.
- The verdict is a flag. A payload that is readable is handed on, however it violates its schema.
- What is tolerated of real stations, and when, is said by `schemas.tolerance`: a violation in the
  words of the rule, and where nothing has to be said to the station no error.
- A CALL has a readable payload exactly if it has an action; an answer, if it has no error.

Only what is odd is looked at twice. Which CALL an answer belongs to, and what is done about an
error, is decided by the owner.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from schemas import frames, payloads, tolerance
from schemas.records import CALL, CALLERROR, CALLRESULT, CALLRESULTERROR, SEND
from schemas.switches import NONE, Switches

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

_HEAD_OF_CALL = re.compile(r'[^\["]{0,8}\[\s*2\s*,\s*"([^"\\\x00-\x1f]{1,36})"\s*,')
_HEAD_OF_ANSWER = re.compile(r"[^\[\"]{0,8}\[\s*[345]\s*,")

_EXPANDING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Six bytes each in a record."""

_Fault = tuple[str, str]
"""An error code, empty for what is tolerated, and the rule that is broken."""


class Frame(Struct, frozen=True, gc=False):
    """What could be read. The fields mean what they mean in `schemas.records.MessageReceived`."""

    message_type: int
    message_id: str = ""
    action: str = ""
    payload: Any = None
    error: str = ""
    violations: tuple[str, ...] = ()
    version: str = ""
    """The OCPP version it is of, where that is not its connection's."""


def read(version: str, text: str, switches: Switches = NONE) -> Frame:
    """Return the reading of a text; never raises."""
    faults: list[_Fault] = []
    try:
        value = frames.parse(text)
    except frames.UnreadableFrame as refused:
        value = frames.parse_mended(text)
        if value is None:
            return _unparsed(version, text, str(refused))
        faults.append(_formation(version, tolerance.CONTROL_CHARACTERS.flag))
    if type(value) is not list or len(value) < 2:
        return unreadable(version, "not an array of a message type and an id")
    message_type, message_id = value[0], value[1]
    if type(message_type) is not int or message_type not in _TYPES[version]:
        return _of_unknown_type(version, message_id)
    if type(message_id) is not str or not 0 < len(message_id) <= MESSAGE_ID_CHARACTERS_MAX:
        message_id, fault = _odd_id(version, message_id, value, switches)
        faults.insert(0, fault)
    if message_type in (CALL, SEND):
        frame = _call(version, message_type, message_id, value, faults, switches)
        if frame.action in tolerance.CLOSELY_READ and frames.repeats_member(text, value):
            return _doubted(text, frame)
        return frame
    return _answer(version, message_type, message_id, value, faults)


def is_kept_as_bytes(frame: Frame, text: str) -> bool:
    """Whether the record of an unreadable frame has its bytes, which take less room there."""
    return frame.payload is None and _EXPANDING.search(text) is not None


def reused(version: str, frame: Frame) -> Frame:
    """Return the reading of a CALL that has the id of another one before it."""
    error = frame.error or ("GenericError" if version == "1.6" else "RpcFrameworkError")
    return replace(frame, error=error, violations=(tolerance.REUSED_ID.flag, *frame.violations))


def unreadable(version: str, why: str) -> Frame:
    """Return the reading of a frame in which nothing could be read."""
    return Frame(UNREADABLE, error=_framework_error(version), violations=(f"$: {why}",))


def _call(
    version: str,
    message_type: int,
    message_id: str,
    value: list[Any],
    faults: list[_Fault],
    switches: Switches,
) -> Frame:
    action = value[2] if len(value) > 2 else None
    if type(action) is not str or not 0 < len(action) <= ACTION_CHARACTERS_MAX:
        faults.append(_formation(version, "$[2]: not an action"))
        return _faulty(message_type, message_id, "", None, faults)
    if len(value) == 3:
        faults.append(("ProtocolError", tolerance.NO_PAYLOAD.flag))
    elif len(value) != 4:
        faults.append(_formation(version, f"$: {len(value)} elements"))
    payload = frames.payload_in(message_type, value)
    if action not in payloads.actions(version):
        action, fault = _odd_action(version, action, switches)
        faults.append(fault)
    spoken = version
    if action in payloads.actions(version):
        found = payloads.violations(version, action, payload)
    else:
        found = ()
    if (found or faults) and action in tolerance.READ_IN_ANY_VERSION:
        spoken, found = _in_another_version(version, action, payload, found)
        if spoken != version:
            faults = [fault for fault in faults if fault[0] != "NotImplemented"]
            faults.append(("", tolerance.OTHER_VERSION.flag))
    faults.extend((violation.code, str(violation)) for violation in found)
    if not faults:
        return Frame(message_type, message_id, action, payload)
    frame = _faulty(message_type, message_id, action, payload, faults)
    return frame if spoken == version else replace(frame, version=spoken)


def _odd_action(version: str, action: str, switches: Switches) -> tuple[str, _Fault]:
    meant = _by_any_case(version).get(action.casefold(), "")
    if meant in tolerance.NOT_TO_BE_LOST or (meant and switches.any_case_actions):
        return meant, ("", tolerance.OTHER_CASE.flag)
    return action, ("NotImplemented", "$[2]: no action of this version")


@cache
def _by_any_case(version: str) -> Mapping[str, str]:
    return {action.casefold(): action for action in payloads.actions(version)}


def _in_another_version(
    version: str, action: str, payload: Any, found: Sequence[payloads.Violation]
) -> tuple[str, Sequence[payloads.Violation]]:
    # Of another version is what has all that the other demands, and not what its own does.
    if action in payloads.actions(version) and not _lacks(found):
        return version, found
    for other in payloads.VERSIONS:
        if other != version and action in payloads.actions(other):
            there = payloads.violations(other, action, payload)
            if not _lacks(there):
                return other, there
    return version, found


def _lacks(found: Sequence[payloads.Violation]) -> bool:
    return any(each.is_of_absence for each in found)


def _answer(
    version: str, message_type: int, message_id: str, value: list[Any], faults: list[_Fault]
) -> Frame:
    # A text that was mended has one reading, and nobody tells an answer that it is wrong.
    mended = tolerance.CONTROL_CHARACTERS.flag
    faults = [("" if rule == mended else code, rule) for code, rule in faults]
    payload = frames.payload_in(message_type, value)
    if message_type == CALLRESULT:
        behind = value[frames.place_of_payload(message_type, value) + 1 :]
        if type(payload) is not dict or any(behind):
            faults.append(_formation(version, "$: not a result"))
        elif len(value) > 3:
            faults.append(("", tolerance.LONG_RESULT.flag))
    elif not payload or type(payload[0]) is not str or len(value) > 5:
        faults.append(_formation(version, "$: not an error"))
    elif len(value) < 5:
        faults.append(("", "$: no description or no details"))
    return _faulty(message_type, message_id, "", payload, faults)


def _doubted(text: str, frame: Frame) -> Frame:
    if not frames.repeated_members(text):
        return frame
    others = frame.violations[: payloads.VIOLATIONS_MAX - 1]
    return replace(frame, violations=(*others, tolerance.REPEATED_MEMBER.flag))


def _faulty(
    message_type: int, message_id: str, action: str, payload: Any, faults: list[_Fault]
) -> Frame:
    error = next((code for code, _ in faults if code), "")
    if error and not action:
        payload = None
    rules = tuple(rule for _, rule in faults[: payloads.VIOLATIONS_MAX])
    return Frame(message_type, message_id, action, payload, error, rules)


def _unparsed(version: str, text: str, why: str) -> Frame:
    # The station waits for an answer to this id; an error tells it more than silence.
    head = _HEAD_OF_CALL.match(text)
    if head is None:
        frame = unreadable(version, why)
        if _HEAD_OF_ANSWER.match(text):
            # Nobody tells an answer that it is wrong; the CALL it is for times out.
            return replace(frame, error=payloads.formation_violation(version))
        return frame
    return _faulty(CALL, head[1], "", None, [_formation(version, f"$: {why}")])


def _of_unknown_type(version: str, message_id: object) -> Frame:
    return Frame(
        UNREADABLE,
        message_id if _is_id(message_id, MESSAGE_ID_CHARACTERS_MAX) else "",
        error=_framework_error(version) if version == "1.6" else "MessageTypeNotSupported",
        violations=(tolerance.UNKNOWN_TYPE.flag,),
    )


def _odd_id(
    version: str, message_id: object, value: list[Any], switches: Switches
) -> tuple[str, _Fault]:
    action = value[2] if len(value) > 2 else None
    matters = type(action) is str and action in tolerance.ANSWERED_UNDER_ANY_ID
    if digits := frames.digits_of(message_id):
        is_let = matters or switches.numbers_as_ids or value[0] not in (CALL, SEND)
        return digits, ("" if is_let else "ProtocolError", tolerance.NUMBER_AS_ID.flag)
    if (version == "1.6" or matters) and _is_id(message_id, TOLERATED_ID_CHARACTERS_MAX):
        return message_id, ("", tolerance.LONG_ID.flag)
    return "", (_framework_error(version), "$[1]: not a message id")


def _is_id(value: object, characters_max: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= characters_max


def _formation(version: str, rule: str) -> _Fault:
    return payloads.formation_violation(version), rule


def _framework_error(version: str) -> str:
    # 1.6 has no code for what is not OCPP-J, and no id to answer such a frame under.
    return payloads.formation_violation(version) if version == "1.6" else "RpcFrameworkError"
