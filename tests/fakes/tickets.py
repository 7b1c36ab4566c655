"""Tickets in memory, with the semantics of the real store: order, fencing, atomic commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio
from anyio.lowlevel import checkpoint

from actors.decision import ArmTimer
from actors.errors import CorruptSnapshot, Quarantined, Transient
from actors.ids import Epoch, Seq, TicketId, UserId
from actors.messages import Envelope, Message, Person, TimerFired
from actors.ports import (
    CommitOutcome,
    CommitStatus,
    DeadLetter,
    LoadedTicket,
    Turn,
    check_group,
)
from actors.state import TicketState

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Row:
    """A ticket's row and everything that hangs on it."""

    state: TicketState
    epoch: int = 0
    version: int = 0
    handled: int = 0
    inbox: list[Envelope] = field(default_factory=list)
    handled_seqs: list[Seq] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)
    effects: list[object] = field(default_factory=list)
    quarantined: str | None = None


class MemoryTickets:
    """A TicketStore for tests of the runtime. Faults are switched on by its attributes."""

    def __init__(self) -> None:
        self.rows: dict[TicketId, Row] = {}
        self.group_sizes: list[int] = []
        self.failures: list[Exception] = []
        """Raised by the next calls of commit, one each, before anything is written."""
        self.lost_answers = 0
        """That many commits are written, and then their answer is lost."""
        self.away = False
        self.corrupt: set[TicketId] = set()
        self.hold: anyio.Event | None = None
        """Commits wait for it."""

    def add(self, number: int) -> TicketId:
        ticket_id = TicketId(number)
        client = Person(id=UserId(1000 + number), name=f"Client {number}")
        self.rows[ticket_id] = Row(TicketState(ticket_id=ticket_id, client=client))
        return ticket_id

    def put(self, ticket_id: TicketId, message: Message, key: str | None = None) -> Envelope:
        """Stores a message as the inbox would; the hint is the caller's."""
        row = self.rows[ticket_id]
        seq = Seq(len(row.inbox) + 1)
        envelope = Envelope(
            ticket_id=ticket_id,
            seq=seq,
            key=key or f"test:{ticket_id}:{seq}",
            received_at=START,
            message=message,
        )
        row.inbox.append(envelope)
        return envelope

    def unhandled(self) -> int:
        return sum(len(row.inbox) - row.handled for row in self.rows.values())

    # --- TicketStore ------------------------------------------------------------------------

    async def claim(self, ticket_id: TicketId) -> LoadedTicket | None:
        await self._reach()
        row = self.rows.get(ticket_id)
        if row is None:
            return None
        if ticket_id in self.corrupt:
            raise CorruptSnapshot("unreadable")
        row.epoch += 1
        if row.quarantined is not None:
            raise Quarantined(row.quarantined)
        return LoadedTicket(
            state=row.state,
            epoch=Epoch(row.epoch),
            version=row.version,
            handled_seq=Seq(row.handled),
        )

    async def revive(self, limit: int) -> Sequence[TicketId]:
        await self._reach()
        found = [i for i, row in self.rows.items() if row.epoch == 0 and row.state.status.is_open]
        for ticket_id in found[:limit]:
            self.rows[ticket_id].epoch += 1
        return found[:limit]

    async def mail(self, ticket_id: TicketId, after: Seq, limit: int) -> Sequence[Envelope]:
        await self._reach()
        return self.rows[ticket_id].inbox[after : after + limit]

    async def commit(self, turns: Sequence[Turn]) -> Sequence[CommitOutcome]:
        await self._reach()
        if self.hold is not None:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        check_group(turns)
        self.group_sizes.append(len(turns))
        outcomes = [self._write(turn) for turn in turns]
        if self.lost_answers:
            self.lost_answers -= 1
            raise Transient("the connection was lost in COMMIT")
        return outcomes

    async def versions(
        self, ticket_ids: Sequence[TicketId]
    ) -> Mapping[TicketId, tuple[Epoch, int]]:
        await self._reach()
        return {i: (Epoch(self.rows[i].epoch), self.rows[i].version) for i in ticket_ids}

    async def waiting(self, limit: int) -> Sequence[TicketId]:
        await self._reach()
        return [
            i
            for i, row in self.rows.items()
            if len(row.inbox) > row.handled and row.quarantined is None
        ][:limit]

    async def quarantine(self, ticket_id: TicketId, why: str) -> None:
        await self._reach()
        self.rows[ticket_id].quarantined = why

    async def fire_timers(self, limit: int) -> Sequence[Envelope]:
        await self._reach()
        fired: list[Envelope] = []
        for ticket_id, row in self.rows.items():
            for name, due in list(row.timers.items()):
                if due <= anyio.current_time() and len(fired) < limit:
                    del row.timers[name]
                    fired.append(self.put(ticket_id, TimerFired(name=name)))
        return fired

    async def _reach(self) -> None:
        await checkpoint()
        if self.away:
            raise Transient("the store is away")

    def _write(self, turn: Turn) -> CommitOutcome:
        row = self.rows[turn.ticket_id]
        if (row.epoch, row.version) != (turn.epoch, turn.version):
            return CommitOutcome(status=CommitStatus.FENCED)
        assert turn.steps[0][0].seq == row.handled + 1, "messages must be handled in order"
        row.state, row.version, row.handled = turn.state, row.version + 1, turn.handled_seq
        row.dead += turn.dead
        lanes: list[str] = []
        for envelope, decision in turn.steps:
            row.handled_seqs.append(envelope.seq)
            row.effects += decision.effects
            lanes += ["lane"] if decision.effects else []
            for timer in decision.timers:
                if isinstance(timer, ArmTimer):
                    row.timers[timer.name] = anyio.current_time() + _seconds(timer.after)
                else:
                    row.timers.pop(timer.name, None)
        return CommitOutcome(status=CommitStatus.COMMITTED, lanes=tuple(lanes))


def _seconds(after: timedelta) -> float:
    return after.total_seconds()
