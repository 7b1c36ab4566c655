"""Nodes over one world: which runs live, what they own, which roles they have."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from actors.ids import TicketId
from actors.nodes import NodeIdentity, NodeRecord, NodeStatus, Role
from lab.simulation.rows import NodeRow, RoleRow
from lab.simulation.world import Session

type Who = Callable[[], NodeIdentity]
"""The present run; it changes when a node had to register anew."""

REMEMBERED_S = 86_400.0
"""How long a node that has ended is still listed."""


class MemoryNodeStore:
    """Implements :class:`actors.nodes.NodeStore`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def register(self, node: NodeIdentity) -> None:
        world = self._session.world

        def work() -> None:
            row = NodeRow(name=node.name, incarnation=node.incarnation, beat_at=world.now)
            world.nodes.put(row)

        await self._session.run("register", work)

    async def beat(self, node: NodeIdentity, status: NodeStatus) -> bool:
        world = self._session.world

        def work() -> bool:
            row = world.nodes.find("owner", node.owner)
            if row is None or not row.lives:
                return False
            beaten = NodeRow(  # not ``replace``: it is what happens most in a run
                name=row.name, incarnation=row.incarnation, beat_at=world.now, status=status
            )
            world.nodes.put(beaten)
            return True

        return await self._session.run("beat", work)

    async def declare_dead(self, lease_s: float) -> Sequence[str]:
        world = self._session.world

        def work() -> list[str]:
            silent = [row for row in world.nodes if row.lives and row.beat_at < world.now - lease_s]
            for row in silent:
                world.nodes.put(replace(row, status=NodeStatus.DEAD))
            return [row.name for row in silent]

        return await self._session.run("declare_dead", work)

    async def nodes(self) -> Sequence[NodeRecord]:
        world = self._session.world

        def work() -> list[NodeRecord]:
            return [
                NodeRecord(
                    name=row.name,
                    incarnation=row.incarnation,
                    status=row.status,
                    beat_age_s=world.now - row.beat_at,
                )
                for row in sorted(world.nodes, key=lambda row: row.name)
                if row.lives or row.beat_at > world.now - REMEMBERED_S
            ]

        return await self._session.run("nodes", work)

    async def hand_over(
        self, node: NodeIdentity, busy: Collection[TicketId], limit: int
    ) -> Mapping[str, Sequence[TicketId]]:
        return await self._session.run("hand_over", partial(self._hand_over, node, busy, limit))

    def _hand_over(
        self, node: NodeIdentity, busy: Collection[TicketId], limit: int
    ) -> Mapping[str, Sequence[TicketId]]:
        world = self._session.world
        mine = [row for row in world.tickets.group("owner", node.owner) if row.id not in busy]
        heirs = sorted(
            row.owner
            for row in world.nodes
            if row.status is NodeStatus.UP and row.owner != node.owner
        )
        given: dict[str, list[TicketId]] = {}
        for number, row in enumerate(sorted(mine, key=lambda row: row.id)[:limit]):
            heir = heirs[number % len(heirs)] if heirs else None
            world.tickets.put(replace(row, owner=heir, epoch=row.epoch + 1))
            given.setdefault(heir or "", []).append(row.id)
        return given

    async def move(self, ticket_id: TicketId, owner: str) -> bool:
        world = self._session.world

        def work() -> bool:
            heir = world.nodes.find("owner", owner)
            row = world.tickets.get(ticket_id)
            if row is None or heir is None or heir.status is not NodeStatus.UP:
                return False
            world.tickets.put(replace(row, owner=owner, epoch=row.epoch + 1))
            return True

        return await self._session.run("move", work)

    async def retire(self, node: NodeIdentity) -> None:
        world = self._session.world

        def work() -> None:
            row = world.nodes.find("owner", node.owner)
            if row is not None:
                world.nodes.put(replace(row, status=NodeStatus.DEAD))

        await self._session.run("retire", work)

    async def take_role(self, node: NodeIdentity, role: Role) -> bool:
        world = self._session.world

        def work() -> bool:
            row = world.roles.get(role)
            if not world.lives(node.owner):
                return False
            if row is not None and row.owner != node.owner and world.lives(row.owner):
                return False
            world.roles.put(RoleRow(role=role, owner=node.owner))
            return True

        return await self._session.run("take_role", work)

    async def leave_roles(self, node: NodeIdentity) -> None:
        world = self._session.world

        def work() -> None:
            for row in list(world.roles):
                if row.owner == node.owner:
                    world.roles.delete(row.role)

        await self._session.run("leave_roles", work)
