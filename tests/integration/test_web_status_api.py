"""The status API over real HTTP with a sight of the test's own: answers, errors, stream, schema."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import anyio
import orjson
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.fakes.status import FakeSight, Site, open_site
from web.app import WebOptions
from web.status import NotThere, Readiness, Refused, SharedOverview, Unavailable

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
CHECKED = [not_a_server_error, response_schema_conformance]
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=BEARER) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site(WebOptions(status_token=TOKEN, snapshot_interval_s=0.05)) as opened:
        yield opened


async def ask(
    http: aiohttp.ClientSession, site: Site, path: str, body: Any = None, *, post: bool = False
) -> tuple[int, Any]:
    method = http.post if post else http.get
    async with method(site.url + path, **({"json": body} if post else {})) as response:
        return response.status, await response.json()


async def event(response: aiohttp.ClientResponse) -> Any:
    with anyio.fail_after(20):
        await response.content.readuntil(b"event: status\ndata: ")
        return json.loads(await response.content.readuntil(b"\n\n"))


# --- health ---------------------------------------------------------------------------------


async def test_alive_asks_nothing_and_ready_says_why_not(
    http: aiohttp.ClientSession, site: Site
) -> None:
    site.sight.ready = Readiness(ready=False, reasons=("Postgres does not answer",))
    assert await ask(http, site, "/healthz") == (200, {"status": "alive"})
    assert site.sight.asked == []
    answer = {"ready": False, "reasons": ["Postgres does not answer"]}
    assert await ask(http, site, "/readyz") == (503, answer)


async def test_a_sight_that_fails_makes_nothing_fall_and_tells_no_secret(
    http: aiohttp.ClientSession, site: Site
) -> None:
    site.sight.fails = True
    for path, status in (
        *(("/readyz", 500), ("/api/status", 503), ("/api/nodes", 500), ("/api/tickets/7", 500)),
        *(("/", 200), ("/healthz", 200)),
    ):
        async with http.get(site.url + path) as response:
            assert response.status == status, path
            assert "hunter2" not in await response.text()


# --- answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/tickets/99", 404, "not_found"),
        ("/api/tickets/0", 404, "not_found"),
        ("/api/tickets/9223372036854775808", 404, "not_found"),
        ("/api/nope", 404, "not_found"),
        ("/api/tickets?limit=0", 400, "bad_request"),
        ("/api/tickets?limit=1&limit=2", 400, "bad_request"),
        ("/api/tickets?sort=name", 400, "bad_request"),
        ("/api/tickets?state=%00", 400, "bad_request"),
        (f"/api/tickets?query={'x' * 201}", 400, "bad_request"),
        ("/api/dead?ticket=-1", 400, "bad_request"),
        ("/api/history?span=year", 400, "bad_request"),
        ("/api/stream?every=0", 400, "bad_request"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_with_a_code(
    http: aiohttp.ClientSession, site: Site, path: str, status: int, code: str
) -> None:
    found, answer = await ask(http, site, path)
    assert (found, answer["code"]) == (status, code)
    assert answer["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/tickets/7/quarantine", {}),
        ("/api/tickets/7/quarantine", {"why": ""}),
        ("/api/tickets/7/quarantine", {"why": "x" * 501}),
        ("/api/tickets/7/quarantine", ["why"]),
        ("/api/tickets/7/quarantine", None),
        ("/api/tickets/7/move", {"node": ""}),
        ("/api/dead/retry", {}),
        ("/api/dead/drop", {"expected": 3}),
        ("/api/dead/drop", {"expected": -1, "why": "x"}),
    ],
)
async def test_a_body_that_is_none_does_nothing(
    http: aiohttp.ClientSession, site: Site, path: str, body: Any
) -> None:
    status, answer = await ask(http, site, path, body, post=True)
    assert (status, answer["code"]) == (400, "bad_request")
    assert site.hands.done == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xa7", b"[" * 15_000, b'{"why": NaN}', b'{"why": "\\ud800"}']
)
async def test_bytes_that_are_no_json_are_refused(
    http: aiohttp.ClientSession, site: Site, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{site.url}/api/tickets/7/quarantine"
    async with http.post(url, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("ticket 7 is in quarantine already"), 409, "refused"),
        (NotThere("there is no ticket 7"), 404, "not_found"),
        (Unavailable(), 503, "away"),
    ],
)
async def test_what_cannot_be_done_says_why(
    http: aiohttp.ClientSession, site: Site, error: Exception, status: int, code: str
) -> None:
    site.hands.fails = error
    found, answer = await ask(http, site, "/api/tickets/7/release", post=True)
    assert (found, answer["code"]) == (status, code)
    assert str(error) in answer["error"]


async def test_many_are_judged_only_as_long_as_they_are_as_many_as_were_seen(
    http: aiohttp.ClientSession, site: Site
) -> None:
    body = {"expected": 2, "why": "old"}
    assert (await ask(http, site, "/api/dead/drop", body, post=True))[1]["code"] == "changed"
    assert site.hands.done == []
    body["expected"] = 3
    assert (await ask(http, site, "/api/dead/drop", body, post=True))[1]["done"] == 3


@pytest.mark.parametrize(
    "path", ["/", "/login", "/nope", "/static/icon.svg", "/healthz", "/api/status", "/api/stream"]
)
async def test_every_answer_is_hardened(http: aiohttp.ClientSession, site: Site, path: str) -> None:
    async with http.get(site.url + path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert "Server" not in response.headers
        if not path.startswith("/static"):
            assert response.headers["Cache-Control"] == "no-store"


async def test_names_are_text_and_never_markup(http: aiohttp.ClientSession, site: Site) -> None:
    site.sight.change(node="<script>alert(1)</script>")
    async with http.get(f"{site.url}/api/status") as response:
        assert response.content_type == "application/json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# --- stream ---------------------------------------------------------------------------------


async def test_the_stream_follows_the_desk_and_beats_while_nothing_can_be_told(
    http: aiohttp.ClientSession, site: Site
) -> None:
    async with http.get(f"{site.url}/api/stream") as response:
        assert response.content_type == "text/event-stream"
        assert (await event(response))["state"] == "well"
        site.sight.change(state="degraded")
        with anyio.fail_after(20):
            while (await event(response))["state"] != "degraded":
                pass
        site.sight.fails = True
        with anyio.fail_after(20):
            await response.content.readuntil(b": still here\n\n")
        site.sight.fails = False
        assert (await event(response))["state"] == "degraded"


async def test_a_stream_too_many_is_asked_to_come_later(http: aiohttp.ClientSession) -> None:
    options = WebOptions(status_token=TOKEN, snapshot_interval_s=0.05, streams_max=1)
    async with open_site(options) as site:
        async with http.get(f"{site.url}/api/stream") as first:
            await event(first)
            async with http.get(f"{site.url}/api/stream") as second:
                assert (second.status, second.headers["Retry-After"]) == (503, "5")
        with anyio.fail_after(20):
            while (await ask_stream(http, site)) != 200:
                await anyio.lowlevel.checkpoint()


async def ask_stream(http: aiohttp.ClientSession, site: Site) -> int:
    async with http.get(f"{site.url}/api/stream") as response:
        return response.status


async def test_many_viewers_share_one_picture_written_once_and_none_is_taken_for_nobody() -> None:
    sight, now = FakeSight(), 0.0
    shared = SharedOverview(sight.overview, 1.0, lambda: now)
    assert sight.taken == 0
    found: list[bytes | None] = []

    async def look() -> None:
        found.append(await shared.get())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(look)
    assert sight.taken == 1
    assert len(found) == 20
    assert all(each is found[0] for each in found)
    now = 1.0
    await shared.get()
    assert sight.taken == 2


async def test_waiting_viewers_share_the_next_picture_also_when_the_first_of_them_leaves() -> None:
    sight = FakeSight()
    shared = SharedOverview(sight.overview, 0.05)
    await shared.get()
    found: list[bytes | None] = []

    async def wait() -> None:
        found.append((await shared.after(shared.number))[1])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
            leaving.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            for _ in range(10):
                group.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()
    assert len(found) == 10
    assert all(each is found[0] for each in found)
    assert sight.taken == 2


async def test_a_failed_picture_is_not_taken_again_for_each_viewer_and_comes_back() -> None:
    sight, now = FakeSight(fails=True), 0.0
    shared = SharedOverview(sight.overview, 1.0, lambda: now)
    for _ in range(3):
        assert await shared.get() is None
    assert sight.taken == 1
    now, sight.fails = 1.0, False
    picture = await shared.get()
    assert picture is not None
    assert orjson.loads(picture)["node"] == "desk-1"


async def test_a_picture_says_when_it_was_taken(http: aiohttp.ClientSession, site: Site) -> None:
    _, answer = await ask(http, site, "/api/status")
    age = datetime.now(UTC) - datetime.fromisoformat(answer["taken_at"])
    assert age < timedelta(seconds=5)


# --- schema ---------------------------------------------------------------------------------


async def test_the_document_describes_every_route_with_its_answer(
    http: aiohttp.ClientSession, site: Site
) -> None:
    _, document = await ask(http, site, "/api/openapi.json")
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert ("get", "/api/tickets/{number}") in described
    assert ("post", "/api/nodes/{name}/drain") in described
    assert len([each for each in described if each[1].startswith("/api/")]) == 18
    answers = document["paths"]["/api/status"]["get"]["responses"]
    overview = answers["200"]["content"]["application/json"]["schema"]["properties"]
    assert "The gravest first" in overview["causes"]["description"]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_requests_made_out_of_the_document_find_no_bug_and_answers_are_as_described(
    mode: GenerationMode,
) -> None:
    """Some hundreds of them: odd queries, bodies and numbers, right and wrong ones."""
    options = WebOptions(status_token=TOKEN, snapshot_interval_s=0.05, stream_s=0.01)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_site(options)) as site,
    ):
        document = schemathesis.openapi.from_url(f"{site.url}/api/openapi.json", headers=BEARER)
        wanted = document.include(path_regex="^/api/").exclude(path="/api/stream")
        statuses: Counter[int] = Counter()

        @given(case=wanted.as_strategy(generation_mode=mode))
        @settings(
            max_examples=250,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        def attempt(case: schemathesis.Case[Any]) -> None:
            response = case.call(headers=BEARER)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKED)

        attempt()
    assert sum(statuses.values()) >= 200
    assert max(statuses) < 500
    assert statuses[200 if mode is GenerationMode.POSITIVE else 400] > 20
