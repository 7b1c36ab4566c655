"""What the world is made of. Plain mutable objects: one loop owns them, nobody else writes."""

from dataclasses import dataclass, field
from typing import NewType

ANONYMOUS_ADMIN_ID = 1087968824
"""The account GroupAnonymousBot, in whose name anonymous admins of every group write."""

ICON_COLORS = (7322096, 16766590, 13338331, 9367192, 16749490, 16478047)
"""The six colours that a topic's icon may have; the first is the default."""

ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
    "can_pin_messages",
    "can_manage_topics",
)

Token = NewType("Token", str)
type Json = dict[str, object]


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """A person or a bot's account."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language: str | None = None
    is_bot: bool = False
    is_client: bool = False
    is_technician: bool = False
    deactivated: bool = False
    blocked: set[int] = field(default_factory=set)
    """Ids of the bots that this person has blocked."""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}" if self.last_name else self.first_name


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """Somebody's standing in a group. ``rights`` count for administrators only."""

    user: User
    status: str
    rights: frozenset[str] = frozenset()
    anonymous: bool = False

    @property
    def present(self) -> bool:
        return self.status not in {"left", "kicked"}

    @property
    def is_admin(self) -> bool:
        return self.status in {"creator", "administrator"}

    def may(self, right: str) -> bool:
        return self.status == "creator" or (self.status == "administrator" and right in self.rights)


@dataclass(slots=True, kw_only=True, eq=False)
class Topic:
    """A forum topic; ``thread_id`` is the id of its creation message."""

    thread_id: int
    name: str
    icon_color: int
    icon_custom_emoji_id: str | None = None
    closed: bool = False
    deleted: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """A message of any kind. ``body`` holds the Bot API's own content fields."""

    chat: "Chat"
    id: int
    at: float
    """Unix time, with fractions: the Bot API shows whole seconds, benchmarks need more."""
    sender: User
    kind: str
    body: Json
    anonymous: bool = False
    thread_id: int | None = None
    reply_to: int | None = None
    quote: Json | None = None
    """The part of the message replied to that the author marked: a ``TextQuote``."""
    markup: Json | None = None
    media_group_id: str | None = None
    edited_at: float | None = None
    deleted: bool = False
    protected: bool = False
    origin: Json | None = None
    """``forward_origin``, when this is a forward."""
    copied_from: tuple[int, int] | None = None
    """(chat, message) that ``copyMessage`` took this from: for checkers, never shown to bots."""
    reactions: dict[int, list[str]] = field(default_factory=dict)

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @property
    def text(self) -> str:
        value = self.body.get("text") or self.body.get("caption") or ""
        return value if isinstance(value, str) else ""


@dataclass(slots=True, kw_only=True, eq=False)
class Chat:
    """A private chat of one person with one bot, or a group.

    Messages stand in a list at ``id - 1``: ids count up per chat without gaps.
    """

    id: int
    type: str
    title: str = ""
    username: str | None = None
    is_forum: bool = False
    role: str = "main"
    user: User | None = None
    bot_id: int | None = None
    started: bool = False
    """Private chats: the person wrote first, so the bot may answer."""
    migrated_to: int | None = None
    description: str | None = None
    members: dict[int, Member] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    pinned: list[int] = field(default_factory=list)

    def message(self, message_id: int) -> Message | None:
        """The message unless it was never written or is deleted."""
        if not 0 < message_id <= len(self.messages):
            return None
        found = self.messages[message_id - 1]
        return None if found.deleted else found

    def member(self, user_id: int) -> Member | None:
        """Somebody's standing, ``None`` for those who never were here or are gone."""
        found = self.members.get(user_id)
        return found if found is not None and found.present else None


@dataclass(slots=True, kw_only=True, eq=False)
class Callback:
    """A press that waits for ``answerCallbackQuery``."""

    id: str
    bot_id: int
    user: User
    message: Message
    data: str
    pressed_at: float
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person saw after a press."""

    callback_query_id: str
    user_id: int
    chat_id: int
    text: str
    alert: bool
    at: float
