"""Feeds the desk's part of the inbox to the Dispatcher: one update after the other, none lost."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import anyio
import structlog
from aiogram import Bot, Dispatcher
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import Update
from anyio.abc import TaskStatus
from pydantic import ValidationError

from actors.errors import Transient

log = structlog.get_logger(__name__)

ERROR_LENGTH_MAX = 500
"""Enough of an error to find its cause; it is kept in the database."""


class UnreadableUpdate(ValueError):
    """Names the places that are wrong, not what stands there: errors end in logs."""


class Row(Protocol):
    """One stored update."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


class Mail(Protocol):
    """The desk's part of the inbox. Everything here may raise ``Transient``."""

    async def waiting(self, after_id: int, limit: int) -> Sequence[Row]: ...
    async def handled(self, ids: Sequence[int]) -> None: ...
    async def failed(self, row_id: int, error: str, *, final: bool) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """How the worker waits. Times in seconds."""

    poll_s: float = 1.0
    """A hint is faster; this finds what another process stored, and what is to be tried again."""

    batch_max: int = 50
    """Rows read at once: commands of people come singly."""

    handler_timeout_s: float = 60.0
    """Several calls of Telegram at its slowest; longer is a fault of the handler."""

    retry_first_s: float = 1.0
    retry_max_s: float = 30.0
    """A row that failed rests, twice as long each time, while those behind it go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStats:
    """Counts since the start; ``waits`` are tries that Telegram or Postgres had to repeat."""

    handled: int
    failed: int
    dead: int
    waits: int


class _Count(StrEnum):
    HANDLED = "handled"
    FAILED = "failed"
    DEAD = "dead"
    WAITS = "waits"


class _Rest:
    """Until when a row rests, and how often it had to."""

    __slots__ = ("times", "until")

    def __init__(self) -> None:
        self.times = 0
        self.until = 0.0


class DeskWorker:
    """Handles the desk's updates in the order in which they were stored.

    An update is marked only after its handler ended, so a crash between the two shows an answer
    twice and never loses one. Order gives way only where a row rests: after a failure of its own,
    or because Telegram asked for a pause or could not be reached.
    """

    def __init__(
        self, mail: Mail, dispatcher: Dispatcher, bot: Bot, options: DeskOptions | None = None
    ) -> None:
        self._mail = mail
        self._dispatcher = dispatcher
        self._bot = bot
        self._options = options or DeskOptions()
        self._rests: dict[int, _Rest] = {}
        self._counts = dict.fromkeys(_Count, 0)
        self._hinted = anyio.Event()

    def hint(self) -> None:
        """Something new is stored; may be called from anywhere on the loop, any number of times."""
        self._hinted.set()

    def stats(self) -> DeskStats:
        counts = self._counts
        return DeskStats(
            handled=counts[_Count.HANDLED],
            failed=counts[_Count.FAILED],
            dead=counts[_Count.DEAD],
            waits=counts[_Count.WAITS],
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled; what is half done then is done again at the next start."""
        task_status.started()
        while True:
            self._hinted = anyio.Event()
            await self._pass()
            with anyio.move_on_after(self._options.poll_s):
                await self._hinted.wait()

    async def _pass(self) -> None:
        """Everything that waits now and need not rest."""
        after, seen = 0, set[int]()
        limit = self._options.batch_max
        while rows := await self._sure(partial(self._mail.waiting, after, limit)):
            for row in rows:
                seen.add(row.id)
                rest = self._rests.get(row.id)
                if rest is None or rest.until <= anyio.current_time():
                    await self._handle(row)
            after = rows[-1].id
        self._rests = {key: rest for key, rest in self._rests.items() if key in seen}

    async def _handle(self, row: Row) -> None:
        with structlog.contextvars.bound_contextvars(key=row.key):
            try:
                with anyio.fail_after(self._options.handler_timeout_s):
                    await self._feed(row)
            except TelegramRetryAfter as error:
                self._rest(row, at_least=error.retry_after)
                self._waits(error)
            except Transient as error:
                self._rest(row, at_least=error.retry_after_s)
                self._waits(error)
            except TelegramForbiddenError as error:
                log.info("desk_answer_not_wanted", error=error.message)
                await self._done(row)
            except Exception as error:
                if _is_trouble(error):
                    self._waits(error)
                    await anyio.sleep(self._rest(row))  # those behind would meet it too
                    return
                log.exception("desk_update_failed", error=type(error).__name__)
                await self._failed(row, error)
            else:
                await self._done(row)

    async def _feed(self, row: Row) -> None:
        """One update through the routers; errors of handlers come out as they are.

        With the bot in the context the Dispatcher need not validate it again.
        """
        try:
            update = Update.model_validate(dict(row.raw), context={"bot": self._bot})
        except ValidationError as error:
            raise UnreadableUpdate(_places(error)) from None
        if await self._dispatcher.feed_update(self._bot, update) is UNHANDLED:
            log.debug("desk_update_unclaimed", kind=update.event_type)

    async def _done(self, row: Row) -> None:
        await self._sure(lambda: self._mail.handled([row.id]))
        self._rests.pop(row.id, None)
        self._counts[_Count.HANDLED] += 1

    async def _failed(self, row: Row, error: Exception) -> None:
        """Counts the failure; the storage gives the row up when there were too many."""
        words = _words(error)
        self._counts[_Count.FAILED] += 1
        final = isinstance(error, UnreadableUpdate)  # it will not become readable by waiting
        if await self._sure(lambda: self._mail.failed(row.id, words, final=final)):
            self._rests.pop(row.id, None)
            self._counts[_Count.DEAD] += 1
            log.error("desk_update_dead_lettered", error=type(error).__name__)
        else:
            self._rest(row)

    def _waits(self, error: Exception) -> None:
        self._counts[_Count.WAITS] += 1
        log.warning("desk_waits", error=type(error).__name__)

    def _rest(self, row: Row, at_least: float = 0.0) -> float:
        """Lets a row rest; returns for how long."""
        rest = self._rests.setdefault(row.id, _Rest())
        pause = self._backoff(rest.times, at_least)
        rest.times += 1
        rest.until = anyio.current_time() + pause
        return pause

    def _backoff(self, times: int, at_least: float = 0.0) -> float:
        grown = self._options.retry_first_s * 2.0 ** min(times, 16)
        return max(min(grown, self._options.retry_max_s), at_least)

    async def _sure[Answer](self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The storage's answer, asked for until Postgres gives one."""
        times = 0
        while True:
            try:
                return await ask()
            except Transient as error:
                self._waits(error)
                pause = self._backoff(times, error.retry_after_s)
            times += 1
            await anyio.sleep(pause)


def _is_trouble(error: Exception) -> bool:
    """Whether it is not about this update: Telegram is away, or does not know the bot now.

    The bare error is what aiogram makes of an answer that is of none of the known kinds.
    """
    kinds = (
        TelegramNetworkError,
        TelegramServerError,
        TelegramUnauthorizedError,
        TelegramConflictError,
        ClientDecodeError,
    )
    return isinstance(error, kinds) or type(error) is TelegramAPIError


def _places(error: ValidationError) -> str:
    return ", ".join(".".join(map(str, each["loc"])) for each in error.errors(include_input=False))


def _words(error: Exception) -> str:
    """An error in one line that can be stored."""
    return f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
