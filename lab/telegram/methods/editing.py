"""Methods that change, delete or mark what is there."""

from lab.telegram.content import CAPTIONED
from lab.telegram.errors import bad_request, not_modified
from lab.telegram.methods.base import (
    Call,
    Method,
    caption_content,
    chat_of,
    shown,
    standing,
    text_content,
)
from lab.telegram.methods.media import media_content
from lab.telegram.model import Chat, Json, Message
from lab.telegram.people import set_reaction

DELETES_MAX = 100

REACTIONS = frozenset(
    "👍👎🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🤡🥱🥴😍🐳💯🤣🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝🤗🫡🎅🎄💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾😡"
) | {"❤", "⚡", "🕊", "✍", "☃"}
"""What may be used as a reaction (single code points; those with joiners are left out)."""


def _own(call: Call) -> Message:
    if "inline_message_id" in call.given:
        raise bad_request("message to edit not found")
    if "chat_id" not in call.given:
        raise bad_request("chat_id is empty")
    message = chat_of(call).message(call.number("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if message.sender is not call.bot.user or message.is_service or message.origin is not None:
        raise bad_request("message can't be edited")
    return message


def _changed(call: Call, message: Message, body: Json, kind: str | None = None) -> Json:
    markup = call.object("reply_markup") or None
    if body == message.body and markup == message.markup:
        raise not_modified()
    call.world.edit(message, body=body, markup=markup, kind=kind)
    return shown(message)


def edit_text(call: Call) -> Json:
    message = _own(call)
    if message.kind != "text":
        raise bad_request("there is no text in the message to edit")
    return _changed(call, message, text_content(call))


def edit_caption(call: Call) -> Json:
    message = _own(call)
    if message.kind not in CAPTIONED:
        raise bad_request("there is no caption in the message to edit")
    kept = {
        name: value
        for name, value in message.body.items()
        if name not in {"caption", "caption_entities"}
    }
    return _changed(call, message, kept | caption_content(call.given))


def edit_media(call: Call) -> Json:
    message = _own(call)
    kind, body = media_content(call, call.object("media") or {})
    if message.media_group_id is not None and kind != message.kind:
        raise bad_request("message can't be edited")
    return _changed(call, message, body, kind)


def edit_markup(call: Call) -> Json:
    message = _own(call)
    markup = call.object("reply_markup") or None
    if markup == message.markup:
        raise not_modified()
    call.world.edit(message, markup=markup)
    return shown(message)


def _delete(call: Call, chat: Chat, message_id: int) -> None:
    message = chat.message(message_id)
    if message is None:
        raise bad_request("message to delete not found")
    own = message.sender is call.bot.user
    if "forum_topic_created" in message.body:
        raise bad_request("message can't be deleted")
    if chat.user is None and not own and not standing(call, chat).may("can_delete_messages"):
        raise bad_request("message can't be deleted")
    call.world.delete(message)


def delete_message(call: Call) -> bool:
    _delete(call, chat_of(call), call.number("message_id"))
    return True


def delete_messages(call: Call) -> bool:
    ids = call.numbers("message_ids")
    if not 0 < len(ids) <= DELETES_MAX:
        raise bad_request("too many message identifiers specified")
    chat = chat_of(call)
    for message_id in ids:
        if chat.message(message_id) is not None:
            _delete(call, chat, message_id)
    return True


def set_message_reaction(call: Call) -> bool:
    message = chat_of(call).message(call.number("message_id"))
    if message is None:
        raise bad_request("message to react not found")
    wanted = call.objects("reaction") or []
    emojis = [str(item.get("emoji", "")) for item in wanted]
    if len(emojis) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    for item, emoji in zip(wanted, emojis, strict=True):
        if item.get("type") != "emoji" or emoji.removesuffix("\ufe0f") not in REACTIONS:
            raise bad_request("REACTION_INVALID")
    set_reaction(call.world, message, call.bot.user, emojis)
    return True


def _pinner(call: Call) -> Chat:
    chat = chat_of(call)
    if chat.user is None and not standing(call, chat).may("can_pin_messages"):
        raise bad_request("not enough rights to manage pinned messages in the chat")
    return chat


def pin(call: Call) -> bool:
    chat = _pinner(call)
    message = chat.message(call.number("message_id"))
    if message is None:
        raise bad_request("message to pin not found")
    if message.id not in chat.pinned:
        chat.pinned.append(message.id)
        pinned: Json = {"pinned_message": shown(message)}
        call.world.service(chat, call.bot.user, pinned, thread_id=message.thread_id)
    return True


def unpin(call: Call) -> bool:
    chat = _pinner(call)
    message_id = call.number("message_id", chat.pinned[-1] if chat.pinned else 0)
    if message_id not in chat.pinned:
        raise bad_request("message to unpin not found")
    chat.pinned.remove(message_id)
    return True


METHODS: dict[str, Method] = {
    "editmessagetext": edit_text,
    "editmessagecaption": edit_caption,
    "editmessagemedia": edit_media,
    "editmessagereplymarkup": edit_markup,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
    "setmessagereaction": set_message_reaction,
    "pinchatmessage": pin,
    "unpinchatmessage": unpin,
}
