"""Forum topics: made, renamed, closed, reopened, deleted, by bots and by people alike.

Who may do it is the caller's business; here are the changes and Telegram's words for the
impossible ones.
"""

from lab.telegram.errors import bad_request
from lab.telegram.model import ICON_COLORS, Chat, Json, Topic, User
from lab.telegram.view import topic_view
from lab.telegram.world import World

TOPIC_NAME_MAX = 128


def check_name(name: str) -> str:
    """The name, stripped. Telegram counts characters here, not UTF-16 units."""
    name = name.strip()
    if not name:
        raise bad_request("topic name must be non-empty")
    if len(name) > TOPIC_NAME_MAX:
        raise bad_request("TOPIC_TITLE_INVALID: topic name must be 1-128 characters long")
    return name


def create(
    world: World,
    chat: Chat,
    actor: User,
    name: str,
    *,
    icon_color: int | None = None,
    icon_custom_emoji_id: str | None = None,
    anonymous: bool = False,
) -> Topic:
    """Makes a topic; its thread id is the id of its creation message."""
    if not chat.is_forum:
        raise bad_request("the chat is not a forum")
    if icon_color is not None and icon_color not in ICON_COLORS:
        raise bad_request("invalid icon color specified")
    topic = Topic(
        thread_id=len(chat.messages) + 1,
        name=check_name(name),
        icon_color=icon_color or ICON_COLORS[0],
        icon_custom_emoji_id=icon_custom_emoji_id,
    )
    chat.topics[topic.thread_id] = topic
    _tell(world, chat, topic)
    created: Json = {"name": topic.name, "icon_color": topic.icon_color}
    if icon_custom_emoji_id:
        created["icon_custom_emoji_id"] = icon_custom_emoji_id
    world.service(
        chat,
        actor,
        {"forum_topic_created": created},
        thread_id=topic.thread_id,
        anonymous=anonymous,
    )
    return topic


def find(chat: Chat, thread_id: int) -> Topic:
    """The topic, for methods that manage topics."""
    topic = chat.topics.get(thread_id)
    if topic is None or topic.deleted:
        raise bad_request("TOPIC_ID_INVALID")
    return topic


def rename(
    world: World,
    chat: Chat,
    actor: User,
    topic: Topic,
    *,
    name: str | None,
    icon_custom_emoji_id: str | None = None,
) -> None:
    changes: Json = {}
    if name is not None and (checked := check_name(name)) != topic.name:
        changes["name"] = topic.name = checked
    if icon_custom_emoji_id is not None and icon_custom_emoji_id != topic.icon_custom_emoji_id:
        changes["icon_custom_emoji_id"] = topic.icon_custom_emoji_id = icon_custom_emoji_id
    if not changes:
        raise bad_request("TOPIC_NOT_MODIFIED")
    _tell(world, chat, topic)
    world.service(chat, actor, {"forum_topic_edited": changes}, thread_id=topic.thread_id)


def set_closed(world: World, chat: Chat, actor: User, topic: Topic, *, closed: bool) -> None:
    if topic.closed == closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.closed = closed
    _tell(world, chat, topic)
    kind = "forum_topic_closed" if closed else "forum_topic_reopened"
    world.service(chat, actor, {kind: {}}, thread_id=topic.thread_id)


def delete(world: World, chat: Chat, topic: Topic) -> None:
    """Deletes a topic with all its messages. No update tells a bot."""
    topic.deleted = True
    for message in chat.messages[topic.thread_id - 1 :]:
        if message.thread_id == topic.thread_id and not message.deleted:
            world.delete(message)
    _tell(world, chat, topic)


def _tell(world: World, chat: Chat, topic: Topic) -> None:
    world.events.publish("topic", lambda: {"chat_id": chat.id, "topic": topic_view(topic)})
