"""The whole program's status API: truth, actions and outages, on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.acceptance.desk import Helpdesk

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
REDIS_DB = 11


@pytest.fixture
async def redis_url(valkey_url: str) -> str:
    url = f"{valkey_url.partition('?')[0]}?db={REDIS_DB}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    return url


@pytest.fixture
async def desk(postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    async with Helpdesk.open("webhook", postgres_dsn, redis_url, STATUS_TOKEN=TOKEN) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=BEARER) as session:
        yield session


async def get(http: aiohttp.ClientSession, desk: Helpdesk, path: str) -> Any:
    async with http.get(desk.app.url + path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_every_answer_is_there_and_well(http: aiohttp.ClientSession, desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, "The printer is on fire")
    for path in (
        *("/api/nodes", "/api/tickets", f"/api/tickets/{case.number}", "/api/delivery"),
        *("/api/dead", "/api/tree", "/api/history?span=hour", "/api/history?span=day", "/metrics"),
    ):
        async with http.get(desk.app.url + path) as response:
            assert response.status == 200, (path, await response.text())
    status = await get(http, desk, "/api/status")
    assert (status["state"], status["causes"]) == ("well", [])
    print(status)
