"""Compares the status pages with the database: while everything breaks, and at rest.

While it breaks only what never shrinks can be compared: how many tickets there are. A page says
how old its numbers are; it may not know less than the database did then, nor more than it does now.
"""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import aiohttp
import anyio
import asyncpg

from lab.chaos.history import History
from lab.chaos.nodes import Node
from lab.chaos.stage import Stage

LOOK_S: Final = 1.0

TIMEOUT_S: Final = 5.0
"""A page that does not come within this, while servers are away, is looked at later."""

SLACK_S: Final = 0.05
"""Times are told to the millisecond, by two processes."""

REST_WITHIN_S: Final = 20.0
"""A page at rest is a second old; a machine that is busy may take longer."""

SAMPLES_MAX: Final = 600

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, aiohttp.ClientError)


class Truth:
    """Run :meth:`run` during the trouble, then :meth:`at_rest`; findings go into the history."""

    def __init__(self, stage: Stage, history: History) -> None:
        self._stage = stage
        self._history = history
        self._known: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)

    async def run(self) -> None:
        """Until cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                for node in self._stage.nodes.values():
                    with suppress(*AWAY, ValueError):
                        await self._compare(session, node)
                await anyio.sleep(LOOK_S)

    async def at_rest(self) -> None:
        """Every number of every page, once all have been counted anew."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for node in self._stage.nodes.values():
                differs = "it did not answer"
                with anyio.move_on_after(REST_WITHIN_S):
                    while differs:
                        with suppress(*AWAY, ValueError):
                            differs = await self._differs(session, node)
                        await anyio.sleep(LOOK_S / 4 if differs else 0)
                self._history.pages_read += 1
                if differs:
                    self._history.pages_wrong.append(f"{node.name} at rest: {differs}")

    async def _compare(self, session: aiohttp.ClientSession, node: Node) -> None:
        before = await self._stage.servers.counts()
        self._known.append((time.time(), before["tickets"]))
        page = await _page(session, node)
        if page["closed_age_s"] is None:
            return
        after = await self._stage.servers.counts()
        told = sum(page["tickets"].values())
        counted_at = datetime.fromisoformat(page["taken_at"]).timestamp() - page["closed_age_s"]
        least = max(
            (tickets for at, tickets in self._known if at < counted_at - SLACK_S), default=0
        )
        self._history.pages_read += 1
        if not least <= told <= after["tickets"]:
            self._history.pages_wrong.append(
                f"{node.name}: {told} tickets, the database had {least} to {after['tickets']}"
            )

    async def _differs(self, session: aiohttp.ClientSession, node: Node) -> str:
        page, stored = await _page(session, node), await self._stage.servers.counts()
        return differences(page, stored)


def differences(page: Any, stored: Mapping[str, int]) -> str:
    """What a page says that the database does not; empty when nothing."""
    if not page["is_complete"]:
        return "not all nodes are in it"
    tickets, outbox = page["tickets"], page["outbox"]
    told = {
        "tickets": sum(tickets.values()),
        "new": tickets["NEW"],
        "work": tickets["WORK"],
        "closed": tickets["CLOSED"],
        "mail": page["mailboxes"]["waiting"],
        "unsent": outbox["waiting"] + outbox["sending"],
        "undeliverable": outbox["undeliverable"],
        "dead_letters": page["dead_letters"],
        "quarantined": page["quarantined"],
    }
    wrong = sorted(name for name, count in told.items() if count != stored[name])
    return ", ".join(f"{name} {told[name]}, not {stored[name]}" for name in wrong)


async def _page(session: aiohttp.ClientSession, node: Node) -> Any:
    async with session.get(f"{node.url}/api/status") as answer:
        answer.raise_for_status()
        return await answer.json()
