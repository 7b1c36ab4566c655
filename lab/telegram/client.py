"""Drives a local Telegram from another process: the control API as methods.

Objects come back as plain dicts in the shapes of README.md. Every wait has a deadline.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp
import anyio
import orjson

type Object = dict[str, Any]

POLL_S = 0.03
"""How often a wait looks again: short against what people notice, long against a request."""

REQUEST_TIMEOUT_S = 30.0

MESSAGES_PER_PAGE = 2_000


class LabError(Exception):
    """The lab refused; the text is its own."""


class LabClient:
    """An async context manager; ``url`` is the server's (``http://127.0.0.1:8081``)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            with anyio.move_on_after(1, shield=True):
                await self._session.close()

    # --- people -----------------------------------------------------------------------------

    async def add_bot(self, token: str, username: str, **more: Any) -> Object:
        return await self._post("bot", token=token, username=username, **more)

    async def add_user(self, name: str, **more: Any) -> Object:
        """``more``: id, username, language, is_client, is_technician."""
        return await self._post("user", name=name, **more)

    async def add_group(self, title: str, **more: Any) -> Object:
        """``more``: id, forum, role, members, admins (user ids)."""
        return await self._post("group", title=title, **more)

    async def send(self, user: int, chat: int, text: str = "", **more: Any) -> Object:
        """A person writes.

        ``more``: kind, payload, thread, reply_to, entities, anonymous, media_group_id, bot,
        quote, protected, origin (a ``MessageOrigin``: the message is a forwarded one).
        """
        return await self._post("send", user=user, chat=chat, text=text, **more)

    async def send_many(self, messages: Sequence[Mapping[str, Any]]) -> list[Object]:
        """All at once, in order; each mapping holds the arguments of :meth:`send`."""
        found: list[Object] = await self._post_any("send_many", messages=list(messages))
        return found

    async def edit(
        self, user: int, chat: int, message_id: int, text: str = "", **more: Any
    ) -> Object:
        """``more``: entities, kind (another medium)."""
        given = {"user": user, "chat": chat, "message_id": message_id, "text": text}
        return await self._post("edit", **given, **more)

    async def delete(self, chat: int, message_id: int) -> Object:
        return await self._post("delete", chat=chat, message_id=message_id)

    async def press(self, user: int, chat: int, message_id: int, **button: Any) -> str:
        """``button``: data, text, or row and column; ``forged=True`` with made-up data.

        Returns the callback query's id, which :meth:`wait_answer` takes.
        """
        pressed = await self._post("press", user=user, chat=chat, message_id=message_id, **button)
        return str(pressed["callback_query_id"])

    async def react(self, user: int, chat: int, message_id: int, emoji: str | None) -> None:
        await self._post("react", user=user, chat=chat, message_id=message_id, emoji=emoji)

    async def block(self, user: int, bot: int | None = None) -> None:
        await self._post("block", user=user, bot=bot)

    async def unblock(self, user: int, bot: int | None = None) -> None:
        await self._post("unblock", user=user, bot=bot)

    # --- groups -----------------------------------------------------------------------------

    async def topic(self, user: int, chat: int, action: str, **more: Any) -> Object:
        """``action``: create, rename, close, reopen, delete; ``more``: thread, name."""
        return await self._post("topic", user=user, chat=chat, action=action, **more)

    async def kick(self, chat: int, user: int, *, banned: bool = True) -> None:
        await self._post("kick", chat=chat, user=user, banned=banned)

    async def join(self, chat: int, user: int) -> None:
        await self._post("join", chat=chat, user=user)

    async def promote(
        self, chat: int, user: int, rights: Sequence[str] | None = None, *, admin: bool = True
    ) -> None:
        await self._post(
            "promote",
            chat=chat,
            user=user,
            rights=None if rights is None else list(rights),
            admin=admin,
        )

    async def migrate(self, chat: int) -> Object:
        return await self._post("migrate", chat=chat)

    # --- trouble ----------------------------------------------------------------------------

    async def set_limits(self, *, enabled: bool, scale: float = 1.0) -> Object:
        return await self._post("limits", enabled=enabled, scale=scale)

    async def add_fault(self, kind: str, **more: Any) -> Object:
        """``more``: method, chat_id, probability, times_left, seconds, code, description."""
        return await self._post("faults", kind=kind, **more)

    async def clear_faults(self, fault_id: int | None = None) -> None:
        await self._post("faults/clear", id=fault_id)

    async def reset(self) -> None:
        await self._post("reset")

    # --- looking ----------------------------------------------------------------------------

    async def world(self) -> Object:
        found: Object = await self._get("world")
        return found

    async def messages(
        self, chat: int, *, thread: int | None = None, after: int = 0, bot: int | None = None
    ) -> list[Object]:
        """All messages with ids above ``after``; ``thread=0`` means the General topic only."""
        found: list[Object] = []
        while True:
            page: list[Object] = await self._get(
                "messages", chat=chat, thread=thread, after=after, bot=bot, limit=MESSAGES_PER_PAGE
            )
            found += page
            if len(page) < MESSAGES_PER_PAGE:
                return found
            after = page[-1]["message_id"]

    async def calls(self, after: int = 0) -> list[Object]:
        found: list[Object] = await self._get("calls", after=after)
        return found

    async def answers(self, after: int = 0) -> list[Object]:
        """What people saw after presses; ``after`` is how many to skip."""
        found: list[Object] = await self._get("answers", after=after)
        return found

    async def stats(self) -> Object:
        found: Object = await self._get("stats")
        return found

    @asynccontextmanager
    async def events(self, after: int | None = None) -> AsyncIterator[AsyncIterator[Object]]:
        """The event stream, from now on or from a seq on."""
        query = {} if after is None else {"after": str(after)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with self._open.get(
            f"{self.url}/lab/events", params=query, timeout=timeout
        ) as response:
            yield _parsed(response)

    # --- waiting ----------------------------------------------------------------------------

    async def wait_for[T](
        self, look: Callable[[], Awaitable[T | None]], timeout: float = 10.0, what: str = ""
    ) -> T:
        """Looks again and again until ``look`` finds something true.

        Raises:
            TimeoutError: With ``what`` was waited for.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = await look()
            if found:
                return found
            if time.monotonic() >= deadline:
                raise TimeoutError(f"not seen within {timeout:g} s: {what or look}")
            await anyio.sleep(POLL_S)

    async def wait_message(
        self,
        chat: int,
        matches: Callable[[Object], bool] | str,
        *,
        thread: int | None = None,
        after: int = 0,
        timeout: float = 10.0,
    ) -> Object:
        """The first message above ``after`` that matches (a text: that contains it)."""

        def fits(message: Object) -> bool:
            return matches in message["text"] if isinstance(matches, str) else matches(message)

        async def look() -> Object | None:
            messages = await self.messages(chat, thread=thread, after=after)
            return next((message for message in messages if fits(message)), None)

        return await self.wait_for(look, timeout, f"a message in {chat} like {matches!r}")

    async def wait_topic(
        self, chat: int, matches: Callable[[Object], bool] | str, *, timeout: float = 10.0
    ) -> Object:
        """The first topic of a group that matches (a text: that the name contains)."""

        def fits(topic: Object) -> bool:
            return matches in topic["name"] if isinstance(matches, str) else matches(topic)

        async def look() -> Object | None:
            world = await self.world()
            topics = [each["topics"] for each in world["chats"] if each["id"] == chat]
            return next((topic for found in topics for topic in found if fits(topic)), None)

        return await self.wait_for(look, timeout, f"a topic in {chat} like {matches!r}")

    async def wait_answer(self, callback_query_id: str, timeout: float = 10.0) -> Object:
        """The answer to a press."""

        async def look() -> Object | None:
            answers = await self.answers()
            found = (a for a in answers if a["callback_query_id"] == callback_query_id)
            return next(found, None)

        return await self.wait_for(look, timeout, f"an answer to {callback_query_id}")

    # --- plumbing ---------------------------------------------------------------------------

    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use LabClient as an async context manager"
        return self._session

    async def _post(self, path: str, /, **body: Any) -> Object:
        found: Object = await self._post_any(path, **body)
        return found

    async def _post_any(self, path: str, /, **body: Any) -> Any:
        given = {key: value for key, value in body.items() if value is not None}
        async with self._open.post(
            f"{self.url}/control/{path}",
            data=orjson.dumps(given),
            headers={"Content-Type": "application/json"},
        ) as response:
            return _result(response, await response.read())

    async def _get(self, name: str, **query: int | None) -> Any:
        given = {key: str(value) for key, value in query.items() if value is not None}
        async with self._open.get(f"{self.url}/control/{name}", params=given) as response:
            return _result(response, await response.read())


def _result(response: aiohttp.ClientResponse, body: bytes) -> Any:
    if not response.ok:
        try:
            text = orjson.loads(body)["error"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            text = f"HTTP {response.status}"
        raise LabError(text)
    return orjson.loads(body)


async def _parsed(response: aiohttp.ClientResponse) -> AsyncIterator[Object]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield orjson.loads(line[len(b"data: ") :])
