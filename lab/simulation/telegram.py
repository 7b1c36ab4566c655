"""A simulated Telegram: chats, topics and messages, with its limits and its troubles."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import (
    AnswerCallbackQuery,
    CloseForumTopic,
    CopyMessage,
    CreateForumTopic,
    EditForumTopic,
    EditMessageReplyMarkup,
    EditMessageText,
    ReopenForumTopic,
    SendMessage,
    SetMessageReaction,
    TelegramMethod,
)
from aiogram.types import ForumTopic, InlineKeyboardMarkup, MessageId

from actors.ports import OutboxRow
from lab.simulation.network import Life, Weather
from lab.simulation.plan import FaultKind, Plan
from lab.simulation.trace import Trace

GROUP_CALLS = 200
"""Calls to one group within a second before Telegram says 429.

Far more than the real 20 a minute: a run looks at order and loss, not at Telegram's patience.
"""

CALL_S = 0.03
"""A call takes up to this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message in a chat; ``source`` is the chat and number of what it is a copy of.

    ``row`` is the row of the outbox that made it, 0 for what people wrote.
    """

    number: int
    text: str
    thread: int | None = None
    source: tuple[int, int] | None = None
    row: int = 0
    buttons: tuple[str, ...] = ()
    reaction: str = ""


@dataclass(slots=True, kw_only=True)
class Topic:
    number: int
    name: str
    row: int = 0
    is_deleted: bool = False
    is_closed: bool = False


class SimulatedTelegram:
    """All chats. Private chats have positive numbers, groups negative ones.

    ``landed`` hears of each call of a row that had its effect, with the run that made it.
    """

    def __init__(self, plan: Plan, weather: Weather, trace: Trace) -> None:
        self._plan = plan
        self._weather = weather
        self._trace = trace
        self._rng = plan.rng("telegram")
        self._numbers: Counter[int] = Counter()
        self._recent: dict[int, deque[float]] = {}
        self.messages: dict[int, list[Posted]] = {}
        self.topics: dict[int, dict[int, Topic]] = {}
        self.blocked: set[int] = set()
        self.calls = 0
        self.landed: Callable[[OutboxRow, str], None] = lambda _row, _run: None
        self.arrived: Callable[[OutboxRow, str], None] = lambda _row, _run: None

    def post(
        self,
        chat: int,
        text: str,
        *,
        thread: int | None = None,
        source: tuple[int, int] | None = None,
        row: int = 0,
        buttons: tuple[str, ...] = (),
    ) -> Posted:
        """A message appears."""
        self._numbers[chat] += 1
        posted = Posted(
            number=self._numbers[chat],
            text=text,
            thread=thread,
            source=source,
            row=row,
            buttons=buttons,
        )
        self.messages.setdefault(chat, []).append(posted)
        return posted

    def threads(self, chat: int) -> list[Topic]:
        """The topics of a group that are there."""
        return [topic for topic in self.topics.get(chat, {}).values() if not topic.is_deleted]

    async def call(self, method: TelegramMethod[Any], rows: Sequence[OutboxRow], life: Life) -> Any:
        """One Bot API call of one or several rows; raises what aiogram would raise."""
        self.calls += 1
        await life.checkpoint()
        await anyio.sleep(CALL_S * self._rng.random())
        await life.checkpoint()
        self._may_fail_before(method)
        self._slow_down(method)
        await life.passes(f"before {type(method).__name__}")
        for row in rows:
            self.arrived(row, life.run)
        answer = self._do(method, rows[0].id)
        for row in rows:
            self._trace.note(life.run, f"{type(method).__name__} #{row.id}", row.ticket_id)
            self.landed(row, life.run)
        await life.passes(f"after {type(method).__name__}")
        await anyio.sleep(CALL_S * self._rng.random())
        await life.checkpoint()
        if self._hits(0.5):
            raise TelegramNetworkError(method=method, message="the answer was lost")
        return answer

    # --- troubles ---------------------------------------------------------------------------

    def _hits(self, part: float) -> bool:
        if self._weather.calm or not self._plan.has(FaultKind.TELEGRAM):
            return False
        return self._rng.random() < self._plan.rate * part * 3

    def _may_fail_before(self, method: TelegramMethod[Any]) -> None:
        if self._weather.telegram_away or self._hits(0.5):
            raise TelegramServerError(method=method, message="Internal Server Error")
        if self._hits(0.5):
            raise TelegramNetworkError(method=method, message="timed out")
        if self._hits(0.5):
            raise TelegramRetryAfter(
                method=method, message="Too Many Requests", retry_after=self._rng.randint(1, 4)
            )

    def _slow_down(self, method: TelegramMethod[Any]) -> None:
        chat = getattr(method, "chat_id", None)
        if not isinstance(chat, int) or chat > 0:
            return
        now = anyio.current_time()
        recent = self._recent.setdefault(chat, deque())
        while recent and recent[0] < now - 1:
            recent.popleft()
        if len(recent) >= GROUP_CALLS:
            raise TelegramRetryAfter(method=method, message="Too Many Requests", retry_after=1)
        recent.append(now)

    # --- effects ----------------------------------------------------------------------------

    def _do(self, method: TelegramMethod[Any], row: int) -> Any:
        match method:
            case CreateForumTopic(chat_id=int(chat)):
                self._numbers[chat] += 1
                topic = Topic(number=self._numbers[chat], name=method.name, row=row)
                self.topics.setdefault(chat, {})[topic.number] = topic
                return ForumTopic(
                    message_thread_id=topic.number, name=topic.name, icon_color=7322096
                )
            case SendMessage(chat_id=int(chat)):
                self._must_take(method, chat, method.message_thread_id)
                posted = self.post(
                    chat,
                    method.text,
                    thread=method.message_thread_id,
                    row=row,
                    buttons=_buttons(method.reply_markup),
                )
                return MessageId(message_id=posted.number)
            case CopyMessage(chat_id=int(chat), from_chat_id=int(origin)):
                self._must_take(method, chat, method.message_thread_id)
                source = self._find(method, origin, method.message_id, "message to copy not found")
                posted = self.post(
                    chat,
                    method.caption or source.text,
                    thread=method.message_thread_id,
                    source=(origin, source.number),
                    row=row,
                )
                return MessageId(message_id=posted.number)
            case EditForumTopic(chat_id=int(chat)):
                topic = self._topic(method, chat, method.message_thread_id)
                if topic.name == method.name:
                    raise TelegramBadRequest(method=method, message="TOPIC_NOT_MODIFIED")
                topic.name = method.name or ""
                return True
            case CloseForumTopic(chat_id=int(chat)) | ReopenForumTopic(chat_id=int(chat)):
                topic = self._topic(method, chat, method.message_thread_id)
                topic.is_closed = isinstance(method, CloseForumTopic)
                return True
            case EditMessageText(chat_id=int(chat), message_id=int(number)):
                posted = self._find(method, chat, number, "message to edit not found")
                markup = _buttons(method.reply_markup)
                self._change(chat, replace(posted, text=method.text or "", buttons=markup))
                return True
            case EditMessageReplyMarkup(chat_id=int(chat), message_id=int(number)):
                posted = self._find(method, chat, number, "message to edit not found")
                self._change(chat, replace(posted, buttons=_buttons(method.reply_markup)))
                return True
            case SetMessageReaction(chat_id=int(chat), message_id=int(number)):
                posted = self._find(method, chat, number, "message to react not found")
                self._change(chat, replace(posted, reaction=str(method.reaction)))
                return True
            case AnswerCallbackQuery():
                return True
            case _:
                raise AssertionError(f"unknown call {type(method).__name__}")

    def _change(self, chat: int, posted: Posted) -> None:
        messages = self.messages[chat]
        index = next(n for n, each in enumerate(messages) if each.number == posted.number)
        messages[index] = posted

    def _must_take(self, method: TelegramMethod[Any], chat: int, thread: int | None) -> None:
        if chat in self.blocked:
            raise TelegramForbiddenError(
                method=method, message="Forbidden: bot was blocked by the user"
            )
        if chat < 0 and thread is not None:
            self._topic(method, chat, thread)

    def _topic(self, method: TelegramMethod[Any], chat: int, thread: int) -> Topic:
        topic = self.topics.get(chat, {}).get(thread)
        if topic is None or topic.is_deleted:
            raise TelegramBadRequest(method=method, message="message thread not found")
        return topic

    def _find(self, method: TelegramMethod[Any], chat: int, number: int, refusal: str) -> Posted:
        for posted in self.messages.get(chat, ()):
            if posted.number == number:
                return posted
        raise TelegramBadRequest(method=method, message=refusal)


def _buttons(markup: object) -> tuple[str, ...]:
    if not isinstance(markup, InlineKeyboardMarkup):
        return ()
    return tuple(button.text for row in markup.inline_keyboard for button in row)
