"""Frames by section of OCPP-J, and the properties that hold for any text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import rpc
from schemas import frames, payloads, tolerance
from schemas.records import CALL, CALLERROR, CALLRESULT, CALLRESULTERROR, SEND, MessageReceived
from schemas.switches import Switches

VERSIONS = st.sampled_from(payloads.VERSIONS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
ODD_CALLS = st.tuples(
    st.sampled_from([2, 3, 4, 5, 6]) | JSON,
    st.text(max_size=40) | JSON,
    st.sampled_from(sorted(payloads.actions("1.6"))) | JSON,
    JSON,
).map(list)


def text_of(value: object) -> str:
    return json.dumps(value)


class TestCall:
    """OCPP-J 1.6, 4.2.1."""

    def test_a_valid_call_is_read_without_a_flag(self) -> None:
        frame = rpc.read("1.6", '[2,"19223201","Authorize",{"idTag":"A1"}]')

        assert frame == rpc.Frame(CALL, "19223201", "Authorize", {"idTag": "A1"})

    @pytest.mark.parametrize("text", ['[2,"1","Heartbeat",{}]', '[2,"1","Heartbeat",null]'])
    def test_no_payload_may_be_null_or_an_empty_object(self, text: str) -> None:
        assert rpc.read("1.6", text) == rpc.Frame(CALL, "1", "Heartbeat", {})

    @pytest.mark.parametrize("text", ['[2,"1","Heartbeat",{},{}]', '[2,"1",5,{}]', '[2,"1"]'])
    @pytest.mark.parametrize(
        ("version", "code"), [("1.6", "FormationViolation"), ("2.1", "FormatViolation")]
    )
    def test_another_shape_is_flagged_under_its_id(
        self, text: str, version: str, code: str
    ) -> None:
        frame = rpc.read(version, text)

        assert (frame.message_type, frame.message_id, frame.error) == (CALL, "1", code)

    @pytest.mark.parametrize("action", ["Nope", "heartbeat", "constructor", "__class__", "x" * 64])
    def test_an_action_of_no_such_name_is_not_implemented(self, action: str) -> None:
        frame = rpc.read("1.6", text_of([2, "1", action, {}]))

        assert (frame.action, frame.error) == (action, "NotImplemented")

    @pytest.mark.parametrize("version", payloads.VERSIONS)
    def test_a_boot_in_another_case_is_read_and_flagged(self, version: str) -> None:
        station = {"vendorName": "V", "model": "M"}
        payload = {"chargingStation": station, "reason": "PowerUp"}
        if version == "1.6":
            payload = {"chargePointVendor": "V", "chargePointModel": "M"}
        frame = rpc.read(version, text_of([2, "1", "bootNotification", payload]))

        flags = (tolerance.OTHER_CASE.flag,)
        assert frame == rpc.Frame(CALL, "1", "BootNotification", payload, "", flags)

    def test_an_action_of_another_version_is_not_implemented(self) -> None:
        assert rpc.read("1.6", '[2,"1","TransactionEvent",{}]').error == "NotImplemented"
        assert rpc.read("2.0.1", '[2,"1","StartTransaction",{}]').error == "NotImplemented"

    def test_an_endless_action_is_not_kept(self) -> None:
        assert rpc.read("1.6", text_of([2, "1", "x" * 65, {}])).action == ""

    def test_a_payload_against_the_schema_is_flagged_and_handed_on(self) -> None:
        payload = {"connectorId": 1, "idTag": "x" * 21, "meterStart": 5, "timestamp": "yesterday"}

        frame = rpc.read("1.6", text_of([2, "1", "StartTransaction", payload]))

        assert frame.payload == payload
        assert frame.error == "PropertyConstraintViolation"
        assert len(frame.violations) == 2

    def test_a_transaction_id_of_64_bits_is_read(self) -> None:
        # Seen: an initial value of 2^63 - 1, with samples that count.
        payload = '{"connectorId":1,"transactionId":9223372036854775807,"meterValue":[]}'

        frame = rpc.read("1.6", f'[2,"5236","MeterValues",{payload}]')

        assert frame.action == "MeterValues"
        assert frame.payload["transactionId"] == 2**63 - 1

    def test_control_bytes_in_an_id_tag_do_not_cost_the_energy(self) -> None:
        text = (
            '[2,"100000023","StopTransaction",{"meterStop":1388,"idTag":"BA86I250\x02\x16",'
            '"transactionId":1786705612,"timestamp":"2026-08-14T11:42:28Z"}]'
        )

        frame = rpc.read("1.6", text)

        assert frame.payload["meterStop"] == 1388
        assert frame.error == "FormationViolation"

    @pytest.mark.parametrize(
        "text",
        [
            '[2,"1000000","BootNotification","chargePointModel":"a"}]',
            '[2,"1000000","DataTransfer",{"vendorId":"\\u0000"}]',
            '[2,"1000000","DataTransfer",{"vendorId":"\\ud800"}]',
            '[2,"1000000","StopTransaction",{"meterStop":' + "9" * 5000 + "}]",
            '[2,"1000000","DataTransfer",' + "[" * 100_000 + "]" * 100_000 + "]",
        ],
    )
    def test_a_refused_payload_leaves_the_id_to_answer_to(self, text: str) -> None:
        frame = rpc.read("1.6", text)

        assert frame == rpc.Frame(CALL, "1000000", "", None, "FormationViolation", frame.violations)


class TestMessageId:
    """OCPP-J 1.6, 4.1.4; at most 36 characters."""

    def test_a_long_id_of_1_6_is_tolerated(self) -> None:
        value = "SI-65c13465-f1c5-43d4-b446-2f520e4ae04f_1"
        frame = rpc.read("1.6", text_of([2, value, "Heartbeat", {}]))

        assert (frame.message_id, frame.error) == (value, "")
        assert frame.violations

    @pytest.mark.parametrize("version", payloads.VERSIONS)
    @pytest.mark.parametrize(
        ("action", "error"),
        [("Heartbeat", "ProtocolError"), ("BootNotification", ""), ("Authorize", "")],
    )
    def test_a_number_as_id_is_flagged_and_refused_where_nothing_is_lost_by_that(
        self, version: str, action: str, error: str
    ) -> None:
        frame = rpc.read(version, text_of([2, 12345, action, {}]))

        assert frame.message_id == "12345"
        assert (frame.error == "ProtocolError") == (error == "ProtocolError")
        assert frame.violations[0] == tolerance.NUMBER_AS_ID.flag
        switched = rpc.read(version, '[2,5,"Heartbeat",{}]', Switches(numbers_as_ids=True))
        assert (switched.message_id, switched.error) == ("5", "")

    def test_a_call_without_a_payload_is_not_whole(self) -> None:
        assert rpc.read("1.6", '[2,"1","Heartbeat"]').error == "ProtocolError"

    @pytest.mark.parametrize("value", [None, {}, [], "", True, 1.5, "x" * 65, "x" * 2**17])
    def test_what_is_no_id_is_never_echoed(self, value: object) -> None:
        frame = rpc.read("1.6", text_of([2, value, "Heartbeat", {}]))

        assert (frame.message_id, frame.error) == ("", "FormationViolation")

    @pytest.mark.parametrize("value", [None, "x" * 37])
    def test_later_versions_tolerate_no_odd_id(self, value: object) -> None:
        frame = rpc.read("2.0.1", text_of([2, value, "Heartbeat", {}]))

        assert (frame.message_id, frame.error) == ("", "RpcFrameworkError")


class TestAnswers:
    """OCPP-J 1.6, 4.2.2 and 4.2.3."""

    def test_a_result_has_its_payload(self) -> None:
        frame = rpc.read("1.6", '[3,"7",{"status":"Accepted"}]')

        assert frame == rpc.Frame(CALLRESULT, "7", "", {"status": "Accepted"})

    def test_an_error_has_code_description_and_details(self) -> None:
        frame = rpc.read("1.6", '[4,"7","NotSupported","no",{}]')

        assert frame == rpc.Frame(CALLERROR, "7", "", ["NotSupported", "no", {}])

    @pytest.mark.parametrize("text", ['[4,"7","NotSupported"]', '[4,"7","NotSupported",""]'])
    def test_an_error_without_its_details_is_an_error_all_the_same(self, text: str) -> None:
        frame = rpc.read("1.6", text)

        assert (frame.payload[0], frame.error) == ("NotSupported", "")

    @pytest.mark.parametrize(
        ("text", "flag"),
        [
            ('[3,"7",{"value":"30\x01"}]', tolerance.CONTROL_CHARACTERS.flag),
            ('[3,"7",{"value":"30\\u0001",}]', tolerance.CONTROL_CHARACTERS.flag),
            ('\ufeff[3,"7",{"value":"30\\u0001"}]', tolerance.CONTROL_CHARACTERS.flag),
            ('[3,"7",{"value":"30\\u0001"},""]', tolerance.LONG_RESULT.flag),
            ('[3,"7",{"value":"30\\u0001"},{}]', tolerance.LONG_RESULT.flag),
            ('[3,"7",{"value":"30\\u0001"},null,[]]', tolerance.LONG_RESULT.flag),
            ('[3,"7","GetConfiguration",{"value":"30\\u0001"}]', tolerance.LONG_RESULT.flag),
        ],
    )
    @pytest.mark.parametrize("version", payloads.VERSIONS)
    def test_a_result_of_one_reading_is_read_and_flagged(
        self, version: str, text: str, flag: str
    ) -> None:
        frame = rpc.read(version, text)

        assert frame == rpc.Frame(CALLRESULT, "7", "", {"value": "30\x01"}, "", (flag,))
        assert_lawful(version, text)

    def test_an_error_of_one_reading_is_read_and_flagged(self) -> None:
        frame = rpc.read("1.6", '[4,"7","NotSupported","no\x01",{},]')

        assert frame.payload == ["NotSupported", "no\x01", {}]
        assert (frame.error, frame.violations) == ("", (tolerance.CONTROL_CHARACTERS.flag,))

    @pytest.mark.parametrize(
        "text",
        [
            '[3,"7",5]',
            '[3,"7",[]]',
            '[3,"7",{},{"a":1}]',
            '[3,"7","ok"]',
            '[3,"7","ok",5]',
            '[3,"7","GetConfiguration",{"a":1},{"a":2}]',
            '[4,"7"]',
            '[4,"7",9,"",{}]',
        ],
    )
    def test_a_malformed_answer_keeps_its_id(self, text: str) -> None:
        frame = rpc.read("1.6", text)

        assert (frame.message_id, frame.payload) == ("7", None)
        assert frame.error == "FormationViolation"


class TestMessageType:
    """OCPP-J 1.6, 4.1.3; 2.0.1, part 4, 4.1.3; 2.1, part 4, 4.1.3."""

    @pytest.mark.parametrize("kind", ["0", "7", "-1", '"2"', "2.0", "true", "null"])
    @pytest.mark.parametrize(
        ("version", "code"), [("1.6", "FormationViolation"), ("2.0.1", "MessageTypeNotSupported")]
    )
    def test_a_type_of_no_meaning_is_unreadable(self, kind: str, version: str, code: str) -> None:
        frame = rpc.read(version, f'[{kind},"1","Heartbeat",{{}}]')

        assert (frame.message_type, frame.action, frame.error) == (0, "", code)

    def test_send_and_result_error_are_of_2_1(self) -> None:
        send = '[6,"1","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":'
        send += '"2026-11-23T14:00:00Z","data":[{"t":0,"v":"1"}]}]'

        assert rpc.read("2.1", send).message_type == SEND
        assert rpc.read("2.1", send).error == ""
        assert rpc.read("2.1", '[5,"1","GenericError","",{}]').message_type == CALLRESULTERROR
        assert rpc.read("2.0.1", send).message_type == 0


class TestUnreadable:
    @pytest.mark.parametrize(
        "text", ["", "nonsense", "{}", "[]", "[2]", '"x"', "null", "{[2]}", "\ufeff[]", "[" * 10**5]
    )
    @pytest.mark.parametrize(
        ("version", "code"), [("1.6", "FormationViolation"), ("2.1", "RpcFrameworkError")]
    )
    def test_what_is_not_ocpp_j_has_no_id(self, text: str, version: str, code: str) -> None:
        frame = rpc.read(version, text)

        assert (frame.message_type, frame.message_id, frame.error) == (0, "", code)


@given(VERSIONS, st.text())
def test_any_text_has_a_reading(version: str, text: str) -> None:
    assert_lawful(version, text)


@given(VERSIONS, JSON | ODD_CALLS)
def test_any_json_has_a_reading(version: str, value: object) -> None:
    assert_lawful(version, text_of(value))


@given(VERSIONS, st.integers(2, 6), st.text(max_size=200), st.integers(0, 60))
def test_a_damaged_call_has_a_reading(version: str, kind: int, noise: str, at: int) -> None:
    text = f'[{kind},"1","StatusNotification",{{"connectorId":1,"errorCode":"NoError"}}]'

    assert_lawful(version, text[:at] + noise + text[at:])


def assert_lawful(version: str, text: str) -> None:
    frame = rpc.read(version, text)
    assert frame == rpc.read(version, text)
    assert len(frame.message_id) <= rpc.TOLERATED_ID_CHARACTERS_MAX
    assert len(frame.action) <= rpc.ACTION_CHARACTERS_MAX
    assert len(frame.violations) <= payloads.VIOLATIONS_MAX
    assert bool(frame.violations) or not frame.error
    record = MessageReceived(
        recorded_at=0,
        connection="c",
        number=1,
        frame=text,
        message_type=frame.message_type,
        message_id=frame.message_id,
        action=frame.action,
        error=frame.error,
    )
    assert frames.payload_of(record) == frame.payload
