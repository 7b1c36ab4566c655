"""What a message carries, by the one field that says so."""

from typing import Any

from aiogram.types import (
    Message,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
)

from actors.ids import ChatId, MessageId, ThreadId
from actors.messages import Content, ContentKind, Json, Quote
from bot.people import clean_name, person_of

_FIELDS: tuple[tuple[str, ContentKind], ...] = (
    ("animation", ContentKind.ANIMATION),  # before document: an animation carries both
    ("venue", ContentKind.VENUE),  # before location: a venue carries both
    ("text", ContentKind.TEXT),
    ("photo", ContentKind.PHOTO),
    ("video", ContentKind.VIDEO),
    ("document", ContentKind.DOCUMENT),
    ("audio", ContentKind.AUDIO),
    ("voice", ContentKind.VOICE),
    ("video_note", ContentKind.VIDEO_NOTE),
    ("sticker", ContentKind.STICKER),
    ("location", ContentKind.LOCATION),
    ("contact", ContentKind.CONTACT),
    ("poll", ContentKind.POLL),
    ("dice", ContentKind.DICE),
)

_FILES = frozenset(
    {
        ContentKind.PHOTO,
        ContentKind.VIDEO,
        ContentKind.ANIMATION,
        ContentKind.DOCUMENT,
        ContentKind.AUDIO,
        ContentKind.VOICE,
        ContentKind.VIDEO_NOTE,
        ContentKind.STICKER,
    }
)
"""Kinds that are a file, under a field of their own name."""

_UNSUPPORTED = (
    *("paid_media", "story", "game", "invoice", "giveaway", "giveaway_winners", "checklist"),
    *("live_photo", "rich_message", "gift", "unique_gift"),
)
"""Written by people, but not to be copied by a bot."""

_ENVELOPE = frozenset(
    {
        *("message_id", "from_user", "date", "chat", "message_thread_id", "is_topic_message"),
        *("sender_chat", "sender_boost_count", "sender_business_bot", "business_connection_id"),
        *("forward_origin", "is_automatic_forward", "reply_to_message", "external_reply", "quote"),
        *("reply_to_story", "via_bot", "edit_date", "has_protected_content", "is_from_offline"),
        *("media_group_id", "author_signature", "paid_star_count", "reply_markup", "effect_id"),
        *("direct_messages_topic", "is_paid_post", "reply_to_checklist_task_id", "sender_tag"),
        *("guest_bot_caller_user", "guest_bot_caller_chat", "guest_query_id"),
    }
)
"""Fields about a message rather than in it."""


def kind_of(message: Message) -> ContentKind | None:
    """The kind of what a person sent, ``None`` for a service message.

    A field that this program does not know, next to no field that it does, is a kind of a newer
    Bot API: something was said, so it counts as unsupported rather than as nothing.
    """
    for field, kind in _FIELDS:
        if getattr(message, field) is not None:
            return kind
    if any(getattr(message, field, None) is not None for field in _UNSUPPORTED):
        return ContentKind.UNSUPPORTED
    # pydantic counts fields that no model knows among those that were set.
    known = message.model_fields_set & type(message).model_fields.keys()
    if known - _ENVELOPE:
        return None
    return ContentKind.UNSUPPORTED if message.model_extra else None


def private_topic(message: Message) -> ThreadId | None:
    """The topic of a private chat that a message was written in, if the chat has any."""
    thread = message.message_thread_id if message.is_topic_message else None
    return None if thread is None else ThreadId(thread)


def content_of(message: Message, kind: ContentKind, raw: dict[str, Any]) -> Content:
    """The message's content; entities are taken from the raw update, untouched."""
    text = message.text if message.text is not None else message.caption
    entities = raw.get("entities" if message.text is not None else "caption_entities") or ()
    return Content(
        chat_id=ChatId(message.chat.id),
        message_id=MessageId(message.message_id),
        kind=kind,
        text=_storable(text or ""),
        entities=tuple(_entity(entity) for entity in entities),
        album=None if message.has_protected_content else message.media_group_id,
        reply_to=answered(message),
        quote=_quote(message, raw),
        origin=origin_of(message),
        file_id=_file_id(message, kind),
        protected=bool(message.has_protected_content),
    )


def answered(message: Message) -> MessageId | None:
    """The message that this one answers.

    A plain message in a topic seems to answer the one that made the topic.
    """
    answered = message.reply_to_message
    if answered is None or answered.message_id == message.message_thread_id:
        return None
    if answered.chat.id != message.chat.id:
        return None
    return MessageId(answered.message_id)


def _quote(message: Message, raw: dict[str, Any]) -> Quote | None:
    """What the author marked in the message that is answered."""
    quote = message.quote
    if quote is None or not quote.is_manual or answered(message) is None:
        return None
    shown = raw.get("quote")
    entities = shown.get("entities") or () if isinstance(shown, dict) else ()
    return Quote(
        text=_storable(quote.text),
        position=quote.position,
        entities=tuple(_entity(entity) for entity in entities),
    )


def origin_of(message: Message) -> str | None:
    """Whose message was forwarded; empty when it may not be told, ``None`` for one's own words."""
    match message.forward_origin:
        case None:
            return None
        case MessageOriginUser(sender_user=user):
            author = message.from_user
            return None if author is not None and author.id == user.id else person_of(user).name
        case MessageOriginHiddenUser(sender_user_name=name):
            return clean_name(name)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            return clean_name(chat.title or chat.username or "")


def _file_id(message: Message, kind: ContentKind) -> str | None:
    """The file of the message; of a photo's sizes the last is the largest."""
    medium = getattr(message, kind) if kind in _FILES else None
    if isinstance(medium, list):
        medium = medium[-1] if medium else None
    return None if medium is None else str(medium.file_id)


def _entity(entity: dict[str, Json]) -> dict[str, Json]:
    return dict(entity)


def _storable(text: str) -> str:
    """Postgres keeps no NUL, and a lone surrogate is no character at all."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
