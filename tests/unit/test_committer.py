"""Turns that are written together: whose, and what becomes of those that nobody waits for."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from actors.decision import Decision
from actors.ids import TicketId
from actors.messages import TimerFired
from actors.ports import CommitOutcome, CommitStatus, Turn
from supervisor.committer import GroupCommitter
from supervisor.options import RuntimeOptions
from tests.fakes.tickets import MemoryTickets

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(core_backend: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return core_backend


class Groups(MemoryTickets):
    """Remembers whose turns were written together. Each commit takes until :meth:`let_go`."""

    def __init__(self) -> None:
        super().__init__()
        self.hold = self._held = anyio.Event()
        self.groups: list[list[TicketId]] = []

    async def commit(self, turns: Sequence[Turn]) -> Sequence[CommitOutcome]:
        self.groups.append([turn.ticket_id for turn in turns])
        return await super().commit(turns)

    def let_go(self) -> None:
        self._held.set()

    async def turn(self, number: int) -> Turn:
        """The next message of a ticket, based on a claim of its own."""
        ticket = TicketId(number)
        if ticket not in self.rows:
            self.add(number)
        loaded = await self.claim(ticket)
        assert loaded is not None
        envelope = self.put(ticket, TimerFired(name="x"))
        first = self.rows[ticket].inbox[loaded.handled_seq]
        return Turn(
            ticket_id=ticket,
            epoch=loaded.epoch,
            version=loaded.version,
            steps=((replace(envelope, seq=first.seq), Decision(state=loaded.state)),),
        )


@asynccontextmanager
async def committing(store: Groups) -> AsyncIterator[GroupCommitter]:
    """A committer of which the first transaction, of ticket 1, is under way."""
    committer = GroupCommitter(store, RuntimeOptions(), lambda: 0.5)
    async with anyio.create_task_group() as group:
        group.start_soon(committer.run)
        group.start_soon(committer.commit, await store.turn(1))
        await anyio.wait_all_tasks_blocked()
        assert store.groups == [[1]]
        yield committer
        group.cancel_scope.cancel()


async def test_a_turn_that_nobody_waits_for_any_more_is_not_written() -> None:
    store = Groups()
    async with committing(store) as committer:
        torn = await store.turn(2)
        with anyio.move_on_after(0) as impatient:
            await committer.commit(torn)
        assert impatient.cancelled_caught
        later = await store.turn(2)
        store.let_go()
        assert (await committer.commit(later)).status is CommitStatus.COMMITTED
    assert store.groups == [[1], [2]]
    assert store.rows[TicketId(2)].handled == 1


async def test_turns_of_one_ticket_are_never_written_together() -> None:
    store = Groups()
    outcomes: list[CommitStatus] = []
    async with committing(store) as committer, anyio.create_task_group() as group:

        async def commit(turn: Turn) -> None:
            outcomes.append((await committer.commit(turn)).status)

        for number in (2, 3, 2, 4):
            group.start_soon(commit, await store.turn(number))
            await anyio.wait_all_tasks_blocked()
        store.let_go()
    assert store.groups == [[1], [2, 3], [2, 4]]
    assert sorted(outcomes) == ["committed"] * 3 + ["fenced"]
