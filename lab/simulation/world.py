"""The simulated database: tables, transactions that stand or leave no trace, and its clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from actors.ids import TechnicianId, TicketId, UserId
from actors.nodes import Role
from lab.simulation.bugs import Bug
from lab.simulation.rows import (
    Configuration,
    DeadRow,
    EventRow,
    FeedbackRow,
    InboxRow,
    LaneRow,
    NodeRow,
    RoleRow,
    SendRow,
    TechThreadRow,
    TicketRow,
    TimerRow,
    TopicRow,
    UserRow,
)
from lab.simulation.table import Journal, Table

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""What the world's clock calls 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One transaction that stands; ``by`` names the run that made it, ``what`` the operation."""

    by: str
    what: str
    at: float
    changes: Journal


class Watcher(Protocol):
    def committed(self, commit: Commit) -> None:
        """Hears of each transaction right after it stands. May raise to end the run."""


class World:
    """One database for all nodes. Transactions are serial: they hold no await.

    ``hurry`` divides the time of timers, so that a survey's day passes within a short run.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        clock: Callable[[], float] = anyio.current_time,
        hurry: float = 1.0,
        bugs: frozenset[Bug] = frozenset(),
    ) -> None:
        self.configuration = configuration
        self.hurry = hurry
        self.bugs = bugs
        self.watchers: list[Watcher] = []
        self._clock = clock
        self._next: dict[str, Callable[[], int]] = {}
        self._journal: Journal = []
        journal = self._journal
        self.users = Table[UserId, UserRow]("users", journal, lambda row: row.person.id)
        self.tickets = Table[TicketId, TicketRow](
            "tickets",
            journal,
            lambda row: row.id,
            unique={"open_client": lambda row: row.client_id if row.is_open else None},
            groups={"client": lambda row: row.client_id, "owner": lambda row: row.owner},
        )
        self.lanes = Table[TicketId, LaneRow]("ticket_lanes", journal, lambda row: row.ticket_id)
        self.inbox = Table[int, InboxRow](
            "inbox",
            journal,
            lambda row: row.id,
            unique={
                "key": lambda row: None if Bug.NO_UNIQUE_KEY in bugs else row.key,
                "seq": lambda row: None if row.seq is None else (row.ticket_id, row.seq),
            },
            groups={"waits_for": lambda row: row.waits_for},
        )
        self.events = Table[int, EventRow](
            "events", journal, lambda row: row.id, groups={"ticket": lambda row: row.ticket_id}
        )
        self.outbox = Table[int, SendRow](
            "outbox",
            journal,
            lambda row: row.id,
            groups={
                "lane": lambda row: row.waiting_lane,
                "waiting_ticket": lambda row: row.waiting_ticket,
                "ticket": lambda row: row.ticket_id,
            },
        )
        self.topics = Table[str, TopicRow](
            "topics",
            journal,
            lambda row: row.lane,
            unique={"thread": lambda row: (row.chat_id, row.thread_id)},
        )
        self.timers = Table[int, TimerRow](
            "timers",
            journal,
            lambda row: row.id,
            unique={"name": lambda row: (row.ticket_id, row.name)},
            groups={"armed": lambda row: True if row.due_at is not None else None},
        )
        self.tech_threads = Table[tuple[TicketId, TechnicianId], TechThreadRow](
            "tech_threads", journal, lambda row: (row.ticket_id, row.technician_id)
        )
        self.feedback = Table[TicketId, FeedbackRow]("feedback", journal, lambda row: row.ticket_id)
        self.dead_letters = Table[int, DeadRow](
            "dead_letters", journal, lambda row: row.id, groups={"key": lambda row: row.key}
        )
        self.nodes = Table[str, NodeRow](
            "nodes", journal, lambda row: row.name, unique={"owner": lambda row: row.owner}
        )
        self.roles = Table[Role, RoleRow]("roles", journal, lambda row: row.role)
        self._tables: dict[str, Table[Any, Any]] = {
            table.name: table for table in vars(self).values() if isinstance(table, Table)
        }

    @property
    def now(self) -> float:
        """The database's clock, in seconds."""
        return self._clock()

    def time_of(self, seconds: float) -> datetime:
        return BEGINNING + timedelta(seconds=seconds)

    def next_id(self, table: str) -> int:
        """The next id; as in Postgres, a transaction that is undone does not give it back."""
        return self._next.setdefault(table, count(1).__next__)()

    def lives(self, owner: str | None) -> bool:
        """Whether that run of a node lives."""
        if owner is None:
            return False
        node = self.nodes.find("owner", owner)
        return node is not None and node.lives

    @contextmanager
    def transaction(self, by: str, what: str) -> Iterator[None]:
        """All changes inside stand together, or none when it raises. Must not await inside."""
        self.begin()
        try:
            yield
        except BaseException:
            self.undo()
            raise
        self.commit(by, what)

    def begin(self) -> None:
        assert not self._journal, "transactions do not nest"

    def undo(self) -> None:
        """Takes back everything since :meth:`begin`."""
        for change in reversed(self._journal):
            self._tables[change.table].undo(change)
        self._journal.clear()

    def commit(self, by: str, what: str) -> None:
        """Everything since :meth:`begin` stands; the watchers hear of it."""
        if not self._journal:
            return
        changes = list(self._journal)
        self._journal.clear()
        commit = Commit(by=by, what=what, at=self.now, changes=changes)
        for watcher in self.watchers:
            watcher.committed(commit)


class Link(Protocol):
    """The way between one node and the database, with all that can happen on it."""

    @property
    def is_clear(self) -> bool:
        """Whether nothing can happen on it now: then nobody needs to ask it."""

    async def ask(self, what: str) -> None:
        """The request travels.

        Raises:
            Transient: It did not arrive; nothing was done.
        """

    async def answer(self, what: str) -> None:
        """The answer travels.

        Raises:
            Transient: It is lost; what was asked for is done.
        """


class Direct:
    """A way on which nothing ever happens."""

    is_clear = False  # each request is a checkpoint

    async def ask(self, what: str) -> None:  # noqa: ARG002 - others look at it
        await anyio.lowlevel.checkpoint()

    async def answer(self, what: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One node's connection to the world."""

    world: World
    link: Link = field(default_factory=Direct)
    by: str = "test"

    async def run[Result](self, what: str, work: Callable[[], Result]) -> Result:
        """Runs ``work`` as one transaction. A cancel comes before or after it, never inside.

        Raises:
            Transient: The database is away; whether the work is done is not known.
        """
        world, link = self.world, self.link
        if not link.is_clear:
            await link.ask(what)
        world.begin()  # not ``transaction``: this is where a run spends its time
        try:
            result = work()
        except BaseException:
            world.undo()
            raise
        world.commit(self.by, what)
        if not link.is_clear:
            await link.answer(what)
        return result
