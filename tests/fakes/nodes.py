"""Nodes in memory: the judge on a clock of its own, a worker and a sender that only note."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import anyio
from anyio.lowlevel import checkpoint

from actors.errors import Transient
from actors.ids import TicketId
from actors.nodes import NodeIdentity, NodeRecord, NodeStatus, Role


def a_run(name: str = "node", incarnation: str = "1") -> NodeIdentity:
    """A run of a node."""
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return NodeIdentity(name=name, incarnation=incarnation, started_at=started)


class MemoryNodes:
    """A NodeStore; ``away`` names the nodes that cannot reach it, ``"*"`` means all."""

    def __init__(self) -> None:
        self.records: dict[str, NodeRecord] = {}
        self.beats: dict[str, float] = {}
        self.roles: dict[Role, str] = {}
        self.owners: dict[TicketId, str] = {}
        self.away: set[str] = set()
        self.slowness_s = 0.0
        self.handed: list[Mapping[str, Sequence[TicketId]]] = []

    async def register(self, node: NodeIdentity) -> None:
        await self._reach(node)
        self.records[node.name] = NodeRecord(
            name=node.name, incarnation=node.incarnation, status=NodeStatus.UP, beat_age_s=0
        )
        self.beats[node.name] = anyio.current_time()

    async def beat(self, node: NodeIdentity, status: NodeStatus) -> bool:
        await self._reach(node)
        record = self.records.get(node.name)
        if record is None or record.owner != node.owner or record.status is NodeStatus.DEAD:
            return False
        self.records[node.name] = replace(record, status=status)
        self.beats[node.name] = anyio.current_time()
        return True

    async def declare_dead(self, lease_s: float) -> Sequence[str]:
        await checkpoint()
        self._must_be_here("*")
        found = [r.name for r in self._now() if r.is_alive and r.beat_age_s > lease_s]
        for name in found:
            self.records[name] = replace(self.records[name], status=NodeStatus.DEAD)
        return found

    async def nodes(self) -> Sequence[NodeRecord]:
        await checkpoint()
        self._must_be_here("*")
        return self._now()

    async def hand_over(
        self, node: NodeIdentity, busy: Collection[TicketId], limit: int
    ) -> Mapping[str, Sequence[TicketId]]:
        await self._reach(node)
        up = [r.owner for r in self._now() if r.status is NodeStatus.UP and r.owner != node.owner]
        target = up[0] if up else ""
        given = [t for t, o in self.owners.items() if o == node.owner and t not in busy][:limit]
        self.owners |= dict.fromkeys(given, target)
        if given:
            self.handed.append({target: given})
        return {target: given} if given else {}

    async def move(self, ticket_id: TicketId, owner: str) -> bool:
        await checkpoint()
        self.owners[ticket_id] = owner
        return True

    async def retire(self, node: NodeIdentity) -> None:
        await self._reach(node)
        record = self.records[node.name]
        if record.owner == node.owner:
            self.records[node.name] = replace(record, status=NodeStatus.DEAD)

    async def take_role(self, node: NodeIdentity, role: Role) -> bool:
        await self._reach(node)
        living = {r.owner for r in self._now() if r.is_alive}
        if self.roles.get(role) not in living:
            self.roles[role] = node.owner
        return self.roles[role] == node.owner

    async def leave_roles(self, node: NodeIdentity) -> None:
        await self._reach(node)
        self.roles = {role: owner for role, owner in self.roles.items() if owner != node.owner}

    def _now(self) -> list[NodeRecord]:
        now = anyio.current_time()
        return [replace(r, beat_age_s=now - self.beats[name]) for name, r in self.records.items()]

    async def _reach(self, node: NodeIdentity) -> None:
        await anyio.sleep(self.slowness_s)
        self._must_be_here(node.name)

    def _must_be_here(self, name: str) -> None:
        if name in self.away or "*" in self.away:
            raise Transient("Postgres is away")


class MemoryLeases:
    """Leases on the same clock; ``away`` is Redis being away."""

    def __init__(self) -> None:
        self.until: dict[str, tuple[str, float]] = {}
        self.away = False

    async def extend(self, node: NodeIdentity, ttl_s: float) -> bool | None:
        await checkpoint()
        if self.away:
            return None
        holder, until = self.until.get(node.name, ("", 0.0))
        if holder not in {"", node.incarnation} and until > anyio.current_time():
            return False
        self.until[node.name] = (node.incarnation, anyio.current_time() + ttl_s)
        return True

    async def expired(self, names: Sequence[str]) -> Sequence[str] | None:
        await checkpoint()
        if self.away:
            return None
        now = anyio.current_time()
        return [name for name in names if self.until.get(name, ("", 0.0))[1] <= now]

    async def drop(self, node: NodeIdentity) -> None:
        await checkpoint()
        if self.until.get(node.name, ("", 0.0))[0] == node.incarnation:
            del self.until[node.name]


@dataclass
class FakeWorker:
    """A runtime that notes what its node tells it; ``busy`` are turns that never end."""

    busy: set[TicketId] = field(default_factory=set)
    progress: int = 0
    notes: list[str] = field(default_factory=list)
    forgotten: list[TicketId] = field(default_factory=list)
    paused: bool = True
    stuck: bool = False

    def pause(self) -> None:
        self.paused = True
        self.notes.append("pause")

    def resume(self) -> None:
        self.paused = False
        self.notes.append("resume")

    async def turns_ended(self) -> None:
        while self.busy:  # noqa: ASYNC110 - a fake has no events
            await anyio.sleep(0.01)

    async def stop_turns(self) -> None:
        self.notes.append("stop")
        if self.stuck:
            await anyio.sleep_forever()
        self.busy.clear()
        await checkpoint()

    def forget(self, tickets: Sequence[TicketId]) -> None:
        self.forgotten += tickets

    def forget_all(self) -> None:
        self.notes.append("forget all")

    def look(self, tickets: Sequence[TicketId]) -> None:
        self.notes.append(f"look {list(tickets)}")

    def look_for_orphans(self) -> None:
        self.notes.append("orphans")


@dataclass
class FakeSender:
    """A delivery whose calls are ``busy``."""

    busy: set[TicketId] = field(default_factory=set)
    drained: bool = False

    def drain(self) -> None:
        self.drained = True

    async def stop(self) -> None:
        self.busy.clear()


class NotedHints:
    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[TicketId, ...]]] = []

    def tell(self, owner: str, tickets: Sequence[TicketId]) -> None:
        self.told.append((owner, tuple(tickets)))
