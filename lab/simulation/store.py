"""Tickets over one world: claimed, read, committed; timers fired."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

from actors.decision import Actor, Event
from actors.errors import Quarantined
from actors.ids import Epoch, Seq, TicketId
from actors.messages import Envelope, TimerFired
from actors.ports import CommitOutcome, LoadedTicket, Turn, check_group
from actors.state import TicketState
from lab.simulation import commit
from lab.simulation.bugs import Bug
from lab.simulation.letters import Letter, envelope, post
from lab.simulation.nodes import Who
from lab.simulation.rows import EventRow, TicketRow, TimerRow
from lab.simulation.world import Session, World


class MemoryTicketStore:
    """Implements :class:`actors.ports.TicketStore` for the present run of one node."""

    def __init__(self, session: Session, node: Who) -> None:
        self._session = session
        self._node = node
        self._believed: dict[TicketId, tuple[Epoch, int]] = {}

    async def claim(self, ticket_id: TicketId) -> LoadedTicket | None:
        row = await self._session.run("claim", partial(self._claim, ticket_id))
        if row is None:
            return None
        if row.quarantined is not None:
            raise Quarantined(row.quarantined)
        return LoadedTicket(
            state=row.state or _begun(self._session.world, row),
            epoch=Epoch(row.epoch),
            version=row.version,
            handled_seq=Seq(row.handled_seq),
        )

    async def revive(self, limit: int) -> Sequence[TicketId]:
        return await self._session.run("revive", partial(self._revive, limit))

    async def quarantine(self, ticket_id: TicketId, why: str) -> None:
        await self._session.run("quarantine", partial(self._quarantine, ticket_id, why))

    async def mail(self, ticket_id: TicketId, after: Seq, limit: int) -> Sequence[Envelope]:
        return await self._session.run("mail", partial(self._mail, ticket_id, after, limit))

    async def commit(self, turns: Sequence[Turn]) -> Sequence[CommitOutcome]:
        check_group(turns)
        outcomes: dict[TicketId, CommitOutcome] = {}
        together = [turn for turn in turns if not _reroutes(turn)]
        await self._send_early(turns)
        self._believe(turns)
        if together:
            outcomes |= await self._session.run("commit", partial(self._commit, together))
        for turn in turns:
            if _reroutes(turn):
                work = partial(commit.write_rerouting, self._session.world, turn)
                outcomes[turn.ticket_id] = await self._session.run("commit", work)
        return [outcomes[turn.ticket_id] for turn in turns]

    async def versions(
        self, ticket_ids: Sequence[TicketId]
    ) -> Mapping[TicketId, tuple[Epoch, int]]:
        def work() -> dict[TicketId, tuple[Epoch, int]]:
            rows = [self._session.world.tickets.get(ticket_id) for ticket_id in ticket_ids]
            return {row.id: (Epoch(row.epoch), row.version) for row in rows if row is not None}

        if Bug.NO_REREAD in self._session.world.bugs:
            return {ticket_id: self._believed[ticket_id] for ticket_id in ticket_ids}
        return await self._session.run("versions", work)

    async def waiting(self, limit: int) -> Sequence[TicketId]:
        return await self._session.run("waiting", lambda: self._waiting()[:limit])

    async def fire_timers(self, limit: int) -> Sequence[Envelope]:
        world = self._session.world
        if Bug.TIMER_WITHOUT_KEY in world.bugs:
            return await self._fire_carelessly(limit)
        return await self._session.run("fire_timers", partial(self._fire_timers, limit))

    # --- inside one transaction -------------------------------------------------------------

    def _may_own(self, row: TicketRow) -> bool:
        """Whether this run owns the ticket or no living run does."""
        world = self._session.world
        return row.owner in {None, self._node().owner} or (
            not world.lives(row.owner) and Bug.DEAD_KEEP_TICKETS not in world.bugs
        )

    def _claim(self, ticket_id: TicketId) -> TicketRow | None:
        """A ticket in quarantine is taken as well: its new owner knows then that it is."""
        world = self._session.world
        row = world.tickets.get(ticket_id)
        if row is None or not self._may_own(row):
            return None
        return world.tickets.put(replace(row, owner=self._node().owner, epoch=row.epoch + 1))

    def _revive(self, limit: int) -> Sequence[TicketId]:
        world, mine = self._session.world, self._node().owner
        found = [
            row
            for row in world.tickets
            if row.owner != mine and self._may_own(row) and self._is_unfinished(row)
        ]
        found.sort(key=lambda row: (not world.inbox.group("waits_for", row.id), row.id))
        for row in found[:limit]:
            world.tickets.put(replace(row, owner=mine, epoch=row.epoch + 1))
        return [row.id for row in found[:limit]]

    def _is_unfinished(self, row: TicketRow) -> bool:
        world = self._session.world
        return (
            row.is_open
            or bool(world.inbox.group("waits_for", row.id))
            or bool(world.outbox.group("waiting_ticket", row.id))
        )

    def _quarantine(self, ticket_id: TicketId, why: str) -> None:
        world = self._session.world
        row = world.tickets.get(ticket_id)
        if row is None or row.owner != self._node().owner or row.quarantined is not None:
            return
        world.tickets.put(replace(row, quarantined=why))
        event = Event(actor=Actor.SYSTEM, action="quarantined", payload={"why": why})
        world.events.add(
            EventRow(
                id=world.next_id("events"),
                ticket_id=ticket_id,
                seq=Seq(row.handled_seq),
                event=event,
            )
        )

    def _mail(self, ticket_id: TicketId, after: Seq, limit: int) -> Sequence[Envelope]:
        world = self._session.world
        lane = world.lanes[ticket_id]
        found: list[Envelope] = []
        for seq in range(after + 1, min(after + 1 + limit, lane.next_seq)):
            row = world.inbox.find("seq", (ticket_id, seq))
            letter = None if row is None else envelope(world, row)
            if letter is not None:
                found.append(letter)
        if Bug.INBOX_OUT_OF_ORDER in world.bugs and len(found) > 1:
            first, second = found[:2]
            found[:2] = [replace(second, seq=first.seq), replace(first, seq=second.seq)]
        return found

    def _commit(self, turns: Sequence[Turn]) -> dict[TicketId, CommitOutcome]:
        return {turn.ticket_id: commit.write(self._session.world, turn) for turn in turns}

    async def _send_early(self, turns: Sequence[Turn]) -> None:
        """Nothing, unless the run is seeded with that mistake."""
        world = self._session.world
        if Bug.SEND_BEFORE_COMMIT in world.bugs:
            for turn in turns:
                await self._session.run("send early", partial(commit.send, world, turn, ()))

    def _believe(self, turns: Sequence[Turn]) -> None:
        """Nothing, unless the run is seeded with that mistake."""
        if Bug.NO_REREAD in self._session.world.bugs:
            written = {turn.ticket_id: (turn.epoch, turn.version + 1) for turn in turns}
            self._believed |= written

    def _waiting(self) -> list[TicketId]:
        world = self._session.world
        first: list[tuple[int, TicketId]] = []
        for ticket_id in world.inbox.groups("waits_for"):
            assert isinstance(ticket_id, int)
            row = world.tickets[TicketId(ticket_id)]
            if row.quarantined is None and self._may_own(row):
                oldest = min(letter.id for letter in world.inbox.group("waits_for", ticket_id))
                first.append((oldest, row.id))
        return [ticket_id for _, ticket_id in sorted(first)]

    def _due(self, limit: int) -> list[TimerRow]:
        world = self._session.world
        due = [
            row
            for row in world.timers.group("armed", True)  # noqa: FBT003 - a value of the column
            if row.due_at is not None
            and row.due_at <= world.now
            and self._may_own(world.tickets[row.ticket_id])
        ]
        return sorted(due, key=attrgetter("due_at"))[:limit]

    def _fire_timers(self, limit: int) -> Sequence[Envelope]:
        world = self._session.world
        due = self._due(limit)
        fresh = post(world, [_ring(row, f"{row.arming}") for row in due])
        for row in due:
            world.timers.put(replace(row, due_at=None))
        return [found for found in fresh.values() if found is not None]

    async def _fire_carelessly(self, limit: int) -> Sequence[Envelope]:
        """The mistake: between the two transactions anything may happen."""
        world, session = self._session.world, self._session
        due = await session.run("fire_timers", partial(self._due, limit))
        letters = [_ring(row, f"{row.arming}@{world.now}") for row in due]
        fresh = await session.run("fire_timers", partial(post, world, letters))

        def fired() -> None:
            for row in due:
                world.timers.put(replace(row, due_at=None))

        await session.run("fire_timers", fired)
        return [found for found in fresh.values() if found is not None]


def _reroutes(turn: Turn) -> bool:
    return any(decision.reroute for _, decision in turn.steps)


def _ring(row: TimerRow, what: str) -> Letter:
    return Letter(
        key=f"timer:{row.id}:{what}", ticket_id=row.ticket_id, message=TimerFired(name=row.name)
    )


def _begun(world: World, row: TicketRow) -> TicketState:
    """A ticket that has handled nothing yet."""
    return TicketState(
        ticket_id=row.id,
        former_ticket_id=row.former_ticket_id,
        client=world.users[row.client_id].person,
    )
