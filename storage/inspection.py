"""What operators look at: one ticket with all that waits for it, and the dead letters."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.ids import TicketId
from storage.operations import OperationError
from storage.postgres import transaction, unit

EVENTS_SHOWN: Final = 20
"""The newest lines of a ticket's log; more than a screen is read elsewhere."""

LANES_SHOWN: Final = 20
"""Lanes with something unsent, longest waiting first; a ticket has a handful."""

_TICKET = text("""
    SELECT t.id, t.status, t.workflow, t.created_at, t.closed_at, t.client_tg_id,
        u.full_name AS client_name, u.username AS client_username, tech.name AS technician,
        t.main_chat_id, t.main_thread_id, t.former_ticket_id, t.owner, n.status AS owner_status,
        CAST(extract(epoch FROM now() - n.beat_at) AS double precision) AS owner_beat_age_s,
        t.quarantined, t.epoch, t.version, t.handled_seq,
        coalesce((SELECT next_seq - 1 FROM ticket_lanes WHERE ticket_id = t.id), 0) AS last_seq,
        (SELECT count(*) FROM inbox i
         WHERE i.ticket_id = t.id AND i.handled_at IS NULL) AS mail_waiting,
        (SELECT min(received_at) FROM inbox i
         WHERE i.ticket_id = t.id AND i.handled_at IS NULL) AS mail_oldest,
        (SELECT count(*) FROM dead_letters d WHERE d.ticket_id = t.id) AS dead_letters
    FROM tickets t JOIN users u ON u.tg_id = t.client_tg_id
    LEFT JOIN technicians tech ON tech.id = t.assigned_tech_id
    LEFT JOIN nodes n ON n.owner = t.owner
    WHERE t.id = :ticket
""")

_LANES = text("""
    SELECT lane, count(*) AS unsent, min(created_at) AS oldest, max(attempts) AS attempts,
        max(not_before) AS not_before, (array_agg(kind ORDER BY position, id))[1] AS first,
        (array_agg(error ORDER BY position, id))[1] AS error
    FROM outbox WHERE ticket_id = :ticket AND state IN ('waiting', 'sending')
    GROUP BY lane ORDER BY oldest, lane LIMIT :limit
""")

_TIMERS = text("""
    SELECT name, due_at FROM timers WHERE ticket_id = :ticket AND due_at IS NOT NULL
    ORDER BY due_at, name
""")

_EVENTS = text("""
    SELECT ts, seq, actor, action, payload FROM events
    WHERE ticket_id = :ticket ORDER BY id DESC LIMIT :limit
""").columns(payload=JSONB)

_DEAD_LIST = text("""
    SELECT id, ticket_id, seq, key, message ->> 'type' AS kind, error, attempts, created_at
    FROM dead_letters WHERE CAST(:ticket AS bigint) IS NULL OR ticket_id = :ticket
    ORDER BY id DESC LIMIT :limit
""")

_DEAD_IDS = text("SELECT id FROM dead_letters ORDER BY id")

_DEAD = text("""
    SELECT id, ticket_id, seq, key, message ->> 'type' AS kind, error, attempts, created_at, message
    FROM dead_letters WHERE id = :dead
""").columns(message=JSONB)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentLane:
    """What one lane has of a ticket that is not sent; ``first`` and ``error`` of its first row."""

    lane: str
    unsent: int
    oldest: datetime
    attempts: int
    not_before: datetime | None
    first: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedTimer:
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    ts: datetime
    seq: int
    actor: str
    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSight:
    """A ticket's row and the counts of what belongs to it.

    ``owner_status`` is ``None`` when the owner is a run that is over (or nobody);
    ``owner_beat_age_s`` is by the database's clock. ``last_seq`` is the newest message's.
    """

    id: int
    status: str
    workflow: str
    created_at: datetime
    closed_at: datetime | None
    client_tg_id: int
    client_name: str
    client_username: str | None
    technician: str | None
    main_chat_id: int
    main_thread_id: int | None
    former_ticket_id: int | None
    owner: str | None
    owner_status: str | None
    owner_beat_age_s: float | None
    quarantined: str | None
    epoch: int
    version: int
    handled_seq: int
    last_seq: int
    mail_waiting: int
    mail_oldest: datetime | None
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketInspected:
    """All of one instant; ``events`` are the newest, oldest of them first."""

    ticket: TicketSight
    unsent: tuple[UnsentLane, ...]
    timers: tuple[ArmedTimer, ...]
    events: tuple[LoggedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadSight:
    """A dead letter without its message; ``kind`` is the message's, ``None`` for the desk's."""

    id: int
    ticket_id: int | None
    seq: int | None
    key: str
    kind: str | None
    error: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadInspected:
    letter: DeadSight
    message: Mapping[str, Any] | None


class Inspection:
    """Reads for operators. All raise ``Transient`` while Postgres is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ticket(self, ticket_id: TicketId) -> TicketInspected:
        """One ticket.

        Raises:
            OperationError: There is none of that number.
        """

        async def work(connection: AsyncConnection) -> TicketInspected:
            # One snapshot for all statements: the counts fit the row.
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            found = await _all(connection, _TICKET, ticket=ticket_id)
            if not found:
                raise OperationError(f"there is no ticket {ticket_id}")
            unsent = await _all(connection, _LANES, ticket=ticket_id, limit=LANES_SHOWN)
            timers = await _all(connection, _TIMERS, ticket=ticket_id)
            events = await _all(connection, _EVENTS, ticket=ticket_id, limit=EVENTS_SHOWN)
            return TicketInspected(
                ticket=TicketSight(**_fields(found[0])),
                unsent=tuple(UnsentLane(**_fields(row)) for row in unsent),
                timers=tuple(ArmedTimer(**_fields(row)) for row in timers),
                events=tuple(LoggedEvent(**_fields(row)) for row in reversed(events)),
            )

        return await self._ask(work)

    async def dead_letters(self, ticket_id: TicketId | None, limit: int) -> Sequence[DeadSight]:
        """The newest first; of one ticket, or of all and of the desk."""

        async def work(connection: AsyncConnection) -> list[DeadSight]:
            rows = await _all(connection, _DEAD_LIST, ticket=ticket_id, limit=limit)
            return [DeadSight(**_fields(row)) for row in rows]

        return await self._ask(work)

    async def dead_ids(self) -> Sequence[int]:
        """Of all dead letters, oldest first."""

        async def work(connection: AsyncConnection) -> list[int]:
            return [int(row.id) for row in await _all(connection, _DEAD_IDS)]

        return await self._ask(work)

    async def dead_letter(self, dead_id: int) -> DeadInspected:
        """One dead letter with its message (the desk's: the update as Telegram sent it).

        Raises:
            OperationError: There is none of that number.
        """

        async def work(connection: AsyncConnection) -> DeadInspected:
            found = await _all(connection, _DEAD, dead=dead_id)
            if not found:
                raise OperationError(f"there is no dead letter {dead_id}")
            fields = _fields(found[0])
            message = fields.pop("message")
            return DeadInspected(letter=DeadSight(**fields), message=message)

        return await self._ask(work)

    async def _ask[Answer](self, work: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        async def whole() -> Answer:
            async with transaction(self._engine) as connection:
                return await work(connection)

        return await unit(whole)


async def _all(connection: AsyncConnection, query: Any, **values: Any) -> Sequence[Row[Any]]:
    return (await connection.execute(query, values)).all()


def _fields(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
