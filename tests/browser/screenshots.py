"""Takes the pictures of the documentation anew: ``python -m tests.browser.screenshots``.

A desk of three nodes with some trouble, from samples: nobody's letters are shown.
"""

import base64
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import anyio
from playwright.async_api import Browser, async_playwright

from tests.browser.conftest import ARGUMENTS, chromium_path
from tests.browser.status_pages import FILLED
from tests.fakes import status_samples as samples
from tests.fakes.status import FakeSight, Site, open_site
from web.app import WebOptions
from web.shapes import Cause, History, Level, TicketDetail

IMAGES: Final = Path(__file__).resolve().parents[2] / "docs/images"
DESK: Final = {"width": 1280, "height": 1000}
PHONE: Final = {"width": 360, "height": 720}
LANGUAGES: Final = {"": "en-US", ".ru": "ru-RU"}
MONTAGE: Final = """<body style="margin:0;display:flex;gap:24px;padding:24px;background:{ground}">
{pictures}</body>"""


class ShownSight(FakeSight):
    """The samples with the history of a working day."""

    async def history(self, span: str) -> History:
        return _believable(samples.history(span))

    async def ticket(self, number: int) -> TicketDetail:
        detail = samples.ticket(number)
        calm = replace(detail.ticket, status="WORK", closed_at=None, waiting=1, wait_s=2.0)
        return replace(
            detail,
            ticket=replace(calm, quarantined=None, state="queued", dead_letters=0),
            dead_letters=(),
            steps=detail.steps[3:],
            last_seq=9,
        )


def _believable(history: History) -> History:
    """A rising morning; one pause of Telegram's, in which the outbox grows and empties again."""
    dice = random.Random(7)
    count = len(history.at)
    rate = [5 + 3 * math.sin(i / 17) + dice.uniform(-0.8, 0.8) for i in range(count)]
    burst = [max(0.0, 60 - 9 * abs(i - count * 0.66)) for i in range(count)]
    columns = {
        "handled": rate,
        "sent": [
            each * 1.5 - grows / 14 + dice.uniform(-0.5, 0.5)
            for each, grows in zip(rate, burst, strict=True)
        ],
        "outbox_waiting": [4 + grows + dice.uniform(0, 4) for grows in burst],
        "queue_wait_p95_s": [0.014 + each / 900 + dice.uniform(0, 0.004) for each in rate],
        "turn_p95_s": [0.011 + each / 1400 + dice.uniform(0, 0.003) for each in rate],
        "commit_p99_s": [0.017 + dice.uniform(0, 0.006) for _ in rate],
    }
    shown = {name: tuple(round(max(0.0, each), 4) for each in of) for name, of in columns.items()}
    return replace(history, columns={**history.columns, **shown})


def _dress(sight: FakeSight) -> None:
    """One ticket in quarantine: the banner shows what it is for."""
    picture = sight.picture
    cause = Cause(code="quarantined", detail="1", advice="advice-quarantined")
    morning = datetime.now(UTC) - timedelta(hours=9)
    sight.change(
        state=Level.DEGRADED,
        causes=(cause,),
        quarantined=1,
        nodes=tuple(replace(node, started_at=morning) for node in picture.nodes),
        restarts=replace(picture.restarts, crashes=3, backing_off=0),
        outbox=replace(picture.outbox, possible_doubles=0, undeliverable=0),
    )


async def _shot(
    browser: Browser, site: Site, name: str, path: str, *, scheme: str, locale: str, phone: bool
) -> bytes:
    size = PHONE if phone else DESK
    context = await browser.new_context(
        locale=locale,
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport=size,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(site.url + path)
    await page.locator(FILLED[name]).first.wait_for()
    await page.locator("#connection[data-state=live]").wait_for()
    if name == "overview":
        await page.locator(".chart canvas").nth(1).wait_for()
    picture = await page.screenshot()
    await context.close()
    return picture


async def _montage(browser: Browser, pictures: list[bytes], ground: str) -> bytes:
    """Pictures of a phone beside each other."""
    shown = "".join(
        f'<img style="border-radius:14px" src="data:image/png;base64,{written}">'
        for written in (base64.b64encode(one).decode() for one in pictures)
    )
    width = 24 + (PHONE["width"] + 24) * len(pictures)
    page = await browser.new_page(viewport={"width": width, "height": PHONE["height"] + 48})
    await page.set_content(MONTAGE.format(ground=ground, pictures=shown))
    picture = await page.screenshot()
    await page.close()
    return picture


async def main() -> None:
    """Writes ``status-overview``, ``status-ticket`` and ``status-phone`` in both languages."""
    async with (
        open_site(WebOptions(), sight=ShownSight()) as site,
        async_playwright() as playwright,
    ):
        _dress(site.sight)
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=list(ARGUMENTS)
        )
        for end, locale in LANGUAGES.items():

            async def shot(
                name: str, path: str, scheme: str, locale: str = locale, *, phone: bool = False
            ) -> bytes:
                return await _shot(
                    browser, site, name, path, scheme=scheme, locale=locale, phone=phone
                )

            written = {
                "overview": await shot("overview", "/", "light"),
                "ticket": await shot("ticket", "/tickets/7", "dark"),
                "phone": await _montage(
                    browser,
                    [
                        await shot("overview", "/", "dark", phone=True),
                        await shot("tickets", "/tickets?state=quarantined", "light", phone=True),
                        await shot("delivery", "/delivery", "dark", phone=True),
                    ],
                    "#8a9296",
                ),
            }
            for name, picture in written.items():
                (IMAGES / f"status-{name}{end}.png").write_bytes(picture)
        await browser.close()


if __name__ == "__main__":
    anyio.run(main)
