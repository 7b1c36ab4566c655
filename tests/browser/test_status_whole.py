"""The pages of the whole program, on real servers: what is shown is so, what is pressed is done."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from tests.acceptance.desk import Helpdesk
from tests.browser.conftest import OpenPage
from tests.browser.status_pages import FILLED, PAGES, complaints_of_axe

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TOKEN = "a-token-of-the-test-0123"
REDIS_DB = 9


@pytest.fixture
async def desk(postgres_dsn: str, valkey_url: str) -> AsyncIterator[Helpdesk]:
    url = f"{valkey_url.partition('?')[0]}?db={REDIS_DB}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    async with Helpdesk.open("webhook", postgres_dsn, url, STATUS_TOKEN=TOKEN) as opened:
        yield opened


async def _sign_in(open_status: OpenPage, url: str) -> Page:
    page = await open_status("/login", url=url, wait=False)
    await page.get_by_label("Access token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.locator("#connection[data-state=live]").wait_for()
    return page


async def _does(page: Page, name: str, said: str, why: str | None = None) -> None:
    await page.locator(f"[data-act={name}]").click()
    if why is not None:
        await page.get_by_label("Why").fill(why)
    await page.locator("#ask-yes").click()
    await expect(page.locator("#notices")).to_contain_text(said)


async def test_every_page_tells_the_truth_and_each_press_is_done(
    desk: Helpdesk, open_status: OpenPage
) -> None:
    case = await desk.opens(desk.ivan, "<b>Не печатает</b>")
    await desk.opens(desk.emma)
    await desk.settles()
    url = desk.app.url
    page = await _sign_in(open_status, url)
    opened = await desk.value("SELECT count(*) FROM tickets WHERE status <> 'CLOSED'")
    await expect(page.locator("[data-value='tickets.open']")).to_have_text(str(opened))
    await expect(page.locator("#activity")).to_contain_text("The last message was handled")
    for name, path in PAGES.items():
        if name in {"dead", "ticket"}:
            continue
        await page.goto(url + path)
        filled = "#calls .bar-line" if name == "delivery" else FILLED[name]
        await page.locator(filled).first.wait_for()
        assert await complaints_of_axe(page) == [], name
    await page.goto(f"{url}/dead")
    await expect(page.get_by_text("No dead letters.")).to_be_visible()

    await page.goto(f"{url}/tickets")
    await page.get_by_role("link", name=f"#{case.number}", exact=True).click()
    first = page.locator(".step").filter(has_text="Client wrote")
    await expect(first.locator("[data-done=yes]")).to_have_count(5)
    await _does(page, "poke", "was told")
    await _does(page, "quarantine", "is stopped", "<i>a try</i>")
    await expect(page.locator("#headline")).to_have_text("In quarantine: <i>a try</i>")
    await page.goto(url)
    await expect(page.locator("#causes")).to_contain_text("Tickets in quarantine: 1.")
    await page.locator("#causes").get_by_role("link", name="Show").first.click()
    await page.get_by_role("link", name=f"#{case.number}", exact=True).click()
    await _does(page, "release", "goes on")
    rows = await desk.rows("SELECT by, action, ticket_id FROM audit ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("operator", "operator_poked", case.number),
        ("operator", "operator_quarantined", case.number),
        ("operator", "operator_released", case.number),
    ]
