"""The desk's buttons, each checked against who presses it where, and all that nobody else takes."""

import structlog
from aiogram import Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, LinkPreviewOptions, Message

from actors.effects import Text
from bot.desk.access import TEXT_UNITS_MAX, DeskTools, answer_press
from bot.desk.buttons import FoundData, ListData, buttons_of, carries
from bot.desk.commands import tickets_page
from bot.desk.search import found_page, words_of
from bot.titles import cut

log = structlog.get_logger(__name__)

_SHOWN_ALREADY = "message is not modified"
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")


def create_router() -> Router:
    router = Router(name="desk presses")
    router.callback_query.register(turn_list, ListData.filter())
    router.callback_query.register(turn_found, FoundData.filter())
    router.callback_query.register(unclaimed)
    return router


async def turn_list(query: CallbackQuery, callback_data: ListData, desk: DeskTools) -> None:
    message = await _checked(query, ListData, desk)
    if message is not None:
        text, markup = await tickets_page(desk, callback_data.shelf, callback_data.page)
        await _turn(query, message, text, markup, desk)


async def turn_found(query: CallbackQuery, callback_data: FoundData, desk: DeskTools) -> None:
    message = await _checked(query, FoundData, desk)
    if message is None:
        return
    asked = message.reply_to_message
    words = None if asked is None else words_of(asked)
    if words is None:
        await _refuse(query, "stale-press", "the message with the words is gone", desk)
        return
    text, markup = await found_page(desk, words, callback_data.page)
    await _turn(query, message, text, markup, desk)


async def unclaimed(query: CallbackQuery, desk: DeskTools) -> None:
    """A button that there was once, or never."""
    if query.data is not None and query.data in buttons_of(query):
        await _refuse(query, "stale-press", "the button means nothing now", desk)
    elif not isinstance(query.message, Message):
        await _refuse(query, "stale-press", "the message is out of reach", desk)
    else:
        await _refuse(query, "forged-press", "no such button on the message", desk)


async def _checked(
    query: CallbackQuery, kind: type[CallbackData], desk: DeskTools
) -> Message | None:
    """The list to turn; ``None`` when the press was refused."""
    message = query.message
    if message is None or not desk.may_use(query.from_user.id, message.chat.id):
        await _refuse(query, "forged-press", "not of the staff", desk)
    elif not isinstance(message, Message):
        await _refuse(query, "stale-press", "the message is out of reach", desk)
    elif not carries(query, kind):
        await _refuse(query, "forged-press", "no such button on the message", desk)
    else:
        return message
    return None


async def _turn(
    query: CallbackQuery,
    message: Message,
    text: str,
    markup: InlineKeyboardMarkup | None,
    desk: DeskTools,
) -> None:
    """Edits the list and then ends the button's waiting."""
    try:
        await message.edit_text(
            cut(text, TEXT_UNITS_MAX - 1, ellipsis=True),
            parse_mode=None,
            reply_markup=markup,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
        )
    except TelegramBadRequest as error:
        words = error.message.lower()
        if any(gone in words for gone in _GONE):
            await _refuse(query, "stale-press", "the message is gone", desk)
            return
        if _SHOWN_ALREADY not in words:
            raise
    await answer_press(query)


async def _refuse(query: CallbackQuery, key: str, why: str, desk: DeskTools) -> None:
    chat = None if query.message is None else query.message.chat.id
    log.warning("press_refused", why=why, user=query.from_user.id, chat=chat)
    await answer_press(query, desk.texts.render(Text(key=key), query.from_user.language_code))
