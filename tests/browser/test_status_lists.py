"""Tickets, one ticket, delivery, dead letters and the tree, as they are read."""

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.pages import eventually
from tests.browser.status_pages import OpenStatus
from tests.fakes import status_samples as samples
from tests.fakes.status import Site
from web.shapes import TicketFilter

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def _first(page: Page) -> str:
    return await page.locator("#list tbody a").first.inner_text()


async def test_tickets_are_searched_filtered_and_sorted_and_all_counts_follow(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tickets")
    await expect(page.locator("#total")).to_have_text("20 worst of 57")
    await page.get_by_text("in quarantine").click()
    await expect(page.locator("#total")).to_have_text("3 in all")
    await expect(page.locator("#statuses")).to_contain_text("New 0")
    await expect(page.locator("#list tbody tr")).to_have_count(3)
    await page.get_by_label("Search").fill("Петров 38")
    await expect(page.locator("#total")).to_have_text("1 in all")
    await page.get_by_label("Worst by").select_option("restarts")
    wanted = TicketFilter(query="Петров 38", state="quarantined", sort="restarts", limit=20)

    async def asked() -> bool:
        return wanted in site.sight.asked

    await eventually(asked)


async def test_a_filter_is_in_the_address_and_comes_back(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tickets?state=quarantined&status=WORK&limit=50")
    await expect(page.get_by_role("radio", name="in quarantine")).to_be_checked()
    await expect(page.get_by_role("radio", name="In work")).to_be_checked()
    await expect(page.get_by_label("Show")).to_have_value("50")
    await page.locator("#list tbody a").first.click()
    await expect(page.get_by_role("heading", name="Ticket 38")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("radio", name="in quarantine")).to_be_checked()


async def test_where_nothing_matches_the_page_says_so(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets?query=nobody")
    await expect(page.locator("#list-empty")).to_have_text(
        "No ticket matches. Loosen the filters above."
    )
    await expect(page.locator("#list")).to_be_hidden()


async def test_a_ticket_tells_each_step_of_each_message_and_how_long_it_took(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tickets/7")
    newest, before = page.locator(".step").nth(0), page.locator(".step").nth(1)
    await expect(newest).to_contain_text("#8 Client wrote")
    await expect(newest.locator(".way li").nth(1)).to_contain_text("handled")
    await expect(newest.locator(".way li").nth(1)).to_contain_text("+6 ms")
    await expect(newest.locator(".way li").nth(3)).to_contain_text("waits")
    await expect(before.locator(".way li").nth(4)).to_contain_text("+64 ms")
    await expect(before.locator("[data-done=yes]")).to_have_count(5)
    await before.get_by_text("Effects: 1").click()
    await expect(before.locator(".effects")).to_contain_text("main:7")
    await expect(page.locator("#owners li")).to_have_count(2)
    await expect(page.locator("#owners li").first).to_contain_text("now")
    await expect(page.locator("#unsent")).to_contain_text("Too Many Requests: retry after 12")
    await expect(page.locator("#timers")).to_contain_text("absence")
    await expect(page.locator("#log li").first).to_contain_text("by=olga")
    await expect(page.locator("#snapshot")).to_contain_text('"status": "CLOSED"')


async def test_traces_are_folded_until_they_are_wanted(open_status: OpenStatus, site: Site) -> None:
    page = await open_status("/tickets/7")
    trace = page.locator("#crashes .code").first
    await expect(page.locator("#crashes li")).to_have_count(2)
    await expect(trace).to_be_hidden()
    await page.get_by_text("KeyError('technician 7')").click()
    await expect(trace).to_contain_text('raise KeyError("technician 7")')


async def test_a_ticket_that_is_not_there_is_said_so(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("404",)
    page = await open_status("/tickets/9000", wait=False)
    await expect(page.get_by_text("There is no such ticket.")).to_be_visible()
    await expect(page.get_by_role("button", name="Poke")).to_be_disabled()


async def test_delivery_shows_what_waits_budgets_and_bots(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/delivery")
    await expect(page.locator("#lanes-table tbody tr")).to_have_count(5)
    await expect(page.locator("#bots-table")).to_contain_text("@desk_bot")
    await expect(page.locator("#calls .bar-line").first).to_contain_text("SendMessage")
    await expect(page.locator("#budgets .budget").first).to_contain_text("closed for 12 s")
    await expect(page.locator("[data-value=pauses]")).to_have_text("1 min 1 s")
    await page.get_by_role("link", name="#3").click()
    await expect(page.get_by_role("heading", name="Ticket 3")).to_be_visible()


async def test_dead_letters_show_their_error_and_unfold_their_trace(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/dead")
    await expect(page.locator(".letter")).to_have_count(3)
    await expect(page.locator(".letter").first).to_contain_text("KeyError: 'technician 7'")
    await page.locator(".letter summary").first.click()
    await expect(page.locator(".letter .code").first).to_contain_text(samples.TRACE.strip())
    await page.get_by_label("Search").fill("nothing like it")
    await expect(page.get_by_text("No dead letters.")).to_be_visible()
    await expect(page.get_by_role("button", name="Retry all")).to_be_disabled()


async def test_the_tree_folds_and_leads_to_actors_in_trouble(
    open_status: OpenStatus, site: Site
) -> None:
    page = await open_status("/tree")
    await expect(page.locator(".roots > ul > li")).to_have_count(3)
    await expect(page.locator(".roots a").first).to_have_attribute("href", "/tickets/19")
    await page.locator("summary").first.click()
    await expect(page.locator(".roots a").first).to_be_hidden()


async def test_nodes_show_which_one_answers_and_which_are_silent(
    open_status: OpenStatus, site: Site
) -> None:
    first, second, third = site.sight.picture.nodes
    silent = replace(second, state="", owned=None, actors={}, memory_bytes=None)
    site.sight.change(nodes=(first, silent, replace(third, status="dead", state="")))
    page = await open_status("/nodes")
    cards = page.locator(".node-card")
    await expect(cards.nth(0)).to_contain_text("answers you")
    await expect(cards.nth(1)).to_contain_text("no answer")
    await expect(cards.nth(1).locator("[data-fact=memory]")).to_have_text("–")
    await expect(cards.nth(2)).to_contain_text("dead")


async def test_a_list_whose_database_is_away_says_so_and_keeps_what_it_had(
    open_status: OpenStatus, site: Site, watch: Watch
) -> None:
    watch.expected = ("503",)
    page = await open_status("/tickets")
    await expect(page.locator("#list tbody tr")).to_have_count(20)
    answer = {"status": 503, "json": {"error": "Postgres does not answer", "code": "away"}}
    await page.route("**/api/tickets*", lambda route: route.fulfill(**answer))
    await expect(page.locator("#connection[data-state=away]")).to_contain_text("numbers are old")
    await expect(page.locator("#list tbody tr")).to_have_count(20)
    await page.unroute("**/api/tickets*")
    await expect(page.locator("#connection[data-state=live]")).to_be_visible()
