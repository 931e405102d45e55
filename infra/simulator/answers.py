"""Whether what the central system says is right: shape, schema, status, transaction ids.

The schemas are the official ones, from the `ocpp` package, compiled once.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import jsonschema_rs

from infra.simulator.json_types import Json, Payload
from infra.simulator.oplog import TransactionRecord

INT32_MAX = 2**31 - 1
WRONG_KEPT = 100
SCHEMAS = {
    version: files(f"ocpp.{package}") / "schemas"
    for version, package in (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
}
VERSIONS = tuple(SCHEMAS)


@cache
def validator(name: str, version: str = "1.6") -> jsonschema_rs.Validator:
    text = (SCHEMAS[version] / f"{name}.json").read_text(encoding="utf-8-sig")
    return jsonschema_rs.validator_for(json.loads(text), validate_formats=False)


def known_action(action: str, version: str = "1.6") -> bool:
    is_request = not action.endswith("Response")
    return is_request and (SCHEMAS[version] / f"{action}Response.json").is_file()


def request_violation(action: str, payload: Json, version: str = "1.6") -> str | None:
    return _violation(action if version == "1.6" else f"{action}Request", payload, version)


def answer_violation(action: str, payload: Json, version: str = "1.6") -> str | None:
    """What is wrong with a CALLRESULT's payload, or None.

    Pending and Rejected are no wrong answers to BootNotification: the station asks again.
    """
    broken = _violation(f"{action}Response", payload, version)
    if broken is not None:
        return broken
    match payload:
        case {"idTagInfo": {"status": status}} if status != "Accepted":
            return f"idTagInfo.status is {status}"
        case {"idTokenInfo": {"status": status}} if status != "Accepted":
            return f"idTokenInfo.status is {status}"
        case {"transactionId": int(number)} if not 0 < number <= INT32_MAX:
            return f"transactionId {number} is not a positive int32"
    return None


class Findings:
    """What was wrong in a whole run, and which transaction ids have been given out."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.count = 0
        self._given: set[int] = set()

    def add(self, station: str, sentence: str) -> None:
        self.count += 1
        if len(self.wrong) < WRONG_KEPT:
            self.wrong.append(f"{station}: {sentence}")

    def given(self, transaction: TransactionRecord, answer: Payload) -> None:
        """A Start was answered: for the first time, or again."""
        number = answer.get("transactionId")
        if not isinstance(number, int):
            return
        if transaction.transaction_id is not None:
            if transaction.transaction_id != number:
                self.add(
                    transaction.station,
                    f"a repeated Start got {number} instead of {transaction.transaction_id}",
                )
            return
        transaction.transaction_id = number
        if number in self._given:
            self.add(transaction.station, f"transactionId {number} was given before")
        self._given.add(number)


def _violation(name: str, payload: Json, version: str) -> str | None:
    errors = validator(name, version).iter_errors(payload)
    first = next(iter(errors), None)
    return None if first is None else f"not valid by {name}.json: {first.message}"


def retry_after_s(headers: Mapping[str, str]) -> float:
    """What a 503 asks for; 0 when it says nothing we understand."""
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
