"""A real Chromium on the real page of the real local Telegram; the test plays the bot."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.fakes.local_telegram import Lab, open_lab
from tests.fakes.status import Site, open_site
from web.app import WebOptions

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPLICATION = Path("/Applications/Chromium.app/Contents/MacOS/Chromium")
# --no-sandbox: the tests run as root too; the page is our own and opens nothing else. The others
# keep the browser from talking to anybody but us.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
MISSING = (
    "The browser tests need Chromium and found none: install it with `apt-get install chromium` "
    "(Debian, Ubuntu) or `brew install chromium` (macOS), or name one in CHROMIUM=/path/to/it. "
    "To leave these tests out on purpose: pytest -m 'not browser'."
)
TIMEOUT_MS = 15_000
"""Things come in seconds when the machine is busy with other tests."""

expect.set_options(timeout=TIMEOUT_MS)

type OpenPage = Callable[..., Awaitable[Page]]


def chromium_path() -> str | None:
    """The browser to use: the one named in ``CHROMIUM``, else the first known name on the path."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MAC_APPLICATION) if MAC_APPLICATION.exists() else None)


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """One loop for all browser tests, since they share one browser."""
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.fail(MISSING, pytrace=False)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        await launched.close()


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


class Watch:
    """What must never happen on the page: errors in the console, requests to anybody else."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that the test itself provokes."""

    def follow(self, page: Page, origin: str) -> None:
        def said(kind: str, text: str) -> None:
            if kind in {"error", "warning"}:
                self.complaints.append(f"console {kind}: {text}")

        def asked(url: str) -> None:
            parts = urlsplit(url)
            if (
                parts.scheme not in {"blob", "data"}
                and f"{parts.scheme}://{parts.netloc}" != origin
            ):
                self.complaints.append(f"request to {url}")

        page.on("console", lambda message: said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: asked(request.url))

    def unexpected(self) -> list[str]:
        return [
            complaint
            for complaint in self.complaints
            if not any(part in complaint for part in self.expected)
        ]


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Every test of the page ends with: nothing complained, nothing left the machine."""
    watched = Watch()
    yield watched
    assert watched.unexpected() == []


@pytest.fixture
async def open_page(browser: Browser, lab: Lab, watch: Watch) -> AsyncIterator[OpenPage]:
    """Opens the page in a fresh profile; options are those of a Playwright context."""
    contexts: list[BrowserContext] = []

    async def opened(path: str = "/", **options: Any) -> Page:
        settings = {"locale": "ru-RU", "viewport": {"width": 1440, "height": 900}, **options}
        context = await browser.new_context(**settings)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        watch.follow(page, lab.telegram.url)
        await page.goto(lab.telegram.url + path)
        await page.locator(".connection.live").wait_for()
        await page.locator(".client .picker-name").wait_for()
        return page

    yield opened
    for context in contexts:
        await context.close()


@pytest.fixture
async def page(open_page: OpenPage) -> Page:
    return await open_page()


# --- the operators' pages -------------------------------------------------------------------


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site(WebOptions(snapshot_interval_s=0.2)) as opened:
        yield opened


@pytest.fixture
async def open_status(browser: Browser, site: Site, watch: Watch) -> AsyncIterator[OpenPage]:
    """Opens a page of the site in a fresh profile; ``wait``: until its numbers are there."""
    contexts: list[BrowserContext] = []

    async def opened(path: str = "/", *, wait: bool = True, url: str = "", **options: Any) -> Page:
        settings = {"locale": "en-US", "viewport": {"width": 1280, "height": 900}, **options}
        context = await browser.new_context(**settings)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        watch.follow(page, url or site.url)
        await page.goto((url or site.url) + path)
        if wait:
            await page.locator("#connection[data-state=live]").wait_for()
            await page.locator("#verdict:not([data-level=''])").wait_for()
        return page

    yield opened
    for context in contexts:
        await context.close()
