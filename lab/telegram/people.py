"""What people do: write, edit, press, react, block, manage topics and members.

Raises :class:`~lab.telegram.errors.WorldError` with a sentence for what a messenger would not let
a person do; the callers are the page and the control API.
"""

from lab.telegram import topics
from lab.telegram.content import body_for, text_body
from lab.telegram.entities import units
from lab.telegram.errors import WorldError
from lab.telegram.files import StoredFile
from lab.telegram.model import ADMIN_RIGHTS, Callback, Chat, Json, Member, Message, Topic, User
from lab.telegram.render import chat_json, member_json, message_json, user_json
from lab.telegram.texts import CAPTION_UNITS_MAX, TEXT_UNITS_MAX
from lab.telegram.view import message_view
from lab.telegram.world import World


def send(
    world: World,
    user_id: int,
    chat_id: int,
    *,
    text: str = "",
    kind: str = "text",
    payload: Json | None = None,
    file: StoredFile | None = None,
    thread_id: int | None = None,
    reply_to: int | None = None,
    quote: str | None = None,
    entities: list[Json] | None = None,
    anonymous: bool = False,
    media_group_id: str | None = None,
    protected: bool = False,
    origin: Json | None = None,
    premium: bool = False,
    bot_id: int | None = None,
) -> Message:
    """A person writes. In a private chat this starts the bot, so that it may answer.

    With ``origin`` (a ``MessageOrigin``) it is a forwarded message; who pays (``premium``) may
    write longer captions than a bot.
    """
    user = world.user(user_id)
    chat = world.chat(chat_id, bot_id)
    _may_write(chat, user, thread_id, anonymous=anonymous)
    if reply_to is not None:
        replied = chat.message(reply_to)
        if replied is None:
            raise WorldError("the message to reply to is gone")
        if quote is not None and quote not in replied.text:
            raise WorldError("the message to reply to does not say that")
        thread_id = thread_id or replied.thread_id
    units_max = TEXT_UNITS_MAX if kind == "text" or premium else CAPTION_UNITS_MAX
    if units(text) > units_max:
        raise WorldError(f"longer than {units_max} characters")
    body = body_for(world, kind, text=text, entities=entities, payload=payload, file=file)
    return world.post(
        chat,
        user,
        kind,
        body,
        thread_id=thread_id,
        reply_to=reply_to,
        quote=quote_of(chat, reply_to, quote),
        anonymous=anonymous,
        media_group_id=media_group_id,
        protected=protected,
        origin=None if origin is None else {"date": int(world.clock()), **origin},
    )


def quote_of(chat: Chat, reply_to: int | None, quote: str | None) -> Json | None:
    """What was marked in the message replied to, as Telegram shows it; whether it is there."""
    replied = None if reply_to is None else chat.message(reply_to)
    if quote is None or replied is None or quote not in replied.text:
        return None
    position = units(replied.text[: replied.text.index(quote)])
    return {"text": quote, "position": position, "is_manual": True}


def _may_write(chat: Chat, user: User, thread_id: int | None, *, anonymous: bool) -> None:
    if chat.user is not None:
        if chat.user is not user:
            raise WorldError("this is somebody else's private chat")
        if chat.bot_id in user.blocked:
            raise WorldError("unblock the bot first")
        chat.started = True
        if thread_id is not None and thread_id not in chat.topics:
            raise WorldError("this private chat has no such topic")
        return
    member = chat.member(user.id)
    if member is None:
        raise WorldError("not a member of this group")
    if anonymous and not member.is_admin:
        raise WorldError("only admins may write anonymously")
    if thread_id is not None:
        topic = chat.topics.get(thread_id)
        if topic is None or topic.deleted:
            raise WorldError("there is no such topic")
        if topic.closed and not member.is_admin:
            raise WorldError("the topic is closed")


def edit(
    world: World,
    user_id: int,
    chat_id: int,
    message_id: int,
    text: str,
    *,
    entities: list[Json] | None = None,
    kind: str | None = None,
) -> Message:
    """A person changes the text, the caption or (``kind``) the medium of an own message."""
    message = _message(world, chat_id, message_id)
    if message.sender.id != user_id:
        raise WorldError("only one's own messages can be edited")
    if message.origin is not None:
        raise WorldError("a forwarded message cannot be edited")
    if kind is not None:
        body = body_for(world, kind, text=text, entities=entities)
        world.edit(message, body=body, markup=message.markup, kind=kind)
        return message
    if not text.strip():
        raise WorldError("a message needs a text")
    is_caption = message.kind != "text"
    kept = {
        name: value
        for name, value in message.body.items()
        if name not in {"text", "entities", "caption", "caption_entities"}
    }
    world.edit(
        message, body=kept | text_body(text, entities, caption=is_caption), markup=message.markup
    )
    return message


def press(
    world: World,
    user_id: int,
    chat_id: int,
    message_id: int,
    *,
    data: str | None = None,
    row: int | None = None,
    column: int = 0,
    text: str | None = None,
    forged: bool = False,
) -> Callback:
    """A person presses a button: by its data, its place or its text.

    ``forged`` sends ``data`` even when no button carries it, as a made-up client would.
    """
    user = world.user(user_id)
    message = _message(world, chat_id, message_id)
    chat = message.chat
    if chat.user is None and chat.member(user_id) is None:
        raise WorldError("not a member of this group")
    if not message.sender.is_bot or message.anonymous:
        raise WorldError("this is not a bot's message")
    chosen = data if forged and data is not None else _button(message, data, row, column, text)
    callback = Callback(
        id=str(world.rng.randrange(10**17, 10**18)),
        bot_id=message.sender.id,
        user=user,
        message=message,
        data=chosen,
        pressed_at=world.clock(),
    )
    world.callbacks[callback.id] = callback
    query: Json = {
        "id": callback.id,
        "from": user_json(user),
        "message": message_json(message),
        "chat_instance": str(abs(chat.id) * 7919 % 10**17),
        "data": chosen,
    }
    world.bots[callback.bot_id].feed.emit("callback_query", ("user", user_id), query)
    return callback


def _button(
    message: Message, data: str | None, row: int | None, column: int, text: str | None
) -> str:
    rows = (message.markup or {}).get("inline_keyboard")
    keyboard: list[list[Json]] = rows if isinstance(rows, list) else []
    for row_index, buttons in enumerate(keyboard):
        for column_index, button in enumerate(buttons):
            if (
                (data is not None and button.get("callback_data") == data)
                or (text is not None and button.get("text") == text)
                or (row is not None and (row, column) == (row_index, column_index))
            ):
                chosen = button.get("callback_data")
                if not isinstance(chosen, str):
                    raise WorldError("this button sends nothing to the bot")
                return chosen
    raise WorldError("there is no such button")


def react(world: World, user_id: int, chat_id: int, message_id: int, emoji: str | None) -> None:
    """Sets or (``None``) takes back a person's reaction."""
    user = world.user(user_id)
    message = _message(world, chat_id, message_id)
    old = message.reactions.get(user_id, [])
    set_reaction(world, message, user, [emoji] if emoji else [])
    change: Json = {
        "chat": chat_json(message.chat),
        "message_id": message.id,
        "user": user_json(user),
        "date": int(world.clock()),
        "old_reaction": [{"type": "emoji", "emoji": each} for each in old],
        "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
    }
    chat = message.chat
    if chat.user is not None:
        world.bots[chat.bot_id or 0].feed.emit("message_reaction", ("reaction", chat.id), change)
        return
    for bot in world.bots_in(chat):
        member = chat.member(bot.id)
        if member is not None and member.is_admin:
            bot.feed.emit("message_reaction", ("reaction", chat.id), change)


def set_reaction(world: World, message: Message, user: User, emojis: list[str]) -> None:
    if emojis:
        message.reactions[user.id] = emojis
    else:
        message.reactions.pop(user.id, None)
    world.events.publish("reaction", lambda: {"message": message_view(message)})


def block(world: World, user_id: int, *, blocked: bool, bot_id: int | None = None) -> None:
    """A person blocks or unblocks a bot; the bot is told by ``my_chat_member``."""
    user = world.user(user_id)
    bot = world.bots[bot_id] if bot_id is not None else world.first_bot
    if (bot.id in user.blocked) == blocked:
        return
    chat = world.private_chat(user_id, bot.id)
    (user.blocked.add if blocked else user.blocked.discard)(bot.id)
    was, now = ("member", "kicked") if blocked else ("kicked", "member")
    bot.feed.emit(
        "my_chat_member",
        ("my_member", chat.id),
        {
            "chat": chat_json(chat),
            "from": user_json(user),
            "date": int(world.clock()),
            "old_chat_member": member_json(Member(user=bot.user, status=was)),
            "new_chat_member": member_json(Member(user=bot.user, status=now)),
        },
    )
    world.events.publish("block", lambda: {"user_id": user_id, "blocked": blocked})
    world.tell_user(user)


def topic(
    world: World,
    user_id: int,
    chat_id: int,
    action: str,
    *,
    thread_id: int | None = None,
    name: str | None = None,
) -> Topic:
    """A person makes, renames, closes, reopens or deletes a topic."""
    user = world.user(user_id)
    chat = world.chat(chat_id)
    if chat.user is user and action == "create":
        chat.is_forum = True  # the topics of a private chat: its person makes them
        return topics.create(world, chat, user, name or "")
    member = chat.member(user_id)
    if member is None:
        raise WorldError("not a member of this group")
    if action == "create":
        return topics.create(world, chat, user, name or "")
    if not member.may("can_manage_topics"):
        raise WorldError("only admins may manage topics")
    found = topics.find(chat, thread_id or 0)
    match action:
        case "rename":
            topics.rename(world, chat, user, found, name=name or "")
        case "close" | "reopen":
            topics.set_closed(world, chat, user, found, closed=action == "close")
        case "delete":
            topics.delete(world, chat, found)
        case _:
            raise WorldError(f"no such action: {action}")
    return found


def kick(world: World, chat_id: int, user_id: int, *, banned: bool = True) -> None:
    """Somebody is removed from a group (``banned``) or leaves it."""
    chat, user = world.chat(chat_id), world.user(user_id)
    world.set_member(chat, user, "kicked" if banned else "left")


def promote(
    world: World, chat_id: int, user_id: int, rights: frozenset[str] | None, *, admin: bool = True
) -> None:
    """Makes somebody an admin with ``rights`` (all when ``None``) or a plain member."""
    chat, user = world.chat(chat_id), world.user(user_id)
    chosen = frozenset(ADMIN_RIGHTS) if rights is None else rights
    unknown = chosen - set(ADMIN_RIGHTS)
    if unknown:
        raise WorldError(f"no such right: {min(unknown)}")
    if admin:
        world.set_member(chat, user, "administrator", chosen)
    else:
        world.set_member(chat, user, "member")


def migrate(world: World, chat_id: int) -> Chat:
    """The group gets another id; the old one answers with ``migrate_to_chat_id`` from now on.

    People, topics and messages move along.
    """
    chat = world.groups.get(chat_id)
    if chat is None or chat.migrated_to is not None:
        raise WorldError(f"no chat {chat_id}")
    new_id = min(world.groups) - 1
    world.groups[chat_id] = Chat(
        id=chat_id, type="group", title=chat.title, role="gone", migrated_to=new_id
    )
    owner = next(iter(chat.members.values())).user if chat.members else world.first_bot.user
    world.service(chat, owner, {"migrate_to_chat_id": new_id})
    chat.id = new_id
    world.groups[new_id] = chat
    world.service(chat, owner, {"migrate_from_chat_id": chat_id})
    world.tell_chat(chat)
    return chat


def _message(world: World, chat_id: int, message_id: int) -> Message:
    message = world.chat(chat_id).message(message_id)
    if message is None:
        raise WorldError("there is no such message")
    return message
