"""What people do to messages that are there: they change them and react to them."""

import re
from dataclasses import replace
from typing import Any

from aiogram.enums import ChatMemberStatus
from aiogram.types import (
    ChatMemberUpdated,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
    Update,
)

from actors.books import TopicAddress
from actors.ids import ChatId, MessageId
from actors.messages import (
    ClientLeft,
    ClientReturned,
    CloseRequested,
    ContentKind,
    DeleteRequested,
    Edited,
    Person,
    Reacted,
    ReopenRequested,
    TopicRenamed,
)
from actors.messages import Message as TicketMessage
from actors.places import CLIENT
from actors.ports import Route, ToClient, ToDesk, ToTicket
from bot.command import command_of
from bot.contents import answered, content_of, kind_of
from bot.meaning import Accept, Desk, Ignored, Lookups, Translation
from bot.people import author_of, clean_name, person_of

PRIVATE = "private"


_OURS_TO_GIVE = "emoji"
"""Kind of reaction; custom and paid ones are nothing that a bot could put on a message."""


def message_of(update: Update) -> tuple[ChatId, MessageId] | None:
    """The message that must be looked up before the update can be understood, if any."""
    edited = update.edited_message
    if edited is not None and edited.chat.type == PRIVATE:
        return ChatId(edited.chat.id), MessageId(edited.message_id)
    message = update.message
    if message is not None and is_delete(message) and message.chat.type != PRIVATE:
        target = answered(message)
        return None if target is None else (ChatId(message.chat.id), target)
    reaction = update.message_reaction
    if reaction is not None:
        return ChatId(reaction.chat.id), MessageId(reaction.message_id)
    return None


def edited(message: Message, raw: Any, desk: Desk, known: Lookups) -> Translation:
    """A changed text, caption or medium; a place on the move and the like change by themselves."""
    author = author_of(message)
    if author is None:
        return Ignored.BOT
    kind = kind_of(message)
    if kind is None or not (kind is ContentKind.TEXT or kind.takes_caption):
        return Ignored.KIND
    if command_of(message, desk) not in {None, "note"}:
        return Ignored.COMMAND
    content = content_of(message, kind, raw)
    if message.chat.type != PRIVATE:
        topic = known.topic
        if topic is None:
            return Ignored.OUTSIDE
        change = Edited(author=author, place=topic.place, content=content)
        return Accept(route=ToTicket(ticket_id=topic.ticket_id), message=change)
    change = Edited(author=author, place=CLIENT, content=content)
    if known.message is not None:
        return Accept(route=ToTicket(ticket_id=known.message.ticket_id), message=change)
    # Not relayed yet, so it waits in a lane of the client's newest ticket, before this change.
    return Accept(route=ToClient(client=author, is_text=False, opens=False), message=change)


def reacted(change: MessageReactionUpdated, known: Lookups) -> Translation:
    """A reaction on a message that stands elsewhere, too; anonymous ones count as the staff's."""
    if change.user is not None and change.user.is_bot:
        return Ignored.BOT
    emojis = [r.emoji for r in change.new_reaction if isinstance(r, ReactionTypeEmoji)]
    if change.new_reaction and not emojis:
        return Ignored.KIND
    before = {r.emoji for r in change.old_reaction if isinstance(r, ReactionTypeEmoji)}
    newest = [emoji for emoji in emojis if emoji not in before] or emojis
    chat_id, message_id = ChatId(change.chat.id), MessageId(change.message_id)
    emoji = newest[-1] if newest else None
    linked = known.message
    who = change.user or change.actor_chat
    reaction = Reacted(
        place=CLIENT,
        chat_id=chat_id,
        message_id=message_id,
        emoji=emoji,
        by=None if who is None else who.id,
    )
    if linked is not None and linked.place is not None:
        reaction = replace(
            reaction,
            place=linked.place,
            source_chat_id=linked.source_chat_id,
            source_message_id=linked.source_message_id,
        )
        return Accept(route=ToTicket(ticket_id=linked.ticket_id), message=reaction)
    if change.chat.type != PRIVATE or change.user is None:
        return Ignored.OUTSIDE
    route = ToClient(client=person_of(change.user), is_text=False, opens=False)
    return Accept(route=route, message=reaction)


DELETE_COMMAND = "delete"
EDIT_COMMAND = "edit"
_DELETE = re.compile(rf"/{DELETE_COMMAND}(?:@\w+)?(?:\s|$)", re.IGNORECASE)


def is_delete(message: Message) -> bool:
    return _DELETE.match(message.text or "") is not None


def delete_asked(message: Message, author: Person, topic: TopicAddress, known: Lookups) -> Accept:
    """``/delete``: about the message answered, or about what that is a copy of.

    What a person wrote a moment ago may not be linked yet; it stands for itself.
    """
    chat_id, message_id = None, None
    replied = message.reply_to_message
    if known.message is not None:
        chat_id = known.message.source_chat_id
        message_id = known.message.source_message_id
    elif answered(message) is not None and replied is not None and author_of(replied) is not None:
        chat_id, message_id = ChatId(replied.chat.id), MessageId(replied.message_id)
    wanted = DeleteRequested(
        by=author,
        place=topic.place,
        message_id=MessageId(message.message_id),
        target_chat_id=chat_id,
        target_message_id=message_id,
    )
    return Accept(route=ToTicket(ticket_id=topic.ticket_id), message=wanted)


def topic_changed(message: Message, author: Person, known: Lookups) -> Translation:
    """What people do to a ticket's topic itself; other service messages say nothing to us."""
    topic = known.topic
    if topic is None:
        return Ignored.SERVICE
    route = ToTicket(ticket_id=topic.ticket_id)
    if message.forum_topic_closed is not None:
        closing = CloseRequested(by=author, place=topic.place, by_hand=True)
        return Accept(route=route, message=closing)
    if message.forum_topic_reopened is not None:
        latest = known.latest_ticket or topic.ticket_id
        opening = ReopenRequested(by=author, place=topic.place, latest=latest)
        return Accept(route=route, message=opening)
    edited = message.forum_topic_edited
    if edited is not None and edited.name:
        naming = TopicRenamed(by=author, place=topic.place, name=clean_name(edited.name))
        return Accept(route=route, message=naming)
    return Ignored.SERVICE


def membership(change: ChatMemberUpdated, known: Lookups) -> Accept:
    """The bot's place in a chat changed: for the desk, and for the ticket of a client."""
    also: tuple[Route, TicketMessage] | None = None
    if change.chat.type == PRIVATE and known.latest_ticket is not None:
        gone = change.new_chat_member.status == ChatMemberStatus.KICKED
        news = ClientLeft() if gone else ClientReturned()
        also = ToTicket(ticket_id=known.latest_ticket), news
    return Accept(route=ToDesk(), message=None, also=also)
