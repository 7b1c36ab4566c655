"""Updates as Telegram sends them, of a small desk: one client, one of the staff, one technician."""

from itertools import count
from typing import Any

from aiogram.types import Update

from actors.books import TopicAddress
from actors.ids import ChatId, TechnicianId, TicketId, UserId
from actors.messages import Technician
from actors.places import MAIN, mirror
from bot.meaning import Desk, Lookups, Translation
from bot.people import ANONYMOUS_ADMIN_ID
from bot.translate import ticket_of_button, topic_of, translate

type Json = dict[str, Any]

BOT_ID, MAIN_GROUP, ALICE_GROUP = 42, -1001234567890, -1002234567890
TICKET, MAIN_THREAD, ALICE_THREAD = TicketId(7), 77, 88

IVAN: Json = {"id": 501, "is_bot": False, "first_name": "Иван", "username": "ivan"}
IVAN |= {"language_code": "en-US"}
MARIA: Json = {"id": 601, "is_bot": False, "first_name": "Мария", "last_name": "П."}
ALICE: Json = {"id": 701, "is_bot": False, "first_name": "Алиса"}
OWN_BOT: Json = {"id": BOT_ID, "is_bot": True, "first_name": "Desk", "username": "desk_bot"}
OTHER_BOT: Json = {"id": 43, "is_bot": True, "first_name": "Other", "username": "other_bot"}
ANONYMOUS: Json = {"id": ANONYMOUS_ADMIN_ID, "is_bot": True, "first_name": "Group"}

PRIVATE: Json = {"id": 501, "type": "private", "first_name": "Иван"}
STAFF_CHAT: Json = {"id": MAIN_GROUP, "type": "supergroup", "title": "Поддержка", "is_forum": True}
ALICE_CHAT: Json = {"id": ALICE_GROUP, "type": "supergroup", "title": "alice", "is_forum": True}

ALICE_TECHNICIAN = Technician(
    id=TechnicianId(1), name="alice", chat_id=ChatId(ALICE_GROUP), user_id=UserId(701)
)

DESK = Desk(
    bot_id=UserId(BOT_ID),
    bot_username="desk_bot",
    main_chats=frozenset({ChatId(MAIN_GROUP)}),
    admin_ids=frozenset({UserId(601)}),
)

TOPICS = {
    (MAIN_GROUP, MAIN_THREAD): TopicAddress(ticket_id=TICKET, place=MAIN),
    (ALICE_GROUP, ALICE_THREAD): TopicAddress(ticket_id=TICKET, place=mirror(TechnicianId(1))),
}
"""The topics that the ticket has."""

ROSTER = {1: ALICE_TECHNICIAN}

_numbers = count(1000)


def in_topic(thread_id: int) -> Json:
    """What a message has that was written in a topic."""
    return {"message_thread_id": thread_id, "is_topic_message": True}


def message(user: Json | None, chat: Json, text: str | None = None, **fields: Any) -> Json:
    number = next(_numbers)
    made: Json = {"message_id": number, "date": 1_790_000_000, "chat": chat, **fields}
    if user is not None:
        made["from"] = user
    if text is not None:
        made["text"] = text
    return {"update_id": number, "message": made}


def from_client(text: str | None = "hello", **fields: Any) -> Json:
    return message(IVAN, PRIVATE, text, **fields)


def from_staff(text: str | None = "hello", user: Json = MARIA, **fields: Any) -> Json:
    return message(user, STAFF_CHAT, text, **in_topic(MAIN_THREAD), **fields)


def from_alice(text: str | None = "hello", user: Json = ALICE, **fields: Any) -> Json:
    return message(user, ALICE_CHAT, text, **in_topic(ALICE_THREAD), **fields)


def press(user: Json, shown: Json, data: str | None) -> Json:
    """``user`` presses a button of the bot's message ``shown``, an update made by the above."""
    number = next(_numbers)
    query: Json = {"id": str(number), "from": user, "chat_instance": "1"}
    query["message"] = {**shown["message"], "from": OWN_BOT}
    if data is not None:
        query["data"] = data
    return {"update_id": number, "callback_query": query}


def meaning(
    raw: Json, client: int | None = 501, roster: dict[int, Technician] | None = None
) -> Translation:
    """The update's meaning, with what intake would have looked up."""
    update = Update.model_validate(raw)
    where = topic_of(update)
    known = Lookups(
        topic=None if where is None else TOPICS.get(where),
        client_of_ticket=None
        if client is None or ticket_of_button(update) is None
        else UserId(client),
        technicians=ROSTER if roster is None else roster,
    )
    return translate(update, raw, DESK, known)
