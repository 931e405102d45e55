"""What else a station holds: local list, displays, networks, tariffs, DER controls, services."""

from typing import Any

import pytest

from tests.domain import events
from tests.domain.holding import Holder, column

ACCEPTED = {"status": "Accepted"}
AT = "2026-11-23T10:00:00Z"
IN_2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])

# The local list


def send_list(holder: Holder, version: str, number: int, kind: str, **tokens: bool) -> None:
    if version == "1.6":
        entries: list[Any] = [
            {"idTag": token, **({"idTagInfo": ACCEPTED} if given else {})}
            for token, given in tokens.items()
        ]
        asked: dict[str, Any] = {"listVersion": number}
    else:
        entries = [
            {
                "idToken": {"idToken": token, "type": "ISO14443"},
                **({"idTokenInfo": ACCEPTED} if given else {}),
            }
            for token, given in tokens.items()
        ]
        asked = {"versionNumber": number}
    asked |= {"updateType": kind, "localAuthorizationList": entries}
    holder.asked("SendLocalList", asked, ACCEPTED)


def known_list(holder: Holder) -> tuple[Any, Any]:
    value = holder.one("local-list")
    return value["version"], value["tokens"]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_the_local_list_has_a_version_and_a_size(version: str) -> None:
    holder = Holder(version)
    send_list(holder, version, 1, "Full", A=True, B=True)
    assert known_list(holder) == (1, 2)
    send_list(holder, version, 2, "Differential", a=True, B=False, C=True, D=False)
    assert known_list(holder) == (2, 2)
    asked = {"listVersion": 3, "versionNumber": 3, "updateType": "Full"}
    holder.asked("SendLocalList", asked, {"status": "VersionMismatch"})
    assert known_list(holder) == (2, 2)
    send_list(holder, version, 4, "Full", E=True)

    assert known_list(holder) == (4, 1)
    holder.assert_rebuilt()


@pytest.mark.parametrize(("version", "name"), [("1.6", "listVersion"), ("2.1", "versionNumber")])
def test_a_list_of_another_version_has_an_unknown_size(version: str, name: str) -> None:
    holder = Holder(version)
    send_list(holder, version, 1, "Full", A=True)
    holder.asked("GetLocalListVersion", {}, {name: 1})
    assert known_list(holder) == (1, 1)
    holder.asked("GetLocalListVersion", {}, {name: 9})
    assert known_list(holder) == (9, None)
    send_list(holder, version, 10, "Differential", B=True)
    assert known_list(holder) == (10, None)
    holder.asked("GetLocalListVersion", {}, {name: 0})

    assert known_list(holder) == (0, 0)


# Displays


def message(number: int, content: str = "Welcome") -> dict[str, Any]:
    inner = {"format": "UTF8", "content": content}
    return {"id": number, "priority": "NormalCycle", "message": inner}


@IN_2
def test_a_message_in_front_of_all_others_replaces_the_one_before(version: str) -> None:
    holder = Holder(version)
    text = {"format": "UTF8", "content": "Hello"}
    for number, priority in ((1, "AlwaysFront"), (2, "InFront"), (3, "AlwaysFront")):
        message = {"id": number, "priority": priority, "message": text}
        holder.asked("SetDisplayMessage", {"message": message}, ACCEPTED)

    assert column(holder.of("display-messages"), "message_id") == [2, 3]
    holder.assert_rebuilt()


@IN_2
def test_the_message_of_a_transaction_ends_with_it(version: str) -> None:
    holder = Holder(version)
    holder.tells("TransactionEvent", events.started())
    text = {"format": "UTF8", "content": "Hello"}
    for number, of in ((1, "T-1"), (2, "T-2")):
        message = {"id": number, "priority": "InFront", "message": text, "transactionId": of}
        holder.asked("SetDisplayMessage", {"message": message}, ACCEPTED)
    holder.tells("TransactionEvent", events.ended())

    assert column(holder.of("display-messages"), "message_id") == [2]
    holder.assert_rebuilt()


@IN_2
def test_display_messages_are_set_reported_and_cleared(version: str) -> None:
    holder = Holder(version)
    holder.asked("SetDisplayMessage", {"message": message(1)}, ACCEPTED)
    holder.asked("SetDisplayMessage", {"message": message(2)}, {"status": "Rejected"})
    found = holder.of("display-messages")
    assert column(found, "message_id", "content", "priority") == [(1, "Welcome", "NormalCycle")]
    holder.asked("GetDisplayMessages", {"requestId": 4}, ACCEPTED)
    holder.tells("NotifyDisplayMessages", {"requestId": 4, "messageInfo": [message(7), message(8)]})
    assert column(holder.of("display-messages"), "message_id") == [7, 8]
    holder.asked("ClearDisplayMessage", {"id": 7}, ACCEPTED)
    assert column(holder.of("display-messages"), "message_id") == [8]
    holder.asked("GetDisplayMessages", {"requestId": 5}, {"status": "Unknown"})

    assert holder.of("display-messages") == {}
    holder.assert_rebuilt()


# Networks, customers


@IN_2
def test_a_network_profile_is_known_without_its_secrets(version: str) -> None:
    holder = Holder(version)
    data = {
        "ocppVersion": "OCPP20", "ocppInterface": "Wired0", "ocppTransport": "JSON",
        "messageTimeout": 30, "securityProfile": 2, "basicAuthPassword": "hunter2",
        "ocppCsmsUrl": "wss://user:hunter2@csms.example.org/ocpp?key=hunter2",
        "apn": {"apn": "internet", "apnPassword": "hunter2", "apnAuthentication": "PAP"},
        "vpn": {
            "server": "vpn.example.org", "user": "hunter2", "password": "hunter2",
            "key": "hunter2", "type": "IPSec",
        },
    }  # fmt: skip
    asked = {"configurationSlot": 1, "connectionData": data}
    holder.asked("SetNetworkProfile", asked, ACCEPTED)
    holder.asked("SetNetworkProfile", {**asked, "configurationSlot": 2}, {"status": "Rejected"})

    value = holder.one("network-profiles")
    expected = {
        "slot": 1, "csms_url": "wss://csms.example.org/ocpp", "security_profile": 2,
        "vpn": {"type": "IPSec", "server": "vpn.example.org"}, "has_password": True,
    }  # fmt: skip
    assert value == value | expected
    assert "hunter2" not in str(holder.values)


@IN_2
def test_of_customers_only_that_all_was_told_is_known(version: str) -> None:
    holder = Holder(version)
    holder.asked("CustomerInformation", {"requestId": 3, "report": True, "clear": False}, ACCEPTED)
    told = {"requestId": 3, "generatedAt": AT, "data": "Jane Doe"}
    holder.tells("NotifyCustomerInformation", {**told, "seqNo": 0, "tbc": True})
    assert holder.one("reports")["state"] == "receiving"
    holder.tells("NotifyCustomerInformation", {**told, "seqNo": 1})

    assert (holder.one("reports")["kind"], holder.one("reports")["state"]) == (
        "customer-information",
        "complete",
    )
    assert "Jane" not in str(holder.values)


# DER controls


def control(number: str, **more: Any) -> dict[str, Any]:
    inner = {"priority": 1, "gradient": 2.5, "softGradient": 3}
    return {
        "isDefault": True, "controlId": number, "controlType": "Gradients", "gradient": inner,
        **more,
    }  # fmt: skip


def test_der_controls_are_set_superseded_and_cleared() -> None:
    holder = Holder("2.1")
    holder.asked("SetDERControl", control("a"), ACCEPTED)
    holder.asked("SetDERControl", control("b"), {**ACCEPTED, "supersededIds": ["a"]})
    holder.asked("SetDERControl", control("c"), {"status": "Rejected"})
    holder.asked("SetDERControl", control("d", isDefault=False), ACCEPTED)
    found = holder.of("der-controls")
    assert column(found, "control_id", "is_superseded", "control_type", "priority") == [
        ("a", True, "Gradients", 1),
        ("b", False, "Gradients", 1),
        ("d", False, "Gradients", 1),
    ]
    holder.tells("NotifyDERStartStop", {"controlId": "d", "started": True, "timestamp": AT})
    value = holder.of("der-controls")["d"]
    assert (value["is_started"], value["started_at"], value["is_default"]) == (True, AT, False)

    holder.asked("ClearDERControl", {"isDefault": True}, ACCEPTED)
    assert column(holder.of("der-controls"), "control_id") == ["d"]
    holder.asked("ClearDERControl", {"isDefault": False, "controlId": "d"}, ACCEPTED)
    assert holder.of("der-controls") == {}
    holder.assert_rebuilt()


def test_a_report_of_der_controls_replaces_those_known() -> None:
    holder = Holder("2.1")
    holder.asked("SetDERControl", control("a"), ACCEPTED)
    holder.asked("GetDERControl", {"requestId": 5}, ACCEPTED)
    fixed = {"priority": 2, "setpoint": 10, "unit": "PctMaxVar"}
    item = {"id": "v", "isDefault": False, "isSuperseded": True, "fixedVar": fixed}
    holder.tells("ReportDERControl", {"requestId": 5, "fixedVar": [item]})

    found = holder.of("der-controls")
    assert column(found, "control_id", "control_type", "is_superseded", "settings") == [
        ("v", "FixedVar", True, fixed)
    ]


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ({"isDefault": True}, ["b", "v"]),
        ({"isDefault": False}, ["a", "v"]),
        ({"controlType": "Gradients"}, ["v"]),
        ({"controlType": "FreqDroop"}, ["a", "b", "v"]),
        ({"controlId": "a", "isDefault": False}, ["b", "v"]),
    ],
)
def test_a_report_of_some_der_controls_replaces_those(of: dict[str, Any], left: list[str]) -> None:
    told, denied = Holder("2.1"), Holder("2.1")
    for holder in (told, denied):
        holder.asked("SetDERControl", control("a"), ACCEPTED)
        holder.asked("SetDERControl", control("b", isDefault=False), ACCEPTED)
    told.asked("GetDERControl", {"requestId": 5, **of}, ACCEPTED)
    denied.asked("GetDERControl", {"requestId": 5, **of}, {"status": "NotFound"})
    item = {"id": "v", "isDefault": True, "isSuperseded": False, "fixedVar": {"priority": 2}}
    told.tells("ReportDERControl", {"requestId": 5, "fixedVar": [item]})

    assert column(told.of("der-controls"), "control_id") == left
    assert column(denied.of("der-controls"), "control_id") == left[:-1]
    told.assert_rebuilt()


def test_a_reported_gradient_stays_the_default_that_it_was() -> None:
    holder = Holder("2.1")
    holder.asked("SetDERControl", control("a"), ACCEPTED)
    holder.asked("SetDERControl", control("b", isDefault=False), ACCEPTED)
    holder.asked("GetDERControl", {"requestId": 5}, ACCEPTED)
    items = [{"id": name, "gradient": control(name)["gradient"]} for name in ("a", "b", "c")]
    holder.tells("ReportDERControl", {"requestId": 5, "gradient": items})

    assert column(holder.of("der-controls"), "control_id", "is_default") == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    holder.asked("ClearDERControl", {"isDefault": True}, ACCEPTED)
    assert column(holder.of("der-controls"), "control_id") == ["b"]


def test_der_alarms_are_listed() -> None:
    holder = Holder("2.1")
    alarm = {"controlType": "HVMustTrip", "gridEventFault": "OverVoltage", "timestamp": AT}
    holder.tells("NotifyDERAlarm", alarm)
    holder.tells("NotifyDERAlarm", alarm)

    assert column(holder.of("der-alarms"), "control_type", "grid_event_fault", "at") == [
        ("HVMustTrip", "OverVoltage", AT)
    ]


# Tariffs


def tariff(name: str) -> dict[str, Any]:
    return {"tariffId": name, "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.35}]}}


def test_a_default_tariff_takes_the_place_of_the_one_before() -> None:
    holder = Holder("2.1")
    for name, evse in (("a", 1), ("b", 2), ("c", 1)):
        holder.asked("SetDefaultTariff", {"evseId": evse, "tariff": tariff(name)}, ACCEPTED)
    asked = {"evseId": 1, "tariff": tariff("d")}
    holder.asked("SetDefaultTariff", asked, {"status": "TooManyElements"})
    assert column(holder.of("tariffs"), "tariff_id", "evse_ids", "kind") == [
        ("b", [2], "DefaultTariff"),
        ("c", [1], "DefaultTariff"),
    ]
    price = holder.of("tariffs")["DefaultTariff/c/1"]["prices"]["energy"]["prices"][0]
    assert str(price["priceKwh"]) == "0.35"

    holder.asked("SetDefaultTariff", {"evseId": 0, "tariff": tariff("e")}, ACCEPTED)

    assert column(holder.of("tariffs"), "tariff_id") == ["e"]


def test_the_tariff_of_a_transaction_ends_with_it() -> None:
    holder = Holder("2.1")
    holder.tells("TransactionEvent", events.started())
    changed = {"transactionId": "T-1", "tariff": tariff("driver")}
    holder.asked("ChangeTransactionTariff", changed, ACCEPTED)
    holder.asked("CostUpdated", {"transactionId": "T-1", "totalCost": 4.2}, {})
    assert column(holder.of("tariffs"), "tariff_id", "kind", "transaction_id") == [
        ("driver", "DriverTariff", "T-1")
    ]

    holder.tells("TransactionEvent", events.ended())

    assert holder.of("tariffs") == {}
    assert str(holder.one("costs")["total_cost"]) == "4.2"
    holder.assert_rebuilt()


def test_tariffs_that_the_station_has_are_got_and_cleared() -> None:
    holder = Holder("2.1")
    for name, evse in (("a", 1), ("b", 2)):
        holder.asked("SetDefaultTariff", {"evseId": evse, "tariff": tariff(name)}, ACCEPTED)
    told = [
        {"tariffId": "b", "tariffKind": "DefaultTariff", "evseIds": [2]},
        {"tariffId": "c", "tariffKind": "DriverTariff", "evseIds": [1], "idTokens": ["TAG"]},
    ]
    holder.asked("GetTariffs", {"evseId": 0}, {**ACCEPTED, "tariffAssignments": told})
    assert column(holder.of("tariffs"), "tariff_id", "currency") == [("b", "EUR"), ("c", None)]
    assert "TAG" not in str(holder.values)

    results = [{"tariffId": "b", **ACCEPTED}, {"tariffId": "c", "status": "Rejected"}]
    holder.asked("ClearTariffs", {"tariffIds": ["b", "c"]}, {"clearTariffsResult": results})
    assert column(holder.of("tariffs"), "tariff_id") == ["c"]
    holder.asked("ClearTariffs", {}, {"clearTariffsResult": [ACCEPTED]})

    assert holder.of("tariffs") == {}


def where(holder: Holder) -> dict[str, list[int]]:
    return {each["tariff_id"]: each["evse_ids"] for each in holder.of("tariffs").values()}


def assigned(name: str, *evse_ids: int) -> dict[str, Any]:
    return {"tariffId": name, "tariffKind": "DefaultTariff", "evseIds": list(evse_ids)}


def get_tariffs(holder: Holder, evse_id: int, *told: dict[str, Any]) -> None:
    result = {**ACCEPTED, "tariffAssignments": told} if told else {"status": "NoTariff"}
    holder.asked("GetTariffs", {"evseId": evse_id}, result)


def clear_tariffs(holder: Holder, asked: dict[str, Any], **results: str) -> None:
    told = [{"tariffId": name, "status": status} for name, status in results.items()]
    holder.asked("ClearTariffs", asked, {"clearTariffsResult": told})


def test_a_tariff_is_at_the_evses_that_the_station_names() -> None:
    holder = Holder("2.1")
    holder.asked("SetDefaultTariff", {"evseId": 1, "tariff": tariff("d")}, ACCEPTED)
    get_tariffs(holder, 0, assigned("d", 1, 2), assigned("e", 3, 4))
    assert where(holder) == {"d": [1, 2], "e": [3, 4]}
    assert holder.of("tariffs")["DefaultTariff/d/1"]["currency"] == "EUR"

    get_tariffs(holder, 0, assigned("d", 2), assigned("e", 3, 4))
    assert where(holder) == {"d": [2], "e": [3, 4]}
    get_tariffs(holder, 3)
    assert where(holder) == {"d": [2], "e": [4]}
    get_tariffs(holder, 1, assigned("e", 1))
    assert where(holder) == {"d": [2], "e": [1, 4]}
    holder.assert_rebuilt()


def test_a_tariff_of_all_evses_is_at_those_that_the_station_names() -> None:
    holder = Holder("2.1")
    holder.asked("SetDefaultTariff", {"evseId": 0, "tariff": tariff("d")}, ACCEPTED)
    get_tariffs(holder, 1, assigned("d", 1))
    assert where(holder) == {"d": [0]}
    get_tariffs(holder, 0, {"tariffId": "d", "tariffKind": "DefaultTariff"})
    assert where(holder) == {"d": [0]}

    get_tariffs(holder, 0, assigned("d", 1, 2))

    assert where(holder) == {"d": [1, 2]}
    assert holder.one("tariffs")["currency"] == "EUR"


@pytest.mark.parametrize("ids", [{"tariffIds": ["d"]}, {}])
def test_a_tariff_is_cleared_at_one_evse(ids: dict[str, Any]) -> None:
    holder = Holder("2.1")
    for evse in (1, 2):
        holder.asked("SetDefaultTariff", {"evseId": evse, "tariff": tariff("d")}, ACCEPTED)
    get_tariffs(holder, 0, assigned("d", 1, 2, 3))

    clear_tariffs(holder, {**ids, "evseId": 1}, d="Accepted")
    assert sorted(column(holder.of("tariffs"), "evse_ids")) == [[2], [3]]
    clear_tariffs(holder, {**ids, "evseId": 3}, d="Accepted")
    assert column(holder.of("tariffs"), "evse_ids") == [[2]]
    clear_tariffs(holder, ids, d="Accepted")
    assert holder.of("tariffs") == {}
    holder.assert_rebuilt()


def test_what_is_cleared_at_one_evse_stays_at_the_others() -> None:
    holder = Holder("2.1")
    holder.asked("SetDefaultTariff", {"evseId": 0, "tariff": tariff("all")}, ACCEPTED)
    holder.tells("TransactionEvent", events.started())
    changed = {"transactionId": "T-1", "tariff": tariff("driver")}
    holder.asked("ChangeTransactionTariff", changed, ACCEPTED)

    clear_tariffs(holder, {"evseId": 1}, all="Accepted", driver="NoTariff")
    assert column(holder.of("tariffs"), "tariff_id") == ["all", "driver"]
    clear_tariffs(holder, {"evseId": 2}, all="Rejected", driver="Accepted")
    assert column(holder.of("tariffs"), "tariff_id") == ["all"]


def test_a_new_default_tariff_takes_the_place_of_another_at_its_evse_only() -> None:
    holder = Holder("2.1")
    get_tariffs(holder, 0, assigned("d", 1, 2))
    holder.asked("SetDefaultTariff", {"evseId": 1, "tariff": tariff("e")}, ACCEPTED)

    assert where(holder) == {"d": [2], "e": [1]}


# The smaller ones of 2.1


def test_an_allowed_energy_transfer_lasts_as_long_as_its_transaction() -> None:
    holder = Holder("2.1")
    holder.tells("TransactionEvent", events.started())
    asked = {"transactionId": "T-1", "allowedEnergyTransfer": ["DC", "DC_BPT"]}
    holder.asked("NotifyAllowedEnergyTransfer", asked, ACCEPTED)
    assert holder.one("energy-transfers")["allowed_energy_transfer"] == ["DC", "DC_BPT"]

    holder.tells("TransactionEvent", events.ended())

    assert holder.of("energy-transfers") == {}


def test_the_last_grid_signal_that_was_taken() -> None:
    holder = Holder("2.1")
    holder.asked("AFRRSignal", {"timestamp": AT, "signal": 5}, ACCEPTED)
    holder.asked("AFRRSignal", {"timestamp": AT, "signal": 6}, {"status": "Rejected"})

    assert holder.one("afrr-signals") == {"signal": 5, "at": AT}


def test_a_battery_swap_goes_through_its_states() -> None:
    holder = Holder("2.1")
    token = {"idToken": "TAG", "type": "ISO14443"}
    holder.asked("RequestBatterySwap", {"idToken": token, "requestId": 3}, ACCEPTED)
    assert holder.one("battery-swaps")["state"] == "requested"
    battery = {"evseId": 1, "serialNumber": "B1", "soC": 12.5, "soH": 90}
    told = {"requestId": 3, "idToken": token}
    holder.tells("BatterySwap", {**told, "eventType": "BatteryIn", "batteryData": [battery]})
    assert holder.one("battery-swaps")["state"] == "returned"
    other = {**battery, "serialNumber": "B2"}
    holder.tells("BatterySwap", {**told, "eventType": "BatteryOut", "batteryData": [other]})

    value = holder.one("battery-swaps")
    assert value["state"] == "taken"
    assert [value[f"batteries_{way}"][0]["serial_number"] for way in ("in", "out")] == ["B1", "B2"]
    assert "TAG" not in str(holder.values)


def test_payments_at_the_station() -> None:
    holder = Holder("2.1")
    settled = {
        "pspRef": "P1", "status": "Settled", "settlementAmount": 12.34, "settlementTime": AT,
        "transactionId": "T-1", "vatNumber": "DE123",
        "vatCompany": {"name": "Doe", "address1": "x", "city": "y", "country": "z"},
    }  # fmt: skip
    holder.tells("NotifySettlement", settled)
    holder.tells("NotifySettlement", settled)
    holder.tells("NotifyWebPaymentStarted", {"evseId": 2, "timeout": 60})
    answer = holder.tells("VatNumberValidation", {"vatNumber": "DE123456789", "evseId": 2})

    value = holder.one("settlements")
    assert (value["status"], str(value["settlement_amount"])) == ("Settled", "12.34")
    assert column(holder.of("web-payments"), "evse_id", "timeout_s") == [(2, 60)]
    assert column(holder.of("vat-checks"), "country", "answer") == [("DE", answer["status"])]
    assert not [each for each in ("Doe", "DE123") if each in str(holder.values)]
    holder.assert_rebuilt()
