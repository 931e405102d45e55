"""A question that many ask is answered to all, and nobody waits for one without an answer."""

import asyncio

import pytest

from api.questions import NoAnswer, Question


async def test_who_asks_again_and_again_gets_each_answer_however_many_ask() -> None:
    answers = 0

    async def ask() -> int:
        nonlocal answers
        await asyncio.sleep(0.001)
        answers += 1
        return answers

    question = Question(ask)
    got: list[int] = []

    async def asker() -> None:
        for _ in range(50):
            got.append(await question.answer())  # noqa: PERF401 - one after the other.

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(asker())

    assert len(got) == 250
    assert answers < 250


async def test_an_error_is_everybodys_and_the_next_one_asks_anew() -> None:
    errors = [ValueError("first")]

    async def ask() -> str:
        await asyncio.sleep(0)
        if errors:
            raise errors.pop()
        return "well"

    question = Question(ask)
    both = await asyncio.gather(question.answer(), question.answer(), return_exceptions=True)

    assert [str(each) for each in both] == ["first", "first"]
    assert await question.answer() == "well"


async def test_what_is_not_answered_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.questions.ANSWER_WITHIN_S", 0.01)
    asked = 0
    says = asyncio.Event()

    async def ask() -> str:
        nonlocal asked
        asked += 1
        await says.wait()
        return "late"

    question = Question(ask)
    for _ in range(3):
        with pytest.raises(NoAnswer):
            await question.answer()
    assert (asked, question.is_open) == (1, True)
    says.set()
    assert await question.answer() == "late"
