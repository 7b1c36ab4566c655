"""The desk's own buttons: what they carry, how they are drawn, whose they are."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Final

from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from pydantic import Field

from actors.state import Status
from bot.desk.access import DeskTools

PAGE_MAX: Final = 10**6
"""Beyond any list; a page too far is shown as the last."""

PageNumber = Annotated[int, Field(ge=1, le=PAGE_MAX)]


class Shelf(StrEnum):
    """Which tickets a list shows."""

    ALL = "ALL"
    NEW = "NEW"
    WORK = "WORK"
    CLOSED = "CLOSED"

    @property
    def status(self) -> Status | None:
        return None if self is Shelf.ALL else Status(self)


class ListData(CallbackData, prefix="dl"):
    """A page of the tickets of one status."""

    shelf: Shelf
    page: PageNumber


class FoundData(CallbackData, prefix="df"):
    """A page of what was found; the words stand in the message that was replied to."""

    page: PageNumber


def list_markup(
    desk: DeskTools, shelf: Shelf, page: int, pages: int, counts: Mapping[Status, int]
) -> InlineKeyboardMarkup:
    """The statuses with their counts, the chosen one marked, and the pager."""

    def choice(each: Shelf) -> InlineKeyboardButton:
        count = sum(counts.values()) if each.status is None else counts[each.status]
        name = desk.say("desk-button-shelf", shelf=each, count=count)
        text = f"• {name}" if each is shelf else name
        return _button(text, ListData(shelf=each, page=1))

    rows = [[choice(Shelf.NEW), choice(Shelf.WORK)], [choice(Shelf.CLOSED), choice(Shelf.ALL)]]
    pager = _pager(page, pages, lambda number: ListData(shelf=shelf, page=number))
    return InlineKeyboardMarkup(inline_keyboard=[*rows, *pager])


def found_markup(page: int, pages: int) -> InlineKeyboardMarkup | None:
    """The pager, if there is more than one page."""
    rows = _pager(page, pages, lambda number: FoundData(page=number))
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def _pager(
    page: int, pages: int, data: Callable[[int], CallbackData]
) -> list[list[InlineKeyboardButton]]:
    """``◀️ 2/5 ▶️`` without the arrow that would lead nowhere; the middle shows the page anew."""
    if pages <= 1:
        return []
    row = [_button(f"{page}/{pages}", data(page))]
    if page > 1:
        row.insert(0, _button("◀️", data(page - 1)))
    if page < pages:
        row.append(_button("▶️", data(page + 1)))
    return [row]


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def buttons_of(query: CallbackQuery) -> list[str]:
    """What the buttons of the pressed message carry now, as Telegram itself says."""
    message = query.message
    if not isinstance(message, Message) or message.reply_markup is None:
        return []
    rows = message.reply_markup.inline_keyboard
    return [button.callback_data for row in rows for button in row if button.callback_data]


def carries(query: CallbackQuery, kind: type[CallbackData]) -> bool:
    """Whether the pressed message has a button of this kind.

    Not the very same one: the message may have been turned to another page a moment ago. A made-up
    press can name any message of the bot, which must not become a list.
    """
    prefix = f"{kind.__prefix__}{kind.__separator__}"
    return any(data.startswith(prefix) for data in buttons_of(query))
