"""Watches over the groups: says to the administrators what is wrong with one, and when it is well.

Nothing is lost meanwhile: what is meant for such a group waits in the outbox and is tried again.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import anyio
import structlog
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
)
from aiogram.methods import GetChat, GetChatMember, SendMessage, TelegramMethod
from aiogram.types import ChatMemberAdministrator, ChatMemberOwner
from anyio.abc import TaskStatus

from actors.effects import Text
from actors.errors import Transient
from actors.ids import ChatId, UserId
from bot.texts import Texts

log = structlog.get_logger(__name__)


class GroupBook(Protocol):
    """What all nodes know of the main groups."""

    async def note(self, chat_id: ChatId, trouble: str | None, moved_to: ChatId | None) -> None:
        """What a look has shown; a group in trouble gets no new tickets."""

    async def full(self) -> Collection[ChatId]:
        """The groups that take no more topics."""

    def __contains__(self, chat_id: object) -> bool: ...


class Trouble(StrEnum):
    """What keeps the desk out of a group. The value is the end of its text's key."""

    AWAY = "away"
    """The group is gone, or the bot was removed from it."""
    NO_TOPICS = "no-topics"
    """Topics are switched off."""
    NO_RIGHTS = "no-rights"
    """The bot is no administrator, or may not manage topics."""
    MOVED = "moved"
    """The group has another id now."""
    FULL = "full"
    """It has as many topics as Telegram allows; found by delivery, not by looking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Times in seconds."""

    every_s: float = 60.0
    """No update tells that topics were switched off or a group is gone: somebody has to look."""


class GroupWatch:
    """Looks at each group now and then, and at once when the bot's place in one changes.

    ``groups`` are the groups by the setting that names them; ``follow`` is told where a group has
    moved to and readdresses what is on record. ``main`` is told how the main groups are.
    """

    def __init__(
        self,
        *,
        call: Callable[[TelegramMethod[Any]], Awaitable[Any]],
        bot_id: UserId,
        groups: Mapping[ChatId, str],
        admin_ids: Sequence[UserId],
        texts: Texts,
        follow: Callable[[ChatId, ChatId], Awaitable[None]],
        main: GroupBook,
        options: WatchOptions | None = None,
    ) -> None:
        self._call = call
        self._bot_id = bot_id
        self._groups = groups
        self._admin_ids = admin_ids
        self._texts = texts
        self._follow = follow
        self._main = main
        self._options = options or WatchOptions()
        self._told: dict[ChatId, Trouble] = {}
        self._asked = anyio.Event()

    def look(self) -> None:
        """Something may have changed: the groups are looked at now."""
        self._asked.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watches until cancelled."""
        task_status.started()
        while True:
            with anyio.move_on_after(self._options.every_s):
                await self._asked.wait()
            self._asked = anyio.Event()
            for chat_id, name in self._groups.items():
                try:
                    await self._look_at(chat_id, name)
                except (TelegramAPIError, Transient, OSError, TimeoutError) as error:
                    log.warning("group_not_seen", chat=chat_id, error=type(error).__name__)
                except Exception:
                    log.exception("group_watch_failed", chat=chat_id)

    async def _look_at(self, chat_id: ChatId, name: str) -> None:
        trouble, moved_to = await self._examine(chat_id)
        if moved_to is not None:
            await self._follow(chat_id, moved_to)
        if chat_id in self._main:
            out = None if trouble is Trouble.MOVED else trouble
            await self._main.note(chat_id, out, moved_to)
            if trouble is None and chat_id in await self._main.full():
                trouble = Trouble.FULL
        if self._told.get(chat_id) == trouble:
            return
        others = "yes" if self._others_are_well(chat_id) else ""
        args: dict[str, str | int] = {"group": name, "chat": str(chat_id), "others": others}
        if trouble is None:
            log.info("group_well", chat=chat_id)
            text = Text(key="group-well", args={"group": name, "chat": str(chat_id)})
        else:
            log.error("group_trouble", chat=chat_id, trouble=str(trouble))
            text = _text_of(trouble, args | {"moved": str(moved_to or "")})
        await self._tell(text)
        if trouble is None:
            self._told.pop(chat_id, None)
        else:
            self._told[chat_id] = trouble

    def _others_are_well(self, chat_id: ChatId) -> bool:
        """Whether new tickets have another main group to go to."""
        mains = [chat for chat in self._groups if chat in self._main]
        fit = {None, Trouble.MOVED}
        return chat_id in mains and any(
            self._told.get(chat) in fit for chat in mains if chat != chat_id
        )

    async def _examine(self, chat_id: ChatId) -> tuple[Trouble | None, ChatId | None]:
        """What is wrong with a group, and its new id if it has one."""
        try:
            chat = await self._call(GetChat(chat_id=chat_id))
            member = await self._call(GetChatMember(chat_id=chat_id, user_id=self._bot_id))
        except TelegramMigrateToChat as error:
            return Trouble.MOVED, ChatId(error.migrate_to_chat_id)
        except (TelegramForbiddenError, TelegramBadRequest):
            return Trouble.AWAY, None
        if not chat.is_forum:
            return Trouble.NO_TOPICS, None
        match member:
            case ChatMemberOwner() | ChatMemberAdministrator(can_manage_topics=True):
                return None, None
            case _ if member.status in {"left", "kicked"}:
                return Trouble.AWAY, None
            case _:
                return Trouble.NO_RIGHTS, None

    async def _tell(self, text: Text) -> None:
        """Says it to each administrator; who never started the bot cannot be told.

        Raises:
            TelegramAPIError: It could not be said now.
        """
        words = self._texts.render(text)
        for admin_id in self._admin_ids:
            try:
                await self._call(SendMessage(chat_id=admin_id, text=words))
            except (TelegramForbiddenError, TelegramBadRequest) as error:
                log.warning("administrator_not_told", user=admin_id, error=error.message)


def _text_of(trouble: Trouble, args: Mapping[str, str | int]) -> Text:
    group, chat, others = args["group"], args["chat"], args["others"]
    match trouble:
        case Trouble.AWAY:
            return Text(key="group-away", args={"group": group, "chat": chat, "others": others})
        case Trouble.NO_TOPICS:
            plain = {"group": group, "chat": chat, "others": others}
            return Text(key="group-no-topics", args=plain)
        case Trouble.NO_RIGHTS:
            plain = {"group": group, "chat": chat, "others": others}
            return Text(key="group-no-rights", args=plain)
        case Trouble.FULL:
            return Text(key="group-full", args={"group": group, "chat": chat, "others": others})
        case Trouble.MOVED:
            moved = args["moved"]
            return Text(key="group-moved", args={"group": group, "chat": chat, "moved": moved})
