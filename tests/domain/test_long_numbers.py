"""Whole numbers past 64 bits in money messages: an odd value each, and never a lost message."""

import pytest

from tests.domain.edge import Edge

NUMBERS = ("9223372036854775808", "18446744073709551615", "-9223372036854775809", "9" * 31)

START = '[2,"s","StartTransaction",{"connectorId":1,"idTag":%s,"meterStart":%s,"timestamp":"%s"}]'
STOP = '[2,"e","StopTransaction",{"transactionId":%s,"meterStop":%s,"timestamp":"%s"}]'
BEGUN, OVER = "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"


def begun(edge: Edge, tag: str = '"TAG"', meter_start: str = "1000") -> int:
    answer = edge.says(START % (tag, meter_start, BEGUN))
    assert answer[0] == 3
    return int(answer[2]["transactionId"])


@pytest.mark.parametrize("number", NUMBERS)
def test_a_register_of_so_many_digits_is_no_register(number: str) -> None:
    edge = Edge()
    transaction_id = begun(edge)

    assert edge.says(STOP % (transaction_id, number, OVER))[0] == 3

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh, cdr.meter_stop_wh) == ("HELD", None, None)
    assert "METER_STOP_MISSING" in cdr.flags


@pytest.mark.parametrize("number", NUMBERS)
def test_a_start_register_of_so_many_digits_is_none(number: str) -> None:
    edge = Edge()
    edge.says(STOP % (begun(edge, meter_start=number), 9000, OVER))

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("HELD", None)
    assert "METER_START_INVALID" in cdr.flags


@pytest.mark.parametrize("number", NUMBERS)
def test_a_transaction_id_of_so_many_digits_names_none(number: str) -> None:
    edge = Edge()
    assert edge.says(STOP % (number, 9000, OVER))[0] == 3

    [orphan] = edge.orphans()
    assert orphan.reason == "STOP_UNKNOWN_TX"


@pytest.mark.parametrize("number", NUMBERS)
def test_an_id_token_of_so_many_digits_is_its_digits(number: str) -> None:
    edge = Edge()
    edge.says(STOP % (begun(edge, tag=number), 9000, OVER))

    [cdr] = edge.cdrs()
    assert (cdr.id_token, cdr.energy_wh) == (number, 8000)
    assert "SCHEMA_DEVIATION" in cdr.flags


@pytest.mark.parametrize("number", NUMBERS)
def test_a_sample_of_so_many_digits_is_answered_and_can_be_kept(number: str) -> None:
    edge = Edge()
    transaction_id = begun(edge)
    told = '[2,"v","MeterValues",{"connectorId":%s,"transactionId":%s,"meterValue":[{"timestamp":'
    told += '"2026-11-23T09:30:00Z","sampledValue":[{"value":%s}]}]}]'

    assert edge.says(told % (1, transaction_id, number))[0] == 3
    assert edge.says(told % (number, number, "2000"))[0] == 3
    edge.says(STOP % (transaction_id, 9000, OVER))

    assert len(edge.cdrs()) == 1


SAMPLE = '{"value":%s,"context":"Transaction.%s"}'
EVENT = (
    '[2,"%s","TransactionEvent",{"eventType":"%s","timestamp":"2026-11-23T09:00:00Z",'
    '"triggerReason":"Authorized","seqNo":%d,"transactionInfo":{"transactionId":"T"},'
    '"evse":{"id":1},"meterValue":[{"timestamp":"2026-11-23T09:00:00Z","sampledValue":[%s]}]}]'
)
SO_MUCH = (*NUMBERS, "1e20", '"18446744073709551616"', "1000000000000000000")


@pytest.mark.parametrize("number", SO_MUCH)
def test_a_register_of_an_event_of_so_many_digits_is_none(number: str) -> None:
    for begin, end in ((number, "3500"), ("1000", number)):
        edge = Edge("2.1")
        edge.says(EVENT % ("a", "Started", 0, SAMPLE % (begin, "Begin")))
        edge.says(EVENT % ("b", "Ended", 1, SAMPLE % (end, "End")))

        [cdr] = edge.cdrs()
        assert (cdr.state, cdr.energy_wh, "BAD_SAMPLE" in cdr.flags) == ("HELD", None, True)


@pytest.mark.parametrize("number", SO_MUCH)
def test_a_second_end_of_so_many_digits_says_nothing_of_the_energy(number: str) -> None:
    edge = Edge("2.1")
    edge.says(EVENT % ("a", "Started", 0, SAMPLE % ("1000", "Begin")))
    edge.says(EVENT % ("b", "Ended", 1, SAMPLE % ("3500", "End")))
    edge.says(EVENT % ("c", "Ended", 2, SAMPLE % (number, "End")))

    assert [cdr.energy_wh for cdr in edge.cdrs()] == [2500]


@pytest.mark.parametrize("number", SO_MUCH)
def test_a_nameless_stop_begins_with_no_register_of_so_many_digits(number: str) -> None:
    edge = Edge()
    told = '"transactionData":[{"timestamp":"2026-11-23T09:00:00Z","sampledValue":[%s]}]'
    stop = (STOP % (-1, 9000, OVER))[:-2] + "," + told % (SAMPLE % (number, "Begin")) + "}]"

    assert edge.says(stop)[0] == 3

    assert len(edge.orphans()) == 1
    assert edge.cdrs() == []


def test_a_multiplier_makes_no_register_of_so_many_digits() -> None:
    edge = Edge("2.1")
    tera = SAMPLE.replace("}", ',"unitOfMeasure":{"unit":"Wh","multiplier":12}}')
    edge.says(EVENT % ("a", "Started", 0, tera % (100_000_000, "Begin")))
    edge.says(EVENT % ("b", "Ended", 1, tera % (100_000_001, "End")))

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh) == ("HELD", None)


@pytest.mark.parametrize("member", ['"seqNo":%s', '"reservationId":%s', '"evse":{"id":%s}'])
def test_an_event_with_such_a_number_is_answered_and_folded(member: str) -> None:
    edge = Edge("2.1")
    event = '[2,"t","TransactionEvent",{"eventType":"Started","timestamp":"2026-11-23T09:00:00Z",'
    event += '"triggerReason":"CablePluggedIn","transactionInfo":{"transactionId":%s},%s}]'

    assert edge.says(event % ("18446744073709551616", member % NUMBERS[1]))[0] == 3

    assert [cdr.transaction_id for cdr in edge.cdrs()] == ["18446744073709551616"]


def test_a_message_id_of_so_many_digits_is_answered_under_it() -> None:
    edge = Edge()
    answer = edge.says((START % ('"TAG"', 1000, BEGUN)).replace('"s"', "18446744073709551616"))

    assert answer[:2] == [3, 18446744073709551616]
    assert len(edge.cdrs()) == 1
