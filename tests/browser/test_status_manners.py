"""Every page in both themes, on a desk and a phone: nothing leaves, overflows or hides."""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Watch
from tests.browser.status_pages import FILLED, PAGES, OpenStatus, complaints_of_axe, trouble
from tests.browser.test_lab_page_manners import CONTRAST
from tests.fakes.status import Site

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


async def _visit(page: Page, site: Site, name: str) -> None:
    await page.goto(site.url + PAGES[name])
    await page.locator(FILLED[name]).first.wait_for()
    await page.locator("#connection[data-state=live]").wait_for()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_readable_and_fits(
    open_status: OpenStatus, site: Site, scheme: str, size: dict[str, int]
) -> None:
    """Contrast, width and axe-core; the ``watch`` fixture sees requests, errors and violations.

    axe costs half a second a page: each page meets it in one theme on the desk, in the other on
    the phone. What it would find of colours, the contrast of all four finds.
    """
    language = "ru-RU" if scheme == "dark" else "en-US"
    page = await open_status(color_scheme=scheme, viewport=size, locale=language)
    for name in PAGES:
        await _visit(page, site, name)
        await _examine(page, name, size, with_axe=(scheme == "light") == (size is DESK))
    trouble(site.sight)
    await _visit(page, site, "overview")
    await page.locator("#banner[data-level=down]").wait_for()
    await _examine(page, "overview, down", size, with_axe=False)


async def _examine(page: Page, name: str, size: dict[str, int], *, with_axe: bool) -> None:
    measured = await page.evaluate(CONTRAST)
    assert measured["seen"] > 20, name
    assert measured["bad"] == [], name
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"], name
    if with_axe:
        assert await complaints_of_axe(page) == [], name


async def test_long_names_and_errors_do_not_widen_a_phone(
    open_status: OpenStatus, site: Site
) -> None:
    long = "n" * 64
    first, *others = site.sight.picture.nodes
    site.sight.change(node=long, nodes=(replace(first, name=long), *others))
    page = await open_status(viewport=PHONE)
    for name in ("overview", "nodes"):
        await _visit(page, site, name)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name


async def test_a_dialog_and_an_open_hint_are_accessible(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tickets/7")
    await page.get_by_role("button", name="Quarantine").click()
    await expect(page.get_by_label("Why")).to_be_focused()
    assert await complaints_of_axe(page) == []
    await page.keyboard.press("Escape")
    await page.locator(".hint-button").first.click()
    await expect(page.locator(".hint:popover-open")).to_be_visible()
    assert await complaints_of_axe(page) == []


async def test_the_pages_are_walked_by_keyboard_alone(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets")
    await page.locator(FILLED["tickets"]).first.wait_for()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Search")).to_be_focused()
    await page.keyboard.type("Петров 19")
    await expect(page.locator("#list tbody tr")).to_have_count(1)
    for _ in range(3):
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="New")).to_be_checked()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#list tbody tr")).to_have_count(1)
    link = page.get_by_role("link", name="#19")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(link).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ticket 19")).to_be_visible()


async def test_what_has_focus_is_seen_and_keeps_it_while_numbers_change(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tickets")
    link = page.locator("#list a").first
    await link.focus()
    asked = len(site.sight.asked)
    await page.wait_for_function("() => document.activeElement.matches('#list a')")
    await page.wait_for_timeout(2300)  # one round of the list
    assert len(site.sight.asked) > asked
    await expect(link).to_be_focused()
    await page.keyboard.press("Tab")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) == "solid"


async def test_the_policy_forbids_everything_inline_and_from_elsewhere(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("Content Security Policy",)
    page = await open_status()
    await page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.wasRun = true';
          document.body.append(script);
        }"""
    )
    assert await page.evaluate("() => window.wasRun") is None
    html = await page.content()
    assert "<style" not in html
    assert " onclick=" not in html


async def test_what_clients_write_never_becomes_markup(open_status: OpenStatus, site: Site) -> None:
    name = "<img src=x onerror=alert(1)>"
    first, *others = site.sight.picture.nodes
    site.sight.change(nodes=(replace(first, name=name), *others))
    page = await open_status("/nodes")
    await expect(page.locator(".node-name").first).to_have_text(name)
    assert await page.locator("main img").count() == 0


async def test_without_scripts_the_page_says_where_the_numbers_are(
    browser: Browser, site: Site
) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="en-US")
    page = await context.new_page()
    answer = await page.goto(site.url)
    assert answer is not None
    html = await answer.text()
    said = html[html.index("<noscript>") : html.index("</noscript>")]
    assert "the same numbers are at /api/status" in said
    await context.close()
