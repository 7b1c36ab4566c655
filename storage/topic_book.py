"""Whose topic a thread is, and whose client: answers never change, so they are remembered."""

from collections import OrderedDict
from collections.abc import Hashable

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.books import TopicAddress
from actors.ids import ChatId, ThreadId, TicketId, UserId
from actors.places import Place
from storage.models import Ticket, Topic
from storage.postgres import single, transaction, unit

_LATEST = text("""
    SELECT max(t.id) FROM tickets t
    WHERE t.client_tg_id = (SELECT client_tg_id FROM tickets WHERE id = :ticket)
""")

REMEMBERED_MAX = 50_000
"""Topics and tickets kept in memory, some 200 bytes each; the least used one leaves."""


class _Memory[Key: Hashable, Value]:
    """The most recently used answers."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class PostgresTopicBook:
    """Implements :class:`actors.ports.TopicBook`; only what exists is remembered."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._single = single(engine)
        self._topics: _Memory[tuple[int, int], TopicAddress] = _Memory(REMEMBERED_MAX)
        self._clients: _Memory[TicketId, UserId] = _Memory(REMEMBERED_MAX)

    async def find_topic(self, chat_id: ChatId, thread_id: ThreadId) -> TopicAddress | None:
        found = self._topics.get((chat_id, thread_id))
        if found is None:
            found = await unit(lambda: self._read_topic(chat_id, thread_id))
            if found is not None:
                self._topics.put((chat_id, thread_id), found)
        return found

    async def client_of(self, ticket_id: TicketId) -> UserId | None:
        found = self._clients.get(ticket_id)
        if found is None:
            found = await unit(lambda: self._read_client(ticket_id))
            if found is not None:
                self._clients.put(ticket_id, found)
        return found

    async def latest_ticket(self, ticket_id: TicketId) -> TicketId | None:
        async def work() -> int | None:
            async with transaction(self._single) as connection:
                found: int | None = (
                    await connection.execute(_LATEST, {"ticket": ticket_id})
                ).scalar()
                return found

        found = await unit(work)
        return None if found is None else TicketId(found)

    async def ticket_of(self, client: UserId) -> TicketId | None:
        async def work() -> int | None:
            query = select(func.max(Ticket.id)).where(Ticket.client_tg_id == client)
            async with transaction(self._single) as connection:
                return (await connection.execute(query)).scalar()

        found = await unit(work)
        return None if found is None else TicketId(found)

    async def _read_topic(self, chat_id: ChatId, thread_id: ThreadId) -> TopicAddress | None:
        query = select(Topic.ticket_id, Topic.place).where(
            Topic.chat_id == chat_id, Topic.thread_id == thread_id
        )
        async with transaction(self._single) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return TopicAddress(ticket_id=TicketId(row.ticket_id), place=Place.parse(row.place))

    async def _read_client(self, ticket_id: TicketId) -> UserId | None:
        query = select(Ticket.client_tg_id).where(Ticket.id == ticket_id)
        async with transaction(self._single) as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else UserId(found)
