"""The inbox and the book of topics over one world."""

from collections.abc import Sequence
from typing import assert_never

from actors.books import TopicAddress
from actors.ids import ChatId, ThreadId, TicketId, UserId
from actors.ports import Incoming, Stored, ToClient, ToDesk, ToTicket
from lab.simulation.bugs import Bug
from lab.simulation.letters import (
    Current,
    Letter,
    current_ticket,
    knows,
    make_ticket,
    note_client,
    post,
)
from lab.simulation.world import Session, World


class MemoryInbox:
    """Implements :class:`actors.ports.Inbox`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        if not batch:
            return []
        return await self._session.run("put", lambda: self._put(batch))

    def _put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        world = self._session.world
        homes = _route(world, batch)
        letters = [
            Letter(key=incoming.key, ticket_id=home, message=incoming.message)
            for incoming, home in zip(batch, homes, strict=True)
        ]
        if Bug.MESSAGE_DROPPED in world.bugs and len(letters) > 1:
            letters.pop()
        fresh = post(world, letters)
        stored: list[Stored] = []
        for incoming in batch:
            duplicate = incoming.key not in fresh
            found = fresh.pop(incoming.key, None)
            stored.append(Stored(key=incoming.key, duplicate=duplicate, envelope=found))
        return stored


def _route(world: World, batch: Sequence[Incoming]) -> list[TicketId | None]:
    """The ticket of each, made where it is missing; a duplicate makes none.

    All are routed by how things stood before the batch, as one transaction's reading does it.
    """
    clients = {i.route.client.id: i.route.client for i in batch if isinstance(i.route, ToClient)}
    known = {incoming.key for incoming in batch if knows(world, incoming.key)}
    if Bug.NO_UNIQUE_KEY in world.bugs:
        known.clear()
    for client_id in sorted(clients):
        note_client(world, clients[client_id])
    current = {client_id: current_ticket(world, client_id) for client_id in clients}
    made: dict[UserId, TicketId] = {}
    homes: list[TicketId | None] = []
    for incoming in batch:
        match incoming.route:
            case ToClient(client=client) as route:
                if incoming.key in known:
                    homes.append(None)
                    continue
                home = _home(route, current[client.id])
                if home is None and client.id not in made and route.opens:
                    latest = current[client.id]
                    former = None if latest is None else latest.latest_id
                    made[client.id] = make_ticket(world, client.id, former)
                homes.append(made.get(client.id) if home is None else home)
            case ToTicket(ticket_id=ticket_id):
                homes.append(ticket_id)
            case ToDesk():
                homes.append(None)
            case _:
                assert_never(incoming.route)
    return homes


def _home(route: ToClient, current: Current | None) -> TicketId | None:
    """The existing ticket that a client's message belongs to, ``None`` when it opens a new one."""
    if current is None:
        return None
    if not route.opens:
        return current.latest_id
    stays = current.takes_all or (current.row.wants_comment and route.is_text)
    return current.row.id if stays else None


class MemoryTopicBook:
    """Implements :class:`actors.ports.TopicBook`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find_topic(self, chat_id: ChatId, thread_id: ThreadId) -> TopicAddress | None:
        def work() -> TopicAddress | None:
            row = self._session.world.topics.find("thread", (chat_id, thread_id))
            return None if row is None else TopicAddress(ticket_id=row.ticket_id, place=row.place)

        return await self._session.run("find_topic", work)

    async def ticket_of(self, client: UserId) -> TicketId | None:
        def work() -> TicketId | None:
            current = current_ticket(self._session.world, client)
            return None if current is None else current.latest_id

        return await self._session.run("ticket_of", work)

    async def latest_ticket(self, ticket_id: TicketId) -> TicketId | None:
        def work() -> TicketId | None:
            world = self._session.world
            row = world.tickets.get(ticket_id)
            current = None if row is None else current_ticket(world, row.client_id)
            return None if current is None else current.latest_id

        return await self._session.run("latest_ticket", work)

    async def client_of(self, ticket_id: TicketId) -> UserId | None:
        def work() -> UserId | None:
            row = self._session.world.tickets.get(ticket_id)
            return None if row is None else row.client_id

        return await self._session.run("client_of", work)
