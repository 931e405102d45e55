"""What an operator wants of a station, from a request to the record of the journal. Pure.

It is an action of a version of OCPP with that version's payload, or a command that every version
has, which becomes one (`api/operator_commands.py`). The payload's canonical form is compact JSON
with sorted members and numbers as they were written. A secret in it is replaced by "secret:<id>" in
the record, and by its keyed digest in what the payload's digest is made of, so that the digest
tells secrets apart and betrays none.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid5

from msgspec import Raw
from pydantic import Field, StrictInt, StrictStr, ValidationError

from api.bodies import Body
from api.onto import Call, Cannot, Context
from api.onto_2 import ONTO_2
from api.onto_16 import ONTO_16
from api.operator_commands import OPERATOR_COMMANDS
from api.payloads import canonical, check_request, with_ids
from api.problems import FieldError, Invalid, field_errors
from domain.outbound import OUTBOUND
from domain.passwords import sets_password
from schemas.records import VERSION_16, CommandRequested
from schemas.secret_values import replaced

ACTIONS = sorted({action for actions in OUTBOUND.values() for action in actions})

TIMEOUT_S_DEFAULT = 60
TIMEOUT_S_MAX = 86_400
"""A station that is offline for a day has other troubles; ask it again then."""

_NAMESPACE = UUID("0b9f5e6e-6a3c-5b0e-8a53-8a7d4d8f2f61")
_ONTO: Mapping[str, Mapping[type[Body], Callable[[Any, Context], Call]]] = {
    "1.6": ONTO_16,
    "2.0.1": ONTO_2,
    "2.1": ONTO_2,
}


class CommandWanted(Body):
    action: Annotated[
        StrictStr,
        Field(
            json_schema_extra={"enum": list(ACTIONS)},
            description="Of the version that the station speaks; or a `command`.",
        ),
    ] = ""
    command: Annotated[
        StrictStr,
        Field(
            json_schema_extra={"enum": list(OPERATOR_COMMANDS)},
            description="What every version has; the payloads are in docs/api.md.",
        ),
    ] = ""
    payload: Annotated[
        dict[str, Any],
        Field(default_factory=dict, description="As OCPP has it for this action's request."),
    ]
    version: Annotated[
        Literal["1.6", "2.0.1", "2.1"] | None,
        Field(description="Of OCPP. Without it, the one the station spoke last; 1.6 if none."),
    ] = None
    timeout_s: Annotated[
        StrictInt, Field(ge=1, le=TIMEOUT_S_MAX, description="Answered by then, or timed out.")
    ] = TIMEOUT_S_DEFAULT
    reason: Annotated[StrictStr, Field(max_length=500, description="Kept for the auditor.")] = ""


class Asked(NamedTuple):
    """A CALL that may be sent to a station, and what of the request it is made of."""

    version: str
    action: str
    payload: Mapping[str, Any]
    command: str
    """The operator's word for it; empty: the action itself was asked for."""
    origin: Mapping[str, Any]
    """The payload as it was asked for: the same whichever version it was turned into."""

    @property
    def name(self) -> str:
        return self.command or self.action


def asked(wanted: CommandWanted, spoken: str, command_id: str, now_us: int) -> Asked:
    """Return what is asked of a station that spoke this version last ("": none).

    Raises:
        Invalid: no such action or command in that version, or the payload breaks its schema.
    """
    version = wanted.version or spoken or VERSION_16
    if bool(wanted.action) == bool(wanted.command):
        raise Invalid(FieldError("action", "either an action or a command"))
    if wanted.command:
        now = datetime.fromtimestamp(now_us / 1_000_000, UTC)
        return _asked_in_words(wanted, version, Context(command_id, now))
    actions = OUTBOUND[version]
    if wanted.action not in actions:
        raise Invalid(FieldError("action", f"OCPP {version} has: {', '.join(sorted(actions))}"))
    check_request(version, wanted.action, wanted.payload)
    return Asked(version, wanted.action, wanted.payload, "", wanted.payload)


def command_id(tenant: str, station: str, idempotency_key: str) -> str:
    return str(uuid5(_NAMESPACE, f"{tenant}/{station}/{idempotency_key}"))


def password_in(asked: Asked) -> str | None:
    """Return the password for OCPP that it gives to the station, if it does."""
    return sets_password(asked.action, asked.payload)


def digest_of(asked: Asked, digest: Callable[[str], str]) -> str:
    """Return what tells it from anything else that may be asked under its key."""
    payload = replaced(asked.origin, lambda secret: digest(str(secret)))
    return sha256(canonical(payload)).hexdigest()


def record(
    wanted: CommandWanted,
    asked: Asked,
    *,
    tenant: str,
    station: str,
    actor: str,
    idempotency_key: str,
    digest: str,
    secret_ids: Mapping[str, str],
    now_us: int,
) -> CommandRequested:
    """`secret_ids`: of each secret in it, the id under which it is kept."""
    return CommandRequested(
        tenant=tenant,
        station=station,
        recorded_at=now_us,
        command_id=command_id(tenant, station, idempotency_key),
        version=asked.version,
        action=asked.action,
        command=asked.command,
        payload=Raw(canonical(with_ids(asked.payload, secret_ids))),
        payload_digest=digest,
        expires_at=now_us + wanted.timeout_s * 1_000_000,
        actor=actor,
        idempotency_key=idempotency_key,
        reason=wanted.reason,
        secrets=tuple(secret_ids.values()),
    )


def _asked_in_words(wanted: CommandWanted, version: str, context: Context) -> Asked:
    model = OPERATOR_COMMANDS.get(wanted.command)
    if model is None:
        raise Invalid(FieldError("command", f"one of {', '.join(OPERATOR_COMMANDS)}"))
    try:
        want = model.model_validate(wanted.payload)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid(*(_inside_payload(each) for each in field_errors(errors))) from None
    try:
        action, payload = _ONTO[version][model](want, context)
    except Cannot as cannot:
        message = f"OCPP {version} cannot: {cannot}"
        raise Invalid(FieldError(f"payload.{cannot.field}", message)) from None
    check_request(version, action, payload)
    return Asked(version, action, payload, wanted.command, wanted.payload)


def _inside_payload(error: FieldError) -> FieldError:
    return FieldError(f"payload.{error.field}" if error.field else "payload", error.message)
