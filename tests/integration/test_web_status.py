"""Health, the status page, its JSON and its stream, over real HTTP."""

import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes.status import FakeSource, Site, open_site, snapshot
from web.access import COOKIE, Access, AccessOptions, Entry
from web.server import CannotBind, serve
from web.status import Health, Level, SharedSnapshots, SnapshotFailed, assess
from web.texts import LOCALES, Words
from web.view import GROUPS, SECTIONS, view

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async with open_site(TOKEN) as opened:
        yield opened


async def _event(response: aiohttp.ClientResponse) -> dict[str, Any]:
    with anyio.fail_after(5):
        line = await response.content.readline()
        assert line.startswith(b"data: "), line
        assert await response.content.readline() == b"\n"
    event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return event


# --- health ---------------------------------------------------------------------------------


async def test_alive_asks_nothing_and_ready_says_why_not(
    http: aiohttp.ClientSession, site: Site
) -> None:
    site.source.change(ready=False, reasons=("Postgres does not answer",))
    async with http.get(f"{site.url}/healthz") as response:
        assert response.status == 200
    assert site.source.taken == 0
    async with http.get(f"{site.url}/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"ready": False, "reasons": ["Postgres does not answer"]}


async def test_ready_is_200_and_needs_no_token_and_no_name(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    for path in ("/healthz", "/readyz"):
        headers = {"Host": "desk.example.org"}
        async with http.get(guarded.url + path, headers=headers) as response:
            assert response.status == 200, path


async def test_a_source_that_fails_makes_nothing_fall_and_tells_no_secret(
    http: aiohttp.ClientSession, site: Site
) -> None:
    site.source.fails = True
    for path, status in (("/readyz", 503), ("/api/status", 503), ("/", 200), ("/healthz", 200)):
        async with http.get(site.url + path) as response:
            assert response.status == status, path
            assert "hunter2" not in await response.text()


# --- access ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/status", "/api/events"])
async def test_with_a_token_nobody_looks_without_it(
    http: aiohttp.ClientSession, guarded: Site, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        async with http.get(guarded.url + path, headers=headers) as response:
            assert response.status == 401
    async with http.get(guarded.url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/login")
    assert guarded.source.taken == 0


async def test_the_token_opens_as_a_header_from_any_host(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    headers = {**BEARER, "Host": "desk.example.org"}
    async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
        answer = await response.json()
    assert (response.status, answer["status"]["node"]) == (200, "desk-1")
    assert answer["verdict"] == {"level": "well", "causes": []}


async def test_the_form_gives_a_cookie_that_scripts_and_other_sites_do_not_get(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    data = {"token": TOKEN}
    async with http.post(f"{guarded.url}/login", data=data, allow_redirects=False) as response:
        cookie = response.headers["Set-Cookie"]
    assert response.status == 303
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    async with http.get(f"{guarded.url}/api/status") as response:
        assert response.status == 200
    async with http.post(f"{guarded.url}/logout") as response:
        assert response.url.path == "/login"
    async with http.get(f"{guarded.url}/api/status") as response:
        assert response.status == 401


async def test_behind_https_the_cookie_is_for_https_only(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    async with http.post(
        f"{guarded.url}/login",
        data={"token": TOKEN},
        headers={"X-Forwarded-Proto": "https"},
        allow_redirects=False,
    ) as response:
        assert "Secure" in response.headers["Set-Cookie"]


async def test_a_forged_or_stretched_or_foreign_cookie_opens_nothing(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    now = time.time()
    genuine, _ = Access(AccessOptions(token=TOKEN), lambda: now).session()
    foreign, _ = Access(AccessOptions(token="another-token-0123456"), lambda: now).session()
    stale, _ = Access(AccessOptions(token=TOKEN), lambda: now - 10**6).session()
    expires, _, signature = genuine.partition(".")
    stretched = f"{int(expires) + 1}.{signature}"
    for cookie in (foreign, stale, stretched, "", ".", "1", f"{expires}.", "²." + signature):
        headers = {"Cookie": f"{COOKIE}={cookie}"}
        async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
            assert response.status == 401, cookie
    headers = {"Cookie": f"{COOKIE}={genuine}"}
    async with http.get(f"{guarded.url}/api/status", headers=headers) as response:
        assert response.status == 200


async def test_after_too_many_wrong_tokens_even_the_right_one_waits(
    http: aiohttp.ClientSession, guarded: Site
) -> None:
    statuses = []
    for token in ["wrong"] * 11 + [TOKEN]:
        async with http.post(f"{guarded.url}/login", data={"token": token}) as response:
            statuses.append(response.status)
    assert statuses == [401] * 10 + [429] * 2


def test_wrong_tokens_of_one_address_do_not_lock_out_another_and_are_forgotten() -> None:
    now = 0.0
    access = Access(AccessOptions(token=TOKEN, failures_max=2), lambda: now)
    assert not any(access.is_token("wrong", "10.0.0.1") for _ in range(5))
    assert not access.is_token(TOKEN, "10.0.0.1")
    assert access.is_token(TOKEN, "10.0.0.2")
    now = 61.0
    assert access.is_token(TOKEN, "10.0.0.1")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:80"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "desk.example.org"}, 403),
        ({"Host": "127.0.0.1.example.org"}, 403),
        ({"X-Forwarded-For": "203.0.113.7"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_by_its_own_name_looks(
    http: aiohttp.ClientSession, site: Site, headers: dict[str, str], status: int
) -> None:
    for path in ("/", "/api/status", "/api/events"):
        async with http.get(site.url + path, headers=headers) as response:
            assert response.status == status, path
            if status == 403:
                assert "STATUS_TOKEN" in await response.text()


async def test_without_a_token_a_server_that_others_reach_is_closed_even_from_here(
    http: aiohttp.ClientSession,
) -> None:
    async with open_site(bind="0.0.0.0:0") as site:
        assert site.url.startswith("http://127.0.0.1:")
        async with http.get(site.url) as response:
            assert response.status == 403
            assert "STATUS_TOKEN" in await response.text()


def test_the_token_is_not_in_what_is_printed_of_the_options() -> None:
    assert TOKEN not in repr(AccessOptions(token=TOKEN))
    access = Access(AccessOptions(token=TOKEN), lambda: 0.0)
    assert access.check("127.0.0.1", {}, None, loopback=True) is Entry.NEEDS_TOKEN


# --- pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/login", "/nope", "/static/status.js", "/healthz"])
async def test_every_answer_is_hardened(
    http: aiohttp.ClientSession, guarded: Site, path: str
) -> None:
    async with http.get(guarded.url + path, headers=BEARER) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in response.headers


async def test_names_are_text_and_never_markup(http: aiohttp.ClientSession, site: Site) -> None:
    site.source.change(node="<script>alert(1)</script>")
    async with http.get(site.url) as response:
        page = await response.text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


async def test_the_language_is_the_browsers_until_somebody_chooses(
    http: aiohttp.ClientSession, site: Site
) -> None:
    english = {"Accept-Language": "en-GB,en;q=0.9"}
    async with http.get(site.url, headers=english) as response:
        assert '<html lang="en">' in await response.text()
    async with http.get(f"{site.url}/?lang=ru", headers=english) as response:
        assert '<html lang="ru">' in await response.text()
    async with http.get(site.url, headers=english) as response:
        assert '<html lang="ru">' in await response.text()


def test_both_languages_have_the_same_texts_and_no_idle_ones() -> None:
    keys = {
        language: {
            line.partition(" =")[0]
            for line in (LOCALES / f"status.{language}.ftl").read_text().splitlines()
            if " =" in line
        }
        for language in ("ru", "en")
    }
    assert keys["ru"] == keys["en"]
    wanted = {f"{group}-{name}" for group, names in GROUPS.items() for name in names}
    wanted |= {name for names in SECTIONS.values() for name in names}
    wanted |= {f"section-{name}" for name in (*GROUPS, *SECTIONS)}
    hints = {f"{name}-hint" for name in wanted if not name.startswith("section-")}
    assert wanted | hints <= keys["ru"]


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_number_of_the_page_has_a_value(language: str) -> None:
    fields = view(snapshot(), Words(language)).fields
    assert {name for names in SECTIONS.values() for name in names} <= set(fields)
    assert fields["last"] in {"3 с назад", "3 s ago"}


# --- verdict --------------------------------------------------------------------------------


def _sick(name: str) -> dict[str, Health]:
    return {**snapshot().health, name: Health(ok=False, detail="TimeoutError")}


@pytest.mark.parametrize(
    ("change", "level", "codes"),
    [
        ({}, Level.WELL, []),
        ({"health": _sick("redis")}, Level.DEGRADED, ["redis"]),
        ({"health": _sick("telegram")}, Level.DEGRADED, ["telegram"]),
        ({"health": _sick("postgres"), "ready": False}, Level.DOWN, ["postgres"]),
        ({"ready": False, "reasons": ("stopping",)}, Level.DOWN, ["not_ready"]),
        ({"actors": {"quarantined": 2}}, Level.DEGRADED, ["quarantined"]),
        ({"outbox_oldest_s": 61.0}, Level.DEGRADED, ["outbox_late"]),
    ],
)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_banner_names_the_cause(
    change: dict[str, Any], level: Level, codes: list[str], language: str
) -> None:
    picture = replace(snapshot(), **change)
    verdict = assess(picture)
    assert (verdict.level, [cause.code for cause in verdict.causes]) == (level, codes)
    assert all(view(picture, Words(language)).causes)


# --- stream ---------------------------------------------------------------------------------


async def test_the_stream_follows_the_node(http: aiohttp.ClientSession, site: Site) -> None:
    async with http.get(f"{site.url}/api/events") as response:
        assert response.content_type == "text/event-stream"
        assert (await _event(response))["level"] == "well"
        site.source.change(health=_sick("redis"))
        with anyio.fail_after(5):
            while (await _event(response))["level"] != "degraded":
                pass
        site.source.fails = True
        with anyio.fail_after(5):
            while (await _event(response))["level"] != "down":
                pass


async def test_when_the_server_ends_open_streams_and_idle_connections_do_not_hold_it_up(
    http: aiohttp.ClientSession,
) -> None:
    async with open_site() as site:
        async with http.get(f"{site.url}/healthz") as response:
            await response.read()
        streams = [await http.get(f"{site.url}/api/events") for _ in range(3)]
        for stream in streams:
            await _event(stream)
        site.closing.set()
        with anyio.fail_after(1.5):
            await site.closed.wait()
        for stream in streams:
            stream.close()


async def test_many_viewers_share_one_picture_and_none_is_taken_for_nobody() -> None:
    source, now = FakeSource(), 0.0
    shared = SharedSnapshots(source, 1.0, lambda: now)
    assert source.taken == 0
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(shared.get)
    assert source.taken == 1
    now = 1.0
    await shared.get()
    assert source.taken == 2


async def test_a_failed_picture_is_not_taken_again_for_each_viewer_and_comes_back() -> None:
    source, now = FakeSource(fails=True), 0.0
    shared = SharedSnapshots(source, 1.0, lambda: now)
    for _ in range(3):
        with pytest.raises(SnapshotFailed):
            await shared.get()
    assert source.taken == 1
    now, source.fails = 1.0, False
    assert (await shared.get()).node == "desk-1"


# --- server ---------------------------------------------------------------------------------


async def test_a_taken_port_is_a_clear_error(site: Site) -> None:
    bind = site.url.removeprefix("http://")
    with pytest.raises(CannotBind, match=bind):
        await serve(_never, bind, anyio.Event())


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing was to be served")


async def test_a_request_that_never_ends_is_cut_off_and_the_server_still_ends(
    http: aiohttp.ClientSession,
) -> None:
    closing, closed, reached = anyio.Event(), anyio.Event(), anyio.Event()

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            reached.set()
            await anyio.sleep_forever()

    async def run(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        await serve(deaf, "127.0.0.1:0", closing, task_status=task_status)
        closed.set()

    async def ask(url: str) -> None:
        async with http.get(url) as response:
            assert response.status == 500

    async with anyio.create_task_group() as group:
        url = await group.start(run)
        group.start_soon(ask, url)
        with anyio.fail_after(5):
            await reached.wait()
        closing.set()
        with anyio.fail_after(4):
            await closed.wait()


def test_the_servers_own_chatter_is_not_logged() -> None:
    assert logging.getLogger("hypercorn.error").level >= logging.WARNING
