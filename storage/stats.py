"""What the database knows of the whole desk at one moment: counts for the status page."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.postgres import transaction, unit

SHARE_MAX: Final = 0.02
"""Of one connection's time that counting may take: with many tickets it is done less often."""

REST_MAX_S: Final = 10.0
"""Between two counts at most: on a busy machine one may take long for no fault of the tables."""

COUNT_TIMEOUT_S: Final = 4.0
"""Counts that take longer are given up; the page then shows the former ones with their age."""

_OPEN = text("""
    SELECT status, owner, count(*) AS tickets,
           count(*) FILTER (WHERE quarantined IS NOT NULL) AS quarantined
    FROM tickets WHERE status <> 'CLOSED' GROUP BY status, owner
""")

_CLOSED = text("""
    SELECT count(*) AS tickets, count(*) FILTER (WHERE quarantined IS NOT NULL) AS quarantined
    FROM tickets WHERE status = 'CLOSED'
""")

_WAITING = text("""
    SELECT
        (SELECT count(*) FROM inbox WHERE handled_at IS NULL) AS mail,
        (SELECT coalesce(extract(epoch FROM now() - min(i.received_at)), 0) FROM inbox i
         LEFT JOIN tickets t ON t.id = i.ticket_id
         WHERE i.handled_at IS NULL AND t.quarantined IS NULL) AS mail_oldest_s,
        (SELECT count(*) FROM dead_letters) AS dead_letters,
        (SELECT count(*) FROM outbox WHERE state = 'undeliverable') AS undeliverable
""")

_UNSENT = text("""
    SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
           count(*) FILTER (WHERE state = 'sending') AS sending,
           coalesce(extract(epoch FROM now() - min(created_at)), 0) AS oldest_s
    FROM outbox WHERE state IN ('waiting', 'sending')
""")

_NODES = text("""
    SELECT name, incarnation, owner, started_at, status, drain_asked_by,
           extract(epoch FROM now() - beat_at) AS beat_age_s,
           coalesce((SELECT array_agg(r.name ORDER BY r.name) FROM roles r
                     WHERE r.owner = nodes.owner), '{}') AS roles
    FROM nodes WHERE status <> 'dead' OR beat_at > now() - interval '1 day' ORDER BY name
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSight:
    """A node's row; ``beat_age_s`` by the database's clock."""

    name: str
    incarnation: str
    owner: str
    started_at: datetime
    status: str
    drain_asked_by: str | None
    beat_age_s: float
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSight:
    """Counts of one instant; closed tickets of another, perhaps, when there are very many."""

    tickets: Mapping[str, int]
    owned: Mapping[str, int]
    """Open tickets by the run that owns them."""
    quarantined: int
    mail: int
    mail_oldest_s: float
    """Of mail that somebody works on: not of tickets in quarantine."""
    dead_letters: int
    waiting: int
    sending: int
    oldest_s: float
    undeliverable: int
    nodes: tuple[NodeSight, ...]
    closed_age_s: float = 0.0
    """How much older the count of closed tickets is than the others."""


class StoreCounts:
    """Asks for them, and says how often that may be done. Raises ``Transient`` like all storage.

    ``clock`` is in seconds, of any origin.
    """

    def __init__(self, engine: AsyncEngine, clock: Callable[[], float] = time.perf_counter) -> None:
        self._engine = engine
        self._clock = clock
        self._closed = (0, 0)
        self._closed_at = -1e9
        self._closed_takes_s = 0.0
        self.takes_s = 0.0
        """What the last look took, closed tickets not counted."""

    @property
    def rest_s(self) -> float:
        """How long to wait after a look before the next."""
        return _rest_s(self.takes_s)

    async def look(self) -> StoreSight:
        """The counts of now."""

        async def work() -> StoreSight:
            async with transaction(self._engine) as connection:
                await connection.execute(
                    text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                )
                return await self._read(connection)

        return await unit(work, COUNT_TIMEOUT_S)

    async def _read(self, connection: AsyncConnection) -> StoreSight:
        closed, closed_quarantined = await self._count_closed(connection)
        began = self._clock()
        tickets = await _rows(connection, _OPEN)
        [waiting] = await _rows(connection, _WAITING)
        [unsent] = await _rows(connection, _UNSENT)
        nodes = await _rows(connection, _NODES)
        self.takes_s = self._clock() - began
        by_status, owned = {"NEW": 0, "WORK": 0, "CLOSED": closed}, dict[str, int]()
        for row in tickets:
            by_status[row.status] = by_status.get(row.status, 0) + row.tickets
            if row.owner is not None:
                owned[row.owner] = owned.get(row.owner, 0) + row.tickets
        return StoreSight(
            tickets=by_status,
            owned=owned,
            quarantined=closed_quarantined + sum(row.quarantined for row in tickets),
            mail=waiting.mail,
            mail_oldest_s=float(waiting.mail_oldest_s),
            dead_letters=waiting.dead_letters,
            waiting=unsent.waiting,
            sending=unsent.sending,
            oldest_s=float(unsent.oldest_s),
            undeliverable=waiting.undeliverable,
            nodes=tuple(_node(row) for row in nodes),
            closed_age_s=max(0.0, began - self._closed_at),
        )

    async def _count_closed(self, connection: AsyncConnection) -> tuple[int, int]:
        """Closed tickets only ever grow in number: with millions they are counted now and then."""
        began = self._clock()
        if began - self._closed_at >= _rest_s(self._closed_takes_s):
            [row] = await _rows(connection, _CLOSED)
            self._closed = row.tickets, row.quarantined
            self._closed_at = began
            self._closed_takes_s = self._clock() - began
        return self._closed


def _rest_s(takes_s: float) -> float:
    return min(REST_MAX_S, takes_s / SHARE_MAX)


def _node(row: Any) -> NodeSight:
    return NodeSight(
        name=row.name,
        incarnation=row.incarnation,
        owner=row.owner,
        started_at=row.started_at,
        status=row.status,
        drain_asked_by=row.drain_asked_by,
        beat_age_s=float(row.beat_age_s),
        roles=tuple(row.roles),
    )


async def _rows(connection: AsyncConnection, query: Any) -> Sequence[Any]:
    return (await connection.execute(query)).all()
