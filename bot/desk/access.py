"""Who may use the desk, and what its handlers work with."""

from collections.abc import Callable, Container
from dataclasses import dataclass

import structlog
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Filter
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, LinkPreviewOptions, Message

from actors.effects import Text
from actors.ids import ChatId, UserId
from bot.roster import Roster
from bot.texts import Texts
from bot.titles import cut
from storage.queries import TicketQueries

log = structlog.get_logger(__name__)

TEXT_UNITS_MAX = 4096
ANSWER_UNITS_MAX = 200
"""Telegram's limits, in UTF-16 units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTools:
    """Given to each handler as ``desk``."""

    queries: TicketQueries
    roster: Roster
    texts: Texts
    main_chats: Container[ChatId]
    admin_ids: frozenset[UserId]
    look_at_groups: Callable[[], None] = lambda: None
    """Called when the bot's place in a group has changed."""

    def may_use(self, user_id: int | None, chat_id: int) -> bool:
        """Administrators anywhere; in a main group everybody, since only the staff is there.

        Who writes there in the group's own name is an anonymous administrator of it.
        """
        return ChatId(chat_id) in self.main_chats or user_id in self.admin_ids

    def say(self, key: str, **args: str | int) -> str:
        """A text in the desk's language."""
        return self.texts.render(Text(key=key, args=args))


class MayUseDesk(Filter):
    """Passes messages of those who may use the desk; strangers' go unanswered."""

    async def __call__(self, message: Message, desk: DeskTools) -> bool:
        sender = None if message.from_user is None else message.from_user.id
        return desk.may_use(sender, message.chat.id)


async def reply(message: Message, text: str, markup: InlineKeyboardMarkup | None = None) -> Message:
    """Answers in the chat and thread of ``message``, as plain text of at most one message."""
    return await message.reply(
        cut(text, TEXT_UNITS_MAX - 1, ellipsis=True),
        parse_mode=None,
        reply_markup=markup,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        allow_sending_without_reply=True,
    )


async def answer_press(query: CallbackQuery, text: str | None = None) -> None:
    """Ends the button's waiting, with an alert if there is a text; too late is no loss."""
    words = None if text is None else cut(text, ANSWER_UNITS_MAX)
    try:
        await query.answer(words, show_alert=words is not None)
    except TelegramBadRequest as error:
        log.info("press_answered_too_late", error=error.message)
