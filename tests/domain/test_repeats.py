"""Members that stand twice in a money message: the last counts, and the CDR shows the doubt."""

import pytest

from schemas.cdr import Cdr
from schemas.records import MessageReceived
from schemas.tolerance import REPEATED_MEMBER
from tests.domain.edge import Edge

AT = "2026-11-23T10:00:00Z"
START = (
    '[2,"s","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":1000,"timestamp":"%s"%s}]'
)
STOP = '[2,"e","StopTransaction",{"transactionId":%d,"meterStop":3500,"timestamp":"%s"%s}]'


def session(*, begin: str = "", end: str = "", between: str = "") -> Cdr:
    """The CDR of a session whose messages have these further members."""
    edge = Edge()
    answer = edge.says(START % ("2026-11-23T09:00:00Z", begin))
    number = answer[2]["transactionId"]
    if between:
        edge.says(between % number)
    assert edge.says(STOP % (number, AT, end))[0] == 3
    [cdr] = edge.cdrs()
    return cdr


@pytest.mark.parametrize(
    ("begin", "end", "energy"),
    [
        ("", ',"meterStop":9000', 8000),
        (',"meterStart":500', "", 3000),
        (',"idTag":"B"', "", 2500),
        (',"timestamp":"2026-11-23T09:30:00Z"', "", 2500),
        ("", ',"idTag":"A","idTag":"B"', 2500),
        (',"connectorId":2', ',"reason":"Local"', 2500),
    ],
)
def test_two_values_of_what_decides_a_bill_hold_it(begin: str, end: str, energy: int) -> None:
    cdr = session(begin=begin, end=end)

    assert (cdr.state, cdr.energy_wh, cdr.holds) == ("HELD", energy, ("AMBIGUOUS_VALUE",))
    assert "SCHEMA_DEVIATION" in cdr.flags


@pytest.mark.parametrize(
    "end",
    [
        ',"meterStop":3500',
        ',"meterStop":3500,"meterStop":"3500"',
        ',"reason":"Local","reason":"Remote"',
        ',"x":{"y":1,"y":2}',
    ],
)
def test_one_value_told_twice_and_two_of_no_bill_are_flagged(end: str) -> None:
    cdr = session(end=end)

    assert (cdr.state, cdr.energy_wh) == ("FINAL", 2500)
    assert "SCHEMA_DEVIATION" in cdr.flags
    assert "AMBIGUOUS_VALUE" not in cdr.flags


def test_in_meter_values_the_last_one_counts_and_nobody_looks_for_another() -> None:
    sampled = '{"value":"2000","value":"3000"}'
    told = '[2,"v","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":'
    told += f'"2026-11-23T09:30:00Z","sampledValue":[{sampled}]}}]}}]'

    cdr = session(between=told)

    assert (cdr.state, cdr.energy_wh, cdr.holds) == ("FINAL", 2500, ())


def test_a_member_that_stands_once_is_no_doubt() -> None:
    assert session(end=',"reason":"Local"').flags == ("LATE_DELIVERY",)


@pytest.mark.parametrize(
    ("sampled", "state"), [('"value":9000', "HELD"), ('"value":3500', "FINAL")]
)
def test_a_register_of_an_event_told_twice(sampled: str, state: str) -> None:
    edge = Edge("2.1")
    event = '[2,"%s","TransactionEvent",{"eventType":"%s","timestamp":"%s","triggerReason":'
    event += '"Authorized","seqNo":%d,"transactionInfo":{"transactionId":"T"},"evse":{"id":1},'
    event += '"idToken":{"idToken":"A","type":"Central"},"meterValue":[{"timestamp":"%s",'
    event += '"sampledValue":[{"value":%d,"context":"Transaction.%s"%s}]}]}]'
    begun = "2026-11-23T09:00:00Z"
    edge.says(event % ("a", "Started", begun, 0, begun, 1000, "Begin", ""))
    edge.says(event % ("b", "Ended", AT, 1, AT, 3500, "End", "," + sampled))

    [cdr] = edge.cdrs()
    assert cdr.state == state
    assert "SCHEMA_DEVIATION" in cdr.flags


def test_the_record_names_the_rule_behind_what_else_is_wrong() -> None:
    edge = Edge()
    more = "".join(f',"x{number}":{number}' for number in range(9))
    edge.says(START % (AT, more + ',"meterStart":5'))

    record = edge.log.read(len(edge.log.values) - 2)
    assert isinstance(record, MessageReceived)
    assert record.violations[-1] == REPEATED_MEMBER.flag
    assert len(record.violations) <= 5
