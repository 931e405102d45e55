"""What is tolerated of real stations: each rule, what is done about the oddity, and why. Data.

Whoever meets an oddity flags it in the words of its rule (`flag`), so that a frame of the log names
the rule that let it through. docs/tolerance.md is written from here.
"""

from typing import Final

from msgspec import Struct

MONEY: Final = frozenset({"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"})
"""What a bill is made of. After an error a station discards it (OCPP 1.6, 4.8 and 4.10)."""

CLOSELY_READ: Final = MONEY - {"MeterValues"}
"""Where a member that stands twice is looked for. Most of what stations send is meter values, and
a bill seldom hangs on one of them: a look at each would cost more than their parsing."""

NOT_TO_BE_LOST: Final = MONEY | {"BootNotification"}
"""Nor is a boot refused for its form: many stations stay offline after an error to it."""

ANSWERED_UNDER_ANY_ID: Final = NOT_TO_BE_LOST | {"Authorize"}
"""Nor does a driver stand before a closed door for the form of an id."""

READ_IN_ANY_VERSION: Final = ANSWERED_UNDER_ANY_ID | {"StatusNotification"}
"""Nor for the version that a station speaks, nor is its place shown as nothing."""


class Rule(Struct, frozen=True, kw_only=True):
    oddity: str
    done: str
    why: str
    flag: str = ""
    """As a violation of the record says it; empty: the words are the schema's or the CDR's."""
    kept_in: str
    switch: str = ""


CONTROL_CHARACTERS: Final = Rule(
    oddity="Control characters stand raw in a string, a byte order mark before the frame, NULs"
    " behind it, a comma before a closing bracket.",
    done="It is read as if they were escaped, and as if mark, NULs and comma were not there. An"
    " answer counts; a CALL is answered by what it says where broken-schema has it so, others by an"
    " error.",
    why="An id tag with two bytes of a card's raw data would else cost the energy of its session.",
    flag="$: control characters, a byte order mark or a comma too many in the text",
    kept_in="ingress/rpc.py",
)
NUMBER_AS_ID: Final = Rule(
    oddity="The message id is a whole number.",
    done="A boot, an authorization and a money message are answered under the number. Any other"
    " CALL gets a ProtocolError under it; with the switch it is answered, too.",
    why="An id is a text, and testers ask for that; nothing that counts is lost for it.",
    flag="$[1]: a number as message id",
    kept_in="ingress/rpc.py",
    switch="numbers_as_ids",
)
LONG_ID: Final = Rule(
    oddity="The message id has more than 36 characters, at most 64.",
    done="In 1.6 it is answered as it came; in 2.x only a boot, an authorization and a money"
    " message is. Longer ones are no ids.",
    why="A prefix and a counter around a UUID; without its answer the station repeats for ever.",
    flag="$[1]: more than 36 characters",
    kept_in="ingress/rpc.py",
)
NO_ID: Final = Rule(
    oddity="No message id can be read, or nothing at all.",
    done="1.6: kept, and not answered. 2.x: a CALLERROR RpcFrameworkError under the id -1, but to"
    " what looks like an answer. Twenty in a minute end the connection.",
    why="2.0.1, part 4, 4.2.3; 1.6 has no such id.",
    flag="$: …",
    kept_in="domain/conversation.py",
)
UNKNOWN_TYPE: Final = Rule(
    oddity="A message type that the version does not have.",
    done="Kept; in 2.0.1 a CALLERROR MessageTypeNotSupported, in the others no answer.",
    why="1.6 and 2.1 say to ignore it.",
    flag="$[0]: no message type of this version",
    kept_in="ingress/rpc.py",
)
REUSED_ID: Final = Rule(
    oddity="The id of the CALL before, with other content.",
    done="Money, boots, heartbeats and all else that is known by what it says is answered by"
    " that; any other CALL gets an error (1.6 GenericError, 2.x RpcFrameworkError). The same id"
    " with the same content is a repeat; on another connection it means nothing.",
    why="Some stations repeat a message under its id with a mended payload, some name all that"
    " they had queued alike: to go by the id would lose data.",
    flag="$[1]: the message id of the CALL before, which was another",
    kept_in="ingress/connection.py",
    switch="reuses_message_ids",
)
OTHER_CASE: Final = Rule(
    oddity="The name of an action in another case.",
    done="A boot and a money message are read; any other is NotImplemented.",
    why="An action is a name, but neither energy nor a station is lost for a capital letter.",
    flag="$[2]: the action in another case",
    kept_in="ingress/rpc.py",
    switch="any_case_actions",
)
OTHER_VERSION: Final = Rule(
    oddity="A boot, an authorization, a connector's status or a money message of another version"
    " than the connection's.",
    done="Where it has what the other version demands, it is read and answered as of that version;"
    " its record names it.",
    why="Stations offer two versions and speak the one they prefer. The switch makes it so for all"
    " that they say, and for what they are told.",
    flag="$: a message of another OCPP version",
    kept_in="ingress/rpc.py",
    switch="speaks",
)
SHORT_ERROR: Final = Rule(
    oddity="A CALLERROR without a description or details, or without a code.",
    done="It settles its command; without a code it is a GenericError.",
    why="The code says it all.",
    flag="$: no description or no details",
    kept_in="ingress/rpc.py",
)
SEND_AS_CALL: Final = Rule(
    oddity="What 2.1 has as a SEND comes as a CALL.",
    done="It is read, and answered {}.",
    why="Many libraries know no SEND, and a station waits for an answer to its CALL.",
    kept_in="domain/routes.py",
)
LONG_RESULT: Final = Rule(
    oddity="A CALLRESULT has the name of its action before the payload, or more behind it that says"
    " nothing: an empty text, object or array, null.",
    done="The payload counts, and the rest is passed over.",
    why="It has one reading, and an operator waits for it.",
    flag="$: more than a type, an id and a payload",
    kept_in="ingress/rpc.py",
)
NO_PAYLOAD: Final = Rule(
    oddity="A CALL of three elements: no payload.",
    done="It gets a ProtocolError.",
    why="What it is incomplete of cannot be known (OCPP-J 1.6, table 7).",
    flag="$: no payload",
    kept_in="ingress/rpc.py",
)
NULL_PAYLOAD: Final = Rule(
    oddity="The payload is null.",
    done="It is read as {}.",
    why="OCPP-J 1.6, 4.2.1 allows it.",
    kept_in="schemas/frames.py",
)
BROKEN_SCHEMA: Final = Rule(
    oddity="A payload that breaks its schema: longer texts, further members, numbers for texts or"
    " texts for numbers, null, an object for an array or an array of one for it, names of members"
    " and words in another case or none of the list, times of another form.",
    done="A boot, a heartbeat, an authorization (of an id token of up to 50 characters, in 2.x 255)"
    " and a money message are answered with a result and folded where what they are about can be"
    " read, whatever else is wrong, and so is what a station tells: a status, the state of a job or"
    " a reservation, a part of a report, an event, a limit. What has exactly one reading is read"
    " so. What asks us for something else, and any other CALL, gets the error code of its version.",
    why="OCPP 1.6, 4.7, 4.8, 4.10: sanity checks must not keep the answer back.",
    flag="the schema's: JSON path and rule",
    kept_in="domain/mending.py",
)
PARTS_FROM_ONE: Final = Rule(
    oddity="The parts of a report are numbered from 1, not from 0.",
    done="Where the first part to come has the number 1, the report is whole without a part 0; one"
    " that comes late is taken in.",
    why="A report that is never whole replaces nothing, and its command waits for ever.",
    kept_in="domain/reports.py",
)
REPEATED_MEMBER: Final = Rule(
    oddity="A member of an object stands there twice.",
    done="The last one counts, as every reader of JSON that we know has it. The CDR of a start,"
    " a stop or an event is flagged SCHEMA_DEVIATION, and where the two differ and a bill may hang"
    " on it, it is AMBIGUOUS_VALUE and held. In MeterValues nobody looks for it.",
    why="RFC 8259, 4 leaves it open; the log keeps both.",
    flag="$: a member twice in an object",
    kept_in="schemas/frames.py",
)
ODD_VALUE: Final = Rule(
    oddity="A number in quotes or with .0, a number or an object as id token, a time without a zone"
    " or with a short one, at 24:00:00 or at second 60, a whole number of up to 31 digits;"
    " a reason of no list; an event (2.x) without a number, a meter value without a time.",
    done="What has exactly one reading is read; the CDR is flagged SCHEMA_DEVIATION or"
    " TZ_ASSUMED_UTC. Anything else is no value, and a CDR that needs it is held: for want of a"
    " register, of a token, of a connector.",
    why="Doubt about a reading is kept and flagged, never made up.",
    kept_in="domain/readings.py",
)
ODD_UNIT: Final = Rule(
    oddity="Units spelled otherwise (Celcius, C, Hertz, KWH), told where another version of OCPP"
    " has them, or none that measures energy in Wh (MWh, J, kVAh).",
    done="The series have the unit of the specification where it is known, elsewhere value and unit"
    " as told. Energy counts in Wh, kWh or without a unit, in any case and with blanks; in any"
    " other unit it is no value: BAD_SAMPLE, and a CDR that needs it is held.",
    why="The official schema itself spelled Celcius. Of MWh and mWh only the case differs, and a"
    " station's cannot be trusted.",
    kept_in="domain/units.py",
)
DRAFT_NAMES: Final = Rule(
    oddity="transactionData.id, as drafts of 2.0 had it, or transactionId beside it, for"
    " transactionInfo.transactionId.",
    done="It names the transaction; its CDR is flagged SCHEMA_DEVIATION.",
    why="The energy of a session belongs to it, whatever the member is called.",
    flag="the schema's: JSON path and rule",
    kept_in="domain/ocpp2.py",
)
NO_TRANSACTION: Final = Rule(
    oddity="A transaction id of 0 or below, or one that nobody gave out, or a stop without any; an"
    " event (2.x) whose id is empty, or without one where it tells a register.",
    done="It is answered. A stop that means exactly one open transaction ends that; any other is"
    " kept as an orphan for a person.",
    why="Sessions that began offline, and makes that always send 0.",
    kept_in="domain/ocpp16.py",
)
NO_CONNECTOR: Final = Rule(
    oddity="The number of an EVSE or a connector is negative or past 65,535.",
    done="A status is kept and answered, and is no connector's state; a session that began there is"
    " flagged CONNECTOR_INVALID and held.",
    why="It is what an unset number looks like; no station has so many.",
    kept_in="domain/limits.py",
)
OLD_STATUS: Final = Rule(
    oddity="A status that is hours old and older than what the connector said last.",
    done="Kept and answered; the connector's state stays as it is.",
    why="Some stations replay their queue after a boot. Up to two hours are a clock that was set,"
    " more than thirty days one that was never set: those count.",
    kept_in="domain/effects.py",
)
TOKEN_WITH_TAIL: Final = Rule(
    oddity="An id token with control characters or blanks around it, or with a tail of the"
    " station's own.",
    done="Looked up as it is, then without them; with the switch, then up to the tail. The log"
    " and the CDR have it as told.",
    why="An answer of Invalid makes some stations lock the card out for good.",
    kept_in="domain/authorization.py",
    switch="id_token_until",
)
NO_BOOT: Final = Rule(
    oddity="A station that connects and does not boot.",
    done="It is served.",
    why="Nothing obliges it to boot again after a reconnect.",
    kept_in="domain/admission.py",
)
URL_IN_PATH: Final = Rule(
    oddity="The path of the handshake is the station's name alone, or holds a whole URL.",
    done="The URL's own path counts; of a path that is not ours the last segment is the station,"
    " of the default tenant.",
    why="Stations append their serial number to whatever they were told.",
    flag="the path holds a URL",
    kept_in="ingress/identity.py",
)
PASSWORD_LINE_BREAK: Final = Rule(
    oddity="A line break after the password.",
    done="The password is tried with it, then without it.",
    why="It was pasted into a form; no registered password ends so.",
    flag="a line break after the password",
    kept_in="ingress/handshake.py",
)
NO_SUBPROTOCOL: Final = Rule(
    oddity="No sub-protocol is offered.",
    done="A listener that requires one completes the handshake and closes (OCPP-J 1.6, 3.2); one"
    " that does not takes it for OCPP 1.6.",
    why="Several makes offer none. Whoever opens a listener decides; the switch does so for one"
    " station.",
    flag="no sub-protocol is spoken by both",
    kept_in="ingress/handshake.py",
    switch="speaks",
)
NO_PONG: Final = Rule(
    oddity="Pings are not answered.",
    done="Any frame is a sign of life. Who never answered one is cut after 15 minutes of silence,"
    " others at the ping's deadline.",
    why="Some libraries do not answer pings at all.",
    kept_in="ingress/connection.py",
    switch="never_pinged",
)
NO_RETURN: Final = Rule(
    oddity="A station that does not come back after a close frame.",
    done="With the switch its socket is closed without one.",
    why="It comes back after a drop.",
    kept_in="ingress/connection.py",
    switch="cut_not_closed",
)
BROKEN_WEBSOCKET: Final = Rule(
    oddity="A frame that breaks WebSocket: reserved bits, no mask.",
    done="The connection ends with 1002; the next one is taken at once and replaces it.",
    why="RFC 6455, 7.1.7. Nothing can be read behind it.",
    kept_in="ingress/stream.py",
)

RULES: Final = {
    name.lower().replace("_", "-"): rule
    for name, rule in list(globals().items())
    if isinstance(rule, Rule)
}
"""By name, in the order of a message's way."""


def table() -> str:
    """Return the table of rules of docs/tolerance.md."""
    lines = ["| rule | what stations do | what is done | why | kept in | switch |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, rule in RULES.items():
        kept = f"[{rule.kept_in}](../{rule.kept_in})"
        switch = f"`switch_{rule.switch}`" if rule.switch else ""
        lines.append(f"| {name} | {rule.oddity} | {rule.done} | {rule.why} | {kept} | {switch} |")
    return "\n".join(lines) + "\n"
