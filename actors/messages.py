"""What a ticket can be told. Commands are imperative or requests, events are in the past tense.

The edge builds these from Telegram updates that it has validated; the inbox keeps them as JSON and
hands them to the ticket one at a time, in order, each in an :class:`Envelope`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import get_args

from actors.ids import ChatId, MessageId, Seq, TechnicianId, ThreadId, TicketId, UserId
from actors.places import Place

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in Telegram, as the update described them.

    ``name`` is never empty: the edge falls back to the user name, then to the id.
    """

    id: UserId
    name: str
    username: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Technician:
    """A technician as configured: one name, one group, perhaps one Telegram user."""

    id: TechnicianId
    name: str
    chat_id: ChatId
    user_id: UserId | None = None


class ContentKind(StrEnum):
    """What a message carries. Everything but ``UNSUPPORTED`` can be copied by ``copyMessage``."""

    TEXT = "text"
    PHOTO = "photo"
    VIDEO = "video"
    ANIMATION = "animation"
    DOCUMENT = "document"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO_NOTE = "video_note"
    STICKER = "sticker"
    LOCATION = "location"
    VENUE = "venue"
    CONTACT = "contact"
    POLL = "poll"
    DICE = "dice"
    UNSUPPORTED = "unsupported"
    """Invoices, giveaways, paid media, stories, games, and kinds newer than this program."""

    @property
    def takes_caption(self) -> bool:
        return self in _CAPTIONED


_CAPTIONED = frozenset(
    {
        ContentKind.PHOTO,
        ContentKind.VIDEO,
        ContentKind.ANIMATION,
        ContentKind.DOCUMENT,
        ContentKind.AUDIO,
        ContentKind.VOICE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The part of a message that a reply is about; ``position`` counts UTF-16 units."""

    text: str
    position: int = 0
    entities: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message as it stands in the chat where it was written.

    ``text`` is the text or the caption, empty when there is none; ``entities`` are Telegram's own
    ``MessageEntity`` objects for it, untouched (offsets count UTF-16 units). ``album`` names the
    album (``media_group_id``) that the message is a part of.

    ``reply_to`` is the message of the same chat that this one answers; ``origin`` is whose message
    was forwarded, empty when that person's name is hidden, ``None`` for a message of the author's
    own. ``file_id`` is what media can be sent anew with, by the same bot. ``protected``: its sender
    does not want it passed on, so it is kept from being forwarded where it goes.
    """

    chat_id: ChatId
    message_id: MessageId
    kind: ContentKind
    text: str = ""
    entities: tuple[Mapping[str, Json], ...] = ()
    album: str | None = None
    reply_to: MessageId | None = None
    quote: Quote | None = None
    origin: str | None = None
    file_id: str | None = None
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button press that waits for its answer (Telegram forgets it after about 150 s)."""

    callback_id: str
    by: Person


# --- what people do -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWrote:
    """The client wrote in the private chat, perhaps in a topic of it."""

    author: Person
    content: Content
    thread_id: ThreadId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffWrote:
    """Somebody of the staff wrote in the ticket's main topic (anonymous admins included)."""

    author: Person
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicianWrote:
    """Somebody wrote in the ticket's topic in a technician's group."""

    author: Person
    technician_id: TechnicianId
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message was changed where it was written; ``content`` is what it is now."""

    author: Person
    place: Place
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    """Somebody put a reaction on a message of ``place``, or (``None``) took it back.

    ``source_…`` is the message that this one is a copy of, if it is one; ``by`` is who reacted, a
    person or, for the anonymous, a chat.
    """

    place: Place
    chat_id: ChatId
    message_id: MessageId
    emoji: str | None
    by: int | None = None
    source_chat_id: ChatId | None = None
    source_message_id: MessageId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequested:
    """``/delete`` as an answer to a message: the client shall not have it any more.

    ``target_…`` is the original of what was answered, ``None`` when nothing of people's was.
    """

    by: Person
    place: Place
    message_id: MessageId
    target_chat_id: ChatId | None = None
    target_message_id: MessageId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HintAsked:
    """``/edit``, which nobody needs: it is answered with what to do instead."""

    place: Place
    message_id: MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRequested:
    """A button of the card was pressed.

    ``generation`` is the one that the keyboard was drawn with: when the ticket has moved on since,
    the press lost a race and is told who was first.
    """

    press: Press
    technician: Technician
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequested:
    """``/close`` or the close button, in the main topic or in a mirror topic.

    ``by_hand``: somebody closed the topic itself, with Telegram's own means.
    """

    by: Person
    place: Place
    press: Press | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenRequested:
    """Somebody opened the topic again by hand; ``latest`` is the client's newest ticket."""

    by: Person
    place: Place
    latest: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLeft:
    """The client blocked the bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReturned:
    """The client let the bot in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendRequested:
    """The staff want what waited for the client's return to be sent now."""

    press: Press


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequested:
    """The staff want what a card says was not delivered to be sent again."""

    press: Press
    card: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BanRequested:
    """``/ban`` or ``/unban`` in the main topic; it is in force already."""

    by: Person
    banned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRenamed:
    """Somebody gave the topic another name by hand."""

    by: Person
    place: Place
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGiven:
    """The client pressed a mark of the survey: ``question`` 1–3, ``score`` 1–5."""

    press: Press
    question: int
    score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentOffered:
    """The client pressed "add a comment" under a survey of fives."""

    press: Press


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentSkipped:
    """The client pressed "skip" when asked what to improve."""

    press: Press


# --- what the program reports ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicOpened:
    """Delivery made the topic of a place."""

    place: Place
    chat_id: ChatId
    thread_id: ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """Delivery took a message out of the client's chat, or found that it was not there."""

    by: str
    chat_id: ChatId
    message_id: MessageId


class FailureReason(StrEnum):
    """Why something could not be delivered at all. Passing troubles are retried, not reported."""

    CLIENT_BLOCKED = "client_blocked"
    """The client blocked the bot, deleted the account or never started the chat."""
    CHAT_GONE = "chat_gone"
    """The group is gone, or the bot was removed from it or lost a right that it needs."""
    UNCOPYABLE = "uncopyable"
    """Telegram refuses to copy this message."""
    SOURCE_GONE = "source_gone"
    """The message was deleted before it could be copied."""
    REFUSED = "refused"
    """Any other final answer; ``detail`` has Telegram's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed:
    """An effect for ``place`` ended as undeliverable; ``content`` is set when it was a copy.

    ``row`` is its number in the outbox, where it may be tried again.
    """

    place: Place
    effect: str
    reason: FailureReason
    detail: str
    content: Content | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer that this ticket armed is due."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An inbox row that this program cannot read; it is given up at once, with ``detail``."""

    detail: str


type Message = (
    ClientWrote
    | StaffWrote
    | TechnicianWrote
    | Edited
    | Reacted
    | DeleteRequested
    | HintAsked
    | AssignRequested
    | CloseRequested
    | ReopenRequested
    | TopicRenamed
    | ClientLeft
    | ClientReturned
    | ResendRequested
    | RetryRequested
    | BanRequested
    | ScoreGiven
    | CommentOffered
    | CommentSkipped
    | TopicOpened
    | Deleted
    | DeliveryFailed
    | TimerFired
    | Unreadable
)

MESSAGE_TYPES: tuple[type[Message], ...] = get_args(Message.__value__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message with its place in the ticket's order.

    ``key`` is the inbox's unique key (``tg:<bot>:<update_id>``, ``sent:<outbox id>:<what>``,
    ``timer:<timer id>:<arming>``, ``moved:<key>``): the same cause can never enter twice.
    ``owner`` is the run that owned the ticket when this was stored, if any: a hint for routing.
    ``trace`` is the trace that the message belongs to, as W3C's ``traceparent``.
    """

    ticket_id: TicketId
    seq: Seq
    key: str
    received_at: datetime
    message: Message
    owner: str | None = field(default=None, compare=False)
    trace: str | None = field(default=None, compare=False)
