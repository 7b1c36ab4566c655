"""Several main groups: each new ticket goes where there is the most room for it."""

from collections.abc import Sequence
from math import inf
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Decision
from actors.effects import OpenTopic, Text
from actors.ids import ChatId, Seq, ThreadId
from actors.places import MAIN
from actors.ports import OutboxRow, Postponed, Refusal, Sent, Turn
from storage.inbox import PostgresInbox
from storage.main_groups import MainGroups
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.postgres import transaction
from storage.tickets import PostgresTicketStore
from tests.fakes.desk import from_client
from tests.fakes.nodes import a_run

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ChatId(-1001000000001), ChatId(-1001000000002), ChatId(-1001000000003)
ALL = (FIRST, SECOND, THIRD)
OPENING = OpenTopic(place=MAIN, title=Text(key="title-new", args={"ticket": 1, "client": "A"}))


class Desk:
    """New tickets in three groups, of which each has so many calls left."""

    def __init__(
        self, engine: AsyncEngine, chats: Sequence[ChatId] = ALL, fresh_s: float = 0.0
    ) -> None:
        self._engine = engine
        self.room: dict[ChatId, float] = dict.fromkeys(chats, inf)
        self.groups = MainGroups(engine, chats, self._rooms, fresh_s=fresh_s)
        self.store = PostgresTicketStore(engine, a_run, self.groups)
        self.outbox = PostgresOutbox(engine, a_run, groups=self.groups)
        self._inbox = PostgresInbox(engine, self.groups)
        self._clients = 0

    async def _rooms(self, chats: Sequence[ChatId]) -> Sequence[float]:
        return [self.room[chat] for chat in chats]

    async def opens(self, count: int = 1) -> list[ChatId]:
        """So many clients write at once; the groups of their tickets."""
        first = self._clients + 1
        self._clients += count
        batch = [from_client(client, client) for client in range(first, first + count)]
        stored = await self._inbox.put(batch)
        tickets = [each.envelope.ticket_id for each in stored if each.envelope is not None]
        query = "SELECT main_chat_id FROM tickets WHERE id = ANY(:ids) ORDER BY client_tg_id"
        return [row.main_chat_id for row in await self.run(query, ids=tickets)]

    async def opening(self) -> OutboxRow:
        """A client writes; the row that makes the topic of the ticket."""
        await self.opens()
        [ticket_id] = [row.id for row in await self.run("SELECT max(id) AS id FROM tickets")]
        loaded = await self.store.claim(ticket_id)
        assert loaded is not None
        mail = await self.store.mail(ticket_id, Seq(0), 1)
        decision = Decision(state=loaded.state, effects=(OPENING,))
        await self.store.commit(
            [
                Turn(
                    ticket_id=ticket_id,
                    epoch=loaded.epoch,
                    version=loaded.version,
                    steps=((mail[0], decision),),
                )
            ]
        )
        return await self.head(f"main:{ticket_id}")

    async def head(self, lane: str) -> OutboxRow:
        [row] = await self.outbox.heads([lane], 1, 1)
        await self.outbox.starting([row])
        return row

    async def refuses(self, row: OutboxRow, refusal: Refusal) -> None:
        postponed = Postponed(row=row, after_s=60, error="refused", refusal=refusal)
        await self.outbox.settle([postponed])

    async def run(self, statement: str, **values: object) -> Sequence[Any]:
        async with transaction(self._engine) as connection:
            result = await connection.execute(text(statement), values)
            return result.all() if result.returns_rows else []


@pytest.fixture
async def desk(engine: AsyncEngine) -> Desk:
    await PostgresNodes(engine).register(a_run())
    return Desk(engine)


def chat_of(row: OutboxRow) -> ChatId:
    assert row.address is not None
    return row.address.chat_id


async def test_tickets_go_where_the_fewest_are_while_budgets_are_alike(desk: Desk) -> None:
    assert await desk.opens() == [FIRST]
    assert sorted(await desk.opens(2), reverse=True) == [SECOND, THIRD]
    await desk.run("UPDATE tickets SET status = 'CLOSED' WHERE main_chat_id = :c", c=SECOND)
    assert await desk.opens() == [SECOND]


async def test_tickets_go_where_the_most_of_the_budget_is_left(desk: Desk) -> None:
    desk.room |= {FIRST: 4, SECOND: 19, THIRD: 11}
    assert await desk.opens(4) == [SECOND, SECOND, SECOND, THIRD]


async def test_what_waits_for_a_group_counts_as_sent(desk: Desk) -> None:
    desk.room |= {FIRST: 20, SECOND: 18, THIRD: 0}
    assert chat_of(await desk.opening()) == FIRST
    assert await desk.opens() == [FIRST], "20 without the opening that waits, against 18"
    assert await desk.opens() == [SECOND], "and three calls for the ticket that has not begun"


async def test_groups_in_trouble_get_no_tickets_until_they_are_well(desk: Desk) -> None:
    await desk.groups.note(FIRST, "away", None)
    await desk.groups.note(SECOND, "no-rights", None)
    assert await desk.opens(2) == [THIRD, THIRD]
    await desk.groups.note(FIRST, None, None)
    assert await desk.opens() == [FIRST]
    await desk.groups.note(FIRST, "away", None)
    await desk.groups.note(THIRD, "away", None)
    assert await desk.opens() == [SECOND], "all are in trouble: it waits in one of them"


async def test_a_ticket_that_a_group_refuses_goes_to_another_at_once(desk: Desk) -> None:
    row = await desk.opening()
    assert chat_of(row) == FIRST
    await desk.refuses(row, Refusal.SHUT)
    again = await desk.head(row.lane)
    assert chat_of(again) == SECOND
    await desk.refuses(again, Refusal.SHUT)
    assert await desk.outbox.heads([row.lane], 1, 1) == [], "others may refuse it: no hurry now"
    [ticket] = await desk.run("SELECT main_chat_id FROM tickets WHERE id = :id", id=row.ticket_id)
    assert ticket.main_chat_id != SECOND


async def test_a_full_group_is_left_out_until_it_takes_a_topic(desk: Desk) -> None:
    row = await desk.opening()
    await desk.refuses(row, Refusal.FULL)
    assert await desk.groups.full() == {FIRST}
    assert FIRST not in await desk.opens(4)
    await desk.groups.note(FIRST, None, None)
    assert await desk.groups.full() == {FIRST}, "it looks well, and is full"
    await desk.run("UPDATE main_groups SET again_at = now()")
    row = await desk.opening()
    assert chat_of(row) == FIRST, "asked again after a while"
    assert await desk.groups.full() == {FIRST}
    await desk.outbox.settle([Sent(row=row, thread_id=ThreadId(7))])
    assert await desk.groups.full() == set()


async def test_a_ticket_with_a_topic_stays_where_it_is(desk: Desk) -> None:
    row = await desk.opening()
    await desk.outbox.settle([Sent(row=row, thread_id=ThreadId(7))])
    await desk.refuses(row, Refusal.SHUT)
    [ticket] = await desk.run("SELECT main_chat_id FROM tickets WHERE id = :id", id=row.ticket_id)
    assert ticket.main_chat_id == FIRST


async def test_what_is_known_of_the_groups_is_counted_along_between_two_readings(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine, fresh_s=3600)
    assert await desk.opens() == [FIRST]
    await desk.run("UPDATE tickets SET status = 'CLOSED'")
    assert sorted(await desk.opens(2), reverse=True) == [SECOND, THIRD]
    await desk.groups.note(SECOND, "away", None)
    assert SECOND not in await desk.opens(3), "trouble is known at once"


async def test_one_group_keeps_its_tickets_whatever_happens(engine: AsyncEngine) -> None:
    await PostgresNodes(engine).register(a_run())
    desk = Desk(engine, [FIRST])
    row = await desk.opening()
    await desk.refuses(row, Refusal.FULL)
    await desk.groups.note(FIRST, "away", None)
    assert await desk.opens(2) == [FIRST, FIRST]


@pytest.mark.parametrize("chats", [ALL, (FIRST,)])
async def test_a_group_that_moved_gets_new_tickets_where_it_is_now(
    engine: AsyncEngine, chats: tuple[ChatId, ...]
) -> None:
    desk = Desk(engine, chats)
    moved = ChatId(-1002000000001)
    desk.room[moved] = 100
    desk.room |= dict.fromkeys(chats, 5.0)
    await desk.groups.note(FIRST, None, moved)
    assert await desk.opens() == [moved]
    assert moved in desk.groups
    later = MainGroups(engine, chats)
    assert moved not in later
    await later.load()
    assert moved in later
    assert ChatId(-1003) not in later
