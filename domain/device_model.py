"""The device model: components, their variables, and what is known of each (2.0.1, part 1, 4).

In 1.6 a configuration key is a variable without a component. Names are the same in any case (1.6,
CiString; 2.0.1, identifierString), and shown as the station spells them. The value of a variable
that holds a secret, by its name or because it can only be written, is kept nowhere.
"""

from collections.abc import Iterator
from functools import lru_cache

from domain import reports
from domain.holdings import Change, Telling, emptied, gone, merge
from domain.members import (
    Payload,
    Value,
    integer_of,
    key_of,
    list_of,
    members,
    object_of,
    objects_of,
    text_of,
)
from schemas.secret_names import is_secret

FACET = "variables"
_SET = ("Accepted", "RebootRequired")
_UNKNOWN = ("UnknownComponent", "UnknownVariable", "NotSupportedAttributeType")


def named(payload: Payload) -> Value:
    """Return the component and the variable that an object of OCPP 2.x names."""
    component, variable = object_of(payload, "component"), object_of(payload, "variable")
    evse = object_of(component, "evse")
    return {
        "component": text_of(component, "name"),
        "component_instance": text_of(component, "instance"),
        "evse_id": integer_of(evse, "id") if evse else None,
        "connector_id": integer_of(evse, "connectorId") if evse else None,
        "variable": text_of(variable, "name"),
        "variable_instance": text_of(variable, "instance"),
    }


_is_secret = lru_cache(maxsize=4096)(is_secret)
"""Few names, told again and again."""


def _key(name: Value, attribute: str) -> str:
    return key_of((*name.values(), attribute)).casefold()


def _known(name: Value, attribute: str, value: Value) -> Change:
    if _is_secret(name["variable"]) or value.get("mutability") == "WriteOnly":
        value = {**value, "is_secret": True}
        value.pop("value", None)
        value.pop("value_after_reboot", None)
    return merge(FACET, _key(name, attribute), {**name, "attribute": attribute, **value})


def _attribute(payload: Payload, name: str) -> str:
    return text_of(payload, name) or "Actual"


# OCPP 2.x


def base_report_asked(telling: Telling) -> Iterator[Change]:
    whole = telling.request.get("reportBase") == "FullInventory"
    yield from reports.asked(FACET, telling, whole=whole)


def report_asked(telling: Telling) -> Iterator[Change]:
    yield from reports.asked(FACET, telling, whole=False)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(FACET, telling, is_empty=telling.status == "EmptyResultSet")


def reported(telling: Telling) -> Iterator[Change]:
    """NotifyReport."""
    yield from reports.part(FACET, telling)
    for item in objects_of(telling.request, "reportData"):
        name = named(item)
        traits = members(
            object_of(item, "variableCharacteristics"),
            "unit", "dataType", "minLimit", "maxLimit", "maxElements", "valuesList",
            "supportsMonitoring",
        )  # fmt: skip
        for attribute in objects_of(item, "variableAttribute"):
            told = members(attribute, "value", "mutability", "persistent", "constant")
            yield _known(name, _attribute(attribute, "type"), {**traits, **told})


def got(telling: Telling) -> Iterator[Change]:
    """GetVariables."""
    for item in objects_of(telling.result, "getVariableResult"):
        name, attribute = named(item), _attribute(item, "attributeType")
        status = text_of(item, "attributeStatus")
        if status == "Accepted":
            value = {"value": text_of(item, "attributeValue"), "value_after_reboot": None}
            yield _known(name, attribute, value)
        elif status in _UNKNOWN:
            yield gone(FACET, _key(name, attribute))


def was_set(telling: Telling) -> Iterator[Change]:
    """SetVariables. What is set stands in the request, and whether it is in the result."""
    wanted = {
        _key(named(item), _attribute(item, "attributeType")): text_of(item, "attributeValue")
        for item in objects_of(telling.request, "setVariableData")
    }
    for item in objects_of(telling.result, "setVariableResult"):
        name, attribute = named(item), _attribute(item, "attributeType")
        value = wanted.get(_key(name, attribute))
        status = text_of(item, "attributeStatus")
        if value is not None and status in _SET:
            yield _known(name, attribute, _set(value, status))


def _set(value: str, status: str) -> Value:
    if status == "RebootRequired":
        return {"value_after_reboot": value}
    return {"value": value, "value_after_reboot": None}


def event_values(telling: Telling) -> Iterator[Change]:
    """NotifyEvent: the value that the event tells of is the variable's."""
    for item in objects_of(telling.request, "eventData"):
        name = named(item)
        if name["variable"] and "actualValue" in item:
            yield _known(name, "Actual", {"value": text_of(item, "actualValue")})


# OCPP 1.6


def _key_named(key: str) -> Value:
    return {**named({}), "variable": key}


def configuration_got(telling: Telling) -> Iterator[Change]:
    """GetConfiguration. Asked for no key in particular, it tells all there are."""
    if not telling.request.get("key") and telling.result.get("configurationKey"):
        yield emptied(FACET, before=telling.offset)
    for item in objects_of(telling.result, "configurationKey"):
        value = members(item, "value")
        value["mutability"] = "ReadOnly" if item.get("readonly") is True else "ReadWrite"
        value["value_after_reboot"] = None
        yield _known(_key_named(text_of(item, "key")), "Actual", value)
    for key in list_of(telling.result, "unknownKey"):
        if isinstance(key, str):
            yield gone(FACET, _key(_key_named(key), "Actual"))


def configuration_set(telling: Telling) -> Iterator[Change]:
    """ChangeConfiguration."""
    key = text_of(telling.request, "key")
    if telling.status in _SET and key:
        name, value = _key_named(key), _set(text_of(telling.request, "value"), telling.status)
        change = _known(name, "Actual", value)
        if change.value is not None and telling.held.has(FACET, _key(name, "Actual")):
            del change.value["variable"]  # As the station spells it.
        yield change
