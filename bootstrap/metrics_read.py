"""What is read when Prometheus asks: counters of the parts, and what the database holds."""

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import anyio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from actors.errors import Transient
from actors.nodes import Role
from actors.state import Status
from bootstrap.metrics import Metrics, snake
from bootstrap.pulse import Pulse
from bot.api import Api
from bot.delivery import Delivery
from bot.intake import Intake
from storage.cache import Asked
from storage.outbox import Backlog, PostgresOutbox
from storage.postgres import single
from storage.queries import StoreCounts, TicketQueries
from storage.tolerant import Tolerant
from supervisor.node import Node, NodeState
from supervisor.runtime import Runtime

STORE_EVERY_S = 10.0
"""Several scrapers within this time cost the database one look."""

STORE_PART = 20
"""Counting whole tables takes one part of so many of the time, however many rows there are …"""

STORE_SELDOM_S = 60.0
"""… but nobody waits longer to hear that Postgres is back."""

PROBE_TIMEOUT_S = 1.0
"""A Postgres that is well answers in milliseconds; in an outage the other numbers count."""

STORE_TIMEOUT_S = 5.0
"""A scrape that takes longer than ten seconds is lost altogether, all of its numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts whose counters are read."""

    node: Node
    runtime: Runtime
    delivery: Delivery
    intake: Intake
    api: Api
    engine: AsyncEngine
    outbox: PostgresOutbox
    queries: TicketQueries
    tolerant: Tolerant
    pulse: Pulse
    caches: Mapping[str, Asked]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the database holds."""

    tickets: Mapping[Status, int]
    counts: StoreCounts
    backlog: Backlog


class Exposition:
    """Answers a scrape. Implements :class:`web.metrics.MetricsSource`."""

    def __init__(
        self,
        metrics: Metrics,
        sources: Sources,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._registry = metrics.registry
        self._sources = sources
        self._clock = clock
        self._store = _StoreCollector()
        self._look_at = clock()
        self._registry.register(_PartsCollector(sources))
        self._registry.register(self._store)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The numbers as they stand now, and their content type. Without Postgres: what is left."""
        began = self._clock()
        if began >= self._look_at:
            self._look_at = began + STORE_EVERY_S  # whoever asks meanwhile gets what there is
            self._store.held = await self._look()
            took_s = self._clock() - began
            pause_s = max(STORE_EVERY_S, min(took_s * STORE_PART, STORE_SELDOM_S))
            self._look_at = began + pause_s
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    async def _look(self) -> _Held | None:
        queries = self._sources.queries
        try:
            # Asked first what may be cut off in its midst: the counts are finished once begun.
            with anyio.fail_after(PROBE_TIMEOUT_S):
                async with single(self._sources.engine).connect() as connection:
                    await connection.execute(text("SELECT 1"))
            with anyio.fail_after(STORE_TIMEOUT_S):
                return _Held(
                    tickets=await queries.tickets_by_status(),
                    counts=await queries.stats_counts(),
                    backlog=await self._sources.outbox.backlog(),
                )
        except (SQLAlchemyError, Transient, OSError, TimeoutError):
            return None


class _StoreCollector(Collector):
    """What is the same on each node. Nothing but ``topicdesk_postgres_up`` while it is away."""

    def __init__(self) -> None:
        self.held: _Held | None = None

    def collect(self) -> Iterator[Metric]:
        held = self.held
        yield _gauge("postgres_up", "Whether Postgres answered this scrape.", held is not None)
        if held is None:
            return
        counts, backlog = held.counts, held.backlog
        yield _labelled(
            "tickets",
            "Tickets in the database, by status.",
            "status",
            {str(status): count for status, count in held.tickets.items()},
        )
        yield _gauge("clients", "Clients known.", counts.clients)
        yield _gauge("inbox_waiting", "Messages of tickets not handled yet.", counts.waiting)
        yield _gauge("desk_waiting", "Updates for the desk not handled yet.", counts.desk_waiting)
        yield _gauge(
            "inbox_oldest_seconds",
            "How long the oldest unhandled message has waited.",
            counts.waiting_oldest_s,
        )
        yield _gauge("quarantined", "Tickets that an operator must release.", counts.quarantined)
        yield _gauge("timers", "Timers that are armed.", counts.timers)
        yield _gauge(
            "dead_letters_kept", "Dead letters that wait to be judged.", counts.dead_letters
        )
        yield _gauge("outbox_waiting", "Effects not sent yet.", backlog.waiting)
        yield _gauge("outbox_sending", "Effects whose call is under way.", backlog.sending)
        yield _gauge(
            "outbox_uncertain", "Effects that may have arrived, unrecorded.", backlog.uncertain
        )
        yield _gauge(
            "outbox_oldest_seconds",
            "How long the oldest effect has waited to be sent.",
            backlog.oldest_s,
        )
        yield _gauge(
            "undeliverable_kept", "Effects that never could be sent.", backlog.undeliverable
        )


class _PartsCollector(Collector):
    """This node's own counters."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        yield from self._runtime()
        yield from self._delivery()
        yield from self._telegram()
        yield from self._node()
        yield from self._stores()

    def _runtime(self) -> Iterator[Metric]:
        stats = self._sources.runtime.stats()
        yield _labelled(
            "actors",
            "Tickets that this node runs, by state.",
            "state",
            {str(status): count for status, count in stats.actors.items()},
        )
        yield _gauge("mailbox_messages", "Messages held in memory.", stats.window_messages)
        yield _gauge("mailbox_depth_max", "Messages in the fullest one.", stats.mailbox_depth_max)
        yield _counter("turns", "Turns committed.", stats.turns)
        yield _counter("commits", "Transactions of the group commit.", stats.commits)
        yield _counter(
            "commits_unknown", "Commits whose outcome had to be read again.", stats.commits_unknown
        )
        yield _counter(
            "fenced", "Turns that did not stand, another run having the ticket.", stats.fenced
        )
        yield _counter(
            "turns_postponed", "Turns put off because a service was away.", stats.transients
        )
        yield _counter("crashes", "Turns that ended with a bug.", stats.crashes)
        yield _counter("dead_letters", "Messages given up.", stats.dead_letters)
        yield _counter("timers_fired", "Timers that were due.", stats.timers_fired)
        yield _counter("hints_lost", "Tickets whose mail only a poll found.", stats.found_by_poll)

    def _delivery(self) -> Iterator[Metric]:
        stats = self._sources.delivery.stats()
        yield _gauge("lanes", "Lanes with something to send.", stats.lanes)
        yield _gauge("calls_in_flight", "Calls under way.", stats.in_flight)
        yield _counter("sent", "Effects sent.", stats.sent)
        yield _counter("joined", "Texts sent in one message with others.", stats.joined)
        yield _counter("superseded", "Effects made needless by newer ones.", stats.superseded)
        yield _counter("retries", "Effects put off to be sent again.", stats.retries)
        yield _counter("undeliverable", "Effects given up.", stats.undeliverable)
        yield _counter(
            "possible_doubles", "Calls repeated that may have arrived.", stats.possible_doubles
        )
        yield _counter("recovered", "Effects found to have arrived.", stats.recovered)
        yield _counter("topics_lost", "Topics that were deleted in Telegram.", stats.topics_lost)
        yield _counter(
            "telegram_paused_seconds", "Seconds that Telegram asked to wait.", stats.paused_s
        )
        yield _gauge("telegram_paused_chats", "Chats that must wait now.", stats.paused_chats)

    def _telegram(self) -> Iterator[Metric]:
        api, intake = self._sources.api.stats(), self._sources.intake.stats()
        yield _counted(
            "telegram_calls",
            "Calls of the Bot API, by method.",
            "method",
            {snake(method): count for method, count in api.calls.items()},
        )
        yield _counter("telegram_429", "Answers 429: too many requests.", api.too_many_requests)
        yield _counter("telegram_failed", "Calls that failed otherwise.", api.failed)
        yield _counted(
            "updates",
            "Updates taken, by what became of them.",
            "outcome",
            {
                "stored": intake.stored,
                "duplicate": intake.duplicates,
                "ignored": intake.ignored,
                "refused": intake.refused,
                "unreadable": intake.unreadable,
            },
        )

    def _node(self) -> Iterator[Metric]:
        node = self._sources.node
        yield _labelled(
            "node_state",
            "1 for the state that the node is in.",
            "state",
            {str(state): float(state is node.state) for state in NodeState},
        )
        yield _labelled(
            "node_role",
            "1 for each role that the node has.",
            "role",
            {str(role): float(node.holds(role)) for role in Role},
        )
        yield _gauge("nodes_alive", "Nodes that live as far as this one knows.", node.peers)
        yield _gauge(
            "lease_age_seconds", "Since when the node's lease was renewed last.", node.beat_age_s
        )
        yield _counter(
            "nodes_declared_dead", "Runs of others that this node found dead.", node.declared_dead
        )
        yield _gauge(
            "loop_lag_seconds",
            "How late the loop woke up, at worst within about a minute.",
            self._sources.pulse.loop().lag_max_s,
        )
        info = {"version": self._sources.version, "python": platform.python_version()}
        build = GaugeMetricFamily("topicdesk_build_info", "1, with the version.", labels=list(info))
        build.add_metric(list(info.values()), 1)
        yield build

    def _stores(self) -> Iterator[Metric]:
        yield _gauge("redis_up", "Whether Redis answered last.", not self._sources.tolerant.away)
        pool = self._sources.engine.pool
        if isinstance(pool, QueuePool):
            yield _labelled(
                "pool_connections",
                "Connections to Postgres.",
                "state",
                {"in_use": pool.checkedout(), "idle": pool.checkedin()},
            )
            size = pool.size() + pool._max_overflow  # noqa: SLF001 - it has no public name
            yield _gauge("pool_connections_max", "Connections that there may be.", size)
        family = CounterMetricFamily(
            "topicdesk_cache_requests", "Questions to caches.", labels=["cache", "result"]
        )
        for name, asked in self._sources.caches.items():
            family.add_metric([name, "hit"], asked.hits)
            family.add_metric([name, "miss"], asked.misses)
        yield family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"topicdesk_{name}", about, value=float(value))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"topicdesk_{name}", about, value=value)


def _labelled(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"topicdesk_{name}", about, labels=[label])
    return _filled(family, values)


def _counted(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"topicdesk_{name}", about, labels=[label])
    return _filled(family, values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> Metric:
    for value, count in values.items():
        family.add_metric([value], count)
    return family
