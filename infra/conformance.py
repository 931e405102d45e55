"""docs/conformance.md: every action of every version, both ways, and the test that proves it.

Made of the tables that the code runs by; only the words for what carries no listed state, and the
names of the tests, stand here. `chargeledger conformance-page` writes it.
"""

from collections.abc import Mapping, Sequence

from domain.outbound import OUTBOUND
from domain.routes import ROUTES, SENDS
from domain.state_fields import ASKED, TOLD
from schemas import payloads
from schemas.provided import PROVIDABLE

MEANINGS: Mapping[str, str] = {
    "Authorize": "whether the id token may charge",
    "BootNotification": "`/v1/stations/{station}`: vendor, model, firmware_version, boot_status",
    **dict.fromkeys(
        ("DataTransfer", "Get15118EVCertificate", "GetCertificateChainStatus",
         "GetCertificateStatus"),
        "`/v1/provider-requests`: payload, fate, answer, where a provider is asked;"
        " `messages`: frame",
    ),
    "Heartbeat": "`/v1/stations/{station}`: last_seen",
    "MeterValues": "`/v1/transactions/{id}`: meter_last_wh (1.6); series in ClickHouse",
    "StartTransaction": "`/v1/transactions/{id}`: state, id_token, meter_start_wh",
    "StatusNotification": "`/v1/stations/{station}`: connectors' status",
    "StopTransaction": "`/v1/transactions/{id}`: state, stop_reason, meter_stop_wh; its CDR",
    "TransactionEvent": "`/v1/transactions/{id}`: state, id_token, meter_start_wh, meter_last_wh,"
    " stop_reason, meter_stop_wh; its CDR",
}  # fmt: skip
"""Of what stations tell, what `domain.state_fields` does not have."""

_STATE = "tests/api/test_station_state.py::test_each_action_that_carries_state_shows_in_the_api"
_ROWS = "tests/api/test_conformance_rows.py::"
_STATION = f"{_ROWS}test_a_station_is_shown_as_its_boot_its_status_and_its_heartbeat_tell"
_TRANSACTION_16 = f"{_ROWS}test_a_transaction_of_1_6_is_shown_as_its_messages_tell"
_PROVIDED = "tests/api/test_provider_requests.py"
_PROVIDED += "::test_each_action_that_a_provider_may_answer_is_answered_by_it"
_KEPT = "tests/projections/test_clickhouse_conversation.py"
_KEPT += "::test_the_conversation_is_read_newest_first_by_cursor"
_EFFECT = "tests/domain/test_command_effects.py::"
_EFFECT += "test_an_effect_is_seen_when_it_happens_and_not_before"
_REPORT = "tests/domain/test_command_effects.py::test_a_report_is_complete_with_all_its_parts"
_COMMANDS = "tests/domain/test_commands.py::test_a_command_is_done_when_its_effect_is_seen"
_ANY_COMMAND = "tests/domain/test_outbound.py"
_ANY_COMMAND += "::test_it_is_sent_as_asked_and_a_valid_result_settles_it"

TOLD_TESTS: Mapping[str, str] = {
    "Authorize": "tests/domain/test_station_cases.py"
    f"::test_o_19_the_status_of_a_token_is_told_as_it_is_stored {_PROVIDED}",
    "BootNotification": _STATION,
    "DataTransfer": f"{_PROVIDED} {_KEPT}",
    "Get15118EVCertificate": f"{_PROVIDED} {_KEPT}",
    "GetCertificateChainStatus": f"{_PROVIDED} tests/domain/test_answers_2.py"
    f"::test_each_certificate_of_a_chain_failed_and_may_be_asked_for_again {_KEPT}",
    "GetCertificateStatus": f"{_PROVIDED} {_KEPT}",
    "Heartbeat": _STATION,
    "MeterValues": f"{_TRANSACTION_16} tests/e2e/test_main_job.py"
    "::test_every_session_of_the_file_is_billed_to_the_watt_hour",
    "StartTransaction": _TRANSACTION_16,
    "StatusNotification": _STATION,
    "StopTransaction": _TRANSACTION_16,
    "TransactionEvent": "tests/api/test_conformance_rows.py"
    "::test_a_transaction_of_2_is_shown_as_its_events_tell"
    " tests/e2e/test_foreign_clients_2.py::test_a_session_is_in_every_view",
    **dict.fromkeys(TOLD, _STATE),
    **dict.fromkeys(
        ("NotifyEVChargingNeeds", "PullDynamicScheduleUpdate", "VatNumberValidation"),
        f"{_STATE} {_PROVIDED}",
    ),
}
"""The tests that show the meaning; that the answer is valid, `test_every_action` shows of all."""

ASKED_TESTS: Mapping[str, str] = {
    **dict.fromkeys((a for actions in OUTBOUND.values() for a in actions), _ANY_COMMAND),
    **dict.fromkeys(
        (
            "ExtendedTriggerMessage", "GetChargingProfiles", "GetDERControl", "GetDiagnostics",
            "GetDisplayMessages", "GetLog", "PublishFirmware", "RequestBatterySwap",
            "RequestStartTransaction", "RequestStopTransaction", "ReserveNow", "TriggerMessage",
        ),
        _EFFECT,
    ),
    **dict.fromkeys(
        ("CustomerInformation", "GetBaseReport", "GetMonitoringReport", "GetReport"), _REPORT
    ),
    **dict.fromkeys(("ChangeAvailability", "RemoteStartTransaction", "Reset"), _COMMANDS),
    "RemoteStopTransaction": "tests/domain/test_commands.py"
    "::test_a_remote_stop_is_done_when_that_transaction_ends",
    "SignedUpdateFirmware": _EFFECT,
    "UpdateFirmware": "tests/domain/test_command_effects.py"
    "::test_a_firmware_job_is_followed_through_all_its_states",
}  # fmt: skip
"""The test that shows the effect; that it has one fate, `test_outbound` shows of all."""

_HEAD = """# Conformance

Every action of OCPP 1.6, 2.0.1 and 2.1 in both directions. Written by `chargeledger
conformance-page` from the tables that the code runs by; do not edit.

The schemas are the official ones, as the `ocpp` package has them. What a station tells is recorded,
checked, answered and folded; where it changes state, the field is named in which the API shows it
(routes are below `/v1/stations/{station}`), and the test reads it there. What we ask is checked
before it is accepted, sent, and followed to its one fate; its effect is what shows later that it
has happened. A few CALLs are answered by a provider where there is one
([operator's guide](operations.md#let-others-answer)). Beside the test that is named,
[test_every_action](../tests/domain/test_every_action.py) and
[test_outbound](../tests/domain/test_outbound.py) take every row through its schema, and
[test_wanted](../tests/api/test_wanted.py) every refusal.
"""


def conformance_page() -> str:
    """Return docs/conformance.md."""
    lines = [_HEAD]
    for version in ROUTES:
        count = len(payloads.actions(version))
        lines += [f"## OCPP {version}", "", f"{count} actions.", ""]
        lines += [*_from_stations(version), "", *_to_stations(version), ""]
    return "\n".join(lines)


def _from_stations(version: str) -> list[str]:
    answers = {action: _answer(route.answer) for action, route in ROUTES[version].items()}
    answers |= {action: f"{answers[action]}, or by a provider" for action in PROVIDABLE[version]}
    answers |= dict.fromkeys(SENDS[version], "never: it is a SEND")
    rows = [
        (action, _schema(version, action), answers[action], _meaning(action), _told_test(action))
        for action in sorted(answers)
    ]
    head = ("action", "schema", "answered", "meaning", "test")
    return [f"### From stations, {version}", "", *_table(head, rows)]


def _to_stations(version: str) -> list[str]:
    rows = [
        (action, _schema(version, action), effect.shown_by, _asked(action), _tests(action))
        for action, effect in sorted(OUTBOUND[version].items())
    ]
    head = ("action", "schema", "effect", "state", "tests")
    return [f"### To stations, {version}", "", *_table(head, rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _schema(version: str, action: str) -> str:
    return f"`{payloads.schema_name(version, action)}`"


def _told_test(action: str) -> str:
    return ", ".join(_link(test) for test in TOLD_TESTS[action].split())


def _answer(rule: object) -> str:
    if isinstance(rule, str):
        return f"`{rule}`"
    name, module = getattr(rule, "__name__", ""), getattr(rule, "__module__", "")
    path = module.replace(".", "/")
    return f"[{name}](../{path}.py)"


def _meaning(action: str) -> str:
    return MEANINGS[action] if action in MEANINGS else _fields(TOLD[action])


def _asked(action: str) -> str:
    return _fields(ASKED[action]) if action in ASKED else "none"


def _fields(text: str) -> str:
    parts = [part.partition(": ") for part in text.split("; ")]
    return "; ".join(f"`{route}`: {fields}" for route, _, fields in parts)


def _tests(action: str) -> str:
    shown = [ASKED_TESTS[action], *([_STATE] if action in ASKED else [])]
    return ", ".join(_link(test) for test in shown)


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name or path.rpartition('/')[2].removesuffix('.py')}](../{path})"
