"""What clients do outside of any ticket: they start the bot, block it and come back."""

import structlog
from aiogram import F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import ChatMemberUpdated, Message

from actors.effects import Text
from actors.ids import ChatId, ThreadId, UserId
from bot.desk.access import DeskTools, reply

log = structlog.get_logger(__name__)


def create_router() -> Router:
    router = Router(name="desk clients")
    router.message.register(greet, CommandStart(ignore_case=True), F.chat.type == ChatType.PRIVATE)
    router.message.register(note_ban, Command("ban", "unban", ignore_case=True))
    router.my_chat_member.register(note_block, F.chat.type == ChatType.PRIVATE)
    router.my_chat_member.register(note_membership)
    return router


async def greet(message: Message, desk: DeskTools) -> None:
    """Greets in the client's language; administrators also read what else there is for them."""
    person = message.from_user
    language = None if person is None else person.language_code
    greeting = desk.texts.render(Text(key="start-greeting"), language)
    if person is not None and person.id in desk.admin_ids:
        greeting = f"{greeting}\n\n{desk.say('desk-help')}"
    await reply(message, greeting)


async def note_ban(message: Message, command: CommandObject, desk: DeskTools) -> None:
    """The staff shut a client out, or let one in again, in the topic of a ticket of theirs."""
    if message.chat.id not in desk.main_chats or message.message_thread_id is None:
        return
    chat_id, thread_id = ChatId(message.chat.id), ThreadId(message.message_thread_id)
    banned = command.command.lower() == "ban"
    known = await desk.queries.set_banned(chat_id, thread_id, banned=banned)
    log.info("client_banned" if banned else "client_unbanned", thread=thread_id, known=known)


async def note_block(update: ChatMemberUpdated, desk: DeskTools) -> None:
    """Somebody blocked the bot or let it in again; who never wrote is not on record."""
    blocked = update.new_chat_member.status == ChatMemberStatus.KICKED
    known = await desk.queries.set_blocked(UserId(update.chat.id), blocked=blocked)
    log.info("client_blocked" if blocked else "client_unblocked", user=update.chat.id, known=known)


async def note_membership(update: ChatMemberUpdated, desk: DeskTools) -> None:
    """The bot's place in a group changed: the watch looks whether it can still work there."""
    log.info("membership_changed", chat=update.chat.id, status=update.new_chat_member.status)
    desk.look_at_groups()
