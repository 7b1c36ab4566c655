"""A Bot API in memory for tests of delivery: records calls, answers as told, may be held."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import (
    CopyMessage,
    CopyMessages,
    CreateForumTopic,
    GetMe,
    SendMessage,
    TelegramMethod,
)
from aiogram.types import Chat, ForumTopic, Message, MessageId
from anyio.lowlevel import checkpoint

from actors.effects import Copy, Text
from actors.ids import ChatId
from actors.ids import MessageId as OurMessageId
from actors.messages import Content, ContentKind, Envelope, Json, Person, Technician
from actors.places import CLIENT, Place
from actors.ports import ClientCard, Made

METHOD = GetMe()
"""Exceptions of aiogram name the method that failed; here it does not matter which."""


def refusal(words: str) -> TelegramBadRequest:
    return TelegramBadRequest(METHOD, f"Bad Request: {words}")


def too_many(seconds: int) -> TelegramRetryAfter:
    return TelegramRetryAfter(METHOD, f"retry after {seconds}", seconds)


def server_error() -> TelegramServerError:
    return TelegramServerError(METHOD, "Internal Server Error")


def timed_out() -> TelegramNetworkError:
    return TelegramNetworkError(METHOD, "Request timeout error")


def copy(number: int, place: Place = CLIENT, label: Text | None = None) -> Copy:
    """A copy that is known again by its source's number."""
    content = Content(
        chat_id=ChatId(900),
        message_id=OurMessageId(number),
        kind=ContentKind.PHOTO,
        text="",
    )
    return Copy(place=place, content=content, label=label)


def written(
    number: int,
    words: str = "",
    place: Place = CLIENT,
    label: Text | None = None,
    *,
    entities: Sequence[Mapping[str, Json]] = (),
    album: str | None = None,
) -> Copy:
    """A copy of a text, or of a photo of an album."""
    content = Content(
        chat_id=ChatId(900),
        message_id=OurMessageId(number),
        kind=ContentKind.TEXT if album is None else ContentKind.PHOTO,
        text=words,
        entities=tuple(entities),
        album=album,
    )
    return Copy(place=place, content=content, label=label)


class FakeApi:
    """Answers calls; ``script`` holds errors for the next calls of a method, ``None`` for success.

    ``holding`` keeps calls open until it is cleared by :meth:`release`.
    """

    def __init__(self) -> None:
        self.calls: list[TelegramMethod[Any]] = []
        self.times: list[float] = []
        self.script: dict[type[Any], deque[Exception | None]] = defaultdict(deque)
        self.always: Callable[[TelegramMethod[Any]], Exception | None] = lambda _: None
        self.effect_then_error: dict[type[Any], deque[Exception]] = defaultdict(deque)
        """Errors of calls that took effect all the same."""
        self.open: list[TelegramMethod[Any]] = []
        self.open_max = 0
        self.overlaps: list[object] = []
        """Chats and threads to which two calls were open at once."""
        self.skipped = 0
        """So many parts of the next albums are left out, as Telegram does without a word."""
        self._held: anyio.Event | None = None
        self._last_id = 1000

    def hold(self) -> None:
        self._held = anyio.Event()

    def release(self) -> None:
        assert self._held is not None
        self._held.set()
        self._held = None

    async def __call__(self, method: TelegramMethod[Any]) -> Any:
        self.calls.append(method)
        self.times.append(anyio.current_time())
        target = _target(method)
        if any(_target(other) == target for other in self.open):
            self.overlaps.append(target)
        self.open.append(method)
        self.open_max = max(self.open_max, len(self.open))
        try:
            if self._held is not None:
                await self._held.wait()
            await checkpoint()
        finally:
            self.open.remove(method)
        return self._answer(method)

    def _answer(self, method: TelegramMethod[Any]) -> Any:
        if self.script[type(method)]:
            error = self.script[type(method)].popleft()
        else:
            error = self.always(method)
        if error is not None:
            raise error
        self._last_id += 1
        match method:
            case CopyMessage():
                return MessageId(message_id=self._last_id)
            case CopyMessages():
                first = self._last_id
                self._last_id += len(method.message_ids) - 1
                numbers = range(first, self._last_id + 1 - self.skipped)
                return [MessageId(message_id=number) for number in numbers]
            case CreateForumTopic():
                return ForumTopic(
                    message_thread_id=self._last_id, name=method.name, icon_color=7322096
                )
            case SendMessage():
                chat = Chat(id=int(method.chat_id), type="private")
                return Message(message_id=self._last_id, date=0, chat=chat)  # type: ignore[arg-type]
            case _:
                return True

    # --- for assertions ---------------------------------------------------------------------

    def of[Method: TelegramMethod[Any]](self, kind: type[Method]) -> list[Method]:
        return [call for call in self.calls if isinstance(call, kind)]

    @property
    def copied(self) -> list[int]:
        """The sources of all copies, in the order of the calls."""
        return [call.message_id for call in self.of(CopyMessage)]

    @property
    def names(self) -> list[str]:
        return [type(call).__name__ for call in self.calls]

    def when(self, number: int) -> float:
        """When the source's last copy was called for."""
        return max(
            at
            for call, at in zip(self.calls, self.times, strict=True)
            if isinstance(call, CopyMessage) and call.message_id == number
        )


def _target(method: TelegramMethod[Any]) -> object:
    chat = getattr(method, "chat_id", None)
    return method if chat is None else (chat, getattr(method, "message_thread_id", None))


class MemoryMarks:
    """Sent rows' marks, kept as long as the test."""

    def __init__(self) -> None:
        self.made: dict[str, Made] = {}

    async def mark(self, sent: Mapping[str, Made]) -> None:
        self.made.update(sent)

    async def find(self, mark: str) -> Made | None:
        return self.made.get(mark)


class ForgetfulMarks(MemoryMarks):
    """Redis is away."""

    async def mark(self, sent: Mapping[str, Made]) -> None:
        pass


class MemoryPresses:
    def __init__(self) -> None:
        self.released: list[str] = []

    async def release(self, callback_id: str) -> None:
        self.released.append(callback_id)


class MemoryMailroom:
    def __init__(self) -> None:
        self.offered: list[Envelope] = []

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        self.offered += envelopes


class FixedRoster:
    def __init__(self, *technicians: Technician) -> None:
        self.technicians = technicians

    async def active(self) -> tuple[Technician, ...]:
        return self.technicians


class FixedDirectory:
    def __init__(self, card: ClientCard | None = None) -> None:
        self.found = card

    async def card(self, client: Person) -> ClientCard | None:
        return self.found
