"""What ``/readyz`` asks of Postgres: it is answered in time wherever Postgres falls silent."""

from collections.abc import AsyncIterator
from typing import cast

import anyio
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap.portrait import Portrait
from bootstrap.readiness import POSTGRES
from bootstrap.status import PROBE_EVERY_S, PROBE_TIMEOUT_S, LiveStatus, Sources
from storage.postgres import PostgresOptions, create_engine
from storage.stats_shared import SharedStats
from tests.fakes.relay import Relay, open_relay
from web.status import Readiness

pytestmark = pytest.mark.anyio

LIMIT_S = PROBE_TIMEOUT_S + 4.0
"""Generous to a busy machine; a Postgres that was stopped would hold it up for ever."""


class WellNode:
    """A portrait of a node that has no reason of its own."""

    def reasons(self) -> tuple[str, ...]:
        return ()


class Asked:
    """The readiness, asked anew each time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._now = 0.0
        portrait, shared = cast("Portrait", WellNode()), cast("SharedStats", None)
        sources = Sources(portrait=portrait, engine=engine, shared=shared, chats={})
        self._status = LiveStatus(sources, "webhook", lambda: self._now)

    async def now(self) -> Readiness:
        self._now += 2 * PROBE_EVERY_S
        return await self._status.readiness()


@pytest.fixture
async def relay(blank_dsn: str) -> AsyncIterator[Relay]:
    async with open_relay(blank_dsn) as opened:
        yield opened


@pytest.fixture
async def engine(relay: Relay) -> AsyncIterator[AsyncEngine]:
    made = create_engine(PostgresOptions(dsn=relay.dsn))
    yield made
    relay.cut()
    await made.dispose()


async def test_it_is_answered_when_postgres_falls_silent_just_after_its_answer(
    relay: Relay, engine: AsyncEngine
) -> None:
    """Nothing is sent when the connection is given back, so nothing is waited for."""
    asked, found = Asked(engine), list[Readiness]()
    assert (await asked.now()).ready
    event.listen(engine.sync_engine, "after_cursor_execute", lambda *_: relay.silence(), once=True)

    async def ask() -> None:
        for _ in range(3):
            found.append(await asked.now())

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        with anyio.move_on_after(3 * LIMIT_S):
            while len(found) < 3:  # noqa: ASYNC110 - a wait that no cancel ends is what is feared
                await anyio.sleep(0.05)
        answers = tuple(found)
        relay.cut()
    assert [answer.ready for answer in answers] == [True, False, True]
    assert answers[1].reasons == (POSTGRES,)
