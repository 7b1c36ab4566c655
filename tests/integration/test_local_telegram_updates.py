"""How the local Telegram delivers updates: long polling, and webhooks by Telegram's queue rules."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web

from lab.telegram import people
from lab.telegram.faults import FaultRule
from lab.telegram.webhook import SECRET_HEADER, WebhookRules, pause_s
from tests.fakes.local_telegram import Lab, open_lab

pytestmark = pytest.mark.anyio

FAST = WebhookRules(time_scale=0.02)
"""Two seconds of back-off become 40 ms."""

ANOTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab(FAST) as opened:
        yield opened


def _text(update: dict[str, Any]) -> str:
    return str(update["message"]["text"])


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while True:
            if condition():
                return
            await anyio.sleep(0.005)


# --- long polling ---------------------------------------------------------------------------


async def test_updates_come_again_until_their_offset_is_confirmed(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    for text in "abc":
        people.send(lab.world, ivan, ivan, text=text)
    first = await lab.ok("getUpdates", limit=2)
    assert [_text(update) for update in first] == ["a", "b"]
    assert await lab.ok("getUpdates", limit=2) == first
    rest = await lab.ok("getUpdates", offset=first[-1]["update_id"] + 1)
    assert [_text(update) for update in rest] == ["c"]
    assert rest[0]["update_id"] == first[0]["update_id"] + 2
    assert [_text(update) for update in await lab.ok("getUpdates", offset=-1)] == ["c"]


async def test_a_long_poll_ends_with_the_first_update(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    found: list[dict[str, Any]] = []

    async def poll() -> None:
        found.extend(await lab.ok("getUpdates", timeout=30))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poll)
        await _until(lambda: lab.telegram.world.first_bot.feed._poll > 2)
        people.send(lab.world, ivan, ivan, text="now")
        await _until(lambda: bool(found))
    assert [_text(update) for update in found] == ["now"]


async def test_two_pollers_and_a_webhook_beside_a_poller_conflict(lab: Lab) -> None:
    answers: list[str] = []
    feed = lab.world.first_bot.feed

    async def poll() -> None:
        answers.append(await lab.refusal("getUpdates", timeout=30))

    async with anyio.create_task_group() as tasks:
        before = feed._poll
        tasks.start_soon(poll)
        await _until(lambda: feed._poll > before)
        await lab.ok("getUpdates")
        await _until(lambda: len(answers) == 1)
        before = feed._poll
        tasks.start_soon(poll)
        await _until(lambda: feed._poll > before)
        await lab.ok("setWebhook", url="http://127.0.0.1:9/")
    answers.append(await lab.refusal("getUpdates"))
    assert answers == [
        ANOTHER_POLLER,
        "Conflict: terminated by setWebhook request",
        WEBHOOK_ACTIVE,
    ]


async def test_unwanted_kinds_are_never_queued(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    await lab.ok("getUpdates", allowed_updates=["message"])
    message = people.send(lab.world, ivan, ivan, text="a")
    people.edit(lab.world, ivan, ivan, message.id, "b")
    people.block(lab.world, ivan, blocked=True)
    assert [update.keys() - {"update_id"} for update in await lab.updates()] == [{"message"}]
    await lab.ok("getUpdates", allowed_updates=[])
    people.block(lab.world, ivan, blocked=False)
    assert [update.keys() - {"update_id"} for update in await lab.updates()] == [{"my_chat_member"}]


async def test_presses_are_forgotten_after_a_while(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    sent = await lab.ok("sendMessage", chat_id=ivan, text="?", reply_markup=markup)
    lab.world.first_bot.feed.callback_life_s = 0.0
    people.press(lab.world, ivan, ivan, sent["message_id"], data="b")
    people.send(lab.world, ivan, ivan, text="after")
    assert [_text(update) for update in await lab.updates()] == ["after"]
    assert lab.world.first_bot.feed.stats.expired == 1


async def test_injected_duplicates_and_delays_show_in_polling(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    lab.world.faults.add(FaultRule(kind="duplicate", method="message", times_left=1))
    people.send(lab.world, ivan, ivan, text="twice")
    (once,) = await lab.ok("getUpdates")
    (again,) = await lab.ok("getUpdates", offset=once["update_id"] + 1)
    assert again == once
    assert await lab.ok("getUpdates", offset=once["update_id"] + 1) == []
    lab.world.faults.add(FaultRule(kind="late", method="message", times_left=1, seconds=1.5))
    started = time.monotonic()
    people.send(lab.world, ivan, ivan, text="late")
    assert await lab.ok("getUpdates") == []
    (late,) = await lab.ok("getUpdates", timeout=20)
    assert _text(late) == "late"
    assert time.monotonic() - started >= 1.5


# --- webhooks -------------------------------------------------------------------------------


@dataclass
class Receiver:
    """A bot's webhook: keeps what came, answers what ``answer`` says for each update."""

    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    secrets: set[str | None] = field(default_factory=set)
    answer: Callable[[dict[str, Any]], web.Response] = lambda _: web.Response()
    gates: dict[str, anyio.Event] = field(default_factory=dict)
    """Texts whose request is held until the event is set."""

    async def handle(self, request: web.Request) -> web.Response:
        update = orjson.loads(await request.read())
        self.got.append(update)
        self.at.append(time.monotonic())
        self.secrets.add(request.headers.get(SECRET_HEADER))
        gate = self.gates.get(update.get("message", {}).get("text", ""))
        if gate is not None:
            await gate.wait()
        return self.answer(update)

    @property
    def texts(self) -> list[str]:
        return [_text(update) for update in self.got if "message" in update]


@asynccontextmanager
async def _receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        for gate in receiver.gates.values():
            gate.set()
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with _receiver() as opened:
        yield opened


async def test_what_waits_is_pushed_in_order_with_the_secret(lab: Lab, receiver: Receiver) -> None:
    ivan = lab.scene.ivan_id
    for index in range(20):
        people.send(lab.world, ivan, ivan, text=str(index))
    await lab.ok("setWebhook", url=receiver.url, secret_token="s3cret")
    await _until(lambda: len(receiver.got) == 20)
    assert receiver.texts == [str(index) for index in range(20)]
    assert receiver.secrets == {"s3cret"}
    await _until(lambda: not lab.world.first_bot.feed.pending)
    info = await lab.ok("getWebhookInfo")
    assert (info["url"], info["pending_update_count"]) == (receiver.url, 0)


async def test_one_update_per_chat_is_in_flight_and_other_chats_go_on(
    lab: Lab, receiver: Receiver
) -> None:
    ivan, emma = lab.scene.ivan_id, lab.scene.emma_id
    receiver.gates["held"] = anyio.Event()
    await lab.ok("setWebhook", url=receiver.url)
    people.send(lab.world, ivan, ivan, text="now one connection is open and idle")
    await _until(lambda: not lab.world.first_bot.feed.pending)
    people.send(lab.world, ivan, ivan, text="held")
    people.send(lab.world, ivan, ivan, text="behind")
    for index in range(5):
        people.send(lab.world, emma, emma, text=str(index))
    await _until(lambda: len(receiver.got) == 7)
    assert "behind" not in receiver.texts
    webhook = lab.telegram.webhooks.webhook_of(lab.world.first_bot)
    assert webhook is not None
    await _until(lambda: webhook.in_flight == 1)  # the last answer may still be on its way back
    assert "behind" not in receiver.texts
    receiver.gates["held"].set()
    await _until(lambda: "behind" in receiver.texts)


async def test_a_forum_is_one_queue_and_presses_go_past_it(lab: Lab, receiver: Receiver) -> None:
    group, maria = lab.scene.main_group_id, lab.scene.maria_id
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    threads = [await lab.topic(name) for name in ("one", "two")]
    sent = await lab.ok("sendMessage", chat_id=group, text="?", reply_markup=markup)
    await lab.updates()
    receiver.gates["held"] = anyio.Event()
    await lab.ok("setWebhook", url=receiver.url)
    people.send(lab.world, maria, group, text="held", thread_id=threads[0])
    people.send(lab.world, maria, group, text="other topic", thread_id=threads[1])
    people.press(lab.world, maria, group, sent["message_id"], data="b")
    await _until(lambda: len(receiver.got) == 2)
    assert "callback_query" in receiver.got[1]
    receiver.gates["held"].set()
    await _until(lambda: receiver.texts == ["held", "other topic"])


async def test_a_refused_update_blocks_its_queue_and_comes_again_with_growing_pauses(
    lab: Lab, receiver: Receiver
) -> None:
    ivan = lab.scene.ivan_id
    receiver.answer = lambda _: web.Response(status=500 if len(receiver.got) < 5 else 204)
    await lab.ok("setWebhook", url=receiver.url)
    people.send(lab.world, ivan, ivan, text="a")
    people.send(lab.world, ivan, ivan, text="b")
    await _until(lambda: len(receiver.got) == 6)
    assert receiver.texts == ["a"] * 5 + ["b"]
    pauses = [later - earlier for earlier, later in zip(receiver.at, receiver.at[1:], strict=False)]
    assert pauses[0] < pauses[2]
    for pause, seconds in zip(pauses[1:4], (2, 4, 8), strict=True):
        assert pause >= seconds * FAST.time_scale
    info = await lab.ok("getWebhookInfo")
    assert info["last_error_message"] == "Wrong response from the webhook: 500"


def test_pauses_double_from_two_seconds_to_a_minute_and_retry_after_goes_before() -> None:
    rules = WebhookRules()
    assert [pause_s(rules, failures) for failures in range(1, 9)] == [0, 2, 4, 8, 16, 32, 60, 60]
    assert pause_s(rules, 10_000) == 60
    assert pause_s(rules, 1, 15.0) == 15
    assert pause_s(rules, 1, 9_999.0) == 3600


async def test_retry_after_of_a_503_is_honoured(lab: Lab, receiver: Receiver) -> None:
    ivan = lab.scene.ivan_id
    busy = {"Retry-After": "15"}
    receiver.answer = lambda _: (
        web.Response(status=503, headers=busy) if len(receiver.got) == 1 else web.Response()
    )
    await lab.ok("setWebhook", url=receiver.url)
    people.send(lab.world, ivan, ivan, text="a")
    await _until(lambda: len(receiver.got) == 2)
    assert receiver.at[1] - receiver.at[0] >= 15 * FAST.time_scale


async def test_a_webhook_that_is_gone_for_long_is_removed(receiver: Receiver) -> None:
    rules = WebhookRules(time_scale=0.02, gone_after_s=1.0)
    async with open_lab(rules) as lab:
        receiver.answer = lambda _: web.Response(status=410)
        await lab.ok("setWebhook", url=receiver.url)
        people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, text="a")
        await _until(lambda: lab.telegram.webhooks.webhook_of(lab.world.first_bot) is None)
        assert [_text(update) for update in await lab.updates()] == ["a"], "nothing is lost"


async def test_at_most_max_connections_requests_run_at_a_time(lab: Lab, receiver: Receiver) -> None:
    users = [lab.world.add_user(f"U{index}", is_client=True).id for index in range(6)]
    receiver.gates = {str(user): anyio.Event() for user in users}
    await lab.ok("setWebhook", url=receiver.url, max_connections=3)
    for user in users:
        people.send(lab.world, user, user, text=str(user))
    await _until(lambda: len(receiver.got) == 3)
    for gate in receiver.gates.values():
        gate.set()
    await _until(lambda: sorted(receiver.texts) == sorted(map(str, users)))


async def test_nothing_listens_then_something_does_and_gets_all(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    async with _receiver() as gone:
        address = gone.url
    await lab.ok("setWebhook", url=address)
    people.send(lab.world, ivan, ivan, text="a")
    await _until(lambda: lab.world.first_bot.feed.stats.failed > 0)
    assert (await lab.ok("getWebhookInfo"))["last_error_message"] == "Connection refused"
    async with _receiver() as new:
        await lab.ok("setWebhook", url=new.url)
        await _until(lambda: new.texts == ["a"])


async def test_deleting_the_webhook_gives_what_waits_to_polling_unless_dropped(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    for drop, expected in ((False, ["a"]), (True, [])):
        await lab.ok("setWebhook", url="http://127.0.0.1:9/")
        people.send(lab.world, ivan, ivan, text="a")
        await lab.ok("deleteWebhook", drop_pending_updates=drop)
        assert [_text(update) for update in await lab.updates()] == expected


async def test_injected_duplicates_and_delays_show_at_the_webhook(
    lab: Lab, receiver: Receiver
) -> None:
    ivan = lab.scene.ivan_id
    await lab.ok("setWebhook", url=receiver.url)
    lab.world.faults.add(FaultRule(kind="duplicate", method="message", times_left=1, times=2))
    people.send(lab.world, ivan, ivan, text="a")
    await _until(lambda: receiver.texts == ["a", "a", "a"])
    assert len({update["update_id"] for update in receiver.got}) == 1
    lab.world.faults.add(FaultRule(kind="late", method="message", times_left=1, seconds=0.15))
    started = time.monotonic()
    people.send(lab.world, ivan, ivan, text="late")
    people.send(lab.world, ivan, ivan, text="behind it")
    await _until(lambda: receiver.texts[3:] == ["late", "behind it"])
    assert time.monotonic() - started >= 0.15


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"url": "ftp://x"}, "invalid webhook URL"),
        ({"url": "http://x", "secret_token": "with space"}, "unallowed characters"),
        ({"url": "http://x", "max_connections": 101}, "1-100"),
    ],
)
async def test_bad_webhooks_are_refused(lab: Lab, given: dict[str, Any], complaint: str) -> None:
    assert complaint in await lab.refusal("setWebhook", **given)
