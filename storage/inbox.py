"""The durable inbox: what came in is committed, once and in order, before anybody is told."""

from collections.abc import Sequence
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.ids import ChatId, TicketId, UserId
from actors.messages import Person
from actors.ports import Incoming, Stored, ToClient, ToDesk, ToTicket
from storage import lanes
from storage.main_groups import MainGroups, main_groups
from storage.postgres import transaction, unit


class PostgresInbox:
    """Implements :class:`actors.ports.Inbox`. New tickets get their topic in a main group."""

    def __init__(self, engine: AsyncEngine, groups: ChatId | MainGroups) -> None:
        self._engine = engine
        self._groups = main_groups(engine, groups)

    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        if not batch:
            return []
        return await unit(lambda: self._put(batch))

    async def _put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        async with transaction(self._engine) as connection:
            routed = await self._route(connection, batch)
            letters = [
                lanes.Letter(
                    key=i.key, ticket_id=routed[n], message=i.message, raw=i.raw, trace=i.trace
                )
                for n, i in enumerate(batch)
            ]
            fresh = await lanes.post(connection, letters)
        stored: list[Stored] = []
        for incoming in batch:
            duplicate = incoming.key not in fresh
            envelope = fresh.pop(incoming.key, None)
            stored.append(Stored(key=incoming.key, duplicate=duplicate, envelope=envelope))
        return stored

    async def _route(
        self, connection: AsyncConnection, batch: Sequence[Incoming]
    ) -> list[TicketId | None]:
        """The ticket of each; makes the tickets that are missing.

        A duplicate must not make a ticket, so keys that are known are looked up first, under the
        clients' locks: two copies of one update cannot both find it unknown.
        """
        clients: dict[UserId, Person] = {
            i.route.client.id: i.route.client for i in batch if isinstance(i.route, ToClient)
        }
        chosen: dict[UserId, TicketId] = {}
        banned: set[UserId] = set()
        known: set[str] = set()
        current: dict[UserId, lanes.Current] = {}
        if clients:
            banned = await lanes.lock_clients(connection, clients)
            known = await lanes.known_keys(connection, [i.key for i in batch])
            current = await lanes.current_tickets(connection, list(clients))
            homeless: dict[UserId, TicketId | None] = {}
            for incoming in batch:
                route = incoming.route
                if isinstance(route, ToClient) and incoming.key not in known:
                    if route.client.id in banned:
                        continue
                    client = route.client.id
                    if (
                        route.opens
                        and client not in homeless
                        and _home(route, current.get(client)) is None
                    ):
                        latest = current.get(client)
                        homeless[client] = None if latest is None else latest.latest_id
            main = await self._groups.choose(connection, len(homeless))
            chosen = await lanes.create_tickets(connection, main, homeless)
        return [
            None if _is_from(incoming, banned) else self._ticket(incoming, known, current, chosen)
            for incoming in batch
        ]

    def _ticket(
        self,
        incoming: Incoming,
        known: set[str],
        current: dict[UserId, lanes.Current],
        made: dict[UserId, TicketId],
    ) -> TicketId | None:
        match incoming.route:
            case ToClient(client=client) as route:
                if incoming.key in known:
                    return None
                if not route.opens and client.id in made:
                    return made[client.id]
                home = _home(route, current.get(client.id))
                return made.get(client.id) if home is None else home
            case ToTicket(ticket_id=ticket_id):
                return ticket_id
            case ToDesk():
                return None
            case _:
                assert_never(incoming.route)


def _is_from(incoming: Incoming, clients: set[UserId]) -> bool:
    """Whether one of these clients wrote it: what the banned write reaches no ticket."""
    route = incoming.route
    return isinstance(route, ToClient) and route.client.id in clients


def _home(route: ToClient, current: lanes.Current | None) -> TicketId | None:
    """The existing ticket that a client's message belongs to, ``None`` when it opens a new one."""
    if current is None:
        return None
    if not route.opens:
        return current.latest_id
    stays = current.is_open or current.moves_on or (current.wants_comment and route.is_text)
    return current.ticket_id if stays else None
