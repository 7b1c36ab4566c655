"""What operators do: each action asks, says what will happen, and tells what came of it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.status_pages import OpenStatus
from tests.fakes.status import Site, open_site
from web.access import Role, User
from web.app import WebOptions
from web.passwords import hash_password
from web.shapes import DeadFilter
from web.status import Refused

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TOKEN = "a-token-of-the-test-0123"
PASSWORD = "correct horse"


# A test asks for these before it opens a page: the page then closes before its server does.


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async with open_site(WebOptions(status_token=TOKEN)) as opened:
        yield opened


@pytest.fixture
async def with_users() -> AsyncIterator[Site]:
    users = (User(name="vera", role=Role.VIEWER, password=hash_password(PASSWORD)),)
    async with open_site(WebOptions(users=users, secret="s" * 32)) as opened:
        yield opened


async def _confirm(page: Page, button: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def _said(page: Page, text: str) -> None:
    await expect(page.locator("#notices")).to_contain_text(text)


async def test_a_ticket_is_poked_moved_and_stopped(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets/7")
    await page.get_by_role("button", name="Poke").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Nothing is lost or doubled")
    await _confirm(page, "Poke")
    await _said(page, "Ticket 7: desk-1 was told.")
    await page.get_by_role("button", name="Move").click()
    await page.get_by_label("To node").select_option("desk-3")
    await _confirm(page, "Move")
    await _said(page, "Ticket 7 belongs to desk-1 now.")
    await page.get_by_role("button", name="Quarantine").click()
    await page.get_by_label("Why").fill("writes nonsense")
    await _confirm(page, "Quarantine")
    await _said(page, "Ticket 7 is stopped.")
    await expect(page.get_by_role("button", name="Release")).to_be_disabled()
    assert site.hands.done == [
        ("operator_poked", "local", 7),
        ("operator_moved", "local", 7, "desk-3"),
        ("operator_quarantined", "local", 7, "writes nonsense"),
    ]


async def test_a_stopped_ticket_is_released(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets/19")
    await expect(page.get_by_role("heading", name="In quarantine: 3 dead letters")).to_be_visible()
    await expect(page.get_by_role("button", name="Quarantine")).to_be_disabled()
    await page.get_by_role("button", name="Release").click()
    await _confirm(page, "Release")
    await _said(page, "Ticket 19 goes on.")
    assert site.hands.done == [("operator_released", "local", 19)]


async def test_who_says_no_changes_nothing(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets/7")
    for leave in ("button", "escape"):
        await page.get_by_role("button", name="Poke").click()
        await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        if leave == "button":
            await page.keyboard.press("Enter")
        else:
            await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
    assert site.hands.done == []


async def test_a_reason_must_be_given(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets/7")
    await page.get_by_role("button", name="Quarantine").click()
    await page.get_by_role("dialog").get_by_role("button", name="Quarantine").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert site.hands.done == []


async def test_what_cannot_be_done_is_said_with_its_reason(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("409",)
    site.hands.fails = Refused("desk-9 is not up")
    page = await open_status("/tickets/7")
    await page.get_by_role("button", name="Poke").click()
    await _confirm(page, "Poke")
    await _said(page, "It did not work: desk-9 is not up")


async def test_dead_letters_are_retried_and_dropped_one_by_one(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/dead")
    await page.get_by_role("button", name="Retry… #2").click()
    await _confirm(page, "Retry")
    await _said(page, "Dead letter 2 is in the inbox again.")
    await page.get_by_role("button", name="Drop… #1").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone.")
    await page.get_by_label("Why").fill("spam")
    await _confirm(page, "Drop")
    await _said(page, "Dead letter 1 is gone.")
    assert site.hands.done == [("dead_retried", "local", 2), ("dead_dropped", "local", 1, "spam")]


async def test_all_dead_letters_that_match_are_retried_and_dropped(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/dead")
    await page.get_by_label("Search").fill("KeyError")
    await page.get_by_role("button", name="Retry all that match").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Retry dead letters: 3?")
    await _confirm(page, "Retry")
    await _said(page, "Dead letters in the inbox again: 3.")
    await page.get_by_label("Ticket", exact=True).fill("19")
    await expect(page.locator(".letter")).to_have_count(1)
    await page.get_by_role("button", name="Drop all that match").click()
    await page.get_by_label("Why").fill("one is enough")
    await _confirm(page, "Drop")
    await _said(page, "Dead letters gone: 1.")
    kinds = [(action, wanted) for action, _, wanted in site.hands.done]
    assert kinds == [
        ("dead_retried", DeadFilter(query="KeyError")),
        ("dead_dropped", DeadFilter(query="KeyError", ticket=19)),
    ]


async def test_a_node_is_drained_and_the_last_one_is_warned_of(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/nodes")
    card = page.locator(".node-card").filter(has_text="desk-2")
    await card.get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("dialog")).not_to_contain_text("the only node")
    await _confirm(page, "Drain")
    await _said(page, "desk-2 was told to drain.")
    first, *others = site.sight.picture.nodes
    site.sight.change(nodes=(first, *(replace(one, status="dead", state="") for one in others)))
    await expect(card.get_by_role("button", name="Drain")).to_be_disabled()
    await page.locator(".node-card").first.get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("dialog")).to_contain_text("It is the only node that is up")
    assert site.hands.done == [("operator_drained", "local", "desk-2")]


async def test_one_signs_in_by_keyboard_and_out_again(
    guarded: Site, open_status: OpenStatus, watch: Watch
) -> None:
    watch.expected = ("401",)
    page = await open_status("/tickets", url=guarded.url, wait=False, locale="ru-RU")
    await expect(page.get_by_label("Ключ доступа")).to_be_focused()
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("Не подошло.")
    await expect(page.get_by_label("Ключ доступа")).to_be_focused()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#connection[data-state=live]")).to_be_visible()
    await page.get_by_role("button", name="Выйти").click()
    await expect(page.get_by_label("Ключ доступа")).to_be_visible()


async def test_an_operator_with_a_session_acts_and_is_named(
    guarded: Site, open_status: OpenStatus
) -> None:
    page = await open_status("/login", url=guarded.url, wait=False)
    await page.get_by_label("Access token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.locator("#connection[data-state=live]").wait_for()
    await page.goto(f"{guarded.url}/tickets/7")
    await page.get_by_role("button", name="Poke").click()
    await _confirm(page, "Poke")
    await _said(page, "Ticket 7: desk-1 was told.")
    assert guarded.hands.done == [("operator_poked", "operator", 7)]


async def test_a_viewer_sees_everything_and_no_buttons_that_act(
    with_users: Site, open_status: OpenStatus
) -> None:
    page = await open_status("/login", url=with_users.url, wait=False)
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("vera")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".who")).to_have_text("vera · may look only")
    for path, there in (("/nodes", ".node-card"), ("/tickets/19", ".step"), ("/dead", ".letter")):
        await page.goto(with_users.url + path)
        await expect(page.locator(there).first).to_be_visible()
        assert await page.locator(".actions, .node-card button, .letter button").count() == 0
