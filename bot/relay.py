"""People's messages as Bot API calls: copied whole, with whose they are, and changed later.

What is longer than Telegram allows with a label goes without it: the message itself arrives whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiogram.methods import (
    CopyMessage,
    CopyMessages,
    DeleteMessage,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageText,
    ForwardMessage,
    SendAnimation,
    SendAudio,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendSticker,
    SendVideo,
    SendVideoNote,
    SendVoice,
    SetMessageReaction,
    TelegramMethod,
)
from aiogram.types import (
    InputMediaAnimation,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
)

from actors.books import Counterpart, MessageBook
from actors.effects import Copy, Delete, EditCopy, Part, React, Text
from actors.ids import ChatId, MessageId, UserId
from actors.messages import Content, ContentKind
from actors.places import Place, PlaceKind
from actors.ports import Address, OutboxRow
from bot.joining import shifted
from bot.texts import Texts
from bot.titles import utf16_length

TEXT_UNITS_MAX = 4096
CAPTION_UNITS_MAX = 1024
"""Telegram's limits, in UTF-16 units."""

type Reply = ReplyParameters | None

_MEDIA = {
    ContentKind.PHOTO: InputMediaPhoto,
    ContentKind.VIDEO: InputMediaVideo,
    ContentKind.ANIMATION: InputMediaAnimation,
    ContentKind.DOCUMENT: InputMediaDocument,
    ContentKind.AUDIO: InputMediaAudio,
}
"""Kinds whose medium can be put in the place of another."""

_ANEW: dict[ContentKind, type[TelegramMethod[Any]]] = {
    ContentKind.PHOTO: SendPhoto,
    ContentKind.VIDEO: SendVideo,
    ContentKind.ANIMATION: SendAnimation,
    ContentKind.DOCUMENT: SendDocument,
    ContentKind.AUDIO: SendAudio,
    ContentKind.VOICE: SendVoice,
    ContentKind.VIDEO_NOTE: SendVideoNote,
    ContentKind.STICKER: SendSticker,
}
"""Kinds that are a file, and can be sent by its name."""

_ALBUM = frozenset(_MEDIA) - {ContentKind.ANIMATION}


class HoldsOthers(Exception):
    """The message at the client holds others, too, which were written at the same time."""

    def __str__(self) -> str:
        return self.__doc__ or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Renders copies and their changes; asks the database which message stands for which."""

    texts: Texts
    links: MessageBook

    async def copy(self, effect: Copy, row: OutboxRow, address: Address) -> TelegramMethod[Any]:
        reply = await self._reply(effect.content, row, address)
        label = self.label(effect.place, effect.content, effect.label, row.client.language)
        is_whole = effect.part is Part.WHOLE
        if effect.label is None and effect.content.origin is not None and is_whole:
            return forward_call(effect, address, label, reply)
        return copy_call(effect, address, label, reply)

    async def album(self, rows: Sequence[OutboxRow]) -> CopyMessages | SendMediaGroup:
        """All parts of an album in one call, in their order, with their captions.

        A copied album can carry no label and answer nothing, so such a one is sent anew.
        """
        row, address = rows[0], rows[0].address
        effects = [row.effect for row in rows if isinstance(row.effect, Copy)]
        assert address is not None, row
        first = effects[0]
        reply = await self._reply(first.content, row, address)
        label = self.label(first.place, first.content, first.label, row.client.language)
        contents = [effect.content for effect in effects]
        if (label is None and reply is None) or not _can_be_sent(contents):
            return CopyMessages(
                chat_id=address.chat_id,
                message_thread_id=address.thread_id,
                from_chat_id=first.content.chat_id,
                message_ids=[content.message_id for content in contents],
            )
        return SendMediaGroup(
            chat_id=address.chat_id,
            message_thread_id=address.thread_id,
            media=[
                medium_of(content, None if number else label)
                for number, content in enumerate(contents)
            ],
            reply_parameters=reply,
        )

    async def author(self, row: OutboxRow) -> UserId | None:
        """The bot that wrote the copy which a row changes, ``None`` for the main bot."""
        effect = row.effect
        assert row.address is not None, row
        match effect:
            case EditCopy(content=content):
                chat_id, message_id = content.chat_id, content.message_id
            case Delete(of_chat=of_chat, message_id=number):
                chat_id, message_id = of_chat, number
            case React(of_chat=of_chat, message_id=number) if of_chat is not None:
                chat_id, message_id = of_chat, number
            case _:
                return None
        found = await self.links.counterpart(
            row.ticket_id, chat_id, message_id, row.address.chat_id
        )
        return None if found is None else found.bot_id

    async def edit(
        self, effect: EditCopy, row: OutboxRow, address: Address, *, foreign: bool = False
    ) -> TelegramMethod[Any] | None:
        """The change of a copy, ``None`` when there is no copy or nothing in it that can change.

        ``foreign``: the copy is another bot's; the new words come as an answer to it.
        """
        content = effect.content
        if content.kind.takes_caption and utf16_length(content.text) > CAPTION_UNITS_MAX:
            content = replace(content, kind=ContentKind.TEXT)  # its words followed as a text
        found = await self._find(content, row, address)
        if found is None or not found.is_copy:
            return None
        language = row.client.language
        label = self.label(effect.place, content, effect.label, language)
        if found.is_shared or foreign:
            notice = self._render(Text(key="label-edited"), effect.place, language)
            return _as_answer(content, address, found, f"{label or ''}\n{notice}".strip())
        return edit_call(content, address, found, label)

    async def react(
        self, effect: React, row: OutboxRow, address: Address
    ) -> SetMessageReaction | None:
        """The reaction, ``None`` when there is no such message here to react to."""
        message_id: MessageId | None = effect.message_id
        if effect.of_chat is not None:
            message_id = await self.here(row, effect.of_chat, effect.message_id, address)
        if message_id is None:
            return None
        return SetMessageReaction(
            chat_id=address.chat_id,
            message_id=message_id,
            reaction=[] if effect.emoji is None else [ReactionTypeEmoji(emoji=effect.emoji)],
        )

    async def delete(
        self, effect: Delete, row: OutboxRow, address: Address
    ) -> DeleteMessage | None:
        """Takes a copy away, ``None`` when there is none.

        Raises:
            HoldsOthers: The copy holds other messages, too.
        """
        found = await self.links.counterpart(
            row.ticket_id, effect.of_chat, effect.message_id, address.chat_id
        )
        if found is None or not found.is_copy:
            return None
        if found.is_shared:
            raise HoldsOthers
        return DeleteMessage(chat_id=address.chat_id, message_id=found.message_id)

    async def here(
        self, row: OutboxRow, of_chat: ChatId, message_id: MessageId, address: Address
    ) -> MessageId | None:
        """What stands at ``address`` for a message of another chat (or of this one)."""
        found = await self.links.counterpart(row.ticket_id, of_chat, message_id, address.chat_id)
        return None if found is None else found.message_id

    def label(
        self, place: Place, content: Content, label: Text | None, language: str | None
    ) -> str | None:
        """Whose message it is, and where it was forwarded from, on lines of their own."""
        lines = [] if label is None else [self._render(label, place, language)]
        if content.origin is not None:
            origin = Text(key="label-forwarded", args={"name": content.origin})
            lines.append(self._render(origin, place, language))
        return "\n".join(lines) or None

    async def _find(self, content: Content, row: OutboxRow, address: Address) -> Counterpart | None:
        return await self.links.counterpart(
            row.ticket_id, content.chat_id, content.message_id, address.chat_id
        )

    async def _reply(self, content: Content, row: OutboxRow, address: Address) -> Reply:
        """An answer to what stands for the answered message in the other chat, if anything does."""
        if content.reply_to is None:
            return None
        found = await self.links.counterpart(
            row.ticket_id, content.chat_id, content.reply_to, address.chat_id
        )
        return None if found is None else reply_to(found, content)

    def _render(self, text: Text, place: Place, language: str | None) -> str:
        return self.texts.render(text, language if place.kind is PlaceKind.CLIENT else None)


def reply_to(found: Counterpart, content: Content) -> ReplyParameters:
    reply = ReplyParameters(message_id=found.message_id, allow_sending_without_reply=True)
    quote = content.quote
    if quote is None:
        return reply
    entities = [MessageEntity.model_validate(dict(entity)) for entity in quote.entities]
    return reply.model_copy(
        update={
            "quote": quote.text,
            "quote_position": quote.position,
            "quote_entities": entities or None,
        }
    )


def copy_call(
    effect: Copy, address: Address, label: str | None, reply: Reply = None
) -> TelegramMethod[Any]:
    """Relays a message; a label goes into its text or caption where it fits, else it is left out.

    The message itself always arrives whole: what cannot carry the label is copied without it.
    """
    content = effect.content
    if effect.part is Part.WORDS:
        content = replace(content, kind=ContentKind.TEXT)
        label = label or ""
    plain = CopyMessage(
        chat_id=address.chat_id,
        message_thread_id=address.thread_id,
        from_chat_id=content.chat_id,
        message_id=content.message_id,
        reply_parameters=reply,
    )
    if effect.part is Part.MEDIUM:
        # A copy with an empty caption keeps the old one, so the medium is sent by its name.
        content = replace(content, text="", entities=())
        plain = plain.model_copy(update={"caption": label or "…"})
    if content.protected or effect.part is Part.MEDIUM:
        return anew(content, address, label, reply) or plain
    if label is None:
        return plain
    words, entities = labelled(content, label)
    if content.kind is ContentKind.TEXT and utf16_length(words) <= TEXT_UNITS_MAX:
        return SendMessage(
            chat_id=address.chat_id,
            message_thread_id=address.thread_id,
            text=words,
            entities=entities,
            reply_parameters=reply,
        )
    if content.kind.takes_caption and utf16_length(words) <= CAPTION_UNITS_MAX:
        return plain.model_copy(update={"caption": words, "caption_entities": entities})
    return plain


def anew(
    content: Content, address: Address, label: str | None, reply: Reply
) -> TelegramMethod[Any] | None:
    """What cannot be copied as it is, sent as a message of the bot's own.

    What is protected stays so where it goes. ``None`` for kinds that cannot be made again.
    """
    where: dict[str, Any] = {
        "chat_id": address.chat_id,
        "message_thread_id": address.thread_id,
        "reply_parameters": reply,
        "protect_content": content.protected or None,
    }
    if content.kind is ContentKind.TEXT:
        words, entities = labelled(content, label)
        if utf16_length(words) > TEXT_UNITS_MAX:
            words, entities = labelled(content, None)
        return SendMessage(**where, text=words, entities=entities)
    make = _ANEW.get(content.kind)
    if make is None or content.file_id is None:
        return None
    where[content.kind] = content.file_id
    if content.kind.takes_caption:
        words, entities = labelled(content, label)
        if utf16_length(words) > CAPTION_UNITS_MAX:
            words, entities = labelled(content, None)
        where |= {"caption": words or None, "caption_entities": entities or None}
    return make(**where)


def forward_call(
    effect: Copy, address: Address, label: str | None, reply: Reply
) -> TelegramMethod[Any]:
    """A forwarded message is forwarded on, so that Telegram itself says where it is from.

    Not to the client: it would show the account of whomever the staff had it from. Nor can a
    forwarded message be an answer. Such ones say it in words.
    """
    content = effect.content
    if effect.place.kind is PlaceKind.CLIENT or reply is not None or content.protected:
        return copy_call(effect, address, label, reply)
    return ForwardMessage(
        chat_id=address.chat_id,
        message_thread_id=address.thread_id,
        from_chat_id=content.chat_id,
        message_id=content.message_id,
    )


def edit_call(
    content: Content, address: Address, found: Counterpart, label: str | None
) -> EditMessageText | EditMessageCaption | EditMessageMedia | None:
    """Makes a copy what the message is now, its label in front as it was."""
    words, entities = labelled(content, label)
    is_text = content.kind is ContentKind.TEXT
    if utf16_length(words) > (TEXT_UNITS_MAX if is_text else CAPTION_UNITS_MAX):
        words, entities = labelled(content, None)
    where: dict[str, Any] = {"chat_id": address.chat_id, "message_id": found.message_id}
    if is_text:
        return EditMessageText(**where, text=words, entities=entities)
    if content.kind not in _MEDIA or content.file_id is None:
        return EditMessageCaption(**where, caption=words, caption_entities=entities)
    return EditMessageMedia(**where, media=medium_of(content, label))


def medium_of(content: Content, label: str | None) -> Any:
    """The content's medium (an ``InputMedia…``) and caption, with the label where it fits."""
    words, entities = labelled(content, label)
    if utf16_length(words) > CAPTION_UNITS_MAX:
        words, entities = labelled(content, None)
    assert content.file_id is not None, content
    kind = _MEDIA[content.kind]
    return kind(media=content.file_id, caption=words or None, caption_entities=entities or None)


def _can_be_sent(contents: Sequence[Content]) -> bool:
    """Whether Telegram takes these as an album: pictures and films mix, other kinds do not."""
    kinds = {content.kind for content in contents}
    alike = kinds <= {ContentKind.PHOTO, ContentKind.VIDEO} or len(kinds) == 1
    return alike and all(c.file_id is not None and c.kind in _ALBUM for c in contents)


def _as_answer(
    content: Content, address: Address, found: Counterpart, label: str
) -> SendMessage | None:
    """The new words as an answer to a message that holds the old ones among others."""
    words, entities = labelled(content, label)
    if utf16_length(words) > TEXT_UNITS_MAX:
        words, entities = labelled(content, None)
    return SendMessage(
        chat_id=address.chat_id,
        message_thread_id=address.thread_id,
        text=words,
        entities=entities,
        reply_parameters=reply_to(found, content),
    )


def labelled(content: Content, label: str | None) -> tuple[str, list[MessageEntity]]:
    """The content's words behind a label, its entities moved along."""
    head = label or ""
    if head and content.text:
        head += "\n"
    return head + content.text, shifted(content.entities, utf16_length(head))
