"""What intake makes of an update: where it goes and what it says, or why it goes nowhere."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum

from actors.books import LinkedMessage, TopicAddress
from actors.effects import Text
from actors.ids import ChatId, TicketId, UserId
from actors.messages import Message, Technician
from actors.ports import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who is who: the bot's user name, the main groups and the administrators."""

    bot_id: UserId
    bot_username: str
    main_chats: Container[ChatId]
    admin_ids: frozenset[UserId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """To be stored; ``also`` is what else it means, to a ticket."""

    route: Route
    message: Message | None
    also: tuple[Route, Message] | None = None


class Ignored(StrEnum):
    """Why an update is not stored: there is nothing in it for anybody."""

    OWN = "own doing"
    BOT = "another bot"
    SERVICE = "service message"
    COMMAND = "command"
    OUTSIDE = "not a ticket's topic"
    KIND = "kind of update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A button that must not act: forged, stale or out of place. Answered and logged."""

    callback_id: str
    text: Text
    why: str
    language: str | None


type Translation = Accept | Ignored | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """What had to be asked for before an update can be understood."""

    topic: TopicAddress | None = None
    client_of_ticket: UserId | None = None
    technicians: Mapping[int, Technician]
    message: LinkedMessage | None = None
    """What is known of the message that the update is about: see ``message_of``."""
    latest_ticket: TicketId | None = None
    """The newest ticket of the client who is concerned, if that had to be known."""
