"""The Bot API client counts what it does and lets errors pass as they are."""

from contextlib import suppress
from typing import Any

import pytest
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramRetryAfter
from aiogram.methods import GetMe, TelegramMethod

from bot.api import Api
from tests.fakes.bot_api import METHOD, server_error, too_many

pytestmark = pytest.mark.anyio


class ScriptedBot:
    """Stands for aiogram's ``Bot``: called with a method, answers or raises."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    async def __call__(self, method: TelegramMethod[Any]) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_calls_refusals_and_failures_are_counted_apart() -> None:
    unreadable = ClientDecodeError("Failed to decode object", ValueError(), "<html>")
    errors = [too_many(3), server_error(), unreadable]
    api = Api(ScriptedBot("answer", *errors))  # type: ignore[arg-type]
    assert await api(GetMe()) == "answer"
    for error in errors:
        with pytest.raises(type(error)) as raised:
            await api(METHOD)
        assert raised.value is error
    stats = api.stats()
    assert stats.calls == {"GetMe": 4}
    assert (stats.too_many_requests, stats.failed) == (1, 2)
    assert stats.latency_s > 0
    assert isinstance(errors[0], TelegramRetryAfter)


async def test_calls_without_an_answer_are_counted_until_telegram_says_anything_again() -> None:
    silence = [server_error(), TimeoutError(), ConnectionResetError()]
    api = Api(ScriptedBot(*silence, too_many(3), *silence, "answer"))  # type: ignore[arg-type]
    counted: list[int] = []
    for _ in range(8):
        with suppress(TelegramAPIError, OSError):
            await api(METHOD)
        counted.append(api.stats().unanswered)
    assert counted == [1, 2, 3, 0, 1, 2, 3, 0]
