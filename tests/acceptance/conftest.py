"""A desk of its own for each test, once with updates by webhook and once by long polling."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.acceptance.desk import Helpdesk

REDIS_DB = 9
"""Apart from what other tests keep in the session's Valkey; emptied for each test."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``mode`` is how updates come: each way, or one where a test is marked so."""
    if "mode" not in metafunc.fixturenames or _has_its_own(metafunc):
        return
    marked = metafunc.definition.get_closest_marker
    alone = marked("by_webhook") is not None and marked("polling_too") is None
    metafunc.parametrize("mode", ["webhook"] if alone else ["webhook", "polling"])


def _has_its_own(metafunc: pytest.Metafunc) -> bool:
    """Whether the test, or its file, says how updates come."""
    named = metafunc.definition.get_closest_marker("parametrize")
    return hasattr(metafunc.module, "mode") or (named is not None and "mode" in named.args[0])


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
