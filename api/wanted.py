"""What an operator wants of a station, from a request to the record of the journal. Pure.

The payload's canonical form is compact JSON with sorted members and numbers as they were written.
A secret in it is replaced by "secret:<id>" in the record, and by its keyed digest in what the
payload's digest is made of, so that the digest tells secrets apart and betrays none.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Raw
from pydantic import Field, StrictInt, StrictStr

from api.bodies import Body
from api.problems import FieldError, Invalid
from schemas.payloads import violations
from schemas.records import CommandRequested

VERSION = "1.6"
ACTIONS = (
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
    "ChangeAvailability",
    "ChangeConfiguration",
    "GetConfiguration",
    "ClearCache",
    "TriggerMessage",
    "DataTransfer",
)

TIMEOUT_S_DEFAULT = 60
TIMEOUT_S_MAX = 86_400
"""A station that is offline for a day has other troubles; ask it again then."""

_NAMESPACE = UUID("0b9f5e6e-6a3c-5b0e-8a53-8a7d4d8f2f61")
_SECRET_KEY = re.compile(
    r"authorization.?key|passw(or)?d|passphrase|secret|private.?key|api.?key|\bpsk\b|credential",
    re.IGNORECASE,
)
_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class CommandWanted(Body):
    action: Annotated[StrictStr, Field(json_schema_extra={"enum": list(ACTIONS)})]
    payload: Annotated[
        dict[str, Any],
        Field(default_factory=dict, description="As OCPP 1.6 has it for this action's request."),
    ]
    timeout_s: Annotated[
        StrictInt, Field(ge=1, le=TIMEOUT_S_MAX, description="Answered by then, or timed out.")
    ] = TIMEOUT_S_DEFAULT
    reason: Annotated[StrictStr, Field(max_length=500, description="Kept for the auditor.")] = ""


def check(wanted: CommandWanted) -> None:
    """Raise Invalid unless it is an action of ours with a payload of its schema."""
    if wanted.action not in ACTIONS:
        raise Invalid(FieldError("action", f"one of {', '.join(ACTIONS)}"))
    found = violations(VERSION, wanted.action, wanted.payload)
    if found:
        # The rule repeats the value, and the value of a configuration key may be a secret.
        is_open = wanted.action != "ChangeConfiguration"
        raise Invalid(
            *(
                FieldError("payload" + each.path[1:], each.rule if is_open else each.code)
                for each in found
            )
        )


def command_id(tenant: str, station: str, idempotency_key: str) -> str:
    return str(uuid5(_NAMESPACE, f"{tenant}/{station}/{idempotency_key}"))


def secret_in(wanted: CommandWanted) -> str | None:
    """Return the secret that a valid command carries, if it carries one."""
    if wanted.action == "ChangeConfiguration" and _SECRET_KEY.search(wanted.payload["key"]):
        value: str = wanted.payload["value"]
        return value
    return None


def with_secret(payload: Mapping[str, Any], instead: str) -> dict[str, Any]:
    return {**payload, "value": instead}


def digest_of(payload: Mapping[str, Any]) -> str:
    return sha256(_encode(payload)).hexdigest()


def record(
    wanted: CommandWanted,
    *,
    tenant: str,
    station: str,
    actor: str,
    idempotency_key: str,
    digest: str,
    secret_id: str,
    now_us: int,
) -> CommandRequested:
    payload = with_secret(wanted.payload, f"secret:{secret_id}") if secret_id else wanted.payload
    return CommandRequested(
        tenant=tenant,
        station=station,
        recorded_at=now_us,
        command_id=command_id(tenant, station, idempotency_key),
        action=wanted.action,
        payload=Raw(_encode(payload)),
        payload_digest=digest,
        expires_at=now_us + wanted.timeout_s * 1_000_000,
        actor=actor,
        idempotency_key=idempotency_key,
        reason=wanted.reason,
        secrets=(secret_id,) if secret_id else (),
    )
