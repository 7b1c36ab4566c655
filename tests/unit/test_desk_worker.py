"""The desk's worker on a mail in memory: order, waiting, and a database that goes away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import GetMe
from aiogram.types import Message
from structlog.testing import capture_logs

from actors.errors import Transient
from bot.desk.worker import DeskOptions, DeskWorker

pytestmark = pytest.mark.anyio

PAUSE_S = 0.05
QUICK = DeskOptions(poll_s=0.01, retry_first_s=0.01, retry_max_s=0.02)


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int

    @property
    def key(self) -> str:
        return f"tg:1:{self.id}"

    @property
    def raw(self) -> dict[str, Any]:
        chat = {"id": 5, "type": "private"}
        message = {"message_id": self.id, "date": 0, "chat": chat, "text": str(self.id)}
        return {"update_id": self.id, "message": message}


@dataclass
class Mail:
    """Rows that wait; ``away`` is how often each call fails before it works."""

    rows: list[Row]
    away: int = 0
    attempts: dict[int, int] = field(default_factory=dict)
    marked: list[int] = field(default_factory=list)
    empty: anyio.Event = field(default_factory=anyio.Event)
    _failures: int = 0

    async def waiting(self, after_id: int, limit: int) -> Sequence[Row]:
        self._maybe_away()
        return [row for row in self.rows if row.id > after_id][:limit]

    async def handled(self, ids: Sequence[int]) -> None:
        self._maybe_away()
        self.marked += ids
        self._drop(ids)

    async def failed(self, row_id: int, error: str, *, final: bool) -> bool:
        self._maybe_away()
        self.attempts[row_id] = self.attempts.get(row_id, 0) + 1
        if self.attempts[row_id] < 5 and not final:
            return False
        self._drop([row_id])
        return True

    def _drop(self, ids: Sequence[int]) -> None:
        self.rows = [row for row in self.rows if row.id not in ids]
        if not self.rows:
            self.empty.set()

    def _maybe_away(self) -> None:
        self._failures += 1
        if self._failures <= self.away:
            raise Transient("Postgres is away")
        self._failures = 0


@dataclass
class Handler:
    """Notes what it got and when; ``errors`` are raised in their order, by message."""

    errors: dict[str, list[Exception]] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def handle(self, message: Message) -> None:
        text = str(message.text)
        self.got.append(text)
        self.times.append(anyio.current_time())
        if self.errors.get(text):
            raise self.errors[text].pop(0)


async def work(mail: Mail, handler: Handler) -> DeskWorker:
    """Runs the worker until nothing waits."""
    dispatcher = Dispatcher()
    dispatcher.message.register(handler.handle)
    worker = DeskWorker(mail, dispatcher, Bot("1:test"), QUICK)
    with capture_logs(), anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            await mail.empty.wait()
            tasks.cancel_scope.cancel()
    return worker


async def test_rows_are_handled_once_each_in_their_order() -> None:
    mail, handler = Mail([Row(id=n) for n in range(1, 121)]), Handler()
    await work(mail, handler)
    assert handler.got == [str(n) for n in range(1, 121)]
    assert mail.marked == list(range(1, 121))


async def test_a_row_is_not_handled_twice_because_it_could_not_be_marked_at_once() -> None:
    mail, handler = Mail([Row(id=1), Row(id=2)], away=2), Handler()
    worker = await work(mail, handler)
    assert handler.got == ["1", "2"]
    assert worker.stats().failed == 0


async def test_a_failing_row_lets_those_behind_it_go_on() -> None:
    mail = Mail([Row(id=1), Row(id=2)])
    handler = Handler({"1": [RuntimeError("bug") for _ in range(5)]})
    worker = await work(mail, handler)
    assert handler.got == ["1", "2", "1", "1", "1", "1"]
    assert mail.marked == [2]
    assert worker.stats().dead == 1


async def test_a_pause_that_telegram_asks_for_is_kept() -> None:
    mail = Mail([Row(id=1)])
    pause = TelegramRetryAfter(GetMe(), "later", 1)
    pause.retry_after = PAUSE_S  # type: ignore[assignment]
    handler = Handler({"1": [pause]})
    worker = await work(mail, handler)
    assert handler.times[1] - handler.times[0] >= PAUSE_S
    assert worker.stats().failed == 0


async def test_a_database_that_is_away_for_a_handler_is_never_counted() -> None:
    mail = Mail([Row(id=1)])
    handler = Handler({"1": [Transient("away") for _ in range(8)]})
    worker = await work(mail, handler)
    assert (mail.attempts, mail.marked) == ({}, [1])
    assert worker.stats().waits == 8
