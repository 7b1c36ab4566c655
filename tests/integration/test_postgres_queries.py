"""What people look at, on a real Postgres."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import TicketId, UserId
from actors.state import Status
from storage.inbox import PostgresInbox
from storage.queries import _FOUND, FeedbackGiven, StoreCounts, TicketQueries
from tests.fakes.desk import MAIN_CHAT, from_client, scalar

pytestmark = pytest.mark.anyio


@pytest.fixture
def queries(engine: AsyncEngine) -> TicketQueries:
    return TicketQueries(engine)


@pytest.fixture
async def tickets(engine: AsyncEngine) -> list[TicketId]:
    """One ticket for each of the clients 1–5."""
    stored = await PostgresInbox(engine, MAIN_CHAT).put([from_client(n, 1) for n in range(1, 6)])
    return [s.envelope.ticket_id for s in stored if s.envelope]


async def execute(engine: AsyncEngine, statement: str, **values: object) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)


async def say(engine: AsyncEngine, ticket_id: TicketId, words: str) -> None:
    await execute(
        engine,
        "INSERT INTO events (ticket_id, seq, actor, action, payload) VALUES "
        "(:id, 1, 'CLIENT', 'said', "
        "jsonb_build_object('content', jsonb_build_object('text', CAST(:words AS text))))",
        id=ticket_id,
        words=words,
    )


async def test_an_empty_store_has_one_empty_page_and_only_zeros(queries: TicketQueries) -> None:
    page = await queries.list_tickets()
    assert (page.items, page.page, page.pages, page.total) == ((), 1, 1, 0)
    assert await queries.tickets_by_status() == {Status.NEW: 0, Status.WORK: 0, Status.CLOSED: 0}
    assert await queries.stats_counts() == StoreCounts(
        clients=0,
        tickets=0,
        open=0,
        waiting=0,
        desk_waiting=0,
        waiting_oldest_s=0.0,
        quarantined=0,
        timers=0,
        dead_letters=0,
    )


async def test_pages_go_from_the_newest_on_and_a_page_too_far_is_the_last(
    queries: TicketQueries, tickets: list[TicketId]
) -> None:
    newest_first = sorted(tickets, reverse=True)
    seen = [await queries.list_tickets(page=n, per_page=2) for n in (1, 2, 3)]
    assert [item.id for page in seen for item in page.items] == newest_first
    assert {(page.pages, page.total) for page in seen} == {(3, 5)}
    assert await queries.list_tickets(page=99, per_page=2) == seen[-1]
    assert await queries.list_tickets(page=-1, per_page=2) == seen[0]


async def test_lists_and_counts_are_by_status(
    queries: TicketQueries, tickets: list[TicketId], engine: AsyncEngine
) -> None:
    await execute(
        engine,
        "UPDATE tickets SET status = 'CLOSED', closed_at = now() WHERE id = :id",
        id=tickets[2],
    )
    assert [t.id for t in (await queries.list_tickets(Status.CLOSED)).items] == [tickets[2]]
    assert await queries.tickets_by_status() == {Status.NEW: 4, Status.WORK: 0, Status.CLOSED: 1}
    counts = await queries.stats_counts()
    assert (counts.clients, counts.tickets, counts.open, counts.waiting) == (5, 5, 4, 5)


@pytest.mark.parametrize("typed", ["{id}", "#{id}", " #{id} "])
async def test_a_ticket_is_found_by_its_number_before_all_else(
    queries: TicketQueries, tickets: list[TicketId], engine: AsyncEngine, typed: str
) -> None:
    wanted = tickets[1]
    await say(engine, tickets[4], f"see {wanted}")
    found = await queries.find_tickets(typed.format(id=wanted))
    assert found.items[0].id == wanted
    assert tickets[4] in [t.id for t in found.items]


@pytest.mark.parametrize("typed", ["ient 3", "CLIENT 3", "client3", "@client3"])
async def test_a_ticket_is_found_by_part_of_a_name_or_by_user_name(
    queries: TicketQueries, tickets: list[TicketId], typed: str
) -> None:
    found = await queries.find_tickets(typed)
    assert [(t.id, t.client_name) for t in found.items] == [(tickets[2], "Client 3")]


@pytest.mark.parametrize("typed", ["Принтер", "принт дым", "ДЫМИТСЯ", "a_b"])
async def test_a_ticket_is_found_by_beginnings_of_words_of_one_message(
    queries: TicketQueries, tickets: list[TicketId], engine: AsyncEngine, typed: str
) -> None:
    await say(engine, tickets[0], "Мой принтер дымится, код a_b")
    await say(engine, tickets[1], "Мой сканер молчит")
    assert [t.id for t in (await queries.find_tickets(typed)).items] == [tickets[0]]


@pytest.mark.parametrize(
    "typed", ["", "  ", "%", "_", "\\", "'", "@", "& | !", "a:* <-> b", "\0", "9" * 30, "x" * 9999]
)
async def test_what_is_typed_is_never_a_pattern_or_an_operator(
    queries: TicketQueries, tickets: list[TicketId], typed: str
) -> None:
    assert (await queries.find_tickets(typed)).total == 0


async def test_the_search_of_messages_uses_its_index(
    queries: TicketQueries, engine: AsyncEngine
) -> None:
    """The statement and the index must have the same expression, or every search reads all."""
    values = {"number": None, "name": None, "username": None, "words": "x:*"}
    explain = text(f"EXPLAIN {_FOUND.text}")
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await connection.execute(explain, {**values, "limit": 10, "offset": 0})
        assert "ix_events_text" in "\n".join(plan.scalars())


async def test_the_detail_has_the_newest_events_in_order_and_the_feedback(
    queries: TicketQueries, tickets: list[TicketId], engine: AsyncEngine
) -> None:
    ticket = tickets[0]
    for number in range(60):
        await say(engine, ticket, f"line {number}")
    await execute(
        engine, "INSERT INTO feedback (ticket_id, q1, comment) VALUES (:id, 4, 'ok')", id=ticket
    )
    detail = await queries.ticket_detail(ticket)
    assert detail is not None
    assert [line.text for line in detail.events] == [f"line {n}" for n in range(10, 60)]
    assert detail.feedback == FeedbackGiven(scores=(4, None, None), comment="ok")
    assert detail.ticket.created_at < datetime.now(UTC)
    assert await queries.ticket_detail(TicketId(10**30)) is None
    assert await queries.ticket_detail(TicketId(10**9)) is None


async def test_a_user_who_blocks_the_bot_is_noted(
    queries: TicketQueries, tickets: list[TicketId], engine: AsyncEngine
) -> None:
    assert await queries.set_blocked(UserId(1), blocked=True)
    assert await scalar(engine, "SELECT blocked FROM users WHERE tg_id = 1")
    assert await queries.set_blocked(UserId(1), blocked=False)
    assert not await scalar(engine, "SELECT blocked FROM users WHERE tg_id = 1")
    assert not await queries.set_blocked(UserId(999), blocked=True)
