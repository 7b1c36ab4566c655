"""What the tests of the operators' pages share."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from playwright.async_api import Page

from tests.fakes.status import FakeSight
from web.shapes import Cause, Health, Level

type OpenStatus = Callable[..., Awaitable[Page]]

PAGES: Final = {
    "overview": "/",
    "nodes": "/nodes",
    "tickets": "/tickets",
    "ticket": "/tickets/19",
    "delivery": "/delivery",
    "dead": "/dead",
    "tree": "/tree",
}

FILLED: Final = {
    "overview": "#budgets .budget",
    "nodes": ".node-card",
    "tickets": "#list tbody tr",
    "ticket": ".step",
    "delivery": "#lanes-table tbody tr",
    "dead": ".letter",
    "tree": ".tree-leaf",
}
"""What is there on each page when its numbers are."""

AXE: Final = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text("utf-8")
GRAVE: Final = frozenset({"serious", "critical"})


def trouble(sight: FakeSight) -> None:
    """Everything at once: the banner has much to say."""
    away = Health(ok=False, latency_s=None, detail="TimeoutError")
    codes = (("postgres", ""), ("quarantined", "2"), ("outbox_late", "660"))
    sight.change(
        state=Level.DOWN,
        causes=tuple(
            Cause(code=code, detail=detail, advice=f"advice-{code.replace('_', '-')}")
            for code, detail in codes
        ),
        health=replace(sight.picture.health, postgres=away),
        quarantined=2,
        outbox=replace(sight.picture.outbox, oldest_s=660.0),
    )


async def complaints_of_axe(page: Page) -> list[str]:
    """Serious and critical findings of axe-core on the page as it is now."""
    await page.evaluate(AXE)
    found = await page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['impact']} {one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
