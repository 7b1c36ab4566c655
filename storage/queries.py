"""What people look at: lists of tickets, one ticket, counts. Read only, but for one flag."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.ids import ChatId, ThreadId, TicketId, UserId
from actors.state import Status
from storage.postgres import transaction, unit

PER_PAGE_MAX: Final = 50
"""Tickets on one page: what fits into one message of 4,096 characters."""

EVENTS_MAX: Final = 50
"""Lines of a ticket's log that are shown: the newest."""

SEARCH_LENGTH_MAX: Final = 200
SEARCH_WORDS_MAX: Final = 8
"""A search is typed by a person; more words only cost."""

BIGINT_MAX: Final = 2**63 - 1

_SUMMARY: Final = """
    SELECT t.id, t.status, t.created_at, t.closed_at, t.client_tg_id, t.former_ticket_id,
           t.main_chat_id, t.main_thread_id, u.full_name, u.username, tech.name AS technician
    FROM tickets t JOIN users u ON u.tg_id = t.client_tg_id
    LEFT JOIN technicians tech ON tech.id = t.assigned_tech_id
"""

_BY_STATUS = text("SELECT status, count(*) AS tickets FROM tickets GROUP BY status")

_COUNT = text("""
    SELECT count(*) FROM tickets WHERE CAST(:status AS text) IS NULL OR status = :status
""")

_LIST = text(
    f"""{_SUMMARY} WHERE CAST(:status AS text) IS NULL OR t.status = :status
    ORDER BY t.id DESC LIMIT :limit OFFSET :offset"""
)

# The third arm repeats the expression of ix_events_text letter by letter, else it is a full scan.
HITS: Final = """
    WITH hits AS (
        SELECT id FROM tickets WHERE id = CAST(:number AS bigint)
        UNION
        SELECT t.id FROM users u JOIN tickets t ON t.client_tg_id = u.tg_id
        WHERE u.full_name ILIKE :name OR u.username ILIKE :username
        UNION
        SELECT ticket_id FROM events
        WHERE to_tsvector('simple', payload #>> '{content,text}') @@ to_tsquery('simple', :words)
    )
"""

_FOUND_COUNT = text(
    f"{HITS} SELECT count(*) FROM hits"  # noqa: S608 - put together from constants
)

_FOUND = text(
    f"""{HITS} {_SUMMARY} JOIN hits ON hits.id = t.id
    ORDER BY t.id = CAST(:number AS bigint) DESC NULLS LAST, t.id DESC
    LIMIT :limit OFFSET :offset"""
)

_ONE = text(f"{_SUMMARY} WHERE t.id = :ticket")

_EVENTS = text("""
    SELECT seq, actor, action, payload, ts FROM events
    WHERE ticket_id = :ticket ORDER BY id DESC LIMIT :limit
""").columns(payload=JSONB)

_FEEDBACK = text("SELECT q1, q2, q3, comment FROM feedback WHERE ticket_id = :ticket")

_COUNTS = text("""
    SELECT (SELECT count(*) FROM users) AS clients,
           (SELECT count(*) FROM tickets) AS tickets,
           (SELECT count(*) FROM tickets WHERE status <> 'CLOSED') AS open,
           (SELECT count(*) FROM inbox
            WHERE handled_at IS NULL AND ticket_id IS NOT NULL) AS waiting,
           (SELECT count(*) FROM inbox
            WHERE handled_at IS NULL AND ticket_id IS NULL) AS desk_waiting,
           (SELECT coalesce(extract(epoch FROM now() - min(i.received_at)), 0) FROM inbox i
            LEFT JOIN tickets t ON t.id = i.ticket_id
            WHERE i.handled_at IS NULL AND t.quarantined IS NULL) AS waiting_oldest_s,
           (SELECT count(*) FROM tickets WHERE quarantined IS NOT NULL) AS quarantined,
           (SELECT count(*) FROM timers WHERE due_at IS NOT NULL) AS timers,
           (SELECT count(*) FROM dead_letters) AS dead_letters
""")

_SET_BANNED = text("""
    UPDATE users SET banned = :banned WHERE tg_id = (
        SELECT t.client_tg_id FROM topics p JOIN tickets t ON t.id = p.ticket_id
        WHERE p.chat_id = :chat AND p.thread_id = :thread
    )
""")
_SET_BLOCKED = text("UPDATE users SET blocked = :blocked WHERE tg_id = :user")


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSummary:
    """One line of a list; ``technician`` is the name of who has or had it."""

    id: TicketId
    status: Status
    client_id: UserId
    client_name: str
    client_username: str | None
    technician: str | None
    created_at: datetime
    closed_at: datetime | None
    former_ticket_id: TicketId | None
    main_chat_id: int
    main_thread_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page[Item]:
    """A part of a list; ``page`` counts from 1 and is at most ``pages``, which is at least 1."""

    items: tuple[Item, ...]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One line of a ticket's log; ``text`` is the message's, empty when there was none."""

    seq: int
    actor: str
    action: str
    text: str
    payload: Mapping[str, Any]
    ts: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    scores: tuple[int | None, int | None, int | None]
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDetail:
    """A ticket with its newest events, oldest of them first."""

    ticket: TicketSummary
    events: tuple[EventLine, ...]
    feedback: FeedbackGiven | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCounts:
    """What is in the store; ``waiting`` is tickets' mail, ``waiting_oldest_s`` of all mail.

    Mail of tickets in quarantine waits for an operator, however long: it is not the oldest.
    """

    clients: int
    tickets: int
    open: int
    waiting: int
    desk_waiting: int
    waiting_oldest_s: float
    quarantined: int
    timers: int
    dead_letters: int


class TicketQueries:
    """Read models for the desk's commands and the status page. All raise ``Transient`` alike."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def tickets_by_status(self) -> dict[Status, int]:
        """How many tickets are in each status; every status is there."""
        rows = await self._ask(lambda c: _all(c, _BY_STATUS))
        counts = dict.fromkeys(Status, 0)
        return counts | {Status(row.status): row.tickets for row in rows}

    async def list_tickets(
        self, status: Status | None = None, page: int = 1, per_page: int = 10
    ) -> Page[TicketSummary]:
        """Tickets of a status (of all for ``None``), newest first; a page too far is the last."""
        values = {"status": None if status is None else str(status)}
        return await self._ask(lambda c: _paged(c, (_COUNT, _LIST), values, page, per_page))

    async def find_tickets(
        self, words: str, page: int = 1, per_page: int = 10
    ) -> Page[TicketSummary]:
        """By number (with or without ``#``), part of the client's name, or words of a message.

        All words must be in one message; each may be the beginning of one. The ticket of that
        number comes first, then the newest.
        """
        values = search_values(words)
        return await self._ask(lambda c: _paged(c, (_FOUND_COUNT, _FOUND), values, page, per_page))

    async def ticket_detail(self, ticket_id: TicketId) -> TicketDetail | None:
        """One ticket, ``None`` when there is no such number."""
        if not 0 < ticket_id <= BIGINT_MAX:
            return None
        return await self._ask(lambda c: _detail(c, ticket_id))

    async def stats_counts(self) -> StoreCounts:
        [row] = await self._ask(lambda c: _all(c, _COUNTS))
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
        return StoreCounts(**values | {"waiting_oldest_s": float(row.waiting_oldest_s)})

    async def set_blocked(self, user_id: UserId, *, blocked: bool) -> bool:
        """Notes that a user has blocked the bot, or no longer; false when nobody has that id."""

        async def work(connection: AsyncConnection) -> bool:
            values = {"user": user_id, "blocked": blocked}
            return bool((await connection.execute(_SET_BLOCKED, values)).rowcount)

        return await self._ask(work)

    async def set_banned(self, chat_id: ChatId, thread_id: ThreadId, *, banned: bool) -> bool:
        """Bans the client of the ticket that has this topic, or lets them in again."""

        async def work(connection: AsyncConnection) -> bool:
            values = {"chat": chat_id, "thread": thread_id, "banned": banned}
            return bool((await connection.execute(_SET_BANNED, values)).rowcount)

        return await self._ask(work)

    async def _ask[Answer](self, work: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        async def whole() -> Answer:
            async with transaction(self._engine) as connection:
                return await work(connection)

        return await unit(whole)


async def _all(connection: AsyncConnection, query: Any, **values: Any) -> Sequence[Any]:
    return (await connection.execute(query, values)).all()


async def _paged(
    connection: AsyncConnection,
    statements: tuple[Any, Any],
    values: Mapping[str, Any],
    page: int,
    per_page: int,
) -> Page[TicketSummary]:
    """One page; ``statements`` are the one that counts and the one that lists."""
    count, query = statements
    per_page = max(1, min(per_page, PER_PAGE_MAX))
    total = (await connection.execute(count, values)).scalar_one()
    pages = max(1, -(-total // per_page))
    page = max(1, min(page, pages))
    cut = {"limit": per_page, "offset": (page - 1) * per_page}
    rows = await connection.execute(query, {**values, **cut})
    items = tuple(_summary(row) for row in rows)
    return Page(items=items, page=page, pages=pages, total=total)


async def _detail(connection: AsyncConnection, ticket_id: TicketId) -> TicketDetail | None:
    found = await _all(connection, _ONE, ticket=ticket_id)
    if not found:
        return None
    events = await _all(connection, _EVENTS, ticket=ticket_id, limit=EVENTS_MAX)
    feedback = await _all(connection, _FEEDBACK, ticket=ticket_id)
    return TicketDetail(
        ticket=_summary(found[0]),
        events=tuple(_event(row) for row in reversed(events)),
        feedback=_given(feedback[0]) if feedback else None,
    )


def search_values(words: str) -> dict[str, Any]:
    """What is typed, for each way of finding; none of it can be read as a pattern or operator."""
    typed = words[:SEARCH_LENGTH_MAX].replace("\0", " ").strip()
    number = re.fullmatch(r"#?(\d{1,19})", typed, re.ASCII)
    value = None if number is None else int(number[1])
    literal = re.sub(r"([\\%_])", r"\\\1", typed)
    parts = re.findall(r"\w+", typed)[:SEARCH_WORDS_MAX]
    return {
        "number": value if value is not None and value <= BIGINT_MAX else None,
        "name": f"%{literal}%" if typed else None,
        "username": f"%{literal.removeprefix('@')}%" if typed.strip("@") else None,
        "words": " & ".join(f"{part}:*" for part in parts),
    }


def _summary(row: Any) -> TicketSummary:
    former = row.former_ticket_id
    return TicketSummary(
        id=TicketId(row.id),
        status=Status(row.status),
        client_id=UserId(row.client_tg_id),
        client_name=row.full_name,
        client_username=row.username,
        technician=row.technician,
        created_at=row.created_at,
        closed_at=row.closed_at,
        former_ticket_id=None if former is None else TicketId(former),
        main_chat_id=row.main_chat_id,
        main_thread_id=row.main_thread_id,
    )


def _event(row: Any) -> EventLine:
    content = row.payload.get("content") or {}
    return EventLine(
        seq=row.seq,
        actor=row.actor,
        action=row.action,
        text=str(content.get("text") or row.payload.get("text") or ""),
        payload=row.payload,
        ts=row.ts,
    )


def _given(row: Any) -> FeedbackGiven:
    return FeedbackGiven(scores=(row.q1, row.q2, row.q3), comment=row.comment)
