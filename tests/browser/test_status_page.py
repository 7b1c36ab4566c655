"""The status page as an operator sees it: live, in both languages, by day and night, on a phone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.browser.test_lab_page_manners import CONTRAST
from tests.fakes.status import FakeSource, Site, open_site
from web.status import Health

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TOKEN = "a-token-of-the-test-0123"
type OpenStatus = Callable[..., Awaitable[Page]]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async with open_site(TOKEN) as opened:
        yield opened


@pytest.fixture
async def open_status(browser: Browser, watch: Watch) -> AsyncIterator[OpenStatus]:
    contexts: list[BrowserContext] = []

    async def opened(site: Site, **options: Any) -> Page:
        settings = {"locale": "ru-RU", "viewport": {"width": 1280, "height": 900}, **options}
        context = await browser.new_context(**settings)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        watch.follow(page, site.url)
        await page.goto(site.url)
        return page

    yield opened
    for context in contexts:
        await context.close()


def _fall(source: FakeSource) -> None:
    health = Health(ok=False, detail="TimeoutError")
    source.change(
        health={"postgres": health, "redis": health, "telegram": health},
        ready=False,
        actors={"idle": 1, "quarantined": 2},
        outbox_oldest_s=700.0,
        crashes=3,
    )


async def test_the_numbers_and_the_banner_follow_the_node(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status(site)
    await expect(page.locator("#connection")).to_have_text("обновляется каждую секунду")
    await expect(page.get_by_role("heading", name="Всё в порядке")).to_be_visible()
    site.source.change(messages_handled=1_234_567, tickets={"NEW": 5, "WORK": 1, "CLOSED": 900})
    await expect(page.locator("[data-field=handled]")).to_have_text("1\u00a0234\u00a0567")
    await expect(page.locator("[data-field='tickets.NEW']")).to_have_text("5")
    await expect(page.locator("[data-bar='tickets.WORK']")).to_have_attribute("width", "20%")
    _fall(site.source)
    await expect(page.get_by_role("heading", name="Не работает")).to_be_visible()
    await expect(page.locator("#causes li")).to_have_count(5)
    await expect(page.locator("#causes")).to_contain_text("Postgres не отвечает")


async def test_each_number_is_explained(open_status: OpenStatus, site: Site) -> None:
    page = await open_status(site)
    without = await page.evaluate(
        """() => [...document.querySelectorAll('[data-key]')]
          .filter((one) => !one.querySelector('.hint')?.textContent.trim())
          .map((one) => one.dataset.key)"""
    )
    assert without == []
    assert await page.locator("[data-key]").count() > 30


async def test_the_language_is_switched_and_stays(open_status: OpenStatus, site: Site) -> None:
    page = await open_status(site)
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    await page.goto(site.url)
    await expect(page.locator("#connection")).to_have_text("updated every second")


async def test_when_the_node_ends_the_page_says_that_its_numbers_are_old(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("ERR_",)
    page = await open_status(site)
    await expect(page.locator("#connection.live")).to_be_visible()
    site.closing.set()
    await expect(page.locator("#connection.lost")).to_have_text("связь потеряна, числа устарели")


async def test_one_signs_in_by_keyboard_and_out_again(
    open_status: OpenStatus, guarded: Site, watch: Watch
) -> None:
    watch.expected = ("401",)
    page = await open_status(guarded)
    await expect(page.get_by_label("Ключ доступа")).to_be_focused()
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("Ключ не подошёл.")
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#connection.live")).to_be_visible()
    await page.get_by_role("button", name="Выйти").click()
    await expect(page.get_by_label("Ключ доступа")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["well", "degraded", "down", "lost"])
async def test_every_text_has_enough_contrast(
    open_status: OpenStatus, site: Site, watch: Watch, scheme: str, state: str
) -> None:
    if state == "degraded":
        site.source.change(actors={"quarantined": 1})
    if state == "down":
        _fall(site.source)
    page = await open_status(site, color_scheme=scheme)
    await expect(page.locator("#connection.live")).to_be_visible()
    if state == "lost":
        watch.expected = ("ERR_",)
        site.closing.set()
        await expect(page.locator("#connection.lost")).to_be_visible()
    measured = await page.evaluate(CONTRAST)
    assert measured["seen"] > 60
    assert measured["bad"] == []


@pytest.mark.parametrize("width", [320, 390, 700, 1024, 1920])
async def test_nothing_is_wider_than_the_window(
    open_status: OpenStatus, site: Site, width: int
) -> None:
    site.source.change(node="n" * 64)
    _fall(site.source)
    page = await open_status(site, viewport={"width": width, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
