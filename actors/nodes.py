"""Nodes and what belongs to them: the ports behind ownership.

A *run* is one life of one node, from its registration to its end; its name is unique for ever and
stands in ``tickets.owner``. Postgres judges, on its own clock, which runs live. Redis only tells
sooner: nothing here depends on it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from actors.ids import TicketId


class NodeStatus(StrEnum):
    UP = "up"
    """Serves, and may be given tickets."""
    DRAINING = "draining"
    """Ends soon: finishes what it has begun and gives its tickets away."""
    DEAD = "dead"
    """Its run is over; whoever finds its tickets may take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdentity:
    """One run of one node. ``incarnation`` differs at every start."""

    name: str
    incarnation: str
    started_at: datetime

    @property
    def owner(self) -> str:
        """Names this run as the owner of tickets and roles."""
        return f"{self.name}/{self.incarnation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """A node as Postgres knows it; ``beat_age_s`` by the database's clock, in seconds."""

    name: str
    incarnation: str
    status: NodeStatus
    beat_age_s: float

    @property
    def owner(self) -> str:
        return f"{self.name}/{self.incarnation}"

    @property
    def is_alive(self) -> bool:
        return self.status is not NodeStatus.DEAD


class Role(StrEnum):
    """What one node at a time does for all."""

    POLLING = "polling"
    """Asks Telegram for updates."""
    DESK = "desk"
    """Answers the commands of the staff, in their order."""


class NodeStore(Protocol):
    """The judge. All raise ``Transient`` while Postgres is away."""

    async def register(self, node: NodeIdentity) -> None:
        """Begins a run; a former run under the same name is over with it."""

    async def beat(self, node: NodeIdentity, status: NodeStatus) -> bool:
        """Says that this run lives. ``False``: it was declared dead or replaced, and stays so."""

    async def declare_dead(self, lease_s: float) -> Sequence[str]:
        """Ends runs whose last beat is older than ``lease_s``; returns their names.

        Each is ended by exactly one caller.
        """

    async def nodes(self) -> Sequence[NodeRecord]:
        """Those that live, and those that ended within the last day, by name."""

    async def hand_over(
        self, node: NodeIdentity, busy: Collection[TicketId], limit: int
    ) -> Mapping[str, Sequence[TicketId]]:
        """Gives up to ``limit`` tickets of this run to runs that are up, evenly, epochs raised.

        ``busy`` tickets are left. Without another run that is up their owner becomes nobody.
        Returns the tickets by their new owner (``""`` for nobody); call until it returns none.
        """

    async def move(self, ticket_id: TicketId, owner: str) -> bool:
        """Gives a ticket, whoever owns it, to a run that is up; ``False`` when that is not."""

    async def retire(self, node: NodeIdentity) -> None:
        """Ends this run: what it still owns may be taken at once."""

    async def take_role(self, node: NodeIdentity, role: Role) -> bool:
        """Whether this run has the role now: it had it, or no living run did."""

    async def leave_roles(self, node: NodeIdentity) -> None:
        """Lets go of all roles, for others to take."""


class Leases(Protocol):
    """Redis's part: a key per run that expires. Never raises, never waits long."""

    async def extend(self, node: NodeIdentity, ttl_s: float) -> bool | None:
        """Sets or extends the lease of this run; never one that another run of the name holds.

        ``False``: another run holds it. ``None``: Redis is away.
        """

    async def expired(self, names: Sequence[str]) -> Sequence[str] | None:
        """Which of these nodes have no lease; ``None`` when Redis is away."""

    async def drop(self, node: NodeIdentity) -> None:
        """Removes this run's lease, if it is its own."""


class Hints(Protocol):
    """Tells other nodes that tickets of theirs have mail. Losing a hint only costs a poll.

    A hint without tickets says that a role has become free.
    """

    def tell(self, owner: str, tickets: Sequence[TicketId]) -> None:
        """Never fails, never waits."""
