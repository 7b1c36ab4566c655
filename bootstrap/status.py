"""The status page's source: counters of this process, counts of the database, health of both."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.ports import NodeIdentity
from actors.state import Status
from bot.api import Api
from bot.delivery import Delivery
from bot.intake import Intake
from bot.polling import Poller
from storage.outbox import Backlog, PostgresOutbox
from storage.queries import StoreCounts, TicketQueries
from supervisor.runtime import Runtime
from web.status import Health, Rate, StatusSnapshot

PROBE_TIMEOUT_S = 1.0
"""A service that is well answers in milliseconds; the page must not wait for one that is not."""

QUIET_POLL_S = 60.0
"""A long poll is answered within half a minute even when there is nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    counts: StoreCounts
    backlog: Backlog
    tickets: Mapping[str, int]


class LiveStatus:
    """Implements :class:`web.status.StatusSource`; a service that is away leaves zeros."""

    def __init__(
        self,
        *,
        node: NodeIdentity,
        mode: str,
        runtime: Runtime,
        delivery: Delivery,
        intake: Intake,
        api: Api,
        engine: AsyncEngine,
        outbox: PostgresOutbox,
        queries: TicketQueries,
        redis: Redis,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.mode = mode
        self.poller: Poller | None = None
        self._node = node
        self._runtime = runtime
        self._delivery = delivery
        self._intake = intake
        self._api = api
        self._engine = engine
        self._outbox = outbox
        self._queries = queries
        self._redis = redis
        self._clock = clock
        self._rate = Rate()
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
        stored = await self._stored() if health["postgres"].ok else None
        return StatusSnapshot(
            node=self._node.name,
            version=program_version(),
            started_at=self._node.started_at,
            taken_at=datetime.now(UTC),
            health=health,
            actors={str(status): count for status, count in runtime.actors.items()},
            tickets=dict.fromkeys(map(str, Status), 0) if stored is None else stored.tickets,
            clients=0 if stored is None else stored.counts.clients,
            messages_handled=runtime.messages_handled,
            messages_per_s=self._rate.per_s(self._clock(), runtime.messages_handled),
            last_handled_at=self._wall(runtime.last_handled_at),
            mailbox_depth_max=runtime.mailbox_depth_max,
            inbox_waiting=0 if stored is None else stored.counts.waiting,
            inbox_oldest_s=0.0 if stored is None else stored.counts.waiting_oldest_s,
            outbox_waiting=0 if stored is None else stored.backlog.waiting,
            outbox_oldest_s=0.0 if stored is None else stored.backlog.oldest_s,
            in_flight=delivery.in_flight,
            sent=delivery.sent,
            too_many_requests=api.too_many_requests,
            possible_doubles=delivery.possible_doubles,
            undeliverable=delivery.undeliverable,
            dead_letters=0 if stored is None else stored.counts.dead_letters,
            crashes=runtime.crashes,
            facts={
                "turns": runtime.turns,
                "commits": runtime.commits,
                "commits_unknown": runtime.commits_unknown,
                "fenced": runtime.fenced,
                "transients": runtime.transients,
                "timers_fired": runtime.timers_fired,
                "found_by_poll": runtime.found_by_poll,
                "window_messages": runtime.window_messages,
                "updates_stored": intake.stored,
                "updates_duplicate": intake.duplicates,
                "updates_ignored": intake.ignored,
                "updates_unreadable": intake.unreadable,
                "presses_refused": intake.refused,
                "retries": delivery.retries,
                "recovered": delivery.recovered,
                "superseded": delivery.superseded,
                "topics_lost": delivery.topics_lost,
                "paused_chats": delivery.paused_chats,
            },
        )

    async def unready(self) -> tuple[str, ...]:
        """Redis or Telegram being away is no reason: what comes in is stored and waits."""
        postgres = await self._probe(self._ask_postgres)
        reasons = () if postgres.ok else ("Postgres does not answer",)
        return (*reasons, "the program is stopping") if self._stopping else reasons

    def _telegram(self) -> Health:
        """How the last calls went, without making another."""
        stats = self._api.stats()
        if self.poller is None:
            return Health(ok=True, detail=f"{stats.failed} failed calls")
        answered = self.poller.answered_at
        if answered is None or self._clock() - answered > QUIET_POLL_S:
            return Health(ok=False, detail="no answer to getUpdates")
        return Health(ok=True, detail=f"{stats.failed} failed calls")

    async def _probe(self, ask: Callable[[], Awaitable[None]]) -> Health:
        try:
            with anyio.fail_after(PROBE_TIMEOUT_S):
                await ask()
        except (SQLAlchemyError, RedisError, Transient, OSError, TimeoutError) as error:
            return Health(ok=False, detail=type(error).__name__)
        return Health(ok=True, detail="answers")

    async def _ask_postgres(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def _ask_redis(self) -> None:
        await self._redis.ping()

    async def _stored(self) -> _Stored | None:
        try:
            return _Stored(
                counts=await self._queries.stats_counts(),
                backlog=await self._outbox.backlog(),
                tickets={
                    str(status): count
                    for status, count in (await self._queries.tickets_by_status()).items()
                },
            )
        except Transient:
            return None

    def _wall(self, at: float | None) -> datetime | None:
        if at is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=self._clock() - at)


def program_version() -> str:
    try:
        return version("topicdesk")
    except PackageNotFoundError:  # a checkout that was not installed
        return "development"
