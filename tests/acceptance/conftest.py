"""A desk of its own for each test, once with updates by webhook and once by long polling."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.acceptance.desk import Helpdesk

REDIS_DB = 9
"""Apart from what other tests keep in the session's Valkey; emptied for each test."""


@pytest.fixture(params=["webhook", "polling"])
def mode(request: pytest.FixtureRequest) -> str:
    """How updates come."""
    found: str = request.param
    return found


@pytest.fixture
async def redis_url(valkey_url: str) -> str:
    """An empty database: numbers of tickets and rows begin anew with each test."""
    url = f"{valkey_url.partition('?')[0]}?db={REDIS_DB}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    return url


@pytest.fixture
async def desk(mode: str, postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """The program in this process; Мария is staff, alice and bob are technicians."""
    async with Helpdesk.open(mode, postgres_dsn, redis_url) as opened:
        yield opened
