"""A status page on a real server, with a sight that a test can change and hands that only note."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import anyio

from tests.fakes import status_samples as samples
from web.app import WebOptions, create_app
from web.server import ServerOptions, serve
from web.shapes import (
    DeadFilter,
    DeadLetters,
    DeliveryShape,
    Done,
    DoneMany,
    History,
    Nodes,
    Overview,
    TicketDetail,
    TicketFilter,
    Tickets,
    Tree,
)
from web.status import Changed, NotThere, Readiness


@dataclass(slots=True)
class FakeSight:
    """Implements :class:`web.status.Sight`."""

    picture: Overview = field(default_factory=samples.overview)
    ready: Readiness = field(default_factory=lambda: Readiness(ready=True, reasons=()))
    taken: int = 0
    fails: bool = False
    asked: list[object] = field(default_factory=list)

    async def readiness(self) -> Readiness:
        self._look()
        return self.ready

    async def overview(self) -> Overview:
        self.taken += 1
        self._look()
        return replace(self.picture, taken_at=datetime.now(UTC))

    async def nodes(self) -> Nodes:
        self._look()
        return Nodes(taken_at=datetime.now(UTC), nodes=self.picture.nodes)

    async def tickets(self, wanted: TicketFilter) -> Tickets:
        self._look(wanted)
        return samples.tickets(wanted)

    async def ticket(self, number: int) -> TicketDetail:
        self._look(number)
        if number > samples.TICKETS:
            raise NotThere(f"there is no ticket {number}")
        return samples.ticket(number)

    async def delivery(self) -> DeliveryShape:
        self._look()
        return samples.delivery(self.picture)

    async def dead_letters(self, wanted: DeadFilter) -> DeadLetters:
        self._look(wanted)
        return samples.dead_letters(wanted)

    async def tree(self) -> Tree:
        self._look()
        return samples.tree()

    async def history(self, span: str) -> History:
        self._look(span)
        return samples.history(span)

    def change(self, **values: Any) -> None:
        self.picture = replace(self.picture, **values)

    def _look(self, asked: object = None) -> None:
        self.asked.append(asked)
        if self.fails:
            raise OSError("postgresql://user:hunter2@host")


@dataclass(slots=True)
class FakeHands:
    """Implements :class:`web.status.Hands`; ``done`` is what was asked for. May be told to fail."""

    done: list[tuple[object, ...]] = field(default_factory=list)
    fails: Exception | None = None

    async def poke(self, by: str, ticket: int) -> Done:
        return self._do("operator_poked", by, ticket)

    async def move(self, by: str, ticket: int, node: str | None) -> Done:
        return self._do("operator_moved", by, ticket, node)

    async def quarantine(self, by: str, ticket: int, why: str) -> Done:
        return self._do("operator_quarantined", by, ticket, why)

    async def release(self, by: str, ticket: int) -> Done:
        return self._do("operator_released", by, ticket)

    async def retry(self, by: str, dead: int) -> Done:
        return self._do("dead_retried", by, dead)

    async def drop(self, by: str, dead: int, why: str) -> Done:
        return self._do("dead_dropped", by, dead, why)

    async def retry_many(self, by: str, wanted: DeadFilter, expected: int) -> DoneMany:
        return self._do_many("dead_retried", by, wanted, expected)

    async def drop_many(self, by: str, wanted: DeadFilter, expected: int, why: str) -> DoneMany:
        del why
        return self._do_many("dead_dropped", by, wanted, expected)

    async def drain(self, by: str, node: str) -> Done:
        self._do("operator_drained", by, node)
        return Done(action="operator_drained", ticket_id=None, node=node, heard=True)

    def _do(self, action: str, *about: object) -> Done:
        if self.fails is not None:
            raise self.fails
        self.done.append((action, *about))
        number = about[1] if isinstance(about[1], int) else None
        return Done(action=action, ticket_id=number, node="desk-1", heard=True)

    def _do_many(self, action: str, by: str, wanted: DeadFilter, expected: int) -> DoneMany:
        total = samples.dead_letters(wanted).total
        if total != expected:
            raise Changed(f"{total} match by now")
        self._do(action, by, wanted)
        return DoneMany(action=action, done=total, kept=())


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    sight: FakeSight
    hands: FakeHands
    closing: anyio.Event
    closed: anyio.Event


@asynccontextmanager
async def open_site(
    options: WebOptions | None = None,
    bind: str = "127.0.0.1:0",
    sight: FakeSight | None = None,
    server: ServerOptions | None = None,
) -> AsyncIterator[Site]:
    sight, hands = sight or FakeSight(), FakeHands()
    closing, closed = anyio.Event(), anyio.Event()
    app = create_app(sight, hands, options or WebOptions(snapshot_interval_s=0.05))

    async def run(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        await serve(app, bind, closing, options=server, task_status=task_status)
        closed.set()

    async with anyio.create_task_group() as group:
        url = await group.start(run)
        yield Site(url, sight, hands, closing, closed)
        closing.set()
        with anyio.fail_after(20):
            await closed.wait()
