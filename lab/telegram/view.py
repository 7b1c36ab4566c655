"""The world's objects as the page and the control API show them: all that a person may see."""

from typing import TYPE_CHECKING

from lab.telegram.model import Chat, Json, Message, Topic, User

if TYPE_CHECKING:
    from lab.telegram.world import World

_MEDIA_FIELDS = (
    "duration",
    "width",
    "height",
    "latitude",
    "longitude",
    "title",
    "address",
    "first_name",
    "last_name",
    "question",
    "emoji",
    "value",
    "performer",
)


def user_view(user: User, world: "World") -> Json:
    first_bot = next(iter(world.bots), None)
    return {
        "id": user.id,
        "name": user.name,
        "username": user.username,
        "language": user.language,
        "is_client": user.is_client,
        "is_technician": user.is_technician,
        "blocked": first_bot in user.blocked,
    }


def topic_view(topic: Topic) -> Json:
    shown: Json = {
        "thread_id": topic.thread_id,
        "name": topic.name,
        "closed": topic.closed,
        "icon_color": topic.icon_color,
    }
    return shown | {"deleted": True} if topic.deleted else shown


def chat_view(chat: Chat) -> Json:
    """A chat without its messages."""
    members = (
        [chat.user.id]
        if chat.user is not None
        else [member.user.id for member in chat.members.values() if member.present]
    )
    return {
        "id": chat.id,
        "type": chat.type,
        "title": chat.title,
        "role": chat.role,
        "is_forum": chat.is_forum,
        "members": members,
        "topics": [topic_view(topic) for topic in chat.topics.values() if not topic.deleted],
    }


def message_view(message: Message) -> Json:
    sender: Json = {
        "id": message.sender.id,
        "name": message.chat.title if message.anonymous else message.sender.name,
        "is_bot": message.sender.is_bot,
        "anonymous": message.anonymous,
    }
    return {
        "chat_id": message.chat.id,
        "message_id": message.id,
        "thread_id": message.thread_id,
        "date": int(message.at),
        "at": message.at,
        "from": sender,
        "kind": message.kind,
        "text": message.text,
        "entities": message.body.get("entities") or message.body.get("caption_entities") or [],
        "media": _media_view(message),
        "reply_to": message.reply_to,
        "quote": None if message.quote is None else message.quote["text"],
        "edited": message.edited_at is not None,
        "buttons": _buttons(message.markup),
        "reactions": [
            {"emoji": emoji, "from": user_id}
            for user_id, emojis in message.reactions.items()
            for emoji in emojis
        ],
        "service": _service_text(message) if message.is_service else None,
        "media_group_id": message.media_group_id,
        "copied_from": list(message.copied_from) if message.copied_from else None,
        "forwarded": message.origin is not None,
        "origin": message.origin,
        "deleted": message.deleted,
    }


def _buttons(markup: Json | None) -> list[list[Json]] | None:
    rows = (markup or {}).get("inline_keyboard")
    if not isinstance(rows, list):
        return None
    return [[_button(button) for button in row] for row in rows]


def _button(button: Json) -> Json:
    shown: Json = {"text": button["text"]}
    if "callback_data" in button:
        shown["data"] = button["callback_data"]
    if "url" in button:
        shown["url"] = button["url"]
    return shown


def _media_view(message: Message) -> Json | None:
    content = message.body.get(message.kind)
    if isinstance(content, list) and content:
        content = content[-1]  # a photo's sizes: the last is the largest
    if message.is_service or not isinstance(content, dict):
        return None
    shown: Json = {"kind": message.kind}
    source = {**content.get("location", {}), **content} if message.kind == "venue" else content
    shown |= {name: source[name] for name in _MEDIA_FIELDS if name in source}
    if "phone_number" in content:
        shown["phone"] = content["phone_number"]
    if message.kind == "poll":
        shown["options"] = [
            {"text": option["text"], "votes": option["voter_count"]}
            for option in content.get("options", ())
        ]
    if "file_id" in content:
        shown["file_id"] = content["file_id"]
        shown["name"] = content.get("file_name")
        shown["size"] = content.get("file_size")
        shown["mime"] = content.get("mime_type", "image/png")
        shown["url"] = f"/lab/file/{content['file_id']}"
    return shown


def _service_text(message: Message) -> str:
    """A service message in words, as a messenger shows it between the bubbles."""
    who = message.sender.name
    kind = next(iter(message.body), "service")
    content = message.body.get(kind)
    name = content.get("name") if isinstance(content, dict) else None
    match kind:
        case "forum_topic_created":
            return f"{who} created the topic «{name}»"
        case "forum_topic_edited":
            return f"{who} renamed the topic to «{name}»" if name else f"{who} changed the topic"
        case "forum_topic_closed":
            return f"{who} closed the topic"
        case "forum_topic_reopened":
            return f"{who} reopened the topic"
        case "supergroup_chat_created":
            return f"{who} created the group"
        case "new_chat_members":
            return f"{who} joined or added somebody"
        case "left_chat_member":
            return f"{who} left or removed somebody"
        case "pinned_message":
            return f"{who} pinned a message"
        case "new_chat_title":
            return f"{who} changed the title to «{content}»"
        case _:
            return f"{who}: {kind.replace('_', ' ')}"
