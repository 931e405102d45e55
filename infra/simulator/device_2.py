"""The device model of a simulated station of OCPP 2.x: its variables, and its reports of them.

Values are the station's configuration, under `Component.Variable[instance]`.
A message of ours that holds more than the station takes at once is refused, as by a small station.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infra.simulator.frames import moment
from infra.simulator.frames_2 import connector_state
from infra.simulator.json_types import Configuration, Json, Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer, CallError, status
from infra.simulator.station import Station

ITEMS_MAX = 4
"""Few, so that longer lists have to come in parts (ItemsPerMessage)."""

PART_VARIABLES = 5
"""Of a report in one NotifyReport."""

HEARTBEAT = "OCPPCommCtrlr.HeartbeatInterval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    component: str
    name: str
    instance: str = ""
    value: str
    mutability: str = "ReadWrite"
    data_type: str = "integer"
    is_configuration: bool = True
    evse_id: int | None = None

    @property
    def key(self) -> str:
        evse = "" if self.evse_id is None else f"({self.evse_id})"
        instance = f"[{self.instance}]" if self.instance else ""
        return f"{self.component}{evse}.{self.name}{instance}"


def _limit(component: str, instance: str = "", *, name: str = "ItemsPerMessage") -> Variable:
    value = str(ITEMS_MAX if name == "ItemsPerMessage" else 100_000)
    return Variable(
        component=component, name=name, instance=instance, value=value, mutability="ReadOnly"
    )


VARIABLES: Sequence[Variable] = (
    Variable(component="OCPPCommCtrlr", name="HeartbeatInterval", value="300"),
    Variable(component="OCPPCommCtrlr", name="WebSocketPingInterval", value="60"),
    Variable(
        component="OCPPCommCtrlr", name="MessageAttempts", instance="TransactionEvent", value="3"
    ),
    Variable(component="SampledDataCtrlr", name="TxUpdatedInterval", value="60"),
    Variable(component="TxCtrlr", name="EVConnectionTimeOut", value="60"),
    Variable(
        component="AuthCtrlr", name="AuthorizeRemoteStart", value="false", mutability="ReadOnly",
        data_type="boolean",
    ),
    Variable(
        component="SecurityCtrlr", name="BasicAuthPassword", value="", mutability="WriteOnly",
        data_type="string",
    ),
    Variable(component="SecurityCtrlr", name="SecurityProfile", value="1", mutability="ReadOnly"),
    Variable(
        component="ReservationCtrlr", name="NonEvseSpecific", value="false", mutability="ReadOnly",
        data_type="boolean",
    ),
    _limit("DeviceDataCtrlr", "GetVariables"),
    _limit("DeviceDataCtrlr", "SetVariables"),
    _limit("LocalAuthListCtrlr"),
    _limit("DeviceDataCtrlr", "GetVariables", name="BytesPerMessage"),
    _limit("DeviceDataCtrlr", "SetVariables", name="BytesPerMessage"),
    Variable(
        component="ChargingStation", name="Model", value="Simulated", mutability="ReadOnly",
        data_type="string", is_configuration=False,
    ),
)  # fmt: skip


def default_configuration() -> Configuration:
    return {each.key: (each.value, each.mutability == "ReadOnly") for each in VARIABLES}


def get_variables(station: Station, payload: Payload) -> Answer:
    asked = payload["getVariableData"]
    if len(asked) > ITEMS_MAX:
        return _too_many(asked)
    return Answer({"getVariableResult": [_got(station, each) for each in asked]})


def set_variables(station: Station, payload: Payload) -> Answer:
    asked = payload["setVariableData"]
    if len(asked) > ITEMS_MAX:
        return _too_many(asked)
    return Answer({"setVariableResult": [_set(station, each) for each in asked]})


def base_report(station: Station, payload: Payload) -> Answer:
    is_meant: dict[str, Callable[[Variable], bool]] = {
        "ConfigurationInventory": lambda each: each.is_configuration,
        "FullInventory": lambda _: True,
    }
    chosen = is_meant.get(payload["reportBase"])
    if chosen is None:
        return status("NotSupported")
    items = [_reported(station, each) for each in _variables(station) if chosen(each)]
    return _told_in_parts(station, payload["requestId"], items)


def report(station: Station, payload: Payload) -> Answer:
    if "componentCriteria" in payload:
        return status("NotSupported")
    wanted = payload.get("componentVariable")
    items = [
        _reported(station, each)
        for each in _variables(station)
        if wanted is None or any(_names(one, each) for one in wanted)
    ]
    if not items:
        return status("EmptyResultSet")
    return _told_in_parts(station, payload["requestId"], items)


def _told_in_parts(station: Station, request_id: int, items: Sequence[Payload]) -> Answer:
    async def tell() -> None:
        parts = range(0, len(items), PART_VARIABLES)
        at = moment(station.witness.wall())
        station.outbox.put_first(
            [
                Message(
                    action="NotifyReport",
                    payload={
                        "requestId": request_id,
                        "generatedAt": at,
                        "seqNo": number,
                        "tbc": number + 1 < len(parts),
                        "reportData": items[first : first + PART_VARIABLES],
                    },
                )
                for number, first in enumerate(parts)
            ]
        )

    return status("Accepted", tell)


def _variables(station: Station) -> Iterator[Variable]:
    yield from VARIABLES
    for connector in station.connectors:
        yield Variable(
            component="EVSE",
            name="AvailabilityState",
            value=connector_state(connector.status),
            mutability="ReadOnly",
            data_type="OptionList",
            is_configuration=False,
            evse_id=connector.id,
        )


def _value(station: Station, variable: Variable) -> str:
    return station.configuration.get(variable.key, (variable.value, True))[0]


def _names(asked: Payload, variable: Variable) -> bool:
    component, name = asked["component"], asked.get("variable")
    evse = component.get("evse", {}).get("id")
    if component["name"] != variable.component or evse not in (None, variable.evse_id):
        return False
    return name is None or (
        name["name"] == variable.name and name.get("instance", "") == variable.instance
    )


def _found(station: Station, asked: Payload) -> tuple[Variable | None, str]:
    """Return the variable, or None and why not."""
    is_known = False
    for each in _variables(station):
        if _names({"component": asked["component"]}, each):
            is_known = True
            if _names(asked, each):
                return each, ""
    return None, "UnknownVariable" if is_known else "UnknownComponent"


def _got(station: Station, asked: Payload) -> Payload:
    named = {name: asked[name] for name in ("component", "variable")}
    variable, why_not = _found(station, asked)
    if variable is None:
        return {"attributeStatus": why_not, **named}
    if asked.get("attributeType", "Actual") != "Actual":
        return {"attributeStatus": "NotSupportedAttributeType", **named}
    if variable.mutability == "WriteOnly":
        return {"attributeStatus": "Rejected", **named}
    return {"attributeStatus": "Accepted", "attributeValue": _value(station, variable), **named}


def _set(station: Station, asked: Payload) -> Payload:
    named = {name: asked[name] for name in ("component", "variable")}
    variable, why_not = _found(station, asked)
    if variable is None:
        return {"attributeStatus": why_not, **named}
    if asked.get("attributeType", "Actual") != "Actual":
        return {"attributeStatus": "NotSupportedAttributeType", **named}
    value: str = asked["attributeValue"]
    if variable.mutability == "ReadOnly" or (
        variable.data_type == "integer" and not (value.isascii() and value.isdigit())
    ):
        return {"attributeStatus": "Rejected", **named}
    if variable.name == "BasicAuthPassword":
        station.password = value
    else:
        station.configuration[variable.key] = (value, False)
    return {"attributeStatus": "Accepted", **named}


def _reported(station: Station, variable: Variable) -> Payload:
    component: Payload = {"name": variable.component}
    if variable.evse_id is not None:
        component["evse"] = {"id": variable.evse_id}
    named: Payload = {"name": variable.name}
    if variable.instance:
        named["instance"] = variable.instance
    attribute: Payload = {"mutability": variable.mutability}
    if variable.mutability != "WriteOnly":
        attribute["value"] = _value(station, variable)
    traits = {"dataType": variable.data_type, "supportsMonitoring": False}
    return {
        "component": component,
        "variable": named,
        "variableAttribute": [attribute],
        "variableCharacteristics": traits,
    }


def _too_many(asked: Sequence[Json]) -> Answer:
    sentence = f"{len(asked)} items, where {ITEMS_MAX} are taken"
    return Answer(CallError("OccurrenceConstraintViolation", sentence))
