"""The desk's mail and the technicians, on a real Postgres."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId, UserId
from actors.ports import Incoming, ToDesk
from storage.desk import ATTEMPTS_MAX, DeskMail
from storage.inbox import PostgresInbox
from storage.technicians import TechnicianSpec, TechnicianTable
from tests.fakes.desk import MAIN_CHAT, from_client, rows

pytestmark = pytest.mark.anyio


@pytest.fixture
def mail(engine: AsyncEngine) -> DeskMail:
    return DeskMail(engine)


async def put(engine: AsyncEngine, *numbers: int) -> None:
    commands = [
        Incoming(key=f"tg:1:{n}", route=ToDesk(), message=None, raw={"update_id": n})
        for n in numbers
    ]
    await PostgresInbox(engine, MAIN_CHAT).put(commands)


async def test_the_desk_reads_its_own_mail_in_the_order_of_arrival(
    mail: DeskMail, engine: AsyncEngine
) -> None:
    await put(engine, 1, 2)
    await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 9)])
    await put(engine, 3)
    found = await mail.waiting(0, 10)
    assert [row.raw for row in found] == [{"update_id": n} for n in (1, 2, 3)]
    assert [row.key for row in found] == ["tg:1:1", "tg:1:2", "tg:1:3"]
    assert [row.id for row in await mail.waiting(found[0].id, 1)] == [found[1].id]


async def test_what_is_handled_is_gone(mail: DeskMail, engine: AsyncEngine) -> None:
    await put(engine, 1, 2)
    first, second = await mail.waiting(0, 10)
    for _ in range(2):
        await mail.handled([first.id])
        assert [row.id for row in await mail.waiting(0, 10)] == [second.id]


async def test_what_fails_too_often_goes_to_the_dead_letters_with_why(
    mail: DeskMail, engine: AsyncEngine
) -> None:
    await put(engine, 1, 2)
    first, second = await mail.waiting(0, 10)
    for attempt in range(1, ATTEMPTS_MAX):
        assert not await mail.failed(first.id, f"failure {attempt}", final=False)
        assert (await mail.waiting(0, 10))[0].attempts == attempt
    assert await mail.failed(first.id, "the last \0 straw", final=False)
    assert not await mail.failed(first.id, "once more", final=False)
    assert [row.id for row in await mail.waiting(0, 10)] == [second.id]
    [letter] = await rows(
        engine, "SELECT ticket_id, key, message, error, attempts FROM dead_letters"
    )
    assert letter.ticket_id is None
    assert (letter.key, letter.message, letter.attempts) == (
        "tg:1:1",
        {"update_id": 1},
        ATTEMPTS_MAX,
    )
    assert letter.error == "the last \N{REPLACEMENT CHARACTER} straw"


async def test_what_can_never_succeed_goes_there_at_once(
    mail: DeskMail, engine: AsyncEngine
) -> None:
    await put(engine, 1)
    [row] = await mail.waiting(0, 10)
    assert await mail.failed(row.id, "unreadable", final=True)
    assert await mail.waiting(0, 10) == []
    assert [letter.attempts for letter in await rows(engine, "SELECT * FROM dead_letters")] == [1]


async def test_technicians_are_exactly_those_of_the_settings(engine: AsyncEngine) -> None:
    """Who is dropped stays known, and keeps the number when coming back."""
    table = TechnicianTable(engine)
    assert await table.active() == ()
    zoe = TechnicianSpec(name="zoe", chat_id=ChatId(-1), user_id=UserId(5))
    bob = TechnicianSpec(name="bob", chat_id=ChatId(-2))
    await table.sync([zoe, bob])
    first, second = await table.active()
    assert (first.name, first.chat_id, first.user_id) == ("zoe", -1, 5)
    assert (second.name, second.chat_id, second.user_id) == ("bob", -2, None)
    await table.sync([bob])
    assert await table.active() == (second,)
    await table.sync([bob, TechnicianSpec(name="zoe", chat_id=ChatId(-3))])
    back = (await table.active())[0]
    assert (back.id, back.name, back.chat_id, back.user_id) == (first.id, "zoe", -3, None)
    await table.sync([])
    assert await table.active() == ()


async def test_a_technician_is_found_by_number_also_after_leaving(engine: AsyncEngine) -> None:
    table = TechnicianTable(engine)
    await table.sync([TechnicianSpec(name="zoe", chat_id=ChatId(-1))])
    [zoe] = await table.active()
    await table.sync([])
    assert await table.by_id(zoe.id) == zoe
    assert await table.by_id(type(zoe.id)(zoe.id + 1)) is None
