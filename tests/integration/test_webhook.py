"""The webhook through both servers: beside the pages, and at an address of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskStatus
from structlog.testing import capture_logs

from web.server import CannotBind, ServerOptions, serve
from web.webhook import PREFIX, Refused, TryLater, Webhook, WebhookOptions, WebhookRoute
from web.webhook_server import serve_webhook

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-twenty-or-so"
PATH = PREFIX + SECRET
HEADER = "X-Telegram-Bot-Api-Secret-Token"
GOOD = {HEADER: SECRET, "Content-Type": "application/json"}
OPTIONS = WebhookOptions(secret=SECRET, body_bytes_max=1000, concurrent_max=2, retry_after_s=7)
QUICK = ServerOptions(grace_s=0.5, give_up_s=0.5)


@dataclass
class Door:
    """A running webhook; ``taken`` is what was accepted, ``troubles`` is raised instead."""

    http: aiohttp.ClientSession
    closing: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)
    held: anyio.Event | None = None
    url: str = ""
    taken: list[bytes] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    async def accept(self, body: bytes) -> None:
        if self.troubles:
            raise self.troubles.pop()
        if self.held is not None:
            await self.held.wait()
        self.taken.append(body)

    async def posts(
        self, body: Any = b"{}", *, path: str = PATH, method: str = "POST", **headers: str
    ) -> tuple[int, str, str | None]:
        """Status, text and ``Retry-After``."""
        sent = GOOD | {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.url}{path}"
        async with self.http.request(method, url, data=body, headers=sent) as answer:
            return answer.status, await answer.text(), answer.headers.get("Retry-After")


async def _pages(scope: Any, receive: Any, send: Any) -> None:
    del receive
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


KINDS = ["beside the pages", "alone"]


@pytest.fixture(params=KINDS)
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    async with opened(request.param) as found:
        yield found


@asynccontextmanager
async def opened(
    kind: str, bind: str = "127.0.0.1:0", options: ServerOptions = QUICK
) -> AsyncIterator[Door]:
    async with aiohttp.ClientSession() as http, anyio.create_task_group() as group:
        made = Door(http=http)
        webhook = Webhook(made.accept, OPTIONS)

        async def run(*, task_status: TaskStatus[str]) -> None:
            more: dict[str, Any] = {"options": options, "task_status": task_status}
            if kind == "alone":
                await serve_webhook(webhook, bind, made.closing, **more)
            else:
                await serve(WebhookRoute(webhook, _pages), bind, made.closing, **more)
            made.ended.set()

        made.url = await group.start(run)
        yield made
        made.closing.set()


async def test_what_is_accepted_is_answered_200(door: Door) -> None:
    assert await door.posts(b'{"update_id": 1}') == (200, "", None)
    assert door.taken == [b'{"update_id": 1}']


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"path": "/webhook/wrong"}, 404),
        ({"path": "/webhook/%D0%B6%ff"}, 404),
        ({"path": "/"}, 404),
        ({"path": "/healthz", "method": "GET"}, 404),
        ({HEADER: "wrong"}, 404),
        ({HEADER: "w\xf6rong"}, 404),
        ({"method": "GET"}, 405),
        ({"Content_Type": "text/plain"}, 415),
        ({"body": b" " * 1001}, 413),
    ],
)
async def test_what_is_wrong_is_told_by_its_status(
    door: Door, wrong: dict[str, Any], status: int
) -> None:
    found, text, _ = await door.posts(**wrong)
    assert found == status
    assert SECRET not in text
    assert door.taken == []
    assert (await door.posts())[0] == 200


async def test_a_body_in_parts_is_put_together_and_bounded(door: Door) -> None:
    async def parts(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"0123456789"
            await anyio.lowlevel.checkpoint()

    assert (await door.posts(parts(100)))[0] == 200
    assert door.taken == [b"0123456789" * 100]
    assert (await door.posts(parts(101)))[0] == 413
    assert len(door.taken) == 1


async def test_refusals_outages_and_bugs_have_answers_of_their_own(door: Door) -> None:
    door.troubles = [ValueError("bug"), TryLater(60), TryLater(), Refused("no update")]
    assert await door.posts() == (400, "no update", None)
    assert await door.posts() == (503, "try again later", "7")
    assert await door.posts() == (503, "try again later", "60")
    assert await door.posts() == (503, "try again later", "7")
    assert (await door.posts())[0] == 200


async def test_more_at_once_than_allowed_are_to_come_again(door: Door) -> None:
    door.held = anyio.Event()
    answers: list[int] = []

    async def post() -> None:
        answers.append((await door.posts())[0])

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(post)
        with anyio.fail_after(20):
            while not answers:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.01)
        assert answers == [503]
        door.held.set()
    assert sorted(answers) == [200, 200, 503]


@pytest.mark.parametrize(
    "sent",
    [
        b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: 500\r\n\r\nhalf",
        b"POST %s HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
        b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: minus one\r\n\r\n",
        b"\x16\x03\x01%s%s\r\n\r\n",
    ],
    ids=["cut off", "bad chunk", "bad length", "no HTTP"],
)
async def test_a_sender_that_breaks_off_or_speaks_no_http_is_no_update(
    door: Door, sent: bytes
) -> None:
    headers = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items()).encode()
    where = urlsplit(door.url)
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(sent % (PATH.encode(), headers))
        writer.write_eof()
        with anyio.fail_after(20):
            answer = await reader.read()
        writer.close()
    assert not answer or answer.split()[1] == b"400"
    assert door.taken == []
    assert SECRET not in repr(logs)
    assert (await door.posts())[0] == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_at_the_end_what_is_under_way_is_finished(kind: str) -> None:
    patient = ServerOptions(grace_s=20)
    async with opened(kind, options=patient) as door, anyio.create_task_group() as group:
        door.held = anyio.Event()
        answers: list[int] = []

        async def post() -> None:
            answers.append((await door.posts())[0])

        group.start_soon(post)
        await anyio.sleep(0.1)
        door.closing.set()
        await anyio.sleep(0.1)
        door.held.set()
        with anyio.fail_after(10):
            await door.ended.wait()
    assert answers == [200]


async def test_at_the_end_what_does_not_finish_is_cut_off(door: Door) -> None:
    door.held = anyio.Event()
    async with anyio.create_task_group() as group:

        async def post() -> None:
            try:
                status, *_ = await door.posts()
            except aiohttp.ClientError:
                return
            assert status >= 500

        group.start_soon(post)
        await anyio.sleep(0.1)
        door.closing.set()
        with anyio.fail_after(20):
            await door.ended.wait()
    assert door.taken == []


async def test_the_webhooks_own_address_may_be_taken() -> None:
    async with opened("alone") as first:
        bind = first.url.removeprefix("http://")
        webhook = Webhook(first.accept, OPTIONS)
        with pytest.raises(CannotBind, match=bind):
            await serve_webhook(webhook, bind, anyio.Event())
