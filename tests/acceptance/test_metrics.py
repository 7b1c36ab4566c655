"""``/metrics``: what Prometheus is told is what happened, and who is told it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from sqlalchemy.engine import make_url

from lab.chaos.proxy import Conditions, Link, Tcp, Unix, Way
from supervisor.actor import ActorStatus
from tests.acceptance.desk import Helpdesk
from tests.fakes.scrape import scrape

pytestmark = pytest.mark.anyio

STATUS_TOKEN = "a-status-token-of-the-tests"
SCRAPE_TIMEOUT_S = 10.0
"""Prometheus's own, by default; what comes later is lost."""

ACTOR_STATES = tuple(map(str, ActorStatus))

LABELS_MAX = 40
"""Series of one metric, buckets aside: more are no bounded set."""


@pytest.fixture
async def desk(postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """By webhook, with a token; numbers are the same with polling."""
    token = {"STATUS_TOKEN": STATUS_TOKEN}
    async with Helpdesk.open("webhook", postgres_dsn, redis_url, **token) as opened:
        yield opened


async def test_what_is_counted_is_what_happened(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    await desk.staff_writes(case, "Посмотрим")
    await desk.technician_writes(case, "alice", "Готово")
    await desk.settles()
    await desk.closes(case)
    found = await scrape(desk.app.url)

    sent_rows = await desk.value("SELECT count(*) FROM outbox WHERE state = 'sent'")
    outward = ("to_client", "to_group", "to_technician", "answer_to_press")
    sent = sum(found.total("topicdesk_messages_total", direction=each) for each in outward)
    assert sent == sent_rows
    for direction in outward[:3]:
        assert found.total("topicdesk_delivery_seconds_count", direction=direction) > 0
    assert found.total("topicdesk_messages_total", direction="from_client", kind="text") == 1
    assert found.total("topicdesk_messages_total", direction="from_staff", kind="text") == 1
    assert found.total("topicdesk_messages_total", direction="from_technician", kind="text") == 1
    assert found.total("topicdesk_messages_total", kind="assign_requested") == 1
    handled = await desk.value("SELECT sum(handled_seq) FROM tickets")
    assert found.total("topicdesk_queue_wait_seconds_count") == handled
    assert found.total("topicdesk_turn_seconds_count") == found.total("topicdesk_turns_total") > 0
    assert found.total("topicdesk_commit_seconds_count") == found.total("topicdesk_commits_total")
    assert found.total("topicdesk_commit_turns_sum") == found.total("topicdesk_turns_total")
    assert found.total("topicdesk_call_seconds_count") > 0
    assert found.total("topicdesk_claims_total") >= 1
    statuses = dict(await desk.rows("SELECT status, count(*) FROM tickets GROUP BY status"))
    for status, count in statuses.items():
        assert found.total("topicdesk_tickets", status=status) == count
    assert found.total("topicdesk_tickets") == 1
    assert found.total("topicdesk_node_state", state="serving") == 1
    assert found.total("topicdesk_postgres_up") == 1
    away = bool(desk.logged("redis_away")) and not desk.logged("redis_back")
    assert found.total("topicdesk_redis_up") == (not away)  # on a busy machine it may be slow


async def test_labels_are_of_bounded_sets_and_tell_nobody(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, "Мой телефон +7 916 123-45-67")
    found = await scrape(desk.app.url)
    for family in found.families:
        series = {tuple(s.labels.items()) for s in family.samples if "le" not in s.labels}
        assert len(series) <= LABELS_MAX, family.name
        for labels in series:
            for name, value in labels:
                assert name not in {"ticket", "ticket_id", "user", "chat"}
                assert str(desk.ivan) not in value
                assert value != str(case.number) or name == "generation"


async def test_prometheus_gets_the_format_that_it_asks_for(desk: Helpdesk) -> None:
    await desk.opens(desk.ivan)
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{desk.app.url}/metrics", headers={"Accept": accept}) as response,
    ):
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        text = await response.text()
    assert text.endswith("# EOF\n")
    found = openmetrics(text)  # type: ignore[no-untyped-call]
    families = {family.name: family.type for family in found}
    assert families["topicdesk_messages"] == "counter"
    assert families["topicdesk_turn_seconds"] == "histogram"
    assert families["topicdesk_gc_pause_seconds"] == "histogram"


class TestOutage:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        """The link runs on the test's loop; uvloop complains of sockets that are torn in use."""
        return "asyncio", {"use_uvloop": False}

    @pytest.mark.parametrize("how", [Conditions(refuses=True), Conditions(held=frozenset(Way))])
    async def test_without_postgres_the_rest_is_told_soon(
        self, how: Conditions, postgres_dsn: str, redis_url: str
    ) -> None:
        address = make_url(postgres_dsn)
        socket = Path(str(address.query["host"])) / ".s.PGSQL.5432"
        link = Link("postgres", lambda: [Unix(socket)])
        async with link.serve(Tcp()):
            through = f"postgresql://postgres@127.0.0.1:{link.port}/{address.database}"
            async with Helpdesk.open("webhook", through, redis_url) as desk:
                await desk.opens(desk.ivan)
                link.set(how)
                if how.refuses:
                    link.reset()
                with anyio.fail_after(SCRAPE_TIMEOUT_S):
                    found = await scrape(desk.app.url)
                assert found.total("topicdesk_postgres_up") == 0
                assert "topicdesk_tickets" not in found.names
                assert found.total("topicdesk_turns_total") > 0
                assert sum(found.total("topicdesk_actors", state=s) for s in ACTOR_STATES) == 1
                link.heal()


async def test_it_is_told_to_this_machine_and_to_whoever_has_the_token(desk: Helpdesk) -> None:
    proxied = {"X-Forwarded-For": "203.0.113.7"}
    async with aiohttp.ClientSession() as http:

        async def status(**headers: str) -> int:
            async with http.get(f"{desk.app.url}/metrics", headers=headers) as response:
                return response.status

        assert await status() == 200
        assert await status(**proxied) == 401
        assert await status(**proxied, Authorization="Bearer wrong") == 401
        assert await status(**proxied, Authorization=f"Bearer {STATUS_TOKEN}") == 200
