"""The inbox on a real Postgres: one ticket per client, one order per ticket, each update once."""

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import TicketId
from actors.ports import Incoming, ToDesk
from storage.inbox import PostgresInbox
from storage.postgres import PostgresOptions, create_engine
from tests.fakes.desk import MAIN_CHAT, for_ticket, from_client, rows, scalar

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(engine: AsyncEngine) -> PostgresInbox:
    return PostgresInbox(engine, MAIN_CHAT)


async def test_a_first_message_makes_a_ticket_and_the_next_joins_it(inbox: PostgresInbox) -> None:
    [first] = await inbox.put([from_client(1, 1)])
    [second] = await inbox.put([from_client(1, 2)])
    assert first.envelope is not None
    assert second.envelope is not None
    assert first.envelope.ticket_id == second.envelope.ticket_id
    assert (first.envelope.seq, second.envelope.seq) == (1, 2)


async def test_ten_first_messages_on_ten_connections_make_one_ticket_in_one_order(
    postgres_dsn: str, engine: AsyncEngine
) -> None:
    engines = [create_engine(PostgresOptions(dsn=postgres_dsn, pool_size=1)) for _ in range(10)]

    async def put(number: int) -> None:
        await PostgresInbox(engines[number], MAIN_CHAT).put([from_client(1, number)])

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(put, number)
    for each in engines:
        await each.dispose()
    assert await scalar(engine, "SELECT count(*) FROM tickets") == 1
    seqs = await rows(engine, "SELECT seq FROM inbox ORDER BY seq")
    assert [row.seq for row in seqs] == list(range(1, 11))


async def test_ten_clients_at_once_get_ten_tickets(inbox: PostgresInbox) -> None:
    stored = await inbox.put([from_client(client, 1) for client in range(1, 11)])
    assert len({s.envelope.ticket_id for s in stored if s.envelope}) == 10


async def test_an_update_that_comes_again_is_stored_once(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """Within a batch, in a later batch, and at the same time."""
    once = from_client(1, 1)
    first, again = await inbox.put([once, once])
    assert (first.duplicate, again.duplicate) == (False, True)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(inbox.put, [once])
    assert await scalar(engine, "SELECT count(*) FROM inbox") == 1
    [fresh] = await inbox.put([from_client(1, 2)])
    assert fresh.envelope is not None
    assert fresh.envelope.seq == 2


async def test_a_duplicate_first_message_does_not_open_a_second_ticket(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    [first] = await inbox.put([from_client(1, 1)])
    assert first.envelope is not None
    await _close(engine, first.envelope.ticket_id)
    [again] = await inbox.put([from_client(1, 1)])
    assert again.duplicate
    assert await scalar(engine, "SELECT count(*) FROM tickets") == 1


async def test_after_a_closed_ticket_comes_a_new_one_that_names_it(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    [first] = await inbox.put([from_client(1, 1)])
    assert first.envelope is not None
    await _close(engine, first.envelope.ticket_id)
    [second] = await inbox.put([from_client(1, 2)])
    assert second.envelope is not None
    assert second.envelope.ticket_id != first.envelope.ticket_id
    former = await scalar(
        engine, "SELECT former_ticket_id FROM tickets WHERE id = :id", id=second.envelope.ticket_id
    )
    assert former == first.envelope.ticket_id


async def test_a_text_goes_to_the_closed_ticket_that_waits_for_a_comment(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    [first] = await inbox.put([from_client(1, 1)])
    assert first.envelope is not None
    await _close(engine, first.envelope.ticket_id, wants_comment=True)
    [comment] = await inbox.put([from_client(1, 2)])
    assert comment.envelope is not None
    assert comment.envelope.ticket_id == first.envelope.ticket_id


async def test_a_photo_does_not(inbox: PostgresInbox, engine: AsyncEngine) -> None:
    [first] = await inbox.put([from_client(1, 1)])
    assert first.envelope is not None
    await _close(engine, first.envelope.ticket_id, wants_comment=True)
    [photo] = await inbox.put([from_client(1, 2, is_text=False)])
    assert photo.envelope is not None
    assert photo.envelope.ticket_id != first.envelope.ticket_id


async def test_a_message_follows_those_that_still_wait_in_a_closed_ticket(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """The waiting one will be moved on; if this one went ahead, it would overtake it."""
    [first] = await inbox.put([from_client(1, 1)])
    await inbox.put([from_client(1, 2)])
    assert first.envelope is not None
    await _close(engine, first.envelope.ticket_id, handled=1)
    [third] = await inbox.put([from_client(1, 3)])
    assert third.envelope is not None
    assert third.envelope.ticket_id == first.envelope.ticket_id


async def test_what_concerns_no_ticket_goes_to_the_desk(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    command = Incoming(key="tg:1:9", route=ToDesk(), message=None, raw={"update_id": 9})
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(inbox.put, [command])
    assert await scalar(engine, "SELECT count(*) FROM inbox WHERE ticket_id IS NULL") == 1


async def test_seqs_have_no_gaps_whoever_writes_at_once(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    stored = await inbox.put([from_client(client, 0) for client in (1, 2, 3)])
    tickets = [s.envelope.ticket_id for s in stored if s.envelope]

    async def client(number: int) -> None:
        for count in range(1, 21):
            await inbox.put([from_client(number, count)])

    async def staff(writer: int) -> None:
        for count in range(20):
            order = tickets if count % 2 else list(reversed(tickets))
            await inbox.put([for_ticket(t, f"staff:{writer}:{count}:{t}") for t in order])

    async with anyio.create_task_group() as group:
        for number in (1, 2, 3):
            group.start_soon(client, number)
        for writer in range(4):
            group.start_soon(staff, writer)
    for ticket in tickets:
        seqs = await rows(
            engine, "SELECT seq FROM inbox WHERE ticket_id = :t ORDER BY seq", t=ticket
        )
        assert [row.seq for row in seqs] == list(range(1, 102))


async def _close(
    engine: AsyncEngine, ticket_id: TicketId, *, wants_comment: bool = False, handled: int = 99
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE tickets SET status = 'CLOSED', wants_comment = :w WHERE id = :id"),
            {"id": ticket_id, "w": wants_comment},
        )
        await connection.execute(
            text("UPDATE inbox SET handled_at = now() WHERE ticket_id = :id AND seq <= :h"),
            {"id": ticket_id, "h": handled},
        )
