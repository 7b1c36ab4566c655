"""The nodes in Postgres, which judges on its own clock who lives."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import TicketId
from actors.nodes import NodeIdentity, NodeRecord, NodeStatus, Role
from storage.postgres import transaction, unit

NODE_TIMEOUT_S = 4.0
"""Statements about nodes are small; a beat must fail in time, and so must a node's end."""

LIVES = "EXISTS (SELECT FROM nodes n WHERE n.owner = {owner} AND n.status <> 'dead')"
"""Whether a run lives; ``{owner}`` is the expression that names it."""

TAKABLE = f"""
    (t.owner IS NULL OR t.owner = :owner OR NOT {LIVES.format(owner="t.owner")})
"""
"""Whether this run may own a ticket: nobody does, it does already, or the owner is dead."""

_REGISTER = text("""
    INSERT INTO nodes (name, incarnation, started_at, beat_at)
    VALUES (:name, :incarnation, :started_at, now())
    ON CONFLICT (name) DO UPDATE SET
        incarnation = EXCLUDED.incarnation, started_at = EXCLUDED.started_at,
        beat_at = EXCLUDED.beat_at, status = 'up', drain_asked_by = NULL
""")

_BEAT = text("""
    UPDATE nodes SET beat_at = now(), status = :status
    WHERE owner = :owner AND status <> 'dead' RETURNING name
""")

_DECLARE_DEAD = text("""
    UPDATE nodes SET status = 'dead'
    WHERE status <> 'dead' AND beat_at < now() - make_interval(secs => :lease_s)
    RETURNING name
""")

_NODES = text("""
    SELECT name, incarnation, status, extract(epoch FROM now() - beat_at) AS beat_age_s
    FROM nodes WHERE status <> 'dead' OR beat_at > now() - interval '1 day' ORDER BY name
""")

_HAND_OVER = text("""
    WITH up AS (
        SELECT owner, row_number() OVER (ORDER BY name) - 1 AS n, count(*) OVER () AS nodes
        FROM nodes WHERE status = 'up' AND owner <> :owner
    ), mine AS (
        SELECT id FROM tickets WHERE owner = :owner AND id <> ALL(CAST(:busy AS bigint[]))
        ORDER BY id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    ), given AS (
        SELECT mine.id, up.owner FROM (
            SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM mine
        ) mine LEFT JOIN up ON up.n = mine.n % up.nodes
    )
    UPDATE tickets t SET owner = given.owner, epoch = t.epoch + 1
    FROM given WHERE t.id = given.id
    RETURNING t.id, coalesce(t.owner, '') AS owner
""")

_MOVE = text("""
    UPDATE tickets t SET owner = :owner, epoch = t.epoch + 1
    WHERE t.id = :ticket
      AND EXISTS (SELECT FROM nodes n WHERE n.owner = :owner AND n.status = 'up')
    RETURNING t.id
""")

_RETIRE = text("UPDATE nodes SET status = 'dead' WHERE owner = :owner")

_TAKE_ROLE = text(f"""
    INSERT INTO roles AS r (name, owner) VALUES (:role, :owner)
    ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner,
        since = CASE WHEN r.owner = EXCLUDED.owner THEN r.since ELSE now() END
    WHERE r.owner = EXCLUDED.owner OR NOT {LIVES.format(owner="r.owner")}
    RETURNING owner
""")  # noqa: S608 — put together from constants

_LEAVE_ROLES = text("DELETE FROM roles WHERE owner = :owner")


class PostgresNodes:
    """Implements :class:`actors.nodes.NodeStore`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(self, node: NodeIdentity) -> None:
        await self._run(
            _REGISTER,
            name=node.name,
            incarnation=node.incarnation,
            started_at=node.started_at,
        )

    async def beat(self, node: NodeIdentity, status: NodeStatus) -> bool:
        return bool(await self._rows(_BEAT, owner=node.owner, status=status))

    async def declare_dead(self, lease_s: float) -> Sequence[str]:
        return [row.name for row in await self._rows(_DECLARE_DEAD, lease_s=lease_s)]

    async def nodes(self) -> Sequence[NodeRecord]:
        return [
            NodeRecord(
                name=row.name,
                incarnation=row.incarnation,
                status=NodeStatus(row.status),
                beat_age_s=float(row.beat_age_s),
            )
            for row in await self._rows(_NODES)
        ]

    async def hand_over(
        self, node: NodeIdentity, busy: Collection[TicketId], limit: int
    ) -> Mapping[str, Sequence[TicketId]]:
        rows = await self._rows(_HAND_OVER, owner=node.owner, busy=sorted(busy), limit=limit)
        given: dict[str, list[TicketId]] = {}
        for row in rows:
            given.setdefault(row.owner, []).append(TicketId(row.id))
        return given

    async def move(self, ticket_id: TicketId, owner: str) -> bool:
        return bool(await self._rows(_MOVE, ticket=ticket_id, owner=owner))

    async def retire(self, node: NodeIdentity) -> None:
        await self._run(_RETIRE, owner=node.owner)

    async def take_role(self, node: NodeIdentity, role: Role) -> bool:
        return bool(await self._rows(_TAKE_ROLE, role=role, owner=node.owner))

    async def leave_roles(self, node: NodeIdentity) -> None:
        await self._run(_LEAVE_ROLES, owner=node.owner)

    async def _rows(self, statement: Any, **values: object) -> Sequence[Any]:
        async def work() -> Sequence[Any]:
            async with transaction(self._engine) as connection:
                return (await connection.execute(statement, values)).all()

        return await unit(work, NODE_TIMEOUT_S)

    async def _run(self, statement: Any, **values: object) -> None:
        async def work() -> None:
            async with transaction(self._engine) as connection:
                await connection.execute(statement, values)

        await unit(work, NODE_TIMEOUT_S)
