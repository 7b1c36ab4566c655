"""What the status page sees: this node's picture, the other nodes', and what the database knows."""

import math
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import anyio
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.ids import TicketId
from bootstrap.answers import Answers
from bootstrap.history import Columns
from bootstrap.joined import Known, nodes, overview
from bootstrap.lists import dead_letters, delivery, detail, tickets, tree
from bootstrap.picture import NodePicture, decode, encode
from bootstrap.portrait import Portrait
from bootstrap.readiness import POSTGRES
from storage.inspection import Inspection
from storage.operations import OperationError
from storage.postgres import single
from storage.stats import StoreCounts, StoreSight
from storage.stats_history import StatsHistory
from storage.stats_shared import SharedStats
from storage.stats_tickets import TicketSights
from web.shapes import (
    DeadFilter,
    DeadLetters,
    DeliveryShape,
    Health,
    History,
    Nodes,
    Overview,
    TicketDetail,
    TicketFilter,
    Tickets,
    Tree,
)
from web.status import NotThere, Readiness, Unavailable

PROBE_TIMEOUT_S = 1.0
"""A service that is well answers in milliseconds; the page must not wait for one that is not."""

PROBE_EVERY_S = 0.9
"""Probes of balancers and pictures within this time share one question."""

COUNT_TIMEOUT_S = 2.5
"""Counts that take longer are shown once they are there; meanwhile the former ones."""

COUNT_EVERY_S = 0.9

AWAY = (SQLAlchemyError, Transient, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where it comes from. ``chats`` are the configured groups with their names."""

    portrait: Portrait
    engine: AsyncEngine
    shared: SharedStats
    chats: Mapping[int, str]


class LiveStatus:
    """Implements :class:`web.status.Sight`. ``clock`` is in seconds, of any origin."""

    def __init__(
        self, sources: Sources, mode: str, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.mode = mode
        self._portrait = sources.portrait
        self._engine = sources.engine
        self._shared = sources.shared
        self._chats = sources.chats
        self._clock = clock
        self._answers = Answers(clock)
        self._counts = StoreCounts(sources.engine, clock)
        self._tickets = TicketSights(sources.engine)
        self._inspection = Inspection(sources.engine)
        self._columns = Columns(StatsHistory(sources.engine))
        self._stored: StoreSight | None = None
        self._stored_at = 0.0
        self._counted_at = -math.inf
        self._postgres = Health(ok=True, latency_s=None, detail="")
        self._redis = self._postgres
        self._probed_at = -math.inf
        self._probing = anyio.Lock()

    def stopping(self) -> None:
        """From now on the node says that it is not ready."""
        self._portrait.stopping = True

    def changed(self) -> None:
        """An operator has done something: whoever asks from now on sees it."""
        self._answers.forget()
        self._counted_at = -math.inf

    # --- for the other nodes ----------------------------------------------------------------

    def own(self) -> NodePicture:
        """This node as it is now, from counters alone."""
        return self._portrait.take(self._redis)

    async def tell(self) -> None:
        """Shows this node to the others, if anybody looks anywhere."""
        if await self._shared.is_looked_at():
            await self._portrait.ask_telegram()
            picture = self.own()
            await self._shared.tell(picture.name, encode(picture))

    # --- for those who look -----------------------------------------------------------------

    async def readiness(self) -> Readiness:
        postgres = await self._probe()
        reasons = self._portrait.reasons()
        if not postgres.ok:
            reasons = (POSTGRES, *reasons)
        return Readiness(ready=not reasons, reasons=reasons)

    async def overview(self) -> Overview:
        return overview(await self._known())

    async def nodes(self) -> Nodes:
        known = await self._known()
        return Nodes(taken_at=known.taken_at, nodes=nodes(known))

    async def tickets(self, wanted: TicketFilter) -> Tickets:
        find = partial(
            self._tickets.find,
            query=wanted.query,
            status=wanted.status,
            state=wanted.state,
            sort=wanted.sort,
            limit=wanted.limit,
        )
        taken_at, found = await self._dated(wanted, find)
        known = await self._known()
        return tickets(found, wanted, known.pictures, taken_at)

    async def ticket(self, number: int) -> TicketDetail:
        try:
            inspected = await self._asked(self._inspection.ticket(TicketId(number)))
        except OperationError as error:
            raise NotThere(str(error)) from error
        story = await self._asked(self._tickets.story(number))
        known = await self._known()
        return detail(inspected, story, known.pictures)

    async def delivery(self) -> DeliveryShape:
        taken_at, lanes = await self._dated("lanes", self._tickets.lanes)
        known = await self._known()
        return delivery(overview(known), lanes, known.pictures, taken_at)

    async def dead_letters(self, wanted: DeadFilter) -> DeadLetters:
        find = partial(self._tickets.dead, wanted.ticket, wanted.query, wanted.limit)
        taken_at, (total, rows) = await self._dated(wanted, find)
        return dead_letters(total, rows, taken_at)

    async def tree(self) -> Tree:
        return tree(await self._known())

    async def history(self, span: str) -> History:
        return await self._asked(self._answers.get(span, partial(self._columns.of, span)))

    async def stored(self) -> StoreSight | None:
        """What the database says now; ``None`` when it does not answer."""
        await self._count()
        return self._stored if self._postgres.ok else None

    # ----------------------------------------------------------------------------------------

    async def _dated[Answer](
        self, question: Hashable, ask: Callable[[], Awaitable[Answer]]
    ) -> tuple[datetime, Answer]:
        """An answer that may be shared with others who ask the same, and when it was given."""

        async def dated() -> tuple[datetime, Answer]:
            answer = await ask()
            return datetime.now(UTC), answer

        return await self._asked(self._answers.get(question, dated))

    async def _asked[Answer](self, asked: Awaitable[Answer]) -> Answer:
        try:
            return await asked
        except AWAY as error:
            raise Unavailable from error

    async def _known(self) -> Known:
        """All that can be found out now; what is away is left out or old."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._count)
            group.start_soon(self._portrait.ask_telegram)
        others = await self._others()
        stored_age_s = None if self._stored is None else self._clock() - self._stored_at
        return Known(
            taken_at=datetime.now(UTC),
            pictures=(self.own(), *others),
            stored=self._stored,
            stored_age_s=stored_age_s,
            postgres=self._postgres,
            redis=self._redis,
            chats=self._chats,
        )

    async def _others(self) -> list[NodePicture]:
        own = self._portrait.name
        rows = () if self._stored is None else self._stored.nodes
        names = [row.name for row in rows if row.status != "dead" and row.name != own]
        asked_at = self._clock()
        told = await self._shared.look(names)
        if told is None:
            self._redis = Health(ok=False, latency_s=None, detail="no answer")
            return []
        self._redis = Health(ok=True, latency_s=self._clock() - asked_at, detail="")
        pictures = [decode(each) for _, each in sorted(told.items())]
        return [picture for picture in pictures if picture is not None]

    async def _count(self) -> None:
        """Reads the counts again when it is time, if Postgres answers at all."""
        if not (await self._probe()).ok:
            return
        if self._clock() - self._counted_at < max(COUNT_EVERY_S, self._counts.rest_s):
            return
        self._counted_at = began = self._clock()
        try:
            with anyio.fail_after(COUNT_TIMEOUT_S):
                self._stored = await self._counts.look()
        except AWAY as error:
            self._postgres = Health(ok=False, latency_s=None, detail=type(error).__name__)
        else:
            self._stored_at = began

    async def _probe(self) -> Health:
        """How Postgres does, asked at most once a second."""
        async with self._probing:
            if self._clock() - self._probed_at >= PROBE_EVERY_S:
                self._postgres = await self._ask_postgres()
                self._probed_at = self._clock()
        return self._postgres

    async def _ask_postgres(self) -> Health:
        asked_at = self._clock()
        try:
            with anyio.fail_after(PROBE_TIMEOUT_S):
                # Without a transaction: its ROLLBACK would be waited for beyond the time-out.
                async with single(self._engine).connect() as connection:
                    await connection.execute(text("SELECT 1"))
        except AWAY as error:
            return Health(ok=False, latency_s=None, detail=type(error).__name__)
        return Health(ok=True, latency_s=self._clock() - asked_at, detail="")


def program_version() -> str:
    try:
        return version("topicdesk")
    except PackageNotFoundError:  # a checkout that was not installed
        return "development"
