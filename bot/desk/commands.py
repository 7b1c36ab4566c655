"""``/techs``, ``/tickets``, ``/ticket N``, ``/help``: asked once, answered once."""

import re
from collections import defaultdict
from typing import Final

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import InlineKeyboardMarkup, Message

from actors.ids import TicketId
from actors.state import Status
from bot.desk.access import DeskTools, MayUseDesk, reply
from bot.desk.buttons import Shelf, list_markup
from bot.desk.lists import PER_PAGE, list_text, technicians_text, ticket_text

PAGES_READ_MAX: Final = 20
PER_PAGE_READ: Final = 50
"""``/techs`` looks at the newest 1,000 tickets in work; beyond that it says that it did not."""


def command(name: str) -> Command:
    """A command in any case of letters, as translation takes it too."""
    return Command(name, ignore_case=True)


def create_router() -> Router:
    router = Router(name="desk commands")
    router.message.filter(MayUseDesk())
    router.message.register(show_technicians, command("techs"))
    router.message.register(show_tickets, command("tickets"))
    router.message.register(show_ticket, command("ticket"))
    router.message.register(show_help, command("help"))
    return router


async def show_help(message: Message, desk: DeskTools) -> None:
    await reply(message, desk.say("desk-help"))


async def show_technicians(message: Message, desk: DeskTools) -> None:
    """Who is active and what they have open."""
    owned: defaultdict[str, dict[int, None]] = defaultdict(dict)
    complete = False
    for number in range(1, PAGES_READ_MAX + 1):
        page = await desk.queries.list_tickets(Status.WORK, number, PER_PAGE_READ)
        for ticket in page.items:
            owned[ticket.technician or ""][ticket.id] = None
        if number >= page.pages:
            complete = True
            break
    tickets = {name: tuple(numbers) for name, numbers in owned.items()}
    roster = await desk.roster.active()
    await reply(message, technicians_text(desk, roster, tickets, complete=complete))


async def show_tickets(message: Message, desk: DeskTools) -> None:
    text, markup = await tickets_page(desk, Shelf.ALL, 1)
    await reply(message, text, markup)


async def tickets_page(
    desk: DeskTools, shelf: Shelf, number: int
) -> tuple[str, InlineKeyboardMarkup]:
    """A page of the list, as text and buttons; a page too far is the last."""
    page = await desk.queries.list_tickets(shelf.status, number, PER_PAGE)
    counts = await desk.queries.tickets_by_status()
    return list_text(desk, shelf, page), list_markup(desk, shelf, page.page, page.pages, counts)


async def show_ticket(message: Message, command: CommandObject, desk: DeskTools) -> None:
    wanted = re.fullmatch(r"[#№]?\s*(\d{1,19})", (command.args or "").strip(), re.ASCII)
    if wanted is None:
        await reply(message, desk.say("desk-ticket-usage"))
        return
    number = TicketId(int(wanted[1]))
    detail = await desk.queries.ticket_detail(number)
    if detail is None:
        await reply(message, desk.say("desk-ticket-unknown", ticket=number))
        return
    await reply(message, ticket_text(desk, detail))
