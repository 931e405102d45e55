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
