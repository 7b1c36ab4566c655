"""The pages over HTTP: what they may hold, what is served beside them, and in which language."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fakes.status import Site, open_site
from web.pages import PAGES, STATIC, asset

pytestmark = pytest.mark.anyio

ALL = [*PAGES.values(), "/tickets/7"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def http(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # keeps those of an address, too
    async with aiohttp.ClientSession(base_url=site.url, cookie_jar=jar) as session:
        yield session


@pytest.mark.parametrize("path", ALL)
async def test_a_page_holds_nothing_inline_and_nothing_from_elsewhere(
    http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(path, headers={"Accept-Language": "en"}) as answer:
        html = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert re.findall(r"<script(?![^>]* src=)", html) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", html) == []
    assert [url for url in re.findall(r'(?:src|href)="([^"]+)"', html) if "//" in url] == []
    assert '<html lang="en">' in html


@pytest.mark.parametrize("path", ALL)
async def test_everything_a_page_asks_for_is_there(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        html = await answer.text()
    wanted = set(re.findall(r'"(/static/[^"]+)"', html))
    assert len(wanted) > 4
    for url in wanted:
        async with http.get(url) as answer:
            assert answer.status == 200, url
            assert "immutable" in answer.headers["Cache-Control"], url


async def test_modules_import_only_what_is_served(http: aiohttp.ClientSession) -> None:
    for module in (STATIC / "js").glob("*.js"):
        for name in re.findall(r'from "\./([a-z]+\.js)"', module.read_text("utf-8")):
            async with http.get(f"/static/js/{name}") as answer:
                assert answer.status == 200, f"{module.name} imports {name}"


async def test_a_file_by_its_plain_name_is_asked_for_again_and_known(
    http: aiohttp.ClientSession,
) -> None:
    async with http.get("/static/js/dom.js") as answer:
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        mark = answer.headers["ETag"]
    async with http.get("/static/js/dom.js", headers={"If-None-Match": mark}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "../app.py",
        "%2e%2e/app.py",
        "js/../../app.py",
        "vendor/uplot-1.6.32/LICENSE",
        "/etc/passwd",
    ],
)
async def test_nothing_else_is_served(http: aiohttp.ClientSession, name: str) -> None:
    async with http.get(f"/static/{name}") as answer:
        assert answer.status == 404


def test_another_content_has_another_address() -> None:
    assert re.fullmatch(r"/static/js/dom\.js\?[0-9a-f]{12}", asset("js/dom.js"))
    assert asset("js/dom.js") != asset("js/api.js").replace("api", "dom")


async def test_the_language_follows_the_wish_the_cookie_and_the_browser(
    http: aiohttp.ClientSession,
) -> None:
    async def language(path: str, accepted: str) -> str:
        async with http.get(path, headers={"Accept-Language": accepted}) as answer:
            found = re.search(r'<html lang="(\w+)">', await answer.text())
            assert found is not None
            return found[1]

    assert await language("/nodes", "en-GB,en;q=0.9") == "en"
    assert await language("/nodes", "de") == "ru"
    assert await language("/nodes?lang=en", "ru") == "en"
    assert await language("/nodes", "ru") == "en"  # the wish is remembered
    assert await language("/nodes?lang=xx", "ru") == "en"


async def test_texts_for_the_browser_come_with_the_page_and_hints_stand_in_it(
    http: aiohttp.ClientSession,
) -> None:
    async with http.get("/?lang=en") as answer:
        html = await answer.text()
    texts = re.search(r'<meta name="texts" content="([^"]+)">', html)
    assert texts is not None
    assert "updated {duration} ago" in texts[1]
    assert "-hint" not in texts[1]
    assert "Worry when the oldest is over a minute" in html
