"""Effects as Bot API calls: places become chats, texts become words, keyboards become buttons."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Protocol, assert_never

from aiogram.methods import (
    AnswerCallbackQuery,
    CloseForumTopic,
    CopyMessages,
    CreateForumTopic,
    EditForumTopic,
    EditMessageReplyMarkup,
    EditMessageText,
    ReopenForumTopic,
    SendMediaGroup,
    SendMessage,
    TelegramMethod,
)
from aiogram.types import (
    ForumTopic,
    InlineKeyboardMarkup,
    MessageId,
    ReplyParameters,
)
from aiogram.types import Message as TelegramMessage

from actors.books import MessageBook
from actors.effects import (
    AnswerPress,
    CloseTopic,
    Copy,
    CopyHistory,
    Delete,
    Edit,
    EditCopy,
    Keyboard,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
    Resend,
    Say,
    ShowCard,
)
from actors.ids import MessageId as OurMessageId
from actors.ids import ThreadId, TicketId, UserId
from actors.places import Place, PlaceKind
from actors.ports import Address, Directory, Made, OutboxRow
from bot.cards import card_text
from bot.joining import joined
from bot.keyboards import draw
from bot.relay import TEXT_UNITS_MAX, Relay
from bot.roster import Roster
from bot.texts import Texts
from bot.titles import cut, title

ANSWER_UNITS_MAX = 200
"""Telegram's limit, in UTF-16 units."""


class Tags(Protocol):
    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> OurMessageId | None: ...


class Calls:
    """Renders rows of the outbox. Asks only what answers from memory, cache or our database."""

    def __init__(
        self,
        *,
        texts: Texts,
        roster: Roster,
        directory: Directory,
        tags: Tags,
        links: MessageBook,
        zone: tzinfo | None = None,
    ) -> None:
        self._texts = texts
        self._roster = roster
        self._directory = directory
        self._tags = tags
        self._relay = Relay(texts=texts, links=links)
        self._zone = zone

    async def author(self, row: OutboxRow) -> UserId | None:
        """Who wrote the message that a row changes, ``None`` for the main bot."""
        return await self._relay.author(row)

    async def render(self, row: OutboxRow, *, foreign: bool = False) -> TelegramMethod[Any] | None:
        """The call for a row, ``None`` when there is nothing to do (no message to edit).

        ``foreign``: the copy to be changed is another bot's.
        """
        effect = row.effect
        if isinstance(effect, AnswerPress):
            return self._answer(effect, row)
        assert row.address is not None, row
        address = row.address
        if isinstance(effect, Copy | Say) and effect.thread_id is not None:
            address = replace(address, thread_id=effect.thread_id)
        match effect:
            case OpenTopic():
                return CreateForumTopic(
                    chat_id=address.chat_id, name=title(effect.title, self._texts)
                )
            case RenameTopic():
                return EditForumTopic(
                    chat_id=address.chat_id,
                    message_thread_id=_thread(address),
                    name=title(effect.title, self._texts),
                )
            case CloseTopic():
                return CloseForumTopic(chat_id=address.chat_id, message_thread_id=_thread(address))
            case ReopenTopic():
                return ReopenForumTopic(chat_id=address.chat_id, message_thread_id=_thread(address))
            case Copy():
                return await self._relay.copy(effect, row, address)
            case EditCopy():
                return await self._relay.edit(effect, row, address, foreign=foreign)
            case ShowCard():
                return await self._card(effect, row, address)
            case Say():
                return await self._say(effect, row, address)
            case Edit():
                return await self._edit(effect, row, address)
            case React():
                return await self._relay.react(effect, row, address)
            case Delete():
                return await self._relay.delete(effect, row, address)
            case CopyHistory() | Resend():
                raise AssertionError("expanded by the commit")
            case _:
                assert_never(effect)

    async def album(self, rows: Sequence[OutboxRow]) -> CopyMessages | SendMediaGroup:
        """All of an album at once, so that it stays one; its parts come in their order."""
        return await self._relay.album(rows)

    def join(self, rows: Sequence[OutboxRow]) -> SendMessage:
        """One message of several texts; :func:`bot.joining.joinable` has said that they fit."""
        address, effect = rows[0].address, rows[0].effect
        assert address is not None, rows[0]
        assert isinstance(effect, Copy), rows[0]
        text, entities = joined(rows, self._label(effect), self._zone)
        return SendMessage(
            chat_id=address.chat_id,
            message_thread_id=address.thread_id,
            text=text,
            entities=entities,
        )

    def _answer(self, effect: AnswerPress, row: OutboxRow) -> AnswerCallbackQuery:
        words = None
        if effect.text is not None:
            # A press comes from the staff or from the client; a mark of the survey is the client's.
            language = row.client.language if effect.text.key.startswith("survey-") else None
            words = cut(self._texts.render(effect.text, language), ANSWER_UNITS_MAX)
        return AnswerCallbackQuery(
            callback_query_id=effect.callback_id, text=words, show_alert=effect.alert
        )

    async def _card(self, effect: ShowCard, row: OutboxRow, address: Address) -> SendMessage:
        card = await self._directory.card(row.client)
        return SendMessage(
            chat_id=address.chat_id,
            message_thread_id=address.thread_id,
            text=card_text(row.client, card, effect.former, self._texts),
            reply_markup=await self._buttons(effect.keyboard, row, None),
        )

    async def _say(self, effect: Say, row: OutboxRow, address: Address) -> SendMessage | None:
        language = _language(effect.place, row)
        reply_to = effect.reply_to
        if reply_to is not None and effect.of_chat is not None:
            reply_to = await self._relay.here(row, effect.of_chat, reply_to, address)
            if reply_to is None:
                return None  # what it is about is not read here
        reply = None
        if reply_to is not None:
            reply = ReplyParameters(message_id=reply_to, allow_sending_without_reply=True)
        return SendMessage(
            chat_id=address.chat_id,
            message_thread_id=address.thread_id,
            text=cut(self._texts.render(effect.text, language), TEXT_UNITS_MAX, ellipsis=True),
            reply_markup=await self._buttons(effect.keyboard, row, language),
            reply_parameters=reply,
        )

    async def _edit(
        self, effect: Edit, row: OutboxRow, address: Address
    ) -> EditMessageText | EditMessageReplyMarkup | None:
        message_id = await self._tags.tagged(row.ticket_id, effect.place, effect.tag)
        if message_id is None:
            return None
        language = _language(effect.place, row)
        buttons = await self._buttons(effect.keyboard, row, language)
        if effect.former is not None:
            keyboard = effect.keyboard
            return EditMessageText(
                chat_id=address.chat_id,
                message_id=message_id,
                text=card_text(
                    row.client,
                    await self._directory.card(row.client),
                    effect.former,
                    self._texts,
                    asks=keyboard is not None and keyboard.technician_id is None,
                ),
                reply_markup=buttons,
            )
        if effect.text is None:
            return EditMessageReplyMarkup(
                chat_id=address.chat_id, message_id=message_id, reply_markup=buttons
            )
        return EditMessageText(
            chat_id=address.chat_id,
            message_id=message_id,
            text=cut(self._texts.render(effect.text, language), TEXT_UNITS_MAX, ellipsis=True),
            reply_markup=buttons,
        )

    async def _buttons(
        self, keyboard: Keyboard | None, row: OutboxRow, language: str | None
    ) -> InlineKeyboardMarkup | None:
        if keyboard is None:
            return None
        return draw(keyboard, row.ticket_id, await self._roster.active(), self._texts, language)

    def _label(self, effect: Copy) -> str | None:
        return None if effect.label is None else self._texts.render(effect.label)


def made(answer: object) -> Made:
    """What the answer of a call says was made."""
    match answer:
        case ForumTopic():
            return Made(thread_id=ThreadId(answer.message_thread_id))
        case TelegramMessage() | MessageId():
            return Made(message_id=OurMessageId(answer.message_id))
        case _:
            return Made()


def _thread(address: Address) -> ThreadId:
    assert address.thread_id is not None, address
    return address.thread_id


def _language(place: Place, row: OutboxRow) -> str | None:
    """The client reads their own language; everybody else the desk's."""
    return row.client.language if place.kind is PlaceKind.CLIENT else None
