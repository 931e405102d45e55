"""Operators' commands become valid CALLs of every version, or are refused for a reason."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import wanted as asking
from api.operator_commands import OPERATOR_COMMANDS
from api.problems import Invalid
from api.settings_names import VARIABLE_BY_KEY, key_of, variable_of
from api.wanted import CommandWanted
from schemas import payloads

VERSIONS = payloads.VERSIONS
NOW = 1_795_428_000_000_000
ID = "5f0c7c44-7a2d-5d53-9a0c-3a3d1e0b8a11"
REQUEST_ID = 0x1E0B8A11
AT = "2026-11-24T10:00:00+01:00"
URL = "https://files.example/a"


def asked(version: str, command: str, payload: Any) -> asking.Asked:
    wanted = CommandWanted.model_validate({"command": command, "payload": payload})
    return asking.asked(wanted, version, ID, NOW)


Expected = tuple[str, dict[str, Any]]
CASES: dict[str, tuple[str, dict[str, Any], Expected, Expected]] = {
    "start": (
        "start",
        {"id_token": "TAG", "evse": 2},
        ("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 2}),
        (
            "RequestStartTransaction",
            {
                "idToken": {"idToken": "TAG", "type": "Central"},
                "remoteStartId": REQUEST_ID,
                "evseId": 2,
            },
        ),
    ),
    "start anywhere": (
        "start",
        {"id_token": "TAG", "id_token_type": "ISO14443"},
        ("RemoteStartTransaction", {"idTag": "TAG"}),
        (
            "RequestStartTransaction",
            {"idToken": {"idToken": "TAG", "type": "ISO14443"}, "remoteStartId": REQUEST_ID},
        ),
    ),
    "stop": (
        "stop",
        {"transaction_id": "42"},
        ("RemoteStopTransaction", {"transactionId": 42}),
        ("RequestStopTransaction", {"transactionId": "42"}),
    ),
    "reset": ("reset", {}, ("Reset", {"type": "Soft"}), ("Reset", {"type": "OnIdle"})),
    "reset at once": (
        "reset",
        {"type": "hard"},
        ("Reset", {"type": "Hard"}),
        ("Reset", {"type": "Immediate"}),
    ),
    "unlock": (
        "unlock",
        {"evse": 1},
        ("UnlockConnector", {"connectorId": 1}),
        ("UnlockConnector", {"evseId": 1, "connectorId": 1}),
    ),
    "out of service": (
        "change_availability",
        {"operative": False},
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
    ),
    "into service": (
        "change_availability",
        {"operative": True, "evse": 2, "connector": 1},
        ("ChangeAvailability", {"connectorId": 2, "type": "Operative"}),
        (
            "ChangeAvailability",
            {"operationalStatus": "Operative", "evse": {"id": 2, "connectorId": 1}},
        ),
    ),
    "reserve": (
        "reserve",
        {"id_token": "TAG", "expires_at": AT, "evse": 1, "reservation_id": 7},
        (
            "ReserveNow",
            {
                "connectorId": 1,
                "expiryDate": "2026-11-24T09:00:00Z",
                "idTag": "TAG",
                "reservationId": 7,
            },
        ),
        (
            "ReserveNow",
            {
                "id": 7,
                "expiryDateTime": "2026-11-24T09:00:00Z",
                "idToken": {"idToken": "TAG", "type": "Central"},
                "evseId": 1,
            },
        ),
    ),
    "cancel a reservation": (
        "cancel_reservation",
        {"reservation_id": 7},
        ("CancelReservation", {"reservationId": 7}),
        ("CancelReservation", {"reservationId": 7}),
    ),
    "update firmware now": (
        "update_firmware",
        {"location": URL, "retries": 2},
        (
            "UpdateFirmware",
            {"location": URL, "retrieveDate": "2026-11-23T10:00:00Z", "retries": 2},
        ),
        (
            "UpdateFirmware",
            {
                "requestId": REQUEST_ID,
                "firmware": {"location": URL, "retrieveDateTime": "2026-11-23T10:00:00Z"},
                "retries": 2,
            },
        ),
    ),
    "update signed firmware": (
        "update_firmware",
        {
            "location": URL,
            "retrieve_at": AT,
            "install_at": AT,
            "signing_certificate": "PEM",
            "signature": "c2ln",
        },
        (
            "SignedUpdateFirmware",
            {
                "requestId": REQUEST_ID,
                "firmware": {
                    "location": URL,
                    "retrieveDateTime": "2026-11-24T09:00:00Z",
                    "installDateTime": "2026-11-24T09:00:00Z",
                    "signingCertificate": "PEM",
                    "signature": "c2ln",
                },
            },
        ),
        (
            "UpdateFirmware",
            {
                "requestId": REQUEST_ID,
                "firmware": {
                    "location": URL,
                    "retrieveDateTime": "2026-11-24T09:00:00Z",
                    "installDateTime": "2026-11-24T09:00:00Z",
                    "signingCertificate": "PEM",
                    "signature": "c2ln",
                },
            },
        ),
    ),
    "diagnostics": (
        "get_logs",
        {"location": URL, "oldest_at": AT},
        ("GetDiagnostics", {"location": URL, "startTime": "2026-11-24T09:00:00Z"}),
        (
            "GetLog",
            {
                "logType": "DiagnosticsLog",
                "requestId": REQUEST_ID,
                "log": {"remoteLocation": URL, "oldestTimestamp": "2026-11-24T09:00:00Z"},
            },
        ),
    ),
    "the security log": (
        "get_logs",
        {"location": URL, "type": "security"},
        (
            "GetLog",
            {"logType": "SecurityLog", "requestId": REQUEST_ID, "log": {"remoteLocation": URL}},
        ),
        (
            "GetLog",
            {"logType": "SecurityLog", "requestId": REQUEST_ID, "log": {"remoteLocation": URL}},
        ),
    ),
    "all configuration": (
        "get_configuration",
        {},
        ("GetConfiguration", {}),
        ("GetBaseReport", {"requestId": REQUEST_ID, "reportBase": "ConfigurationInventory"}),
    ),
    "some configuration": (
        "get_configuration",
        {"names": ["HeartbeatInterval", "AlignedDataCtrlr.Interval"]},
        ("GetConfiguration", {"key": ["HeartbeatInterval", "ClockAlignedDataInterval"]}),
        (
            "GetVariables",
            {
                "getVariableData": [
                    {
                        "component": {"name": "OCPPCommCtrlr"},
                        "variable": {"name": "HeartbeatInterval"},
                    },
                    {"component": {"name": "AlignedDataCtrlr"}, "variable": {"name": "Interval"}},
                ]
            },
        ),
    ),
    "set configuration": (
        "set_configuration",
        {"settings": [{"name": "TransactionMessageAttempts", "value": "3"}]},
        ("ChangeConfiguration", {"key": "TransactionMessageAttempts", "value": "3"}),
        (
            "SetVariables",
            {
                "setVariableData": [
                    {
                        "attributeValue": "3",
                        "component": {"name": "OCPPCommCtrlr"},
                        "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"},
                    }
                ]
            },
        ),
    ),
    "a full local list": (
        "send_local_list",
        {"list_version": 3, "tokens": [{"id_token": "TAG", "group": "G", "expires_at": AT}]},
        (
            "SendLocalList",
            {
                "listVersion": 3,
                "localAuthorizationList": [
                    {
                        "idTag": "TAG",
                        "idTagInfo": {
                            "status": "Accepted",
                            "expiryDate": "2026-11-24T09:00:00Z",
                            "parentIdTag": "G",
                        },
                    }
                ],
                "updateType": "Full",
            },
        ),
        (
            "SendLocalList",
            {
                "versionNumber": 3,
                "updateType": "Full",
                "localAuthorizationList": [
                    {
                        "idToken": {"idToken": "TAG", "type": "Central"},
                        "idTokenInfo": {
                            "status": "Accepted",
                            "cacheExpiryDateTime": "2026-11-24T09:00:00Z",
                            "groupIdToken": {"idToken": "G", "type": "Central"},
                        },
                    }
                ],
            },
        ),
    ),
    "a token less": (
        "send_local_list",
        {"list_version": 4, "is_full": False, "tokens": [{"id_token": "TAG", "status": None}]},
        (
            "SendLocalList",
            {
                "listVersion": 4,
                "localAuthorizationList": [{"idTag": "TAG"}],
                "updateType": "Differential",
            },
        ),
        (
            "SendLocalList",
            {
                "versionNumber": 4,
                "updateType": "Differential",
                "localAuthorizationList": [{"idToken": {"idToken": "TAG", "type": "Central"}}],
            },
        ),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CASES)
def test_a_command_becomes_the_call_of_the_version(name: str, version: str) -> None:
    command, payload, in_16, in_2 = CASES[name]

    result = asked(version, command, payload)

    assert (result.action, result.payload) == (in_16 if version == "1.6" else in_2)
    assert payloads.violations(version, result.action, result.payload) == ()
    assert (result.command, result.name, result.origin) == (command, command, payload)


LIMITS: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "the station": ({"limit": 11000}, "ChargePointMaxProfile", "ChargingStationMaxProfile", 0),
    "an EVSE": ({"limit": 16.1, "unit": "A", "evse": 2}, "TxDefaultProfile", "TxDefaultProfile", 2),
    "a transaction": (
        {"limit": 0, "evse": 1, "transaction_id": "42", "phases": 3, "duration_s": 60},
        "TxProfile",
        "TxProfile",
        1,
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_becomes_a_profile_of_its_place(name: str, version: str) -> None:
    payload, in_16, in_2, evse_id = LIMITS[name]

    result = asked(version, "set_limit", payload)
    again = asked(version, "set_limit", {**payload, "limit": 1})

    assert payloads.violations(version, result.action, result.payload) == ()
    assert result.action == "SetChargingProfile"
    if version == "1.6":
        profile = result.payload["csChargingProfiles"]
        schedule = profile["chargingSchedule"]
        assert result.payload["connectorId"] == evse_id
        assert profile["chargingProfilePurpose"] == in_16
        assert (
            profile["chargingProfileId"]
            == (again.payload["csChargingProfiles"]["chargingProfileId"])
        )
    else:
        profile = result.payload["chargingProfile"]
        (schedule,) = profile["chargingSchedule"]
        assert result.payload["evseId"] == evse_id
        assert profile["chargingProfilePurpose"] == in_2
        assert profile["id"] == again.payload["chargingProfile"]["id"]
    assert float(schedule["chargingSchedulePeriod"][0]["limit"]) == payload["limit"]
    assert ("startSchedule" in schedule) == (profile["chargingProfileKind"] == "Absolute")


def test_every_command_has_a_case() -> None:
    assert {command for command, *_ in CASES.values()} | {"set_limit"} == OPERATOR_COMMANDS.keys()


REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "an unknown command": ("1.6", "explode", {}, "command"),
    "a member that is missing": ("1.6", "stop", {}, "payload.transaction_id"),
    "a member too many": ("2.1", "reset", {"hard": True}, "payload.hard"),
    "a transaction of 2.x": ("1.6", "stop", {"transaction_id": "a-b"}, "payload.transaction_id"),
    "an EVSE's reset": ("1.6", "reset", {"evse": 1}, "payload.evse"),
    "a second connector": ("1.6", "unlock", {"evse": 1, "connector": 2}, "payload.connector"),
    "a connector of none": (
        "2.0.1",
        "change_availability",
        {"operative": True, "connector": 1},
        "payload.evse",
    ),
    "a connector of none in 1.6": (
        "1.6",
        "change_availability",
        {"operative": False, "connector": 1},
        "payload.evse",
    ),
    "a connector of another EVSE": (
        "1.6",
        "change_availability",
        {"operative": False, "evse": 1, "connector": 2},
        "payload.connector",
    ),
    "two keys": (
        "1.6",
        "set_configuration",
        {"settings": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        "payload.settings",
    ),
    "a variable in 1.6": (
        "1.6",
        "get_configuration",
        {"names": ["ClockCtrlr.DateTime"]},
        "payload.names.0",
    ),
    "a key in 2.x": (
        "2.0.1",
        "set_configuration",
        {"settings": [{"name": "BlinkRepeat", "value": "1"}]},
        "payload.settings.0.name",
    ),
    "half a signature": (
        "1.6",
        "update_firmware",
        {"location": URL, "signature": "c2ln"},
        "payload.signature",
    ),
    "half a signature in 2.x": (
        "2.1",
        "update_firmware",
        {"location": URL, "signing_certificate": "PEM"},
        "payload.signature",
    ),
    "an installation later": (
        "1.6",
        "update_firmware",
        {"location": URL, "install_at": AT},
        "payload.install_at",
    ),
    "a limit of nobody's transaction": (
        "2.0.1",
        "set_limit",
        {"limit": 1, "transaction_id": "7"},
        "payload.evse",
    ),
    "a removal from a full list": (
        "2.1",
        "send_local_list",
        {"list_version": 1, "tokens": [{"id_token": "TAG", "status": None}]},
        "payload.tokens.0.status",
    ),
    "a time without a zone": (
        "1.6",
        "reserve",
        {"id_token": "TAG", "expires_at": "2026-11-24T10:00:00"},
        "payload.expires_at",
    ),
    "a token too long for 1.6": ("1.6", "start", {"id_token": "T" * 21}, "payload.idTag"),
}


@pytest.mark.parametrize(
    ("version", "command", "payload", "field"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_a_version_cannot_do_is_refused_by_name(
    version: str, command: str, payload: Any, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        asked(version, command, payload)

    assert refused.value.errors[0].field == field
    assert refused.value.errors[0].message


@given(
    st.sampled_from(list(OPERATOR_COMMANDS)),
    st.sampled_from(VERSIONS),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["id_token", "evse", "limit", "settings", "names", "tokens", "name"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    ).map(lambda value: value if isinstance(value, dict) else {"evse": value}),
)
@settings(deadline=None)
def test_whatever_is_asked_is_valid_or_refused(
    command: str, version: str, payload: dict[str, Any]
) -> None:
    try:
        result = asked(version, command, payload)
    except Invalid:
        return
    assert payloads.violations(version, result.action, result.payload) == ()


@pytest.mark.parametrize("key", VARIABLE_BY_KEY)
def test_a_setting_of_both_is_found_under_either_name(key: str) -> None:
    variable = VARIABLE_BY_KEY[key]

    assert key_of(key) == key_of(variable) == key
    assert variable_of(key) == variable_of(variable) is not None


def test_a_vendors_key_with_a_dot_stays_a_key() -> None:
    assert key_of("Vendor.Led.Colour") == "Vendor.Led.Colour"
