"""What the contract suites run on: one set of adapters of the ports per parameter.

``postgres`` is what nodes run on, ``memory`` what the simulation runs them on. The suites know the
ports only, and hold the same truths on both.
"""

from dataclasses import dataclass

import pytest

from actors.books import TopicBook
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
    Turn,
)
from tests.contract.backing import Backing, MemoryBacking, PostgresBacking
from tests.fakes.desk import from_client
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


@pytest.fixture(params=["postgres", "memory"])
def backing(request: pytest.FixtureRequest) -> Backing:
    """An empty store of each kind; only the one in Postgres has a database made for it."""
    if request.param == "postgres":
        return PostgresBacking(request.getfixturevalue("engine"))
    return MemoryBacking()


@pytest.fixture
async def stores(backing: Backing) -> Stores:
    """The adapters under test, on an empty store."""
    return await stores_of(backing)


async def stores_of(backing: Backing) -> Stores:
    """The adapters of a run that lives."""
    await backing.nodes.register(a_run())
    return Stores(
        inbox=backing.inbox,
        tickets=backing.tickets(a_run),
        outbox=backing.outbox(a_run),
        topics=backing.topics,
    )
