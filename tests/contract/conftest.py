"""What the contract suites run on: one set of adapters of the ports per parameter.

An adapter in memory joins by a name in ``params`` and a branch in ``stores``; the suites know the
ports only.
"""

from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Decision
from actors.effects import Effect
from actors.ids import Seq, TicketId
from actors.messages import Envelope
from actors.ports import (
    CommitOutcome,
    CommitStatus,
    Inbox,
    LoadedTicket,
    Outbox,
    OutboxRow,
    TicketStore,
    TopicBook,
    Turn,
)
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.tickets import PostgresTicketStore
from storage.topic_book import PostgresTopicBook
from tests.fakes.desk import MAIN_CHAT, from_client
from tests.fakes.nodes import a_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Adapters that share one store, and what tests do with them again and again."""

    inbox: Inbox
    tickets: TicketStore
    outbox: Outbox
    topics: TopicBook

    async def receive(self, number: int, client: int = 1) -> Envelope:
        """The client's ``number``-th message comes in."""
        [stored] = await self.inbox.put([from_client(client, number)])
        assert stored.envelope is not None
        return stored.envelope

    async def claim(self, ticket_id: TicketId) -> LoadedTicket:
        loaded = await self.tickets.claim(ticket_id)
        assert loaded is not None
        return loaded

    async def commit(
        self, loaded: LoadedTicket, *steps: tuple[Envelope, Decision]
    ) -> CommitOutcome:
        turn = Turn(
            ticket_id=loaded.state.ticket_id,
            epoch=loaded.epoch,
            version=loaded.version,
            steps=steps,
        )
        [outcome] = await self.tickets.commit([turn])
        return outcome

    async def decide(self, number: int, *effects: Effect, client: int = 1) -> TicketId:
        """One more message of the client, handled with these effects."""
        envelope = await self.receive(number, client)
        loaded = await self.claim(envelope.ticket_id)
        mail = await self.tickets.mail(envelope.ticket_id, loaded.handled_seq, 100)
        *earlier, last = mail
        quiet = [(each, Decision(state=loaded.state)) for each in earlier]
        step = (last, Decision(state=loaded.state, effects=effects))
        outcome = await self.commit(loaded, *quiet, step)
        assert outcome.status is CommitStatus.COMMITTED
        return envelope.ticket_id

    async def lane(self, lane: str) -> list[OutboxRow]:
        return list(await self.outbox.heads([lane], 10, 100))

    async def unhandled(self, ticket_id: TicketId) -> list[Envelope]:
        loaded = await self.claim(ticket_id)
        return list(await self.tickets.mail(ticket_id, Seq(loaded.handled_seq), 100))


@pytest.fixture(params=["postgres"])
async def stores(request: pytest.FixtureRequest, engine: AsyncEngine) -> Stores:
    """The adapters under test, on an empty store."""
    assert request.param == "postgres"
    await PostgresNodes(engine).register(a_run())
    return Stores(
        inbox=PostgresInbox(engine, MAIN_CHAT),
        tickets=PostgresTicketStore(engine, a_run, MAIN_CHAT),
        outbox=PostgresOutbox(engine, a_run),
        topics=PostgresTopicBook(engine),
    )
