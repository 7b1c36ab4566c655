"""What the suites run on: the adapters of one store, and what only its owner can do to it."""

from dataclasses import replace
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.books import TopicBook
from actors.nodes import NodeStore
from actors.ports import Inbox, Outbox, TicketStore
from actors.state import Status
from lab.simulation.inbox import MemoryInbox, MemoryTopicBook
from lab.simulation.nodes import MemoryNodeStore, Who
from lab.simulation.outbox import MemoryOutbox
from lab.simulation.rows import Configuration
from lab.simulation.store import MemoryTicketStore
from lab.simulation.world import Session, World
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.tickets import PostgresTicketStore
from storage.topic_book import PostgresTopicBook
from tests.fakes.desk import MAIN_CHAT

SILENCE_S = 60.0
"""Longer than any lease of a test."""


class Backing(Protocol):
    """One store. The adapters of runs differ by who they are."""

    nodes: NodeStore
    inbox: Inbox
    topics: TopicBook

    def tickets(self, node: Who) -> TicketStore: ...
    def outbox(self, node: Who) -> Outbox: ...

    async def silence(self, name: str) -> None:
        """The node's last beat was long ago."""

    async def close_all(self) -> None:
        """All tickets are closed, as if it had happened long before."""

    async def lift_quarantines(self) -> None:
        """An operator releases all tickets."""


class PostgresBacking:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.nodes: NodeStore = PostgresNodes(engine)
        self.inbox: Inbox = PostgresInbox(engine, MAIN_CHAT)
        self.topics: TopicBook = PostgresTopicBook(engine)

    def tickets(self, node: Who) -> TicketStore:
        return PostgresTicketStore(self._engine, node, MAIN_CHAT)

    def outbox(self, node: Who) -> Outbox:
        return PostgresOutbox(self._engine, node)

    async def silence(self, name: str) -> None:
        query = "UPDATE nodes SET beat_at = now() - make_interval(secs => :seconds)"
        await self._execute(f"{query} WHERE name = :name", seconds=SILENCE_S, name=name)

    async def close_all(self) -> None:
        await self._execute("UPDATE tickets SET status = 'CLOSED', closed_at = now()")

    async def lift_quarantines(self) -> None:
        await self._execute("UPDATE tickets SET quarantined = NULL")

    async def _execute(self, query: str, **values: object) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(query), values)


class MemoryBacking:
    """The simulation's store, without any troubles."""

    def __init__(self) -> None:
        self.world = World(Configuration(main_chat_id=MAIN_CHAT))
        self._session = Session(world=self.world)
        self.nodes: NodeStore = MemoryNodeStore(self._session)
        self.inbox: Inbox = MemoryInbox(self._session)
        self.topics: TopicBook = MemoryTopicBook(self._session)

    def tickets(self, node: Who) -> TicketStore:
        return MemoryTicketStore(self._session, node)

    def outbox(self, node: Who) -> Outbox:
        return MemoryOutbox(self._session, node)

    async def silence(self, name: str) -> None:
        with self.world.transaction("test", "silence"):
            row = self.world.nodes[name]
            self.world.nodes.put(replace(row, beat_at=row.beat_at - SILENCE_S))

    async def close_all(self) -> None:
        with self.world.transaction("test", "close"):
            for row in list(self.world.tickets):
                closed = replace(row, status=Status.CLOSED, closed_at=self.world.now)
                self.world.tickets.put(closed)

    async def lift_quarantines(self) -> None:
        with self.world.transaction("test", "release"):
            for row in list(self.world.tickets):
                self.world.tickets.put(replace(row, quarantined=None))
