"""Which bot wrote a copy, and which one writes a topic's texts, outlive the program."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId, MessageId, UserId
from actors.ports import Made, Sent
from storage.links import PostgresLinks
from storage.marks import PREFIX, RedisMarks
from storage.redis import RedisOptions
from storage.tolerant import Tolerant
from tests.fakes.desk import MAIN_CHAT, scalar
from tests.fakes.redis import single_redis
from tests.integration.test_postgres_outbox import Desk, copy, desk, open_main

__all__ = ["desk"]

pytestmark = pytest.mark.anyio

HELPER, MAIN_BOT = UserId(43), UserId(42)


async def sent(desk: Desk, ticket: int, number: int, bot_id: UserId | None) -> None:
    [row] = await desk.lane(f"main:{ticket}")
    await desk.outbox.starting([row])
    await desk.outbox.settle([Sent(row=row, message_id=MessageId(number), bot_id=bot_id)])


async def test_a_copy_is_known_with_its_author(desk: Desk, engine: AsyncEngine) -> None:
    ticket = await desk.decide(open_main())
    await desk.open_topic(ticket, 70)
    links = PostgresLinks(engine)
    for number, author in ((11, HELPER), (12, MAIN_BOT), (13, None)):
        await desk.decide(copy(number))
        await sent(desk, ticket, 100 + number, author)
        found = await links.counterpart(ticket, ChatId(1), MessageId(number), MAIN_CHAT)
        assert found is not None
        assert (found.message_id, found.is_copy, found.bot_id) == (100 + number, True, author)
        back = await links.counterpart(ticket, MAIN_CHAT, found.message_id, ChatId(1))
        assert back is not None
        assert (back.message_id, back.is_copy, back.bot_id) == (number, False, None)


async def test_a_topic_keeps_the_bot_that_was_chosen_for_it(
    desk: Desk, engine: AsyncEngine
) -> None:
    ticket = await desk.decide(open_main(), copy(11), copy(12), copy(13))
    await desk.open_topic(ticket, 70)
    rows = await desk.lane(f"main:{ticket}")
    assert [row.bot_id for row in rows] == [None, None, None]
    await desk.outbox.starting(rows[:2])
    await desk.outbox.settle(
        [Sent(row=rows[0], message_id=MessageId(101), bot_id=HELPER, sticks=True)]
    )
    await desk.outbox.settle(
        [Sent(row=rows[1], message_id=MessageId(102), bot_id=MAIN_BOT, sticks=False)]
    )
    [left] = await desk.lane(f"main:{ticket}")
    assert left.bot_id == HELPER
    assert await scalar(engine, "SELECT bot_id FROM topics") == HELPER


async def test_a_mark_remembers_who_made_it_and_one_of_an_older_release_is_read(
    valkey_url: str,
) -> None:
    client = single_redis(RedisOptions(url=valkey_url))
    marks = RedisMarks(client, Tolerant())
    made = Made(message_id=MessageId(7), bot_id=HELPER)
    await marks.mark({"authors:new": made})
    await client.set(f"{PREFIX}authors:old", "[7,null]", ex=60)
    assert await marks.find("authors:new") == made
    assert await marks.find("authors:old") == Made(message_id=MessageId(7))
    await client.aclose()
