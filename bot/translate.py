"""What an update means: pure, given who is who and whose topic it came from."""

from collections.abc import Mapping
from typing import Any

from aiogram.types import CallbackQuery, Message, Update

from actors.effects import Text
from actors.ids import ChatId, MessageId, ThreadId, TicketId
from actors.messages import (
    AssignRequested,
    BanRequested,
    ClientWrote,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    ContentKind,
    HintAsked,
    Press,
    ResendRequested,
    RetryRequested,
    ScoreGiven,
    StaffWrote,
    TechnicianWrote,
)
from actors.messages import Message as TicketMessage
from actors.places import MAIN, PlaceKind
from actors.ports import ToClient, ToDesk, ToTicket
from bot.command import command_of
from bot.contents import content_of, kind_of, private_topic
from bot.keyboards import (
    TICKET_DATA,
    AssignData,
    CloseData,
    CommentData,
    ResendData,
    RetryData,
    ScoreData,
    SkipData,
)
from bot.marks import (
    DELETE_COMMAND,
    EDIT_COMMAND,
    delete_asked,
    edited,
    membership,
    reacted,
    topic_changed,
)
from bot.meaning import Accept, Desk, Ignored, Lookups, Refused, Translation
from bot.people import author_of, person_of

DESK_COMMANDS = frozenset({"techs", "tickets", "find", "ticket", "cancel", "help"})
"""Commands of the administrators and the staff."""

BAN_COMMAND = "ban"
BAN_COMMANDS = frozenset({BAN_COMMAND, "unban"})
"""Of the staff, in the main topic of a client's ticket."""

NOTE_COMMAND = "note"
CLOSE_COMMAND = "close"
START_COMMAND = "start"


def topic_of(update: Update) -> tuple[ChatId, ThreadId] | None:
    """The forum topic that an update came from, if any; the General topic is none."""
    message = update.message or update.edited_message
    if message is None and update.callback_query is not None:
        pressed = update.callback_query.message
        message = pressed if isinstance(pressed, Message) else None
    if message is None or not message.is_topic_message or message.message_thread_id is None:
        return None
    return ChatId(message.chat.id), ThreadId(message.message_thread_id)


def ticket_of_button(update: Update) -> TicketId | None:
    """The ticket that a button names, if it is one of ours and well formed."""
    data = None if update.callback_query is None else _data_of(update.callback_query)
    return None if data is None else TicketId(data.ticket)


def translate(update: Update, raw: Mapping[str, Any], desk: Desk, known: Lookups) -> Translation:
    """The meaning of one validated update. ``raw`` is the same update as Telegram sent it."""
    if update.message is not None:
        return _message(update.message, raw.get("message", {}), desk, known)
    if update.edited_message is not None:
        return edited(update.edited_message, raw.get("edited_message", {}), desk, known)
    if update.message_reaction is not None:
        return reacted(update.message_reaction, known)
    if update.callback_query is not None:
        return _press(update.callback_query, known)
    if update.my_chat_member is not None:
        return membership(update.my_chat_member, known)
    return Ignored.KIND


# --- messages -------------------------------------------------------------------------------


def _message(message: Message, raw: Any, desk: Desk, known: Lookups) -> Translation:
    if message.from_user is not None and message.from_user.id == desk.bot_id:
        return Ignored.OWN
    author = author_of(message)
    if author is None:
        return Ignored.BOT
    kind = kind_of(message)
    if kind is None:
        return topic_changed(message, author, known)
    command = command_of(message, desk)
    if message.chat.type == "private":
        if command is not None:
            staff = author.id in desk.admin_ids and command in DESK_COMMANDS
            to_desk = command == START_COMMAND or staff
            return Accept(route=ToDesk(), message=None) if to_desk else Ignored.COMMAND
        content = content_of(message, kind, raw)
        return Accept(
            route=ToClient(client=author, is_text=kind is ContentKind.TEXT),
            message=ClientWrote(author=author, content=content, thread_id=private_topic(message)),
        )
    if command in DESK_COMMANDS:
        return Accept(route=ToDesk(), message=None)
    topic = known.topic
    if topic is None:
        return (
            Accept(route=ToDesk(), message=None)
            if _answers_desk(message, desk)
            else Ignored.OUTSIDE
        )
    to_ticket = ToTicket(ticket_id=topic.ticket_id)
    if command == CLOSE_COMMAND:
        return Accept(route=to_ticket, message=CloseRequested(by=author, place=topic.place))
    if command in BAN_COMMANDS and topic.place == MAIN:
        ban = BanRequested(by=author, banned=command == BAN_COMMAND)
        return Accept(route=ToDesk(), message=None, also=(to_ticket, ban))
    if command == DELETE_COMMAND:
        return delete_asked(message, author, topic, known)
    if command == EDIT_COMMAND:
        hint = HintAsked(place=topic.place, message_id=MessageId(message.message_id))
        return Accept(route=to_ticket, message=hint)
    if command is not None and command != NOTE_COMMAND:
        return Ignored.COMMAND
    content = content_of(message, kind, raw)
    if topic.place.technician_id is None:
        return Accept(route=to_ticket, message=StaffWrote(author=author, content=content))
    return Accept(
        route=to_ticket,
        message=TechnicianWrote(
            author=author, technician_id=topic.place.technician_id, content=content
        ),
    )


def _answers_desk(message: Message, desk: Desk) -> bool:
    """Whether a text outside of tickets answers a question of the desk: a reply to the bot."""
    asked = message.reply_to_message
    by_us = asked is not None and asked.from_user is not None and asked.from_user.id == desk.bot_id
    return by_us and message.chat.id in desk.main_chats and message.text is not None


# --- buttons --------------------------------------------------------------------------------


type TicketData = (
    AssignData | CloseData | ResendData | RetryData | ScoreData | CommentData | SkipData
)


def _data_of(query: CallbackQuery) -> TicketData | None:
    for kind in TICKET_DATA:
        try:
            return kind.unpack(query.data or "")  # type: ignore[return-value]
        except (TypeError, ValueError):
            continue
    return None


def _press(query: CallbackQuery, known: Lookups) -> Translation:
    if query.from_user.is_bot:
        return Ignored.BOT
    data = _data_of(query)
    if data is None:
        return Accept(route=ToDesk(), message=None)  # a pager's button, or the desk refuses it
    press = Press(callback_id=query.id, by=person_of(query.from_user))
    route = ToTicket(ticket_id=TicketId(data.ticket))
    match data:
        case AssignData() | CloseData() | ResendData() | RetryData():
            topic = known.topic
            if topic is None or topic.ticket_id != data.ticket:
                return _refused(query, "forged-press", "not in a topic of this ticket")
            if isinstance(data, CloseData):
                message = CloseRequested(by=press.by, place=topic.place, press=press)
                return Accept(route=route, message=message)
            if topic.place.kind is not PlaceKind.MAIN or topic.place != MAIN:
                return _refused(query, "forged-press", "not in the main topic")
            if isinstance(data, ResendData):
                return Accept(route=route, message=ResendRequested(press=press))
            if isinstance(data, RetryData):
                return Accept(route=route, message=RetryRequested(press=press, card=data.card))
            technician = known.technicians.get(data.technician)
            if technician is None:
                return _refused(query, "stale-press", "the technician is not active")
            return Accept(
                route=route,
                message=AssignRequested(
                    press=press, technician=technician, generation=data.generation
                ),
            )
        case ScoreData() | CommentData() | SkipData():
            in_private = query.message is not None and query.message.chat.id == query.from_user.id
            if not in_private or known.client_of_ticket != query.from_user.id:
                return _refused(query, "forged-press", "not the client of this ticket")
            return Accept(route=route, message=_survey(data, press))


def _survey(data: ScoreData | CommentData | SkipData, press: Press) -> TicketMessage:
    match data:
        case ScoreData():
            return ScoreGiven(press=press, question=data.question, score=data.score)
        case CommentData():
            return CommentOffered(press=press)
        case SkipData():
            return CommentSkipped(press=press)


def _refused(query: CallbackQuery, key: str, why: str) -> Refused:
    language = query.from_user.language_code
    return Refused(callback_id=query.id, text=Text(key=key), why=why, language=language)
