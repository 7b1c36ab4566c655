"""Copies and forwards: the relay's own methods."""

from itertools import pairwise

from lab.telegram.content import CAPTIONED, UNCOPYABLE, poll_body
from lab.telegram.entities import units
from lab.telegram.errors import ApiError, bad_request
from lab.telegram.methods.base import (
    Call,
    Method,
    caption_content,
    chat_of,
    quoted,
    reply_of,
    shown,
    target_of,
    thread_of_reply,
)
from lab.telegram.model import Chat, Json, Message
from lab.telegram.render import chat_json, user_json
from lab.telegram.texts import CAPTION_UNITS_MAX

COPIES_MAX = 100

_CAPTION_FIELDS = frozenset({"caption", "caption_entities"})


def _source(chat: Chat, message_id: int, verb: str) -> Message:
    message = chat.message(message_id)
    if message is None:
        raise bad_request(f"message to {verb} not found")
    if message.kind in UNCOPYABLE or message.protected:
        what = "copied" if verb == "copy" else "forwarded"
        raise bad_request(f"message can't be {what}")
    return message


def _copied_body(call: Call, source: Message) -> Json:
    body = source.body
    if source.kind == "poll" and isinstance(poll := body.get("poll"), dict):
        texts = [option["text"] for option in poll["options"]]
        return poll_body(call.world, poll["question"], texts, {"type": poll["type"]})
    if source.kind in CAPTIONED and "caption" in call.given:
        kept = {name: value for name, value in body.items() if name not in _CAPTION_FIELDS}
        return kept | caption_content(call.given)
    if source.kind in CAPTIONED and units(source.text) > CAPTION_UNITS_MAX:
        raise bad_request("message caption is too long")
    return body


def copy_message(call: Call) -> Json:
    chat, thread_id = target_of(call)
    source = _source(chat_of(call, "from_chat_id"), call.number("message_id"), "copy")
    reply_to = reply_of(call, chat)
    message = call.world.post(
        chat,
        call.bot.user,
        source.kind,
        _copied_body(call, source),
        thread_id=thread_of_reply(chat, thread_id, reply_to),
        reply_to=reply_to,
        quote=quoted(call, chat, reply_to),
        markup=call.object("reply_markup"),
        protected=call.flag("protect_content"),
        copied_from=(source.chat.id, source.id),
    )
    return {"message_id": message.id}


def forward_message(call: Call) -> Json:
    chat, thread_id = target_of(call)
    source = _source(chat_of(call, "from_chat_id"), call.number("message_id"), "forward")
    return shown(_forward(call, chat, thread_id, source, None))


def _forward(
    call: Call, chat: Chat, thread_id: int | None, source: Message, group_id: str | None
) -> Message:
    origin: Json = {"date": int(source.at)}
    if source.anonymous:
        origin |= {"type": "chat", "sender_chat": chat_json(source.chat)}
    else:
        origin |= {"type": "user", "sender_user": user_json(source.sender)}
    return call.world.post(
        chat,
        call.bot.user,
        source.kind,
        source.body,
        thread_id=thread_id,
        protected=call.flag("protect_content"),
        origin=source.origin or origin,
        media_group_id=group_id,
        copied_from=(source.chat.id, source.id),
    )


def _sources(call: Call, verb: str) -> list[Message]:
    """What can be taken of ``message_ids``; the rest is silently left out, as Telegram does."""
    ids = call.numbers("message_ids")
    if not 0 < len(ids) <= COPIES_MAX:
        raise bad_request(f"too many messages to {verb}" if ids else "message_ids is empty")
    if any(later <= earlier for earlier, later in pairwise(ids)):
        raise bad_request("message identifiers must be in a strictly increasing order")
    chat = chat_of(call, "from_chat_id")
    found: list[Message] = []
    for message_id in ids:
        try:
            found.append(_source(chat, message_id, verb))
        except ApiError:
            continue  # "silently skips": the answer is shorter than the request
    if not found:
        raise bad_request(f"there are no messages to {verb}")
    return found


def copy_messages(call: Call) -> list[Json]:
    chat, thread_id = target_of(call)
    groups: dict[str, str] = {}
    copied: list[Json] = []
    for source in _sources(call, "copy"):
        body = _copied_body(call, source)
        if call.flag("remove_caption"):
            body = {name: value for name, value in body.items() if name not in _CAPTION_FIELDS}
        message = call.world.post(
            chat,
            call.bot.user,
            source.kind,
            body,
            thread_id=thread_id,
            protected=call.flag("protect_content"),
            media_group_id=_album(call, groups, source),
            copied_from=(source.chat.id, source.id),
        )
        copied.append({"message_id": message.id})
    return copied


def forward_messages(call: Call) -> list[Json]:
    chat, thread_id = target_of(call)
    groups: dict[str, str] = {}
    return [
        {"message_id": _forward(call, chat, thread_id, source, _album(call, groups, source)).id}
        for source in _sources(call, "forward")
    ]


def _album(call: Call, groups: dict[str, str], source: Message) -> str | None:
    """An album stays one album, under a new id."""
    if source.media_group_id is None:
        return None
    new_id = str(call.world.rng.randrange(10**16, 10**17))
    return groups.setdefault(source.media_group_id, new_id)


METHODS: dict[str, Method] = {
    "copymessage": copy_message,
    "copymessages": copy_messages,
    "forwardmessage": forward_message,
    "forwardmessages": forward_messages,
}
