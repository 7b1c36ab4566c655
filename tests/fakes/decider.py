"""Puts effects of a test's choice into the real outbox, the way a turn does: by a fenced commit."""

from collections.abc import Callable
from itertools import count

from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Decision
from actors.effects import Effect
from actors.ids import ChatId, Seq, TicketId
from actors.ports import CommitStatus, Turn
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.tickets import PostgresTicketStore
from tests.fakes.desk import from_client
from tests.fakes.nodes import a_run


class Decider:
    """A ticket per client, whose effects are whatever a test says."""

    def __init__(self, engine: AsyncEngine, main_chat: ChatId) -> None:
        self._inbox = PostgresInbox(engine, main_chat)
        self._store = PostgresTicketStore(engine, a_run, main_chat)
        self._nodes = PostgresNodes(engine)
        self._number: Callable[[], int] = count(1).__next__

    async def register(self) -> None:
        await self._nodes.register(a_run())

    async def decide(self, *effects: Effect, client: int = 1) -> tuple[TicketId, tuple[str, ...]]:
        """One more message of the client with these effects; the ticket, and the lanes to wake."""
        [stored] = await self._inbox.put([from_client(client, self._number())])
        assert stored.envelope is not None
        ticket_id = stored.envelope.ticket_id
        loaded = await self._store.claim(ticket_id)
        assert loaded is not None
        mail = await self._store.mail(ticket_id, loaded.handled_seq, 1000)
        steps = [(each, Decision(state=loaded.state)) for each in mail[:-1]]
        steps.append((mail[-1], Decision(state=loaded.state, effects=effects)))
        assert steps[0][0].seq == Seq(loaded.handled_seq + 1)
        turn = Turn(
            ticket_id=ticket_id, epoch=loaded.epoch, version=loaded.version, steps=tuple(steps)
        )
        [outcome] = await self._store.commit([turn])
        assert outcome.status is CommitStatus.COMMITTED
        return ticket_id, outcome.lanes
