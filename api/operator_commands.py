"""Commands for operators who do not care which version of OCPP a station speaks: their payloads.

What each becomes is in `api/onto_16.py` and `api/onto_2.py`. An EVSE is numbered as the station
numbers it; in 1.6, which knows none, EVSE n is connector n.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StrictBool, StrictInt, StrictStr

from api.bodies import Body

IdToken = Annotated[StrictStr, Field(min_length=1, max_length=255)]
IdTokenType = Annotated[
    StrictStr, Field(max_length=20, description="OCPP 2.x; 1.6 has no types of tokens.")
]
Evse = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Connector = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=5_500)]
Url = Annotated[StrictStr, Field(min_length=1, max_length=2_000)]
Id = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Count = Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]


class Start(Body):
    id_token: IdToken
    id_token_type: IdTokenType = "Central"
    evse: Evse | None = None


class Stop(Body):
    transaction_id: Annotated[StrictStr, Field(min_length=1, max_length=36)]


class Reset(Body):
    type: Annotated[
        Literal["soft", "hard"], Field(description="soft: when nobody charges; hard: at once.")
    ] = "soft"
    evse: Evse | None = None


class Unlock(Body):
    evse: Evse
    connector: Connector = 1


class ChangeAvailability(Body):
    operative: StrictBool
    evse: Annotated[Evse | None, Field(description="Without it, the whole station.")] = None
    connector: Connector | None = None


class SetLimit(Body):
    limit: Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]
    unit: Literal["A", "W"] = "W"
    phases: Annotated[StrictInt, Field(ge=1, le=3)] | None = None
    evse: Evse | None = None
    transaction_id: Annotated[
        Annotated[StrictStr, Field(min_length=1, max_length=36)] | None,
        Field(
            description="With it, only this transaction (TxProfile); else every transaction of the"
            " EVSE (TxDefaultProfile), or the station as a whole."
        ),
    ] = None
    duration_s: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)] | None = None
    stack_level: Count = 0


class Reserve(Body):
    id_token: IdToken
    id_token_type: IdTokenType = "Central"
    expires_at: AwareDatetime
    evse: Annotated[Evse | None, Field(description="Without it, any.")] = None
    reservation_id: Annotated[
        Id | None, Field(description="Without it, one is made of the command's id.")
    ] = None


class CancelReservation(Body):
    reservation_id: Id


class UpdateFirmware(Body):
    location: Url
    retrieve_at: Annotated[AwareDatetime | None, Field(description="Without it, now.")] = None
    install_at: AwareDatetime | None = None
    signing_certificate: Text | None = None
    signature: Annotated[StrictStr, Field(min_length=1, max_length=800)] | None = None
    retries: Count | None = None
    retry_interval_s: Count | None = None


class GetLogs(Body):
    location: Url
    type: Literal["diagnostics", "security"] = "diagnostics"
    oldest_at: AwareDatetime | None = None
    latest_at: AwareDatetime | None = None
    retries: Count | None = None
    retry_interval_s: Count | None = None


Name = Annotated[
    StrictStr,
    Field(
        min_length=1,
        max_length=102,
        description='"HeartbeatInterval" (a key of 1.6) or "Component.Variable" (2.x); those that'
        " both know are translated.",
    ),
]


class GetConfiguration(Body):
    names: Annotated[
        tuple[Name, ...], Field(max_length=500, description="Without any, all there is.")
    ] = ()


class Setting(Body):
    name: Name
    value: Annotated[StrictStr, Field(max_length=2_500)]


class SetConfiguration(Body):
    settings: Annotated[tuple[Setting, ...], Field(min_length=1, max_length=500)]


class LocalToken(Body):
    id_token: IdToken
    id_token_type: IdTokenType = "Central"
    status: Annotated[
        Literal["Accepted", "Blocked", "Expired", "Invalid"] | None,
        Field(description="null: take it from the list (not in a full one)."),
    ] = "Accepted"
    expires_at: AwareDatetime | None = None
    group: Annotated[StrictStr, Field(max_length=255)] = ""


class SendLocalList(Body):
    list_version: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
    is_full: StrictBool = True
    tokens: Annotated[tuple[LocalToken, ...], Field(max_length=10_000)] = ()


OPERATOR_COMMANDS: Mapping[str, type[Body]] = {
    "cancel_reservation": CancelReservation,
    "change_availability": ChangeAvailability,
    "get_configuration": GetConfiguration,
    "get_logs": GetLogs,
    "reserve": Reserve,
    "reset": Reset,
    "send_local_list": SendLocalList,
    "set_configuration": SetConfiguration,
    "set_limit": SetLimit,
    "start": Start,
    "stop": Stop,
    "unlock": Unlock,
    "update_firmware": UpdateFirmware,
}
