"""What a helper bot can do in the main bot's stead, and what keeps it from it: pure.

A helper sees nothing: neither the client's chat, from which the main bot copies, nor presses of
buttons, which come to the bot that wrote them. So it writes texts.
"""

from enum import StrEnum
from typing import Any, Final

from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from aiogram.methods import (
    CopyMessage,
    DeleteMessage,
    EditMessageText,
    SendMessage,
    SetMessageReaction,
    TelegramMethod,
)

from actors.effects import Copy, Delete, EditCopy, Part, React, Say
from actors.messages import ContentKind
from actors.ports import OutboxRow
from bot.joining import shifted

_ONLY_MAIN: Final = frozenset({"custom_emoji", "text_mention"})
"""Marks that Telegram drops where a bot has no right to them, or has never met the person."""

_CLOSED: Final = ("chat not found", "chat_write_forbidden", "not enough rights", "have no rights")
"""Refusals that concern the helper in this group, not the message."""


class Trouble(StrEnum):
    """What keeps a helper out. The value is the end of its text's key."""

    UNKNOWN = "unknown"
    """Telegram does not know its token."""
    AWAY = "away"
    """It is no member of the group."""
    MUTED = "muted"
    """It may not write there."""
    LIMITED = "limited"
    """Telegram asked it to wait for long; it passes, and nobody need do anything."""


def may_help(row: OutboxRow) -> bool:
    """Whether a helper can write this row: a text for a group, without buttons or a tag."""
    effect = row.effect
    if row.address is None or row.address.chat_id > 0 or row.address.thread_id is None:
        return False
    if isinstance(effect, Say):
        return effect.keyboard is None and effect.tag is None
    if not isinstance(effect, Copy) or effect.part is Part.MEDIUM:
        return False
    content = effect.content
    is_text = content.kind is ContentKind.TEXT or effect.part is Part.WORDS
    is_forwarded = content.origin is not None and effect.label is None
    if not is_text or not content.text or is_forwarded:
        return False
    return not any(entity.get("type") in _ONLY_MAIN for entity in content.entities)


def is_of_author(row: OutboxRow) -> bool:
    """Whether the row concerns a message that stands there: its author is to do it."""
    effect = row.effect
    if row.address is None or row.address.chat_id > 0:
        return False
    return isinstance(effect, EditCopy | Delete) or (
        isinstance(effect, React) and effect.of_chat is not None
    )


def for_helper(method: TelegramMethod[Any], row: OutboxRow) -> TelegramMethod[Any] | None:
    """The call as a helper can make it, ``None`` when it cannot.

    A copied text is written anew, with its marks: the helper does not see its source.
    """
    if isinstance(method, SendMessage | EditMessageText | DeleteMessage | SetMessageReaction):
        return method
    effect = row.effect
    if not isinstance(method, CopyMessage) or not isinstance(effect, Copy):
        return None
    return SendMessage(
        chat_id=method.chat_id,
        message_thread_id=method.message_thread_id,
        text=effect.content.text,
        entities=shifted(effect.content.entities, 0),
        reply_parameters=method.reply_parameters,
    )


def trouble_of(error: Exception) -> Trouble | None:
    """What a failed call says about the helper that made it, ``None`` if nothing."""
    match error:
        case TelegramUnauthorizedError() | TelegramNotFound():
            return Trouble.UNKNOWN
        case TelegramForbiddenError():
            return Trouble.AWAY
        case TelegramBadRequest() if "chat not found" in error.message.lower():
            return Trouble.AWAY
        case TelegramBadRequest() if any(words in error.message.lower() for words in _CLOSED):
            return Trouble.MUTED
        case _:
            return None
