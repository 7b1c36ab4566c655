"""The desk: commands of the administrators and the staff, through aiogram's Dispatcher."""

from collections.abc import Callable, Container

from aiogram import Dispatcher
from aiogram.fsm.storage.base import BaseStorage

from actors.ids import ChatId, UserId
from bot.desk import clients, commands, presses, search
from bot.desk.access import DeskTools
from bot.desk.memory import TolerantStorage
from bot.roster import Roster
from bot.texts import Texts
from storage.queries import TicketQueries
from storage.tolerant import Tolerant


def create_dispatcher(
    *,
    queries: TicketQueries,
    roster: Roster,
    texts: Texts,
    main_chats: Container[ChatId],
    admin_ids: frozenset[UserId],
    storage: BaseStorage,
    tolerant: Tolerant,
    look_at_groups: Callable[[], None] = lambda: None,
) -> Dispatcher:
    """A dispatcher of its own, with routers of its own: more than one may live in a process.

    Errors of handlers are raised to whoever feeds it; it never runs updates in the background.
    ``look_at_groups`` is called when the bot's place in one has changed. ``storage`` remembers open
    questions; while it is away, which ``tolerant`` knows as all users of Redis do, the desk works
    without questions.
    """
    dispatcher = Dispatcher(storage=TolerantStorage(storage, tolerant))
    dispatcher["desk"] = DeskTools(
        queries=queries,
        roster=roster,
        texts=texts,
        main_chats=main_chats,
        admin_ids=admin_ids,
        look_at_groups=look_at_groups,
    )
    dispatcher.include_routers(
        clients.create_router(),
        commands.create_router(),
        search.create_router(),
        presses.create_router(),  # last: it takes every press that nobody else has taken
    )
    return dispatcher
