"""``/find``: with words it finds, without words it asks for them where an answer can arrive."""

import re
from typing import Any

from aiogram import Router
from aiogram.filters import CommandObject, Filter, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import ForceReply, InlineKeyboardMarkup, Message

from bot.desk.access import DeskTools, MayUseDesk, reply
from bot.desk.buttons import found_markup
from bot.desk.commands import command
from bot.desk.lists import PER_PAGE, found_text

PLACEHOLDER_LENGTH_MAX = 64
"""Telegram's limit for the grey words in the field where one writes."""

_QUESTION = "question"
"""Under this name the memory keeps the id of the message that asks."""


_COMMAND = re.compile(r"\s*/find(?:@\w+)?(?=\s|$)", re.IGNORECASE)


class Finding(StatesGroup):
    """The only conversation of the desk: it waits for what to look for."""

    words = State()


class RepliesToQuestion(Filter):
    """Passes replies to the bot's question; ``is_open`` says whether it still waits for one."""

    async def __call__(
        self, message: Message, desk: DeskTools, state: FSMContext
    ) -> bool | dict[str, Any]:
        asked = message.reply_to_message
        if asked is None or message.text is None or asked.text != desk.say("desk-find-ask"):
            return False
        waiting = await state.get_state() == Finding.words.state
        return {"is_open": waiting and await state.get_value(_QUESTION) == asked.message_id}


def create_router() -> Router:
    router = Router(name="desk search")
    router.message.filter(MayUseDesk())
    router.message.register(find, command("find"))
    router.message.register(cancel, command("cancel"), StateFilter(Finding.words))
    router.message.register(cancel_nothing, command("cancel"))
    router.message.register(answered, RepliesToQuestion())
    return router


async def find(
    message: Message, command: CommandObject, desk: DeskTools, state: FSMContext
) -> None:
    if (command.args or "").strip():
        await state.clear()
        await _show(message, desk)
    elif message.chat.id in desk.main_chats and not message.is_topic_message:
        await _ask(message, desk, state)
    else:  # elsewhere what comes next is for a ticket, or for nobody
        await reply(message, desk.say("desk-find-usage"))


async def _ask(message: Message, desk: DeskTools, state: FSMContext) -> None:
    """Asks, unless nothing can be remembered now: then it explains."""
    await state.set_state(Finding.words)
    if await state.get_state() is None:
        await reply(message, desk.say("desk-find-usage"))
        return
    placeholder = desk.say("desk-find-placeholder")[:PLACEHOLDER_LENGTH_MAX]
    question = await message.reply(
        desk.say("desk-find-ask"),
        parse_mode=None,
        reply_markup=ForceReply(selective=True, input_field_placeholder=placeholder),
        allow_sending_without_reply=True,
    )
    await state.set_data({_QUESTION: question.message_id})


async def answered(message: Message, desk: DeskTools, state: FSMContext, *, is_open: bool) -> None:
    if not is_open:
        await reply(message, desk.say("desk-find-late"))
        return
    await _show(message, desk)
    await state.clear()  # afterwards: a search that fails is repeated, and must find the question


async def cancel(message: Message, desk: DeskTools, state: FSMContext) -> None:
    await state.clear()
    await reply(message, desk.say("desk-cancelled"))


async def cancel_nothing(message: Message, desk: DeskTools) -> None:
    await reply(message, desk.say("desk-nothing-to-cancel"))


async def _show(message: Message, desk: DeskTools) -> None:
    text, markup = await found_page(desk, words_of(message) or "", 1)
    await reply(message, text, markup)


async def found_page(
    desk: DeskTools, words: str, number: int
) -> tuple[str, InlineKeyboardMarkup | None]:
    """A page of what the words find, as text and buttons; a page too far is the last."""
    page = await desk.queries.find_tickets(words, number, PER_PAGE)
    return found_text(desk, words, page), found_markup(page.page, page.pages)


def words_of(message: Message) -> str | None:
    """What a message asks to look for: it follows ``/find``, or it is all of an answer.

    The list of what was found is a reply to that message, so its buttons need not carry the words.
    """
    text = (message.text if message.text is not None else message.caption) or ""
    return _COMMAND.sub("", text, count=1).strip() or None
