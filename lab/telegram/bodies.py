"""What the control API and the page may send, checked by pydantic: unknown fields are errors."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

type JsonObject = dict[str, Any]


class Body(BaseModel):
    """Strict about names; numbers may come as text, because forms send them so."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewBot(Body):
    token: str
    username: str
    name: str | None = None
    privacy: bool = True


class NewUser(Body):
    name: str
    id: int | None = None
    username: str | None = None
    language: str | None = None
    is_client: bool = True
    is_technician: bool = False


class NewGroup(Body):
    title: str
    id: int | None = None
    forum: bool = True
    role: Literal["main", "tech"] = "main"
    members: list[int] = []
    admins: list[int] = []


class Send(Body):
    user: int
    chat: int
    text: str = ""
    kind: str = "text"
    payload: JsonObject | None = None
    thread: int | None = None
    reply_to: int | None = None
    quote: str | None = None
    entities: list[JsonObject] | None = None
    anonymous: bool = False
    media_group_id: str | None = None
    protected: bool = False
    origin: JsonObject | None = None
    premium: bool = False
    bot: int | None = None


class SendMany(Body):
    messages: list[Send]


class Edit(Body):
    """``kind`` puts another medium in the place of the one that is there."""

    user: int
    chat: int
    message_id: int
    text: str = ""
    entities: list[JsonObject] | None = None
    kind: str | None = None


class Press(Body):
    user: int
    chat: int
    message_id: int
    data: str | None = None
    row: int | None = None
    column: int = 0
    text: str | None = None
    forged: bool = False


class React(Body):
    user: int
    chat: int
    message_id: int
    emoji: str | None = None


class Block(Body):
    user: int
    bot: int | None = None


class TopicAction(Body):
    user: int
    chat: int
    action: Literal["create", "rename", "close", "reopen", "delete"]
    thread: int | None = None
    name: str | None = None


class Kick(Body):
    chat: int
    user: int
    banned: bool = True


class Join(Body):
    chat: int
    user: int


class Promote(Body):
    chat: int
    user: int
    rights: list[str] | None = None
    admin: bool = True


class Migrate(Body):
    chat: int


class SetLimits(Body):
    enabled: bool
    scale: float = Field(default=1.0, gt=0)


class AddFault(Body):
    kind: str
    method: str = "*"
    chat_id: int | None = None
    probability: float = 1.0
    times_left: int | None = None
    seconds: float = Field(default=30.0, ge=0)
    code: int = 500
    description: str = "Internal Server Error"
    retry_after: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=1)


class ClearFaults(Body):
    id: int | None = None


class Delete(Body):
    chat: int
    message_id: int


class Nothing(Body):
    """A request without parameters."""


class PageSend(Body):
    user_id: int
    chat_id: int
    thread_id: int | None = None
    text: str = ""
    kind: str | None = None
    media: JsonObject | None = None
    reply_to: int | None = None
    anonymous: bool = False


class PageEdit(Body):
    user_id: int
    chat_id: int
    message_id: int
    text: str


class PagePress(Body):
    user_id: int
    chat_id: int
    message_id: int
    row: int = Field(ge=0)
    column: int = Field(ge=0)


class PageReact(Body):
    user_id: int
    chat_id: int
    message_id: int
    emoji: str | None = None


class PageTopic(Body):
    user_id: int
    chat_id: int
    action: Literal["create", "rename", "close", "reopen", "delete"]
    thread_id: int | None = None
    name: str | None = None


class PageClient(Body):
    name: str | None = None
    username: str | None = None
    language: str | None = None


class PageBlock(Body):
    user_id: int
    blocked: bool
