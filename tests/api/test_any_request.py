"""Whatever is asked, the answer is one of ours: no 500, and every refusal a problem document."""

import random
from typing import Any
from urllib.parse import quote

import pytest

from schemas import positions
from tests.api.charging import Talk
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

SEED = 20_261_123
REQUESTS = 600

TEXTS = (
    "",
    "CS-1",
    "0",
    "-1",
    "1.6",
    "true",
    "nan",
    "1e400",
    "9" * 30,
    "2026-01-02T03:04:05Z",
    "0001-01-01T00:00:00+14:00",
    "null",
    "%s%(tenant)s",
    "'; DROP SCHEMA read; --",
    "\\u0000\\",
    "\u202e\u0130ß🔌",
    "..",
    " ",
    "a" * 300,
    positions.encode({0: (0, 0), 1: (2**62, -(2**62))}),
    "00000000-0000-0000-0000-000000000000",
    "FINAL",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**17,
    1.5,
    "",
    "Reset",
    "ChangeConfiguration",
    "x" * 40,
    [],
    [[]],
    {},
    {"type": "Soft"},
    {"key": "AuthorizationKey", "value": 5},
    {"key": 5, "value": "x"},
    {"a": {"b": [1.5, None]}},
    "2030-01-01T00:00:00Z",
    "🔌",
)
MEMBERS = (
    "name",
    "attributes",
    "password",
    "status",
    "type",
    "expires_at",
    "group",
    "action",
    "payload",
    "timeout_s",
    "reason",
)
ENDLESS = {"/v1/events"}


async def test_whatever_is_asked_the_answer_is_one_of_ours(deployment: Deployment) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.charge(1, "04A1", 1_000)
    await deployment.project()
    chance = random.Random(SEED)
    document = deployment.app.openapi()["paths"]
    operations = [
        (method, path, described.get("parameters", ()))
        for path, methods in sorted(document.items())
        for method, described in sorted(methods.items())
        if path not in ENDLESS
    ]
    statuses: dict[int, int] = {}
    async with deployment.client() as client:
        for _ in range(REQUESTS):
            method, path, parameters = chance.choice(operations)
            asked = _asked(chance, path, parameters)
            body = {name: chance.choice(VALUES) for name in chance.sample(MEMBERS, 3)}
            sent = body if method in ("put", "post") else None
            answer = await client.request(method, asked, json=sent)

            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (method, asked, sent, answer.text)
            if answer.status_code >= 400:
                kind = answer.headers["content-type"]
                assert kind == "application/problem+json", (method, asked, sent)

    assert {200, 404, 422} <= set(statuses), statuses


def _asked(chance: random.Random, path: str, parameters: Any) -> str:
    asked = path
    while "{" in asked:
        start, end = asked.index("{"), asked.index("}")
        asked = asked[:start] + quote(chance.choice(TEXTS), safe="") + asked[end + 1 :]
    query = [
        f"{each['name']}={quote(chance.choice(TEXTS), safe='')}"
        for each in parameters
        if each["in"] == "query" and each["name"] != "wait" and chance.random() < 0.3
    ]
    return f"{asked}?{'&'.join(query)}" if query else asked
