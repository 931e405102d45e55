"""Payloads that break their schema in ways that have one reading are read, answered and folded."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.meanings import MEANINGS
from domain.mending import is_whole, mended
from domain.routes import ROUTES
from schemas.payloads import violations
from schemas.tolerance import REUSED_ID
from tests import payload_strategies
from tests.domain import events
from tests.domain.holding import Holder, column

AT = "2026-11-23T10:00:00Z"
NAMED = {"component": {"name": "C"}, "variable": {"name": "V"}}
ROUTED = [(version, action) for version, routes in ROUTES.items() for action in sorted(routes)]


def odd(version: str, action: str, payload: Any) -> dict[str, Any]:
    """What the edge says of it; it is odd."""
    found = violations(version, action, payload)
    return {"error": found[0].code, "violations": tuple(str(each) for each in found)}


def tells(holder: Holder, version: str, action: str, payload: Any) -> list[Any]:
    holder.log.calls(action, payload, **odd(version, action, payload))
    holder.worker.settle()
    holder.assert_rebuilt()
    return list(holder.worker.frames()[-1])


@pytest.mark.parametrize(
    ("version", "action", "payload", "facet", "shown"),
    [
        ("2.0.1", "NotifyReport",
         {"requestId": "1", "generatedAt": "2026-11-23 10:00:00,5", "seqNo": 0, "tbc": None,
          "reportData": {**NAMED, "variableAttribute": [{"value": 7, "mutability": "readonly"}]}},
         "variables", {"variable": "V", "value": "7", "mutability": "ReadOnly"}),
        ("2.0.1", "NotifyEvent",
         {"generatedAt": AT, "seqNo": 0, "eventData": [
             {"eventId": 1, "timestamp": "2026-11-23T10:00:00", "trigger": "DELTA", "vendor": 1,
              "actualValue": 5, "eventNotificationType": "CustomMonitor", "cause": None, **NAMED}]},
         "station-events", {"event_id": 1, "trigger": "Delta", "actual_value": "5", "at": AT}),
        ("1.6", "SignedFirmwareStatusNotification", {"status": "INSTALLED", "requestId": "4"},
         "jobs", {"request_id": 4, "status": "Installed", "state": "done"}),
    ],
)  # fmt: skip
def test_what_has_one_reading_is_read_and_answered_with_a_result(
    version: str, action: str, payload: Any, facet: str, shown: dict[str, Any]
) -> None:
    holder = Holder(version)

    answer = tells(holder, version, action, payload)

    assert answer[0] == 3
    assert shown.items() <= holder.one(facet).items()


def test_a_send_is_read_so_too() -> None:
    holder = Holder("2.1")
    payload = {"id": "1", "pending": 0, "basetime": AT, "data": {"t": 0, "v": 5}}
    holder.log.says(
        [6, "s1", "NotifyPeriodicEventStream", payload],
        **odd("2.1", "NotifyPeriodicEventStream", payload),
    )
    holder.worker.settle()

    assert holder.one("event-streams")["last_value"] == "5"
    holder.assert_rebuilt()


def test_one_odd_entry_does_not_make_the_others_unread() -> None:
    holder = Holder("2.0.1")
    traits = {"dataType": "Float64", "supportsMonitoring": False}
    entries = [
        {**NAMED, "variableAttribute": [{"value": "7"}], "variableCharacteristics": traits},
        {
            "component": {"name": "C"},
            "variable": {"name": "W"},
            "variableAttribute": [{"value": "8"}],
        },
    ]
    payload = {"requestId": 1, "generatedAt": AT, "seqNo": 0, "reportData": entries}

    assert tells(holder, "2.0.1", "NotifyReport", payload)[0] == 3
    assert column(holder.of("variables"), "variable", "value") == [("V", "7"), ("W", "8")]
    assert holder.one("reports")["state"] == "complete"
    events = [
        {"eventId": 1, "timestamp": AT, "trigger": "Sudden", "actualValue": "9", **NAMED,
         "eventNotificationType": "CustomMonitor"},
    ]  # fmt: skip
    told = {"generatedAt": AT, "seqNo": 0, "eventData": events}
    assert tells(holder, "2.0.1", "NotifyEvent", told)[0] == 3
    assert holder.one("station-events")["actual_value"] == "9"


PROFILE: dict[str, Any] = {
    "id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute", "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "A",
         "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}],
}  # fmt: skip
MESSAGE = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "x"}}

Odd = tuple[str, Any, Any, str, dict[str, Any]]
"""Action, a payload that is odd, one that says not what it is about; a facet and what it shows."""

TOLD: dict[str, list[Odd]] = {
    "1.6": [
        ("SecurityEventNotification", {"type": "A" * 60, "techInfo": "i" * 300}, {"timestamp": AT},
         "security-events", {"type": "A" * 60, "tech_info": "i" * 300, "at": None}),
        ("SecurityEventNotification", {"type": "A", "timestamp": "yesterday"}, {"type": ""},
         "security-events", {"type": "A", "at": None}),
    ],
    "2.0.1": [
        ("ClearedChargingLimit", {"chargingLimitSource": "Solar"}, {"evseId": 1}, "", {}),
        ("FirmwareStatusNotification", {"status": "downloading", "requestId": "31"},
         {"status": "Downloading", "requestId": "four"},
         "jobs", {"request_id": 31, "status": "Downloading"}),
        ("FirmwareStatusNotification", {"status": "Loading", "vendorId": "x"}, {"requestId": 4},
         "jobs", {"request_id": None, "status": "Loading", "state": "running"}),
        ("LogStatusNotification", {"status": "uploaded"}, {"status": None},
         "jobs", {"status": "Uploaded", "state": "done"}),
        ("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "Solar"}},
         {"evseId": 1}, "charging-limits", {"source": "Solar"}),
        ("NotifyCustomerInformation",
         {"requestId": 63, "seqNo": 0, "generatedAt": "2026-11-26", "data": "x"},
         {"seqNo": 0, "generatedAt": AT, "data": "x"},
         "reports", {"kind": "customer-information", "state": "complete"}),
        ("NotifyDisplayMessages", {"requestId": 62, "messageInfo": [{**MESSAGE, "foo": 1}]},
         {"messageInfo": [MESSAGE]}, "display-messages", {"message_id": 1, "content": "x"}),
        ("NotifyEVChargingNeeds",
         {"evseId": "2", "chargingNeeds": {"requestedEnergyTransfer": "dc"}},
         {"evseId": 2}, "charging-needs", {"evse_id": 2, "requested_energy_transfer": "DC"}),
        ("NotifyEVChargingSchedule",
         {"evseId": 2, "chargingSchedule": PROFILE["chargingSchedule"][0], "timeBase": "now"},
         {"evseId": 2, "timeBase": AT}, "charging-schedules", {"evse_id": 2}),
        ("PublishFirmwareStatusNotification", {"status": "published", "requestId": "4"},
         {"requestId": 4}, "jobs", {"status": "Published", "request_id": 4}),
        ("ReportChargingProfiles",
         {"requestId": "61", "chargingLimitSource": "Solar", "evseId": 1,
          "chargingProfile": [PROFILE]},
         {"chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [PROFILE]},
         "charging-profiles", {"profile_id": 1, "source": "Solar"}),
        ("SecurityEventNotification", {"type": "A", "more": 1}, {"timestamp": AT},
         "security-events", {"type": "A"}),
    ],
    "2.1": [
        ("BatterySwap", {"requestId": "5", "eventType": "batteryIn", "batteryData": []},
         {"requestId": 5}, "battery-swaps", {"request_id": 5, "state": "returned"}),
        ("NotifyDERAlarm", {"controlType": "FreqDroop"}, {"timestamp": AT},
         "der-alarms", {"control_type": "FreqDroop"}),
        ("NotifyDERStartStop", {"controlId": "c", "started": "true"},
         {"controlId": "c", "timestamp": AT}, "der-controls", {"is_started": True}),
        ("NotifyPriorityCharging", {"transactionId": 7, "activated": 1}, {"transactionId": "7"},
         "priority-charging", {"transaction_id": "7", "is_active": True}),
        ("NotifySettlement", {"pspRef": "p", "status": "settled", "settlementAmount": "1.5"},
         {"status": "Settled", "settlementAmount": 1, "settlementTime": AT},
         "settlements", {"psp_ref": "p", "status": "Settled"}),
        ("NotifyWebPaymentStarted", {"evseId": "2"}, {"timeout": 5},
         "web-payments", {"evse_id": 2}),
        ("ReportChargingProfiles",
         {"requestId": "1", "chargingLimitSource": "Solar", "evseId": 1,
          "chargingProfile": PROFILE},
         {"requestId": True, "chargingLimitSource": "CSO", "evseId": 1,
          "chargingProfile": [PROFILE]},
         "charging-profiles", {"profile_id": 1}),
        ("ReportDERControl",
         {"requestId": "3", "gradient": {"id": "g", "gradient": {"priority": 1}}},
         {"requestId": "x"}, "der-controls", {"control_id": "g"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "told"), [(version, each) for version, odds in TOLD.items() for each in odds]
)
def test_what_a_station_tells_of_its_state_is_read_where_what_it_is_about_can_be(
    version: str, told: Odd
) -> None:
    action, payload, about_nothing, facet, shown = told
    holder = Holder(version)

    assert odd(version, action, payload)["error"]
    assert tells(holder, version, action, about_nothing)[0] == 4
    assert holder.values == {}
    assert tells(holder, version, action, payload)[0] == 3
    if facet:
        assert shown.items() <= holder.one(facet).items()


def test_a_reservation_in_other_words_is_over() -> None:
    holder = Holder("2.0.1")
    token = {"idToken": "A", "type": "Central"}
    request = {"id": 5, "expiryDateTime": "2026-11-24T10:00:00Z", "idToken": token}
    holder.asked("ReserveNow", request, {"status": "Accepted"})
    update = {"reservationId": 5, "reservationUpdateStatus": "expired"}

    nameless = {"reservationUpdateStatus": "Expired"}
    assert tells(holder, "2.0.1", "ReservationStatusUpdate", nameless)[0] == 4
    assert tells(holder, "2.0.1", "ReservationStatusUpdate", update)[0] == 3
    assert holder.one("reservations")["state"] == "expired"


@pytest.mark.parametrize(
    ("version", "code"), [("1.6", "GenericError"), ("2.1", "RpcFrameworkError")]
)
def test_what_was_queued_under_one_message_id_is_kept(version: str, code: str) -> None:
    holder = Holder(version)
    for kind in ("A", "B"):
        payload = {"type": kind, "timestamp": AT}
        more = {"error": code, "violations": (REUSED_ID.flag,)}
        assert holder.tells("SecurityEventNotification", payload, message_id="q", **more) == {}

    assert column(holder.of("security-events"), "type") == ["A", "B"]


def test_only_what_asks_us_for_something_is_not_read_unless_it_keeps_its_schema() -> None:
    strict = {
        action
        for meanings in MEANINGS.values()
        for action, meaning in meanings.items()
        if meaning.is_readable is None
    }

    assert strict == {
        "OpenPeriodicEventStream",
        "PullDynamicScheduleUpdate",
        "SignCertificate",
        "VatNumberValidation",
    }


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("FirmwareStatusNotification", {"status": "Downloading", "requestId": "four"},
         "TypeConstraintViolation"),
        ("FirmwareStatusNotification", {"requestId": 4}, "OccurrenceConstraintViolation"),
        ("FirmwareStatusNotification", {"status": None, "requestId": 4}, "TypeConstraintViolation"),
        ("FirmwareStatusNotification", {"status": "Downloading", "requestId": True},
         "TypeConstraintViolation"),
        ("SignCertificate", {"csr": "c", "certificateType": "Mine"}, "PropertyConstraintViolation"),
        ("SignCertificate", {"csr": "c", "vendorId": "x"}, "FormatViolation"),
        ("GetCertificateStatus", {}, "OccurrenceConstraintViolation"),
    ],
)  # fmt: skip
def test_what_is_no_report_to_be_kept_gets_the_code_of_its_version(
    action: str, payload: Any, code: str
) -> None:
    holder = Holder("2.0.1")

    answer = tells(holder, "2.0.1", action, payload)

    assert (answer[0], answer[2]) == (4, code)
    assert holder.values == {}


def test_a_station_of_a_long_name_is_accepted() -> None:
    holder = Holder("2.0.1")
    station = {"vendorName": "V" * 300, "model": 7}

    boot = {"reason": "PowerUp", "chargingStation": station}
    assert tells(holder, "2.0.1", "BootNotification", boot)[2]["status"] == "Accepted"
    identity = holder.worker.station.identity
    assert identity is not None
    assert (identity.vendor, identity.model) == ("V" * 255, "7")


def test_an_event_in_other_words_ends_its_transaction_and_is_flagged() -> None:
    holder = Holder("2.0.1")
    holder.tells("TransactionEvent", events.started())
    payload = events.ended() | {"eventType": "ended", "triggerReason": "evDeparted"}

    assert tells(holder, "2.0.1", "TransactionEvent", payload)[0] == 3
    transaction = holder.worker.station.transactions.known["T-1"]
    assert transaction.is_ended
    assert "SCHEMA_DEVIATION" in transaction.flags


def test_energy_in_other_words_counts_the_same_and_is_flagged() -> None:
    holder = Holder()
    start = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": AT}
    number = holder.tells("StartTransaction", start)["transactionId"]
    value = {"value": "2.5", "unit": "KWH", "measurand": "energy.active.import.register"}
    values = [{"timestamp": "2026-11-23T10:30:00Z", "sampledValue": [value]}]
    payload = {"connectorId": 1, "transactionId": number, "meterValue": values}

    assert tells(holder, "1.6", "MeterValues", payload) == [3, "m2", {}]
    transaction = holder.worker.station.transactions.known[str(number)]
    assert transaction.readings[-1][1] == 2500
    assert "SCHEMA_DEVIATION" in transaction.flags


def test_a_result_in_another_case_counts_and_is_shown_as_it_came() -> None:
    holder = Holder("2.0.1")
    payload = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "Hello"}}

    holder.asked("SetDisplayMessage", {"message": payload}, {"status": "accepted"})

    assert holder.one("display-messages")["content"] == "Hello"
    holder.assert_rebuilt()


@pytest.mark.parametrize("id_tag", [12345, "12345"])
def test_a_number_is_an_id_tag_by_its_digits(id_tag: Any) -> None:
    holder = Holder()
    start = {"connectorId": 1, "idTag": id_tag, "meterStart": 0, "timestamp": AT}
    more = odd("1.6", "StartTransaction", start) if isinstance(id_tag, int) else {}

    answer = holder.tells("StartTransaction", start, **more)

    transaction = holder.worker.station.transactions.known[str(answer["transactionId"])]
    assert transaction.id_token == "12345"
    assert ("SCHEMA_DEVIATION" in transaction.flags) is isinstance(id_tag, int)


def test_a_text_alone_is_an_id_token_as_1_6_had_it() -> None:
    holder = Holder("2.0.1")
    payload = events.started() | {"idToken": "TAG"}

    answer = tells(holder, "2.0.1", "TransactionEvent", payload)
    assert answer[2]["idTokenInfo"] == {"status": "Accepted"}
    assert holder.worker.station.transactions.known["T-1"].id_token == "TAG"
    assert tells(holder, "2.0.1", "Authorize", {"idToken": "TAG"})[0] == 3


def test_a_stop_without_an_id_ends_the_only_transaction_that_it_may_mean() -> None:
    holder = Holder()
    start = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": AT}
    number = holder.tells("StartTransaction", start)["transactionId"]
    stop = {"transactionId": None, "meterStop": 900, "timestamp": "2026-11-23T11:00:00Z"}

    assert tells(holder, "1.6", "StopTransaction", stop)[0] == 3
    transaction = holder.worker.station.transactions.known[str(number)]
    assert (transaction.is_ended, transaction.meter_stop_wh) == (True, 900)


@pytest.mark.parametrize(("version", "action"), ROUTED)
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_it_changes_nothing_that_is_valid_and_changes_nothing_twice(
    version: str, action: str, data: st.DataObject
) -> None:
    valid = data.draw(payload_strategies.valid(version, action))
    broken = data.draw(payload_strategies.broken(version, action))

    again = mended(version, action, valid)
    assert violations(version, action, again) == ()
    assert is_whole(version, action, again)
    once = mended(version, action, broken)
    assert mended(version, action, once) == once
