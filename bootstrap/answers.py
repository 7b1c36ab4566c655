"""One question to the database for all who ask the same at about the same time."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

import anyio

KEPT_S: Final = 1.0
"""How old an answer may be: pages ask every few seconds, and show when it was taken."""

SHARE_MAX: Final = 0.1
"""Of all time, that much at most goes into one question: what takes long is kept for longer."""

KEPT_MAX_S: Final = 5.0

ANSWERS_MAX: Final = 200
"""Questions remembered; each filter that somebody looks through is one."""


class _Answer:
    __slots__ = ("done", "error", "stale_at", "value")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self.stale_at: float | None = None


class Answers:
    """Asks again only when the last answer is old. ``clock`` is in seconds, of any origin."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: dict[Hashable, _Answer] = {}

    def forget(self) -> None:
        """Something was changed: whoever asks from now on sees it."""
        self._answers.clear()

    async def get[Value](self, question: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        """What ``ask`` says, or said a moment ago; its errors reach all who waited for it."""
        while True:
            known = self._answers.get(question)
            if known is None or (known.stale_at is not None and known.stale_at <= self._clock()):
                return await self._ask(question, ask)
            await known.done.wait()
            if known.error is not None:
                raise known.error
            if known.stale_at is not None:
                value: Value = known.value
                return value
            # Who asked has gone before it was answered: one of us asks.

    async def _ask[Value](self, question: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        answer, began = _Answer(), self._clock()
        self._make_room(began)
        self._answers[question] = answer
        try:
            value = answer.value = await ask()
        except BaseException as error:
            if isinstance(error, Exception):
                answer.error = error
            self._drop(question, answer)
            raise
        else:
            took_s = self._clock() - began
            answer.stale_at = began + took_s + min(KEPT_MAX_S, max(KEPT_S, took_s / SHARE_MAX))
            return value
        finally:
            answer.done.set()

    def _drop(self, question: Hashable, answer: _Answer) -> None:
        if self._answers.get(question) is answer:
            del self._answers[question]

    def _make_room(self, now: float) -> None:
        if len(self._answers) < ANSWERS_MAX:
            return
        self._answers = {
            question: answer
            for question, answer in self._answers.items()
            if answer.stale_at is None or answer.stale_at > now
        }
        while len(self._answers) >= ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
