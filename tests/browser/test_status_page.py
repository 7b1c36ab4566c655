"""The overview as an operator sees it: live, in both languages, by day and night, on a phone."""

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.status_pages import PAGES, OpenStatus, trouble
from tests.fakes.status import Site

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def _value(page: Page, name: str) -> str:
    return await page.locator(f"[data-value='{name}']").first.inner_text()


async def test_one_banner_says_well_and_how_long_ago_something_was_done(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    await expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    await expect(page.locator("#activity")).to_contain_text("The last message was handled")
    await expect(page.locator("#causes li")).to_have_count(0)


async def test_the_banner_says_what_is_wrong_what_to_do_and_where_to_look(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    trouble(site.sight)
    await expect(page.get_by_role("heading", name="Down: messages are not handled")).to_be_visible()
    await expect(page.locator("#causes li")).to_have_count(3)
    await expect(page.locator("#causes")).to_contain_text("Postgres does not answer.")
    await expect(page.locator("#causes")).to_contain_text("Run topicdesk doctor")
    await expect(page.locator("#causes")).to_contain_text("has waited 11 min to be sent")
    await expect(page.locator("#verdict")).to_have_text("Down")
    await page.locator("#causes").get_by_role("link", name="Show").first.click()
    await expect(page.get_by_role("radio", name="in quarantine")).to_be_checked()


async def test_numbers_follow_the_node_and_say_when_to_worry_not_by_colour_alone(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    await expect(page.locator("[data-value=rate]")).to_have_text("6.4 /s")
    await expect(page.locator("[data-key=mail]")).to_have_attribute("data-tone", "quiet")
    picture = site.sight.picture
    site.sight.change(
        traffic=replace(picture.traffic, messages_per_s=123.0, handled=1_234_567),
        mailboxes=replace(picture.mailboxes, waiting=900, oldest_s=75.0),
    )
    await expect(page.locator("[data-value=handled]")).to_have_text("1,234,567")
    await expect(page.locator("[data-value='mail.sub']")).to_have_text("oldest 1 min 15 s")
    sign = "e => getComputedStyle(e, '::after').content"
    assert "!" in await page.locator("[data-value=mail]").evaluate(sign)
    assert "!" not in await page.locator("[data-value=rate]").evaluate(sign)


async def test_an_idle_desk_says_that_nothing_waits(open_status: OpenStatus, site: Site) -> None:
    picture = site.sight.picture
    site.sight.change(
        traffic=replace(picture.traffic, messages_per_s=0.0, last_handled_at=None),
        mailboxes=replace(picture.mailboxes, waiting=0, oldest_s=0.0),
        outbox=replace(picture.outbox, waiting=0, sending=0, oldest_s=0.0),
    )
    page = await open_status()
    await expect(page.locator("#activity")).to_contain_text("No message since the start")
    await expect(page.locator("[data-value='outbox.sub']")).to_have_text("nothing waits")
    await expect(page.locator("[data-key=rate]")).to_have_attribute("data-tone", "quiet")


async def test_what_is_not_known_is_not_shown_as_zero(open_status: OpenStatus, site: Site) -> None:
    picture = site.sight.picture
    site.sight.change(
        tickets={},
        dead_letters=None,
        mailboxes=replace(picture.mailboxes, waiting=None, oldest_s=None),
        is_complete=False,
        stored_age_s=42.0,
    )
    page = await open_status()
    await expect(page.locator("#activity")).to_contain_text("numbers are 42 s old")
    await expect(page.locator("#activity")).to_contain_text("Some nodes did not answer")
    await expect(page.locator("[data-value='outbox.sub']")).to_have_text("as of 42 s ago")
    for name in ("tickets.open", "dead-letters", "mail"):
        assert await _value(page, name) == "–", name


async def test_limits_are_bars_that_are_read_as_meters(open_status: OpenStatus, site: Site) -> None:
    page = await open_status()
    bar = page.get_by_role("meter", name="Calls of the bot, per second")
    await expect(bar).to_have_attribute("aria-valuenow", "9")
    await expect(bar).to_have_attribute("aria-valuemax", "30")
    alice = page.get_by_role("meter", name="alice")
    await expect(alice).to_have_attribute("data-full", "full")
    await expect(page.locator("#budgets")).to_contain_text("closed for 12 s")


async def test_both_charts_are_drawn_for_the_hour_and_the_day_and_told_in_words(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    await expect(page.locator(".chart canvas")).to_have_count(2)
    chart = page.locator("#chart-flow")
    assert "handled: now" in (await chart.get_attribute("aria-label") or "")
    async with page.expect_response("**/api/history?span=day"):
        await page.get_by_text("Last day").click()
    await expect(page.locator(".chart canvas")).to_have_count(2)
    assert "day" in site.sight.asked


async def test_each_tile_has_a_hint_that_opens_by_keyboard_and_closes_by_escape(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    tiles, hints = page.locator(".tile, .used, .service"), page.locator(".hint-button")
    assert await tiles.count() == 32
    assert await hints.count() > 30
    button = page.get_by_role("button", name="What is “Wait for a turn, p95”?")
    await button.focus()
    await page.keyboard.press("Enter")
    hint = page.locator("#hint-queue-wait")
    await expect(hint).to_be_visible()
    await expect(hint).to_contain_text("Worry over 1 s")
    await page.keyboard.press("Escape")
    await expect(hint).to_be_hidden()
    await expect(button).to_be_focused()


async def test_pause_stops_asking_and_the_interval_is_remembered(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#connection")).to_have_text("paused")
    site.sight.change(version="9.9.9")
    await page.wait_for_timeout(300)
    assert "9.9.9" not in await _value(page, "foot")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator("[data-value=foot]")).to_contain_text("9.9.9")
    await page.get_by_label("How often the numbers are updated").select_option("5")
    await page.reload()
    await expect(page.get_by_label("How often the numbers are updated")).to_have_value("5")
    await expect(page.locator("#connection[data-state=live]")).to_be_visible()


async def test_nothing_is_asked_while_the_tab_is_hidden(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status()
    await page.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', { get: () => window.isAway });
          window.isAway = true;
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    await page.wait_for_timeout(200)
    before = site.sight.taken
    await page.wait_for_timeout(400)
    assert site.sight.taken <= before + 1
    await page.evaluate(
        "() => { window.isAway = false; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    site.sight.change(version="7.7.7")
    await expect(page.locator("[data-value=foot]")).to_contain_text("7.7.7")


async def test_without_the_stream_the_page_polls(open_status: OpenStatus, watch: Watch) -> None:
    watch.expected = ("ERR_FAILED",)
    page = await open_status(wait=False)
    await page.route("**/api/stream*", lambda route: route.abort())
    await page.reload()
    await expect(page.locator("#connection[data-state=live]")).to_be_visible()
    await expect(page.get_by_role("heading", name="All is well")).to_be_visible()


async def test_a_lost_connection_is_said_and_so_is_its_return(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
    page = await open_status()
    await page.context.set_offline(True)
    await page.evaluate("() => dispatchEvent(new Event('online'))")  # asks anew, and fails
    await expect(page.locator("#connection[data-state=lost]")).to_contain_text("connection lost")
    await expect(page.locator("#announcement")).to_contain_text("The numbers on the page are old")
    await page.context.set_offline(False)
    await expect(page.locator("#connection[data-state=live]")).to_be_visible()
    await expect(page.locator("#announcement")).to_have_text("Connected again.")


async def test_the_theme_and_the_language_are_chosen_and_stay(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status(color_scheme="light")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Theme: light or dark").click()
    dark = await page.evaluate(ground)
    assert light != dark
    await page.get_by_role("link", name="Русский").click()
    await expect(page.get_by_role("heading", name="Всё в порядке")).to_be_visible()
    assert await page.evaluate(ground) == dark
    await page.goto(site.url + PAGES["nodes"])
    await expect(page.get_by_role("heading", name="Узлы")).to_be_visible()


async def test_motion_is_left_out_where_it_is_not_wanted(open_status: OpenStatus) -> None:
    moves = (
        "() => getComputedStyle(document.querySelector('#connection'), '::before').animationName"
    )
    still = await open_status(reduced_motion="reduce")
    assert await still.evaluate(moves) == "none"
    lively = await open_status(reduced_motion="no-preference")
    assert await lively.evaluate(moves) == "beat"


async def test_without_its_history_the_page_says_where_it_is(
    open_status: OpenStatus, watch: Watch
) -> None:
    watch.expected = ("503",)
    page = await open_status(wait=False)
    answer = {"status": 503, "json": {"error": "Postgres does not answer", "code": "away"}}
    await page.route("**/api/history*", lambda route: route.fulfill(**answer))
    await page.reload()
    await expect(page.locator("#chart-empty")).to_contain_text("The history is in Postgres")
    await expect(page.locator(".charts")).to_be_hidden()
