"""Postgres is away: nobody is told that an update was taken, and all can come again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import orjson
import pytest
from anyio.abc import TaskStatus

from actors.errors import Transient
from bootstrap.edges import accepting
from storage.postgres import PostgresOptions, create_engine
from tests.fakes import updates as u
from tests.fakes.door import Door, open_door
from tests.fakes.relay import Relay, open_relay
from tests.fakes.updates import from_client
from web.server import serve
from web.webhook import Receive, Scope, Send, Webhook, WebhookOptions, WebhookRoute

pytestmark = pytest.mark.anyio

SECRET = "s3cret-of-the-test"


@asynccontextmanager
async def far_door(dsn: str) -> AsyncIterator[tuple[Relay, Door]]:
    """An intake whose database is behind a wire that can be cut."""
    async with open_relay(dsn) as relay:
        engine = create_engine(PostgresOptions(dsn=relay.dsn, pool_size=2))
        async with open_door(engine) as door:
            yield relay, door
        relay.mend()
        await engine.dispose()


async def test_an_outage_is_transient_for_all_who_wait_and_nothing_is_lost_after_it(
    postgres_dsn: str,
) -> None:
    async with far_door(postgres_dsn) as (relay, door):
        await door.accept(from_client())
        relay.cut()
        update = from_client()
        with pytest.raises(Transient):
            await door.accept(update)
        with pytest.raises(Transient):
            await door.intake.accept_many([update])
        with pytest.raises(Transient):
            await door.accept(u.from_staff())  # whose topic it is cannot be asked either
        relay.mend()
        await door.accept(update)
        assert (await door.keys())[-1] == update["update_id"] == door.offered()[-1]
        assert door.intake.stats().unreadable == 0


async def fallback(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts and stops with the server."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def test_the_webhook_says_503_with_retry_after_in_an_outage_and_200_only_when_stored(
    postgres_dsn: str,
) -> None:
    closing = anyio.Event()
    update = from_client()
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
    options = WebhookOptions(secret=SECRET, retry_after_s=7)
    async with far_door(postgres_dsn) as (relay, door), anyio.create_task_group() as group:
        webhook = WebhookRoute(Webhook(accepting(door.intake), options), fallback)

        async def run(*, task_status: TaskStatus[str]) -> None:
            await serve(webhook, "127.0.0.1:0", closing, task_status=task_status)

        url = await group.start(run)
        async with aiohttp.ClientSession(headers=headers) as http:

            async def post(body: bytes) -> tuple[int, str | None]:
                async with http.post(f"{url}/webhook/{SECRET}", data=body) as response:
                    return response.status, response.headers.get("Retry-After")

            relay.cut()
            assert await post(orjson.dumps(update)) == (503, "7")
            relay.mend()
            assert await door.keys() == []
            assert await post(orjson.dumps(update)) == (200, None)
            assert await post(orjson.dumps(update)) == (200, None)
            assert await door.keys() == [update["update_id"]]
            assert await post(b"{") == (400, None)
        closing.set()
