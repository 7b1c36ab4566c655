"""The way in on a real Postgres: an update is stored before anybody is told that it was taken."""

from collections.abc import AsyncIterator

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from actors.errors import Transient
from bot.intake import IntakeOptions, MalformedUpdate
from bot.keyboards import CloseData
from tests.fakes import updates as u
from tests.fakes.desk import rows, scalar
from tests.fakes.door import Door, HeldInbox, open_door
from tests.fakes.updates import Json, from_client, press

pytestmark = pytest.mark.anyio

UNSTORABLE_ID = 2**52 - 1
"""Of a client whom this database refuses, whatever the reason."""


@pytest.fixture
async def door(engine: AsyncEngine) -> AsyncIterator[Door]:
    async with open_door(engine) as opened:
        yield opened


def unstorable() -> Json:
    user = {**u.IVAN, "id": UNSTORABLE_ID}
    return u.message(user, {**u.PRIVATE, "id": UNSTORABLE_ID}, "hello")


# --- stored, then acknowledged --------------------------------------------------------------


async def test_an_update_is_durable_when_accept_returns_and_not_before(
    engine: AsyncEngine, door: Door
) -> None:
    update = from_client()
    told = anyio.Event()

    async def send() -> None:
        await door.accept(update)
        told.set()

    async with engine.connect() as blocker, anyio.create_task_group() as group:
        await blocker.execute(text("LOCK TABLE inbox IN SHARE MODE"))
        group.start_soon(send)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with anyio.fail_after(30):
            while not await scalar(engine, waiting):  # noqa: ASYNC110 - locks tell nobody
                await anyio.sleep(0.005)
        assert not told.is_set()
        assert door.offered() == []
        await blocker.rollback()
    assert await door.keys() == door.offered() == [update["update_id"]]
    stored = await scalar(engine, "SELECT raw FROM inbox")
    assert stored == update, "kept as Telegram sent it"


async def test_an_update_that_comes_again_is_stored_once_and_told_once(door: Door) -> None:
    """At the same time by several requests, later by one, and by polling."""
    update = from_client()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(door.accept, update)
    await door.accept(update)
    await door.intake.accept_many([update, update])
    assert await door.keys() == door.offered() == [update["update_id"]]
    stats = door.intake.stats()
    assert (stats.stored, stats.duplicates) == (1, 22)


async def test_what_comes_during_a_commit_goes_together_with_the_next(engine: AsyncEngine) -> None:
    held = HeldInbox(engine)
    updates = [from_client(str(n)) for n in range(30)]
    async with open_door(engine, held, IntakeOptions(batch_max=20, writers=1)) as door:
        async with anyio.create_task_group() as group:
            for update in updates:
                group.start_soon(door.accept, update)
                await anyio.wait_all_tasks_blocked()
            held.gate.set()
        assert held.sizes == [1, 20, 9]
        assert await door.keys() == [update["update_id"] for update in updates]


async def test_when_too_many_wait_the_next_is_asked_to_come_again(engine: AsyncEngine) -> None:
    held = HeldInbox(engine)
    options = IntakeOptions(queue_max=3)
    async with open_door(engine, held, options) as door, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(door.accept, from_client())
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(20), pytest.raises(Transient) as refused:
            await door.accept(from_client())
        assert refused.value.retry_after_s > 0
        held.gate.set()
    assert len(await door.keys()) == 3


async def test_whoever_waits_when_the_intake_stops_is_not_told_of_a_success(
    engine: AsyncEngine,
) -> None:
    held, heard = HeldInbox(engine), list[str]()

    async def send(door: Door) -> None:
        try:
            await door.accept(from_client())
        except Transient:
            heard.append("come again")

    async with anyio.create_task_group() as group, open_door(engine, held) as door:
        group.start_soon(send, door)
        await held.entered.wait()
    assert heard == ["come again"]


# --- one bad update among good ones ---------------------------------------------------------


@pytest.mark.parametrize("way", ["webhook", "polling"])
async def test_an_update_that_cannot_be_stored_goes_to_the_desk_and_the_others_where_they_should(
    engine: AsyncEngine, door: Door, way: str
) -> None:
    async with engine.begin() as connection:
        refusal = f"ALTER TABLE users ADD CONSTRAINT odd CHECK (tg_id <> {UNSTORABLE_ID})"
        await connection.execute(text(refusal))
    batch = [from_client("a"), unstorable(), from_client("b"), from_client("c")]
    with capture_logs() as logs:
        if way == "polling":
            await door.intake.accept_many(batch)
        else:
            async with anyio.create_task_group() as group:
                for update in batch:
                    group.start_soon(door.accept, update)
    first, bad, *rest = (update["update_id"] for update in batch)
    assert sorted(door.offered()) == [first, *rest]
    assert sorted(await door.keys()) == [first, bad, *rest]
    assert (door.intake.stats().stored, door.intake.stats().unreadable) == (4, 1)
    [kept] = await rows(engine, "SELECT key, raw FROM inbox WHERE ticket_id IS NULL")
    assert kept.key == f"tg:{u.BOT_ID}:{bad}"
    assert "update_id" not in kept.raw, "nobody takes it for an update"
    assert kept.raw["update"]["message"]["text"] == "hello"
    assert len(door.hints) == 1
    assert [(log["event"], log["key"]) for log in logs] == [("update_not_storable", kept.key)]
    with capture_logs():
        await door.intake.accept_many(batch)
    assert len(await door.keys()) == 4, "what was refused is a duplicate, too"


@pytest.mark.parametrize(
    "broken",
    [
        {"message": "text"},
        {"message": {"message_id": "one"}},
        {"callback_query": {"id": "1", "from": "somebody", "data": "cl:1"}},
        {"callback_query": {"id": "1", "from": {"first_name": "x"}, "data": "cl:1"}},
        {"callback_query": [1, 2, 3]},
        {"my_chat_member": None, "message": {"nul": "\0"}},
    ],
)
async def test_an_update_that_cannot_be_read_is_kept_for_the_desk(door: Door, broken: Json) -> None:
    around = [from_client("a"), {"update_id": 5, **broken}, from_client("b")]
    await door.intake.accept_many(around)
    await door.accept({"update_id": 6, **broken})
    assert await door.keys() == [*(update["update_id"] for update in around), 6]
    assert door.intake.stats().unreadable == 2
    assert len(door.offered()) == 2


async def test_a_number_that_fits_no_column_makes_an_update_unreadable(door: Door) -> None:
    """Postgres would refuse the row for ever, and with it the chat's whole queue."""
    update = u.from_staff("hello")
    update["message"]["chat"] = {**update["message"]["chat"], "id": 2**63}
    await door.accept(update)
    assert await door.keys() == [update["update_id"]]
    assert door.intake.stats().unreadable == 1


async def test_what_is_no_update_is_refused(door: Door) -> None:
    numbers = (b"null", b'"1"', b"-1", b"true", b"1.5", b"9223372036854775808")
    bodies = [b'{"update_id": %s}' % number for number in numbers]
    for body in (b"", b"{", b"[]", b"null", b"{}", b"\xff", *bodies):
        with pytest.raises(MalformedUpdate):
            await door.intake.accept(body)
    assert await door.keys() == []


async def test_presses_that_must_not_act_are_answered_and_not_stored(door: Door) -> None:
    update = press(u.MARIA, u.from_staff(), CloseData(ticket=999).pack())
    callback_id = update["callback_query"]["id"]
    await door.accept(update)
    assert door.answers.given == [(callback_id, "Эта кнопка здесь не действует.")]
    door.locks.held = True
    await door.accept(press(u.MARIA, u.from_staff(), "dl:ALL:1"))
    assert door.answers.given[1][1] == "Уже выполняется…"
    odd = press(u.MARIA, u.from_staff(), "dl:ALL:1")
    odd["callback_query"]["from"] = {**odd["callback_query"]["from"], "language_code": 5}
    await door.accept(odd)
    assert door.answers.given[2][1] == "Уже выполняется…"
    await door.accept(u.from_staff("no topic of a ticket here"))
    assert await door.keys() == []
    stats = door.intake.stats()
    assert (stats.refused, stats.ignored) == (1, 1)
