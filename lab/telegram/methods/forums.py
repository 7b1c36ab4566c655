"""Forum topics, as bots manage them. All need the right ``can_manage_topics``."""

from lab.telegram import topics
from lab.telegram.errors import bad_request
from lab.telegram.methods.base import Call, Method, chat_of, standing
from lab.telegram.model import Chat, Json, Topic


def _forum(call: Call, what: str) -> Chat:
    chat = chat_of(call)
    if not chat.is_forum:
        raise bad_request("the chat is not a forum")
    if not standing(call, chat).may("can_manage_topics"):
        raise bad_request(f"not enough rights to {what}")
    return chat


def _topic(call: Call, what: str) -> tuple[Chat, Topic]:
    chat = _forum(call, what)
    return chat, topics.find(chat, call.number("message_thread_id"))


def create_topic(call: Call) -> Json:
    chat = _forum(call, "create a topic")
    topic = topics.create(
        call.world,
        chat,
        call.bot.user,
        call.text("name"),
        icon_color=call.number("icon_color") or None,
        icon_custom_emoji_id=call.maybe_text("icon_custom_emoji_id"),
    )
    made: Json = {
        "message_thread_id": topic.thread_id,
        "name": topic.name,
        "icon_color": topic.icon_color,
    }
    if topic.icon_custom_emoji_id:
        made["icon_custom_emoji_id"] = topic.icon_custom_emoji_id
    return made


def edit_topic(call: Call) -> bool:
    chat, topic = _topic(call, "edit the topic")
    topics.rename(
        call.world,
        chat,
        call.bot.user,
        topic,
        name=call.maybe_text("name"),
        icon_custom_emoji_id=call.maybe_text("icon_custom_emoji_id"),
    )
    return True


def close_topic(call: Call) -> bool:
    chat, topic = _topic(call, "close or reopen the topic")
    topics.set_closed(call.world, chat, call.bot.user, topic, closed=True)
    return True


def reopen_topic(call: Call) -> bool:
    chat, topic = _topic(call, "close or reopen the topic")
    topics.set_closed(call.world, chat, call.bot.user, topic, closed=False)
    return True


def delete_topic(call: Call) -> bool:
    chat, topic = _topic(call, "delete the topic")
    topics.delete(call.world, chat, topic)
    return True


def unpin_all(call: Call) -> bool:
    chat, topic = _topic(call, "manage pinned messages in the chat")
    chat.pinned = [
        message_id
        for message_id in chat.pinned
        if (message := chat.message(message_id)) is None or message.thread_id != topic.thread_id
    ]
    return True


def icon_stickers(call: Call) -> list[Json]:
    del call  # the lab has no custom emoji, so no stickers for them
    return []


METHODS: dict[str, Method] = {
    "createforumtopic": create_topic,
    "editforumtopic": edit_topic,
    "closeforumtopic": close_topic,
    "reopenforumtopic": reopen_topic,
    "deleteforumtopic": delete_topic,
    "unpinallforumtopicmessages": unpin_all,
    "getforumtopiciconstickers": icon_stickers,
}
