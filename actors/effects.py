"""What a ticket wants done in the world. Nothing here happens before its commit.

Effects name places, not chats, and texts by key, not by words: the edge knows the addresses, the
languages and Telegram's rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from actors.ids import ChatId, MessageId, TechnicianId, ThreadId
from actors.messages import Content
from actors.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text by its key in the catalogue, with what goes into it.

    ``key`` is the message id in ``bot/locales/*.ftl``; args are plain, unescaped values.
    """

    key: str
    args: Mapping[str, str | int] = field(default_factory=dict)


class Part(StrEnum):
    """How much of a message one copy holds."""

    WHOLE = "whole"
    MEDIUM = "medium"
    """Without its caption."""
    WORDS = "words"
    """The caption alone, as a text."""


class KeyboardKind(StrEnum):
    TRIAGE = "triage"
    """One button per active technician, and close. Drawn for the staff in the main topic."""
    MIRROR = "mirror"
    """Close. Drawn in a technician's topic."""
    SCORES = "scores"
    """1–5 for one question of the survey."""
    SKIP = "skip"
    """Skip the comment."""
    RESEND = "resend"
    """Send what waited for the client. Drawn for the staff in the main topic."""
    RETRY = "retry"
    """Try again what could not be delivered. Drawn for the staff in the main topic."""
    COMMENT = "comment"
    """Add a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyboard:
    """Buttons by what they are for; who is active is filled in when they are drawn.

    ``generation`` and ``technician_id`` (the one assigned, if any) concern ``TRIAGE``; ``question``
    (1–3) concerns ``SCORES``; ``card`` names what ``RETRY`` is about.
    """

    kind: KeyboardKind
    generation: int = 0
    technician_id: TechnicianId | None = None
    question: int = 0
    card: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTopic:
    """Make the forum topic of a place. First in its lane: all else for the place waits for it."""

    place: Place
    title: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTopic:
    """Give the topic its new title. Only the newest one of a topic is ever sent."""

    place: Place
    title: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTopic:
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenTopic:
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Relay somebody's message. ``label`` says whose it is, where the reader could not tell.

    Its author, in the place ``receipt``, is shown that it arrived. ``thread_id`` is the topic of
    the client's private chat that it goes to, if that has any.
    """

    place: Place
    content: Content
    label: Text | None = None
    receipt: Place | None = None
    part: Part = Part.WHOLE
    thread_id: ThreadId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditCopy:
    """Change the copy of a message as its author changed the message; label as in :class:`Copy`.

    Nothing where there is no copy. A copy that cannot be changed, because it holds other messages
    too, gets the new words as an answer to it.
    """

    place: Place
    content: Content
    label: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyHistory:
    """Copy what was said so far, from after inbox ``seq`` on, in order, labels as recorded.

    Expanded by the commit itself, from the ``said`` events of *earlier* commits; so a turn that
    holds this effect holds no message before the one that caused it.
    """

    place: Place
    after_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resend:
    """Put a row of the outbox that could not be delivered into its lane again, as it was.

    Expanded by the commit itself; nothing when the row is none of the ticket's that failed.
    """

    place: Place
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCard:
    """The client's card (from the directory, else from Telegram), with buttons, tagged ``card``.

    ``former`` is the number of the client's ticket before this one, 0 for none.
    """

    place: Place
    keyboard: Keyboard
    former: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A message of the bot's own. ``tag`` lets a later :class:`Edit` find it again.

    It answers ``reply_to``; with ``of_chat`` that is named as it stands there, as in
    :class:`React`. ``thread_id`` as in :class:`Copy`.
    """

    place: Place
    text: Text
    keyboard: Keyboard | None = None
    tag: str | None = None
    reply_to: MessageId | None = None
    of_chat: ChatId | None = None
    thread_id: ThreadId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Change a tagged message. ``text=None`` changes the buttons only; no keyboard removes them.

    With ``former`` it is the client's card, which is drawn anew: see :class:`ShowCard`.
    """

    place: Place
    tag: str
    text: Text | None = None
    keyboard: Keyboard | None = None
    former: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class React:
    """Put the bot's reaction on a message in this place; ``None`` takes it back.

    A bot has one reaction for each message, so the newest stays. With ``of_chat`` the message is
    named as it stands there, and the one meant is what stands for it here, if anything does.
    """

    place: Place
    message_id: MessageId
    emoji: str | None
    of_chat: ChatId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Take what stands in this place for a message of ``of_chat`` away; ``by`` wanted it so."""

    place: Place
    of_chat: ChatId
    message_id: MessageId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPress:
    """Answer a button press. Goes out at once, in no lane: it is worthless after 150 s."""

    callback_id: str
    text: Text | None = None
    alert: bool = False


type Effect = (
    OpenTopic
    | RenameTopic
    | CloseTopic
    | ReopenTopic
    | Copy
    | EditCopy
    | CopyHistory
    | Resend
    | ShowCard
    | Say
    | Edit
    | React
    | Delete
    | AnswerPress
)

EFFECT_TYPES: tuple[type[Effect], ...] = (
    OpenTopic,
    RenameTopic,
    CloseTopic,
    ReopenTopic,
    Copy,
    EditCopy,
    CopyHistory,
    Resend,
    ShowCard,
    Say,
    Edit,
    React,
    Delete,
    AnswerPress,
)

CARD_TAG = "card"
SURVEY_TAG = "survey"
RETURN_TAG = "return"
