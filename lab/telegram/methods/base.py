"""What every method shares: the call, and the looks at chats, threads and replies.

Checks are made in Telegram's order: chat, thread, reply, then content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lab.telegram import errors
from lab.telegram.bots import Bot
from lab.telegram.errors import bad_request
from lab.telegram.model import Chat, Json, Member, Message
from lab.telegram.people import quote_of
from lab.telegram.render import message_json
from lab.telegram.texts import CAPTION_UNITS_MAX, TEXT_UNITS_MAX, marked_text
from lab.telegram.webhook import WebhookPush, WebhookTarget
from lab.telegram.world import World


class Webhooks(Protocol):
    """The server's side of webhooks."""

    def set_webhook(self, bot: Bot, target: WebhookTarget) -> None: ...

    def delete_webhook(self, bot: Bot) -> None: ...

    def webhook_of(self, bot: Bot) -> WebhookPush | None: ...


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """A call of the Bot API with its checked parameters."""

    world: World
    bot: Bot
    given: Json
    webhooks: Webhooks

    def text(self, name: str, default: str = "") -> str:
        value = self.given.get(name, default)
        assert isinstance(value, str)
        return value

    def number(self, name: str, default: int = 0) -> int:
        value = self.given.get(name, default)
        assert isinstance(value, int)
        return value

    def flag(self, name: str) -> bool:
        return self.given.get(name) is True

    def maybe_text(self, name: str) -> str | None:
        value = self.given.get(name)
        return value if isinstance(value, str) else None

    def object(self, name: str) -> Json | None:
        value = self.given.get(name)
        return value if isinstance(value, dict) else None

    def objects(self, name: str) -> list[Json] | None:
        value = self.given.get(name)
        return value if isinstance(value, list) else None

    def numbers(self, name: str) -> list[int]:
        value = self.given.get(name)
        assert isinstance(value, list)
        return value


type Method = Callable[[Call], object]


def chat_of(call: Call, name: str = "chat_id") -> Chat:
    """A chat that the bot may look at: it is in it, or a person has met it.

    Raises:
        ApiError: Chat not found, migrated, kicked, or not a member.
    """
    chat_id = call.given.get(name)
    world, bot = call.world, call.bot
    if isinstance(chat_id, str):
        plain = chat_id.removeprefix("@").lower()
        named = (c for c in world.groups.values() if (c.username or "").lower() == plain)
        chat = next(named, None)
    elif isinstance(chat_id, int) and chat_id > 0:
        return _private(call, chat_id)
    else:
        chat = world.groups.get(chat_id) if isinstance(chat_id, int) else None
    if chat is None:
        raise errors.chat_not_found()
    if chat.migrated_to is not None:
        raise errors.migrated(chat.migrated_to)
    member = chat.members.get(bot.id)
    if member is not None and member.status == "kicked":
        raise errors.kicked_from_group()
    if member is None:
        raise errors.chat_not_found()
    if not member.present:
        raise errors.not_a_member()
    return chat


def _private(call: Call, user_id: int) -> Chat:
    user = call.world.users.get(user_id)
    if user is None:
        raise errors.chat_not_found()
    if user.is_bot:
        raise errors.forbidden("the bot can't send messages to the bot")
    chat = call.world.private.get((call.bot.id, user_id))
    if chat is None or not chat.started:
        raise errors.forbidden("bot can't initiate conversation with a user")
    return chat


def target_of(call: Call) -> tuple[Chat, int | None]:
    """Where a sending method writes: the chat and the thread.

    Raises:
        ApiError: As :func:`chat_of`; blocked or deactivated people; no such or a closed topic.
    """
    chat = chat_of(call)
    user = chat.user
    if user is not None:
        if user.deactivated:
            raise errors.forbidden("user is deactivated")
        if call.bot.id in user.blocked:
            raise errors.blocked_by_user()
    thread_id = call.given.get("message_thread_id")
    if thread_id is None:
        return chat, None
    assert isinstance(thread_id, int)
    topic = chat.topics.get(thread_id)
    if topic is None or topic.deleted:
        raise errors.thread_not_found()
    if topic.closed and not standing(call, chat).is_admin:
        raise bad_request("TOPIC_CLOSED")
    return chat, thread_id


def standing(call: Call, chat: Chat) -> Member:
    """The bot's membership in a group that :func:`chat_of` let it into."""
    member = chat.member(call.bot.id)
    assert member is not None
    return member


def reply_of(call: Call, chat: Chat) -> int | None:
    """The message replied to, ``None`` when none is wanted or it may be missing."""
    wanted = call.object("reply_parameters")
    if wanted is None:
        number = call.given.get("reply_to_message_id")
        if number is None:
            return None
        wanted = {
            "message_id": number,
            "allow_sending_without_reply": call.flag("allow_sending_without_reply"),
        }
    message_id = wanted["message_id"]
    if wanted.get("chat_id", chat.id) != chat.id:
        return None  # a reply across chats shows as a quotation only
    assert isinstance(message_id, int)
    if chat.message(message_id) is not None:
        return message_id
    if wanted.get("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def quoted(call: Call, chat: Chat, reply_to: int | None) -> Json | None:
    """The part of the message replied to that is marked: it must stand there word for word."""
    wanted = (call.object("reply_parameters") or {}).get("quote")
    if reply_to is None or not isinstance(wanted, str):
        return None
    found = quote_of(chat, reply_to, wanted)
    if found is None:
        raise bad_request("QUOTE_TEXT_INVALID")
    return found


def thread_of_reply(chat: Chat, thread_id: int | None, reply_to: int | None) -> int | None:
    """A reply without a thread goes to the thread of what it replies to."""
    if thread_id is not None or reply_to is None:
        return thread_id
    replied = chat.message(reply_to)
    return replied.thread_id if replied is not None else None


def text_content(call: Call) -> Json:
    """``text`` with ``parse_mode`` or ``entities``, checked."""
    text, entities = marked_text(
        call.text("text"),
        call.maybe_text("parse_mode"),
        call.objects("entities"),
        units_max=TEXT_UNITS_MAX,
    )
    if not text:
        raise bad_request("message text is empty")
    return {"text": text, "entities": entities} if entities else {"text": text}


def caption_content(given: Json) -> Json:
    """``caption`` with ``parse_mode`` or ``caption_entities``; empty when there is none."""
    caption, mode, marks = (
        given.get("caption"),
        given.get("parse_mode"),
        given.get("caption_entities"),
    )
    if not isinstance(caption, str):
        return {}
    text, entities = marked_text(
        caption,
        mode if isinstance(mode, str) else None,
        marks if isinstance(marks, list) else None,
        units_max=CAPTION_UNITS_MAX,
    )
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def post(
    call: Call, kind: str, body: Json, target: tuple[Chat, int | None] | None = None
) -> Message:
    """Writes a message of the bot with what every sending method takes."""
    chat, thread_id = target or target_of(call)
    reply_to = reply_of(call, chat)
    return call.world.post(
        chat,
        call.bot.user,
        kind,
        body,
        thread_id=thread_of_reply(chat, thread_id, reply_to),
        reply_to=reply_to,
        quote=quoted(call, chat, reply_to),
        markup=call.object("reply_markup"),
        protected=call.flag("protect_content"),
    )


def shown(message: Message) -> Json:
    return message_json(message)
