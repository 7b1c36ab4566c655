"""What tests say about the page, in its own words."""

from collections.abc import Awaitable, Callable

import anyio
from playwright.async_api import Locator, Page

DEADLINE_S = 15.0
POLL_S = 0.02


async def eventually[T](look: Callable[[], Awaitable[T | None]]) -> T:
    """Looks until there is something true to see.

    Raises:
        TimeoutError: There was nothing within the deadline.
    """
    with anyio.fail_after(DEADLINE_S):
        while not (found := await look()):  # noqa: ASYNC110 - the browser tells nobody
            await anyio.sleep(POLL_S)
    return found


class Column:
    """One of the three columns: ``client``, ``main`` or ``techs``."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.root = page.locator(f".column.{name}")
        self.field = self.root.locator(".composer-input")
        self.error = self.root.locator(".composer-error")
        self.title = self.root.locator(".pane-title")
        self.toast = self.root.locator(".toast")

    async def write(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    def message(self, text: str) -> Locator:
        return self.root.locator(".message").filter(has_text=text)

    def messages(self) -> Locator:
        return self.root.locator(".message")

    def topic(self, name: str) -> Locator:
        return self.root.locator(".topic").filter(has_text=name)

    def key(self, text: str) -> Locator:
        return self.root.locator(".key").filter(has_text=text)

    async def tool(self, text: str, icon: str) -> None:
        """Presses one of the tools beside a message."""
        await self.message(text).hover()
        await self.message(text).locator(f".tools .icon-{icon}").click()

    async def attach(self, item: str) -> None:
        await self.root.locator(".composer .icon-attach").click()
        await self.page.get_by_role("menuitem", name=item).click()

    async def pick(self, name: str, picker: str = ".column-head .picker") -> None:
        await self.root.locator(picker).click()
        await self.page.get_by_role("option").filter(has_text=name).click()
