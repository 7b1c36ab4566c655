"""The world's objects as the Bot API shows them to a bot."""

from lab.telegram.model import ADMIN_RIGHTS, ANONYMOUS_ADMIN_ID, Chat, Json, Member, Message, User

_GROUP_ANONYMOUS_BOT: Json = {
    "id": ANONYMOUS_ADMIN_ID,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
_ACCENT_COLORS = 7


def user_json(user: User) -> Json:
    shown: Json = {"id": user.id, "is_bot": user.is_bot, "first_name": user.first_name}
    if user.last_name:
        shown["last_name"] = user.last_name
    if user.username:
        shown["username"] = user.username
    if user.language and not user.is_bot:
        shown["language_code"] = user.language
    return shown


def chat_json(chat: Chat) -> Json:
    shown: Json = {"id": chat.id, "type": chat.type}
    user = chat.user
    if user is None:
        shown["title"] = chat.title
        if chat.username:
            shown["username"] = chat.username
        if chat.is_forum:
            shown["is_forum"] = True
        return shown
    shown["first_name"] = user.first_name
    if user.last_name:
        shown["last_name"] = user.last_name
    if user.username:
        shown["username"] = user.username
    return shown


def message_json(message: Message, *, nested: bool = False) -> Json:
    """A message; ``nested`` leaves out what it replies to, as Telegram does one level down."""
    chat = message.chat
    shown: Json = {
        "message_id": message.id,
        "from": _GROUP_ANONYMOUS_BOT if message.anonymous else user_json(message.sender),
        "chat": chat_json(chat),
        "date": int(message.at),
    }
    if message.anonymous:
        shown["sender_chat"] = chat_json(chat)
    shown |= message.body
    if message.thread_id is not None:
        shown["message_thread_id"] = message.thread_id
        shown["is_topic_message"] = True
    if message.edited_at is not None:
        shown["edit_date"] = int(message.edited_at)
    if message.origin is not None:
        shown["forward_origin"] = message.origin
    if message.media_group_id is not None:
        shown["media_group_id"] = message.media_group_id
    if message.markup is not None and "inline_keyboard" in message.markup:
        shown["reply_markup"] = message.markup
    if message.protected:
        shown["has_protected_content"] = True
    if not nested:
        _show_reply(message, shown)
    return shown


def _show_reply(message: Message, shown: Json) -> None:
    """A plain message in a topic "replies" to the topic's creation message."""
    replied = message.reply_to or message.thread_id
    if replied is None or replied == message.id:
        return
    original = message.chat.message(replied)
    if original is not None:
        shown["reply_to_message"] = message_json(original, nested=True)
        if message.quote is not None:
            shown["quote"] = message.quote
        if message.thread_id is None and message.chat.user is None:
            # Outside topics a group's reply carries a thread id too, which is no topic's:
            # only is_topic_message tells them apart.
            shown["message_thread_id"] = replied


def member_json(member: Member) -> Json:
    shown: Json = {"user": user_json(member.user), "status": member.status}
    match member.status:
        case "creator":
            shown["is_anonymous"] = member.anonymous
        case "administrator":
            shown |= {right: right in member.rights for right in ADMIN_RIGHTS}
            shown |= {"can_be_edited": False, "is_anonymous": member.anonymous}
        case "kicked":
            shown["until_date"] = 0
        case _:
            pass  # members and those who left have nothing more to show
    return shown


def full_chat_json(chat: Chat) -> Json:
    """What ``getChat`` answers."""
    shown = chat_json(chat)
    shown |= {
        "accent_color_id": abs(chat.id) % _ACCENT_COLORS,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        ),
    }
    if chat.user is not None:
        shown["active_usernames"] = [chat.user.username] if chat.user.username else []
    else:
        shown["permissions"] = {"can_send_messages": True, "can_manage_topics": False}
        if chat.description:
            shown["description"] = chat.description
    if chat.pinned and (pinned := chat.message(chat.pinned[-1])) is not None:
        shown["pinned_message"] = message_json(pinned)
    return shown
