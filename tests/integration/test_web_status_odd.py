"""Odd requests against the whole program on its real servers: none is a bug, whatever they ask."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import anyio
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from redis.asyncio import Redis
from schemathesis import GenerationMode
from yarl import URL

from tests.acceptance.desk import Helpdesk

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
REDIS_DB = 12

QUIET = settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.fixture
async def desk(postgres_dsn: str, valkey_url: str) -> AsyncIterator[Helpdesk]:
    url = f"{valkey_url.partition('?')[0]}?db={REDIS_DB}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    async with Helpdesk.open("webhook", postgres_dsn, url, STATUS_TOKEN=TOKEN) as opened:
        yield opened


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_what_nobody_would_ask_is_answered_and_the_desk_works_on(
    desk: Helpdesk, mode: GenerationMode
) -> None:
    case = await desk.opens(desk.ivan, "Не печатает")
    statuses = await anyio.to_thread.run_sync(odd_requests, desk.app.url, mode)
    assert sum(statuses.values()) >= 120
    assert max(statuses) < 500, statuses
    assert statuses[200 if mode is GenerationMode.POSITIVE else 400] > 10
    assert not desk.app.drain_asked.is_set()
    await desk.execute("UPDATE tickets SET quarantined = NULL")
    await desk.staff_writes(case, "Иду")
    await desk.sees(desk.ivan, "Иду")


def odd_requests(url: str, mode: GenerationMode) -> Counter[int]:
    """How often which status was the answer."""
    document = schemathesis.openapi.from_url(f"{url}/api/openapi.json", headers=BEARER)
    wanted = document.include(path_regex="^/api/").exclude(path="/api/stream")
    statuses: Counter[int] = Counter()

    @given(case=wanted.as_strategy(generation_mode=mode))
    @QUIET
    def attempt(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=BEARER)
        assert response.status_code < 500, (case.method, case.formatted_path, response.text)
        statuses[response.status_code] += 1

    attempt()
    return statuses


SEARCHES = (
    *("", " ", "'", '"', "\\", "%", "_", "a & | ! b", "a:*", "#1", "#0", "9" * 30, "Иван"),
    *("%00", "%ff%fe", "%ed%a0%80", "😀", "(", ")", "<->", "принтер:*&", "; DROP TABLE tickets"),
)


async def test_whatever_is_searched_for_is_found_or_not(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, "Не печатает")
    await desk.settles()
    async with aiohttp.ClientSession(headers=BEARER) as http:
        for path in ("/api/tickets", "/api/dead"):
            for words in SEARCHES:
                quoted = words if words.startswith("%") and words != "%" else quote(words)
                url = URL(f"{desk.app.url}{path}?query={quoted}", encoded=True)
                async with http.get(url) as response:
                    assert response.status == 200, (path, words, await response.text())
        async with http.get(f"{desk.app.url}/api/tickets?query=%D0%BF%D0%B5%D1%87") as response:
            found = await response.json()
    assert [line["id"] for line in found["tickets"]] == [case.number]
