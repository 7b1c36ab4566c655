"""Lists of tickets and dead letters for operators, and all that belongs to one ticket."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.postgres import transaction, unit
from storage.queries import HITS, search_values

STEPS_SHOWN: Final = 40
"""The newest messages of a ticket with what became of them."""

LOG_SHOWN: Final = 60
CRASHES_SHOWN: Final = 20
OWNERS_SHOWN: Final = 20
LANES_SHOWN: Final = 50

STATES: Final[Mapping[str, str]] = {
    "waiting": "mail > 0",
    "unsent": "unsent > 0",
    "quarantined": "quarantined",
    "dead_letters": "dead > 0",
    "crashed": "crashed > 0",
}
"""What a ticket may be found by, and the condition for it."""

SORTS: Final[Mapping[str, str]] = {
    "wait": "oldest NULLS LAST, mail DESC, id DESC",
    "depth": "mail DESC, oldest NULLS LAST, id DESC",
    "restarts": "crashed + dead DESC, quarantined DESC, id DESC",
    "newest": "id DESC",
}

_FACTS: Final = """
    facts AS MATERIALIZED (
        SELECT t.id, t.status, t.quarantined IS NOT NULL AS quarantined,
               coalesce(m.n, 0) AS mail, m.oldest, coalesce(o.n, 0) AS unsent,
               coalesce(d.n, 0) AS dead, coalesce(c.n, 0) AS crashed
        FROM tickets t {hits}
        LEFT JOIN (SELECT ticket_id, count(*) AS n, min(received_at) AS oldest FROM inbox
                   WHERE handled_at IS NULL AND ticket_id IS NOT NULL GROUP BY 1) m
            ON m.ticket_id = t.id
        LEFT JOIN (SELECT ticket_id, count(*) AS n FROM outbox
                   WHERE state IN ('waiting', 'sending') GROUP BY 1) o ON o.ticket_id = t.id
        LEFT JOIN (SELECT ticket_id, count(*) AS n FROM dead_letters GROUP BY 1) d
            ON d.ticket_id = t.id
        LEFT JOIN (SELECT ticket_id, count(*) AS n FROM crashes GROUP BY 1) c ON c.ticket_id = t.id
    )
"""

_COUNTS: Final = """
    SELECT status, count(*) FILTER (WHERE {state}) AS tickets,
           count(*) FILTER (WHERE mail > 0) AS waiting,
           count(*) FILTER (WHERE unsent > 0) AS unsent,
           count(*) FILTER (WHERE quarantined) AS quarantined,
           count(*) FILTER (WHERE dead > 0) AS dead_letters,
           count(*) FILTER (WHERE crashed > 0) AS crashed
    FROM facts GROUP BY status
"""

_LINES: Final = """
    SELECT f.id, f.status, f.mail, f.oldest, f.unsent, f.dead, f.crashed, t.quarantined,
           t.created_at, t.closed_at, t.owner, u.full_name, tech.name AS technician,
           coalesce(extract(epoch FROM now() - f.oldest), 0) AS wait_s,
           n.status IS NOT NULL AND n.status <> 'dead' AS is_owned
    FROM (SELECT * FROM facts WHERE {state} AND ({status}) ORDER BY {sort} LIMIT :limit) f
    JOIN tickets t ON t.id = f.id JOIN users u ON u.tg_id = t.client_tg_id
    LEFT JOIN technicians tech ON tech.id = t.assigned_tech_id
    LEFT JOIN nodes n ON n.owner = t.owner
    ORDER BY {sort}
"""

_STEPS = text("""
    SELECT i.seq, i.key, i.message ->> 'type' AS kind, i.from_client, i.received_at, i.handled_at,
           i.handled_by, i.handled_epoch, i.attempts,
           (SELECT min(e.ts) FROM events e
            WHERE e.ticket_id = i.ticket_id AND e.seq = i.seq
              AND e.action NOT LIKE 'operator%') AS decided_at,
           coalesce((SELECT array_agg(e.action ORDER BY e.id) FROM events e
                     WHERE e.ticket_id = i.ticket_id AND e.seq = i.seq
                       AND e.action NOT LIKE 'operator%'), '{}') AS events
    FROM inbox i WHERE i.ticket_id = :ticket ORDER BY i.seq DESC LIMIT :limit
""")

_SENT = text("""
    SELECT id, cause_seq, kind, lane, state, created_at, started_at, settled_at, attempts,
           message_id, error
    FROM outbox WHERE ticket_id = :ticket AND cause_seq >= :first ORDER BY id
""")

_CRASHES = text("""
    SELECT ts, run, seq, error, trace FROM crashes
    WHERE ticket_id = :ticket ORDER BY id DESC LIMIT :limit
""")

_OWNERS = text("""
    SELECT handled_by AS owner, handled_epoch AS epoch, min(handled_at) AS first_at,
           max(handled_at) AS last_at, count(*) AS handled
    FROM inbox WHERE ticket_id = :ticket AND handled_by IS NOT NULL
    GROUP BY 1, 2 ORDER BY 2 DESC LIMIT :limit
""")

_SNAPSHOT = text("SELECT snapshot FROM tickets WHERE id = :ticket").columns(snapshot=JSONB)

_DEAD_WHERE: Final = """
    WHERE (CAST(:ticket AS bigint) IS NULL OR ticket_id = :ticket)
      AND (CAST(:words AS text) IS NULL OR error ILIKE :words OR message ->> 'type' ILIKE :words)
"""

_DEAD_COUNT = text(f"SELECT count(*) FROM dead_letters {_DEAD_WHERE}")  # noqa: S608 - constants

_DEAD_IDS = text(f"SELECT id FROM dead_letters {_DEAD_WHERE} ORDER BY id")  # noqa: S608

_DEAD_LIST = text(
    f"""SELECT id, ticket_id, seq, message ->> 'type' AS kind, error, attempts, created_at
    FROM dead_letters {_DEAD_WHERE} ORDER BY id DESC LIMIT :limit"""  # noqa: S608 - constants
)

_LANES = text("""
    SELECT lane, min(ticket_id) AS ticket_id, count(*) AS unsent, max(attempts) AS attempts,
           extract(epoch FROM now() - min(created_at)) AS oldest_s,
           (array_agg(kind ORDER BY position, id))[1] AS first,
           (array_agg(error ORDER BY position, id))[1] AS error,
           (array_agg(not_before ORDER BY position, id))[1] AS not_before,
           (SELECT chat_id FROM topics tp WHERE tp.lane = o.lane) AS chat_id
    FROM outbox o WHERE state IN ('waiting', 'sending')
    GROUP BY lane ORDER BY min(created_at) LIMIT :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rows and counts of one instant. ``counts`` by status: see ``_COUNTS``."""

    counts: Sequence[Any]
    lines: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What became of a ticket's newest messages (newest first), and who handled them."""

    steps: Sequence[Any]
    sent: Sequence[Any]
    crashes: Sequence[Any]
    dead: Sequence[Any]
    owners: Sequence[Any]
    snapshot: Mapping[str, Any] | None


class TicketSights:
    """Reads for the pages. All raise ``Transient`` while Postgres is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, *, query: str, status: str, state: str, sort: str, limit: int) -> Found:
        """The worst of those that match; ``state`` and ``sort`` are of the tables above."""
        is_search = bool(query.strip())
        hits = "JOIN hits ON hits.id = t.id" if is_search else ""
        facts = _FACTS.format(hits=hits)
        head = f"{HITS}, {facts}" if is_search else f"WITH {facts}"
        terms = {"state": STATES.get(state, "true"), "sort": SORTS[sort], "status": _status(status)}
        values: dict[str, Any] = search_values(query) if is_search else {}

        async def work(connection: AsyncConnection) -> Found:
            counts = await _all(connection, text(head + _COUNTS.format(**terms)), **values)
            wanted = values | {"limit": limit}
            if ":wanted" in terms["status"]:
                wanted["wanted"] = status
            lines = await _all(connection, text(head + _LINES.format(**terms)), **wanted)
            return Found(counts=counts, lines=lines)

        return await self._ask(work)

    async def story(self, ticket: int) -> Story:
        """All that is empty for a ticket that there is not."""

        async def work(connection: AsyncConnection) -> Story:
            steps = await _all(connection, _STEPS, ticket=ticket, limit=STEPS_SHOWN)
            first = steps[-1].seq if steps else 0
            snapshots = await _all(connection, _SNAPSHOT, ticket=ticket)
            dead = {"ticket": ticket, "words": None, "limit": STEPS_SHOWN}
            return Story(
                steps=steps,
                sent=await _all(connection, _SENT, ticket=ticket, first=first),
                crashes=await _all(connection, _CRASHES, ticket=ticket, limit=CRASHES_SHOWN),
                dead=await _all(connection, _DEAD_LIST, **dead),
                owners=await _all(connection, _OWNERS, ticket=ticket, limit=OWNERS_SHOWN),
                snapshot=snapshots[0].snapshot if snapshots else None,
            )

        return await self._ask(work)

    async def dead(self, ticket: int | None, query: str, limit: int) -> tuple[int, Sequence[Any]]:
        """How many dead letters match, and the newest of them."""
        values = _dead_values(ticket, query)

        async def work(connection: AsyncConnection) -> tuple[int, Sequence[Any]]:
            [[total]] = await _all(connection, _DEAD_COUNT, **values)
            return total, await _all(connection, _DEAD_LIST, limit=limit, **values)

        return await self._ask(work)

    async def dead_ids(self, ticket: int | None, query: str) -> Sequence[int]:
        """Of all dead letters that match, oldest first."""
        values = _dead_values(ticket, query)
        rows = await self._ask(lambda connection: _all(connection, _DEAD_IDS, **values))
        return [int(row.id) for row in rows]

    async def lanes(self) -> Sequence[Any]:
        """Lanes with something unsent, longest waiting first."""
        return await self._ask(lambda connection: _all(connection, _LANES, limit=LANES_SHOWN))

    async def _ask[Answer](self, work: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        async def whole() -> Answer:
            async with transaction(self._engine) as connection:
                # One snapshot for all statements: the counts fit the rows.
                await connection.execute(
                    text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                )
                return await work(connection)

        return await unit(whole)


def _status(status: str) -> str:
    if not status:
        return "true"
    return "status <> 'CLOSED'" if status == "open" else "status = :wanted"


def _dead_values(ticket: int | None, query: str) -> dict[str, Any]:
    literal = query.replace("\0", " ").strip()
    for sign in ("\\", "%", "_"):
        literal = literal.replace(sign, f"\\{sign}")
    return {"ticket": ticket, "words": f"%{literal}%" if literal else None}


async def _all(connection: AsyncConnection, query: Any, **values: Any) -> Sequence[Any]:
    return (await connection.execute(query, values)).all()
