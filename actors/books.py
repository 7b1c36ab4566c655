"""What the edge looks up: whose topic a thread is, and which message is the copy of which."""

from dataclasses import dataclass
from typing import Protocol

from actors.ids import ChatId, MessageId, ThreadId, TicketId, UserId
from actors.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicAddress:
    """A forum topic that belongs to a ticket. Immutable once made, so it may be cached."""

    ticket_id: TicketId
    place: Place


class TopicBook(Protocol):
    async def find_topic(self, chat_id: ChatId, thread_id: ThreadId) -> TopicAddress | None:
        """Whose topic this is, ``None`` when it belongs to no ticket."""

    async def client_of(self, ticket_id: TicketId) -> UserId | None:
        """The ticket's client, ``None`` when there is no such ticket."""

    async def latest_ticket(self, ticket_id: TicketId) -> TicketId | None:
        """The newest ticket of the same client, read anew each time."""

    async def ticket_of(self, client: UserId) -> TicketId | None:
        """The client's newest ticket, read anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedMessage:
    """A message that was relayed, or the copy of one.

    ``place`` is where it stands (``None``: in a topic that is no longer the ticket's); ``source_…``
    is what it is a copy of, or itself.
    """

    ticket_id: TicketId
    place: Place | None
    source_chat_id: ChatId
    source_message_id: MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """The same message in another chat; ``is_shared`` when it holds further messages, too.

    ``bot_id`` is the bot that wrote it, if several could have; ``None`` for the main bot.
    """

    message_id: MessageId
    is_copy: bool
    is_shared: bool
    bot_id: UserId | None = None


class MessageBook(Protocol):
    """Which message in one chat is the copy of which in another."""

    async def find(self, chat_id: ChatId, message_id: MessageId) -> LinkedMessage | None:
        """What is known of a message, ``None`` when it was never relayed and is no copy."""

    async def counterpart(
        self, ticket_id: TicketId, chat_id: ChatId, message_id: MessageId, in_chat: ChatId
    ) -> Counterpart | None:
        """The message of another chat that stands for this one, the newest if there are several.

        Either of them may be the original, or both may be copies of a third.
        """
