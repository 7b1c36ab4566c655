"""The status page's source: counters of this process, counts of the database, health of both."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import anyio
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.nodes import Role
from actors.state import Status
from bot.api import Api
from bot.delivery import Delivery
from bot.intake import Intake
from bot.polling import Poller
from storage.outbox import Backlog, PostgresOutbox
from storage.queries import TicketQueries
from storage.redis import AnyRedis
from storage.tolerant import AWAY
from supervisor.node import Node, NodeState
from supervisor.runtime import Runtime
from web.status import Health, StatusSnapshot

PROBE_TIMEOUT_S = 1.0
"""A service that is well answers in milliseconds; the page must not wait for one that is not."""

RATE_WINDOW_S = 10.0
"""Messages per second are counted over this long: short enough to see, long enough to read."""

QUIET_POLL_S = 60.0
"""A long poll is answered within half a minute even when there is nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What the database knows."""

    tickets: Mapping[Status, int]
    backlog: Backlog
    dead_letters: int


_NOTHING = _Stored(
    tickets=dict.fromkeys(Status, 0),
    backlog=Backlog(waiting=0, sending=0, uncertain=0, oldest_s=0.0, undeliverable=0),
    dead_letters=0,
)


class LiveStatus:
    """Implements :class:`web.status.StatusSource`; a service that is away leaves zeros."""

    def __init__(
        self,
        *,
        node: Node,
        runtime: Runtime,
        delivery: Delivery,
        intake: Intake,
        poller: Poller | None,
        api: Api,
        engine: AsyncEngine,
        outbox: PostgresOutbox,
        queries: TicketQueries,
        redis: AnyRedis,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.mode = "webhook" if poller is None else "polling"
        self._poller = poller
        self._node = node
        self._started_at = node.identity.started_at
        self._runtime = runtime
        self._delivery = delivery
        self._intake = intake
        self._api = api
        self._engine = engine
        self._outbox = outbox
        self._queries = queries
        self._redis = redis
        self._clock = clock
        self._readings: deque[tuple[float, int]] = deque()
        self._stopping = False

    def stopping(self) -> None:
        """From now on the node says that it is not ready."""
        self._stopping = True

    async def snapshot(self) -> StatusSnapshot:
        runtime, delivery = self._runtime.stats(), self._delivery.stats()
        intake, api = self._intake.stats(), self._api.stats()
        health = {
            "postgres": await self._probe(self._ask_postgres),
            "redis": await self._probe(self._ask_redis),
            "telegram": self._telegram(),
        }
        stored = await self._stored() if health["postgres"].ok else _NOTHING
        reasons = self._reasons(health["postgres"])
        return StatusSnapshot(
            node=self._node.identity.name,
            version=program_version(),
            started_at=self._started_at,
            now=datetime.now(UTC),
            mode=self.mode,
            ready=not reasons,
            reasons=reasons,
            health=health,
            actors={str(status): count for status, count in runtime.actors.items()},
            tickets={str(status): count for status, count in stored.tickets.items()},
            messages_handled=runtime.messages_handled,
            messages_per_s=self._rate(runtime.messages_handled),
            last_message_at=self._wall(runtime.last_handled_at),
            turns=runtime.turns,
            commits=runtime.commits,
            fenced=runtime.fenced,
            crashes=runtime.crashes,
            transients=runtime.transients,
            dead_letters=stored.dead_letters,
            mailbox_depth_max=runtime.mailbox_depth_max,
            window_messages=runtime.window_messages,
            updates_stored=intake.stored,
            updates_duplicate=intake.duplicates,
            updates_ignored=intake.ignored,
            updates_refused=intake.refused,
            outbox_waiting=stored.backlog.waiting,
            outbox_sending=stored.backlog.sending,
            outbox_oldest_s=stored.backlog.oldest_s,
            in_flight=delivery.in_flight,
            sent=delivery.sent,
            retries=delivery.retries,
            possible_doubles=delivery.possible_doubles,
            undeliverable=delivery.undeliverable,
            pauses_429=api.too_many_requests,
            paused_s=delivery.paused_s,
        )

    def _reasons(self, postgres: Health) -> tuple[str, ...]:
        """Why this node cannot serve; with Redis or Telegram away, what comes in is stored."""
        reasons = [] if postgres.ok else ["Postgres does not answer"]
        if self._stopping:
            reasons.append("the program is stopping")
        elif self._node.state is not NodeState.SERVING:
            age = self._node.beat_age_s
            reasons.append(f"the node is {self._node.state}: last beat taken {age:.0f} s ago")
        return tuple(reasons)

    def _telegram(self) -> Health:
        """How the last calls went, without making another."""
        if self._poller is not None and self._node.holds(Role.POLLING):
            answered = self._poller.answered_at
            if answered is None or self._clock() - answered > QUIET_POLL_S:
                return Health(ok=False, detail="no answer to getUpdates")
        latency_s = self._api.stats().latency_s
        return Health(ok=True, detail=_milliseconds(latency_s) if latency_s else "")

    async def _probe(self, ask: Callable[[], Awaitable[None]]) -> Health:
        asked_at = time.perf_counter()  # a loop's own clock counts in milliseconds
        try:
            with anyio.fail_after(PROBE_TIMEOUT_S):
                await ask()
        except (SQLAlchemyError, Transient, *AWAY) as error:
            return Health(ok=False, detail=type(error).__name__)
        return Health(ok=True, detail=_milliseconds(time.perf_counter() - asked_at))

    async def _ask_postgres(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def _ask_redis(self) -> None:
        await self._redis.ping()

    async def _stored(self) -> _Stored:
        try:
            counts = await self._queries.stats_counts()
            return _Stored(
                dead_letters=counts.dead_letters,
                backlog=await self._outbox.backlog(),
                tickets=await self._queries.tickets_by_status(),
            )
        except Transient:
            return _NOTHING

    def _rate(self, handled: int) -> float:
        """Messages per second over the last seconds that were looked at."""
        now = self._clock()
        self._readings.append((now, handled))
        while len(self._readings) > 1 and now - self._readings[1][0] >= RATE_WINDOW_S:
            self._readings.popleft()
        then, before = self._readings[0]
        return (handled - before) / (now - then) if now > then else 0.0

    def _wall(self, at: float | None) -> datetime | None:
        if at is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=self._clock() - at)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def program_version() -> str:
    try:
        return version("topicdesk")
    except PackageNotFoundError:  # a checkout that was not installed
        return "development"
