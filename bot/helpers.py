"""Looks after the helper bots: which can write where, and what the administrators should mend.

Nothing waits for a helper: what it cannot write goes by the main bot, only more slowly.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from aiogram.methods import GetChat, GetChatMember, GetMe, SendMessage, TelegramMethod
from aiogram.types import (
    ChatFullInfo,
    ChatMemberAdministrator,
    ChatMemberBanned,
    ChatMemberLeft,
    ChatMemberOwner,
    ChatMemberRestricted,
)
from anyio.abc import TaskStatus

from actors.effects import Text
from actors.ids import ChatId, UserId
from bot.delivery.crew import Crew, Post, Sender
from bot.delivery.helping import Trouble
from bot.texts import Texts

log = structlog.get_logger(__name__)

type Call = Callable[[TelegramMethod[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperOptions:
    """Times in seconds."""

    every_s: float = 60.0
    """A helper that is well again is noticed within this time; no update tells of it."""
    first_s: float = 5.0
    """A start waits no longer for the first look; whoever has not answered is taken to be well."""
    again_s: float = 30.0
    """Between two tries to tell the administrators while Telegram does not let us."""


class HelperWatch:
    """Examines each helper in each group now and then, and tells what is wrong, once.

    Every node examines for itself (:meth:`run`); one of them tells (:meth:`tell`).
    """

    def __init__(
        self,
        *,
        crew: Crew,
        groups: Mapping[ChatId, str],
        admin_ids: Sequence[UserId],
        texts: Texts,
        tell: Call,
        options: HelperOptions | None = None,
    ) -> None:
        """``groups`` are the groups by the setting that names them; ``tell`` is the main bot."""
        self._crew = crew
        self._groups = groups
        self._admin_ids = admin_ids
        self._texts = texts
        self._call = tell
        self._options = options or HelperOptions()
        self._names: dict[UserId, str] = {}
        self._told: dict[Post, Trouble] = {}
        self._asked = anyio.Event()

    def look(self) -> None:
        """Something may have changed: the helpers are looked at now."""
        self._asked.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Examines until cancelled; ready once everybody has been looked at."""
        with anyio.move_on_after(self._options.first_s):
            await self.examine()
        task_status.started()
        while self._crew.helpers:
            with anyio.move_on_after(self._options.every_s):
                await self._asked.wait()
            self._asked = anyio.Event()
            await self.examine()

    async def examine(self) -> None:
        """Looks at all helpers at once."""
        async with anyio.create_task_group() as group:
            for helper in self._crew.helpers.values():
                group.start_soon(self._examine, helper)

    async def _examine(self, helper: Sender) -> None:
        try:
            me = await helper.call(GetMe())
            self._names[helper.bot_id] = f"@{me.username}"
            self._crew.note(helper.bot_id, None, None)
            for chat_id in self._chats(helper):
                trouble = await standing(helper.call, helper.bot_id, chat_id)
                self._crew.note(helper.bot_id, chat_id, trouble)
        except (TelegramUnauthorizedError, TelegramNotFound):
            self._crew.note(helper.bot_id, None, Trouble.UNKNOWN)
        except (TelegramAPIError, ClientDecodeError, OSError, TimeoutError) as error:
            # Telegram cannot be asked now, which says nothing about the helper.
            log.warning("helper_not_seen", bot=helper.bot_id, error=type(error).__name__)
        except Exception:
            log.exception("helper_watch_failed", bot=helper.bot_id)

    def _chats(self, helper: Sender) -> set[ChatId]:
        """The groups of the settings, and those that it was left out of: a group may have moved."""
        troubled = {chat for bot, chat in self._crew.troubles() if bot == helper.bot_id}
        return {*self._groups, *(chat for chat in troubled if chat is not None)}

    # --- telling ----------------------------------------------------------------------------

    async def tell(self) -> None:
        """Tells the administrators of each change, until cancelled."""
        while True:
            troubles = self._crew.troubles()
            if troubles == self._told:
                await self._crew.changed()
            elif not await self._tell_all(troubles):
                await anyio.sleep(self._options.again_s)

    async def _tell_all(self, troubles: Mapping[Post, Trouble]) -> bool:
        """Tells what is new and what is over; says whether all of it could be said."""
        for post, trouble in troubles.items():
            if self._told.get(post) != trouble:
                if not await self._tell(self._text(post, trouble)):
                    return False
                self._told[post] = trouble
        for post in [post for post in self._told if post not in troubles]:
            if not await self._tell(self._text(post, None)):
                return False
            del self._told[post]
        return True

    def _text(self, post: Post, trouble: Trouble | None) -> Text:
        bot_id, chat_id = post
        bot = self._names.get(bot_id, str(bot_id))
        if chat_id is None:
            if trouble is None:
                return Text(key="helper-known", args={"bot": bot})
            return Text(key="helper-unknown", args={"bot": bot})
        chat, group = str(chat_id), self._groups.get(chat_id, "")
        match trouble:
            case None:
                return Text(key="helper-well", args={"bot": bot, "chat": chat, "group": group})
            case Trouble.MUTED:
                return Text(key="helper-muted", args={"bot": bot, "chat": chat, "group": group})
            case _:
                return Text(key="helper-away", args={"bot": bot, "chat": chat, "group": group})

    async def _tell(self, text: Text) -> bool:
        """Says it to each administrator; who never started the bot cannot be told."""
        words = self._texts.render(text)
        for admin_id in self._admin_ids:
            try:
                await self._call(SendMessage(chat_id=admin_id, text=words))
            except (TelegramForbiddenError, TelegramBadRequest) as error:
                log.warning("administrator_not_told", user=admin_id, error=error.message)
            except (TelegramAPIError, ClientDecodeError, OSError, TimeoutError) as error:
                log.warning("administrator_not_told", user=admin_id, error=type(error).__name__)
                return False
        return True


async def standing(call: Call, bot_id: UserId, chat_id: ChatId) -> Trouble | None:
    """What keeps a bot from writing in a group, as it is told itself; ``None``: nothing.

    Raises:
        TelegramAPIError: It could not be asked now, or has no valid token.
    """
    try:
        chat: ChatFullInfo = await call(GetChat(chat_id=chat_id))
        member = await call(GetChatMember(chat_id=chat_id, user_id=bot_id))
    except (TelegramForbiddenError, TelegramBadRequest):
        return Trouble.AWAY
    match member:
        case ChatMemberOwner() | ChatMemberAdministrator():
            return None
        case ChatMemberLeft() | ChatMemberBanned():
            return Trouble.AWAY
        case ChatMemberRestricted(is_member=False):
            return Trouble.AWAY
        case ChatMemberRestricted(can_send_messages=False):
            return Trouble.MUTED
        case _ if chat.permissions is not None and chat.permissions.can_send_messages is False:
            return Trouble.MUTED
        case _:
            return None
