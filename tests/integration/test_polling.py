"""Long polling against the local Telegram: confirmed only when stored, and nothing ends it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from aiogram import Bot
from aiohttp import web
from anyio.abc import TaskStatus
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from actors.errors import Transient
from bot.api import ApiOptions, create_bot
from bot.polling import ALLOWED_UPDATES, Poller, PollingOptions, WrongToken
from bot.webhook_setup import TRIES_MAX, remove_webhook, set_webhook
from lab.telegram import people
from lab.telegram.faults import FaultRule
from lab.telegram.updates import UpdateFeed
from tests.fakes.door import Door, HeldInbox, open_door
from tests.fakes.local_telegram import TOKEN, Lab, open_lab

pytestmark = pytest.mark.anyio

type AcceptMany = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]

QUICK = PollingOptions(timeout_s=5, grace_s=5.0, retry_base_s=0.01, retry_max_s=0.12)


class Crash(Exception):
    """The program ends here."""


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


@pytest.fixture
async def door(engine: AsyncEngine) -> AsyncIterator[Door]:
    async with open_door(engine) as opened:
        yield opened


@pytest.fixture
async def bot(lab: Lab) -> AsyncIterator[Bot]:
    made = create_bot(TOKEN, ApiOptions(url=lab.telegram.url))
    yield made
    await made.session.close()


def feed(lab: Lab) -> UpdateFeed:
    return lab.world.first_bot.feed


def write(lab: Lab, *texts: str) -> list[int]:
    """Иван writes; returns the numbers of the updates."""
    before = feed(lab).next_id
    for text in texts:
        people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, text=text)
    return list(range(before, feed(lab).next_id))


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another program
            await anyio.sleep(0.005)


def make_poller(lab: Lab, accept_many: AcceptMany, options: PollingOptions = QUICK) -> Poller:
    return Poller(url=lab.telegram.url, token=TOKEN, accept_many=accept_many, options=options)


@asynccontextmanager
async def polling(poller: Poller) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:

        async def run(*, task_status: TaskStatus[None]) -> None:
            await poller.run(task_status=task_status)

        await group.start(run)
        yield
        group.cancel_scope.cancel()


# --- confirmed only when stored -------------------------------------------------------------


async def test_updates_are_stored_in_their_order_and_then_confirmed(lab: Lab, door: Door) -> None:
    numbers = write(lab, "a", "b", "c")
    poller = make_poller(lab, door.intake.accept_many)
    async with polling(poller):
        await until(lambda: not feed(lab).pending)
        numbers += write(lab, "d")
        await until(lambda: not feed(lab).pending)
    assert await door.keys() == door.offered() == numbers
    assert door.intake.stats().duplicates == 0
    assert feed(lab).allowed == frozenset(ALLOWED_UPDATES)
    assert poller.answered_at is not None


async def test_an_update_stays_telegrams_until_its_transaction_has_ended(
    lab: Lab, engine: AsyncEngine
) -> None:
    held = HeldInbox(engine)
    async with open_door(engine, held) as door:
        numbers = write(lab, "a")
        async with polling(make_poller(lab, door.intake.accept_many)):
            await held.entered.wait()
            assert list(feed(lab).pending) == numbers
            assert await lab.updates(offset=numbers[0], limit=1), "it would come again"
            people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, text="b")
            held.gate.set()
            await until(lambda: len(held.sizes) == 2)
            await until(lambda: not feed(lab).pending)


async def test_after_a_crash_between_commit_and_confirmation_the_update_comes_again_stored_once(
    lab: Lab, door: Door
) -> None:
    async def accept_and_crash(updates: Sequence[dict[str, Any]]) -> None:
        await door.intake.accept_many(updates)
        raise Crash

    numbers = write(lab, "a", "b")
    with pytest.raises(Crash):
        await make_poller(lab, accept_and_crash).run()
    assert await door.keys() == list(feed(lab).pending) == numbers
    async with polling(make_poller(lab, door.intake.accept_many)):
        await until(lambda: not feed(lab).pending)
    assert await door.keys() == door.offered() == numbers
    assert (door.intake.stats().stored, door.intake.stats().duplicates) == (2, 2)


async def test_while_postgres_is_away_the_same_updates_come_again_after_growing_pauses(
    lab: Lab, door: Door
) -> None:
    tries: list[list[int]] = []

    async def accept_at_last(updates: Sequence[dict[str, Any]]) -> None:
        tries.append([update["update_id"] for update in updates])
        if len(tries) < 6:
            raise Transient("Postgres is away")
        await door.intake.accept_many(updates)

    numbers = write(lab, "a", "b")
    patient_only_with_telegram = replace(QUICK, store_retry_max_s=0.05)
    with capture_logs() as logs:
        async with polling(make_poller(lab, accept_at_last, patient_only_with_telegram)):
            await until(lambda: not feed(lab).pending)
    assert tries == [numbers] * 6
    assert [log["wait_s"] for log in logs] == [0.01, 0.02, 0.04, 0.05, 0.05]
    assert await door.keys() == numbers


# --- conflicts ------------------------------------------------------------------------------


async def test_another_poller_is_named_as_the_cause_and_outlived(lab: Lab, door: Door) -> None:
    with capture_logs() as logs:
        async with polling(make_poller(lab, door.intake.accept_many)):
            await until(lambda: feed(lab)._poll > 2)
            await lab.ok("getUpdates")
            await until(lambda: bool(logs))
            numbers = write(lab, "a")
            await until(lambda: not feed(lab).pending)
    [conflict] = logs
    assert (conflict["event"], conflict["log_level"]) == ("polling_conflict", "error")
    assert conflict["hint"] == "another program polls with this token"
    assert await door.keys() == numbers


async def test_a_webhook_set_meanwhile_is_named_and_polling_goes_on_when_it_is_gone(
    lab: Lab, door: Door, bot: Bot
) -> None:
    with capture_logs() as logs:
        async with polling(make_poller(lab, door.intake.accept_many)):
            await until(lambda: feed(lab)._poll > 2)
            await lab.ok("setWebhook", url="http://127.0.0.1:9/")
            numbers = write(lab, "a")
            await until(lambda: len(logs) > 2)
            assert await door.keys() == []
            await remove_webhook(bot)
            await until(lambda: not feed(lab).pending)
    conflicts = [log for log in logs if log["event"] == "polling_conflict"]
    assert all("a webhook is set" in log["hint"] for log in conflicts)
    assert "webhook is active" in conflicts[-1]["description"]
    assert await door.keys() == numbers, "what had waited for the webhook was kept"


async def test_the_webhook_is_registered_with_secret_and_kinds_and_removed_only_if_there_is_one(
    lab: Lab, bot: Bot
) -> None:
    too_many = FaultRule(kind="too_many_requests", method="setWebhook", times_left=1, retry_after=1)
    lab.world.faults.add(too_many)
    await set_webhook(bot, "http://127.0.0.1:9/", "s3cret")
    info = await lab.ok("getWebhookInfo")
    assert info["url"] == "http://127.0.0.1:9/webhook/s3cret"
    assert set(info["allowed_updates"]) == set(ALLOWED_UPDATES)
    assert too_many.hits == 1
    with capture_logs() as logs:
        await remove_webhook(bot)
        await remove_webhook(bot)
    assert [log["event"] for log in logs] == ["webhook_removed"]
    assert (await lab.ok("getWebhookInfo"))["url"] == ""
    assert TRIES_MAX > 1


# --- trouble on the way ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "bad_gateway", "server_error"])
async def test_broken_answers_delay_updates_and_lose_and_double_none(
    lab: Lab, door: Door, kind: str
) -> None:
    rule = lab.world.faults.add(FaultRule(kind=kind, method="getUpdates", times_left=2))
    numbers = write(lab, "a", "b")
    with capture_logs() as logs:
        async with polling(make_poller(lab, door.intake.accept_many)):
            await until(lambda: not feed(lab).pending)
    assert rule.hits == len(logs) == 2
    assert await door.keys() == door.offered() == numbers


async def test_an_answer_that_never_comes_is_given_up(lab: Lab, door: Door) -> None:
    lab.world.faults.add(
        FaultRule(kind="timeout_before", method="getUpdates", times_left=1, seconds=30.0)
    )
    numbers = write(lab, "a")
    options = PollingOptions(timeout_s=0, grace_s=0.2, retry_base_s=0.01)
    with capture_logs() as logs:
        async with polling(make_poller(lab, door.intake.accept_many, options)):
            await until(lambda: not feed(lab).pending)
    assert [log["error"] for log in logs[:1]] == ["TimeoutError"]
    assert await door.keys() == numbers


async def test_where_nobody_listens_pauses_double_to_their_maximum_and_no_log_names_the_token(
    door: Door,
) -> None:
    url = "http://127.0.0.1:9"
    poller = Poller(url=url, token=TOKEN, accept_many=door.intake.accept_many, options=QUICK)
    with capture_logs() as logs:
        async with polling(poller):
            await until(lambda: len(logs) == 7)
    assert [log["wait_s"] for log in logs] == [0.01, 0.02, 0.04, 0.08, 0.12, 0.12, 0.12]
    assert TOKEN not in repr(logs)
    assert poller.answered_at is None


async def test_answers_that_make_no_sense_end_nothing(door: Door) -> None:
    """A proxy's page, a half-written answer, fields of other types; then an update."""
    update = {"update_id": 7, "message": "unreadable, but numbered"}
    answers: list[tuple[int, Any]] = [
        *((200, []), (200, {"ok": True}), (200, {"ok": True, "result": None}), (200, "text")),
        *((400, {"ok": False, "description": None}), (500, {"ok": False})),
        *((429, {"ok": False, "parameters": {"retry_after": 0.01}}), (200, {"ok": 1, "result": 5})),
        (429, {"ok": False, "parameters": None}),
        (200, {"ok": True, "result": [None, {}, {"update_id": "1"}, {"update_id": -1}, update]}),
    ]
    offsets: list[int | None] = []

    async def answer(request: web.Request) -> web.Response:
        offsets.append((await request.json()).get("offset"))
        status, body = answers.pop(0) if answers else (200, {"ok": True, "result": []})
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/bot42:demo/getUpdates", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    poller = Poller(url=url, token=TOKEN, accept_many=door.intake.accept_many, options=QUICK)
    try:
        async with polling(poller):
            await until(lambda: offsets[-1:] == [8])
    finally:
        await runner.cleanup()
    assert await door.keys() == [7]


async def test_a_wrong_token_ends_polling_and_is_not_repeated_in_the_error(lab: Lab) -> None:
    async def accept_many(updates: Sequence[dict[str, Any]]) -> None:
        raise AssertionError(updates)

    poller = Poller(url=lab.telegram.url, token="7:wrong", accept_many=accept_many, options=QUICK)
    with pytest.raises(WrongToken) as error:
        await poller.run()
    assert "7:wrong" not in str(error.value)
