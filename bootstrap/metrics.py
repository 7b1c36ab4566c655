"""What Prometheus is told: what is measured as it happens, and what is read when it asks.

Labels are of bounded sets only: never a ticket, a person or a text. A node speaks for itself; what
the database holds is the same on each, so dashboards take the greatest of them and not the sum.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from actors.messages import ClientWrote, Envelope, Message, StaffWrote, TechnicianWrote
from actors.ports import Incoming, OutboxRow, Sent, Settlement, Turn
from bootstrap.pauses import GcPauses

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, for what happens on this machine and in Postgres."""

SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 3600.0)
"""Seconds, for what waits for Telegram's limits and for outages."""

GROUPS: Final = (1, 2, 4, 8, 16, 32, 64)
"""Turns in one transaction."""

LANES: Final = {"client": "to_client", "main": "to_group", "mirror": "to_technician"}
"""By a lane's kind: where its messages go."""


class Metrics:
    """The instruments of one node, in a registry of their own.

    Implements :class:`supervisor.observer.Observer`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        # A second series for each, of which nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._clock = clock
        self._messages = Counter(
            "topicdesk_messages",
            "Messages handled and effects sent, by direction and kind.",
            ["direction", "kind"],
            registry=self.registry,
        )
        self._series: dict[tuple[str, str], Counter] = {}
        self._claims = Counter(
            "topicdesk_claims",
            "Tickets taken for this run, those of a dead run included.",
            registry=self.registry,
        )
        self._wait = self._histogram(
            "queue_wait", "From an update's storing to the end of its turn.", SLOW
        )
        self._turn = self._histogram("turn", "One turn: decided and committed.", QUICK)
        self._commit = self._histogram("commit", "One transaction of the group commit.", QUICK)
        self._intake = self._histogram("intake", "One transaction of the inbox.", QUICK)
        self._grouped = Histogram(
            "topicdesk_commit_turns",
            "Turns in one transaction.",
            buckets=GROUPS,
            registry=self.registry,
        )
        self._delivery = Histogram(
            "topicdesk_delivery_seconds",
            "From the decision to the record that Telegram has taken it.",
            ["direction"],
            buckets=SLOW,
            registry=self.registry,
        )
        self._call = self._histogram("call", "One call of the Bot API, answered or not.", SLOW)
        self._pauses = GcPauses(clock)
        self.registry.register(self._pauses)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def close(self) -> None:
        """Stops watching the garbage collector."""
        self._pauses.close()

    # --- the runtime ------------------------------------------------------------------------

    def turn(self, envelopes: Sequence[Envelope]) -> AbstractContextManager[Sequence[Envelope]]:
        return _Timed(self._turn, envelopes, self._clock)

    def commit(self, turns: Sequence[Turn]) -> AbstractContextManager[object]:
        self._grouped.observe(len(turns))
        return _Timed(self._commit, None, self._clock)

    def handled(self, turn: Turn) -> None:
        now = datetime.now(UTC)
        for envelope, _ in turn.steps:
            # Two clocks: the database's and ours. A small lead of its must not count as less.
            self._wait.observe(max(0.0, (now - envelope.received_at).total_seconds()))
            self._message(*came(envelope.message))

    def claimed(self, tickets: int) -> None:
        self._claims.inc(tickets)

    # --- the edges --------------------------------------------------------------------------

    def storing(self, batch: Sequence[Incoming]) -> AbstractContextManager[Sequence[Incoming]]:
        """Around one transaction of the inbox."""
        return _Timed(self._intake, batch, self._clock)

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        """Their calls are about to be made."""

    def settled(self, settlements: Sequence[Settlement]) -> None:
        """What came of rows is on record."""
        now = datetime.now(UTC)
        for settlement in settlements:
            if isinstance(settlement, Sent):
                row = settlement.row
                direction = goes(row.lane)
                self._message(direction, snake(type(row.effect).__name__))
                waited_s = (now - row.created_at).total_seconds()
                self._delivery.labels(direction).observe(max(0.0, waited_s))

    def calling(self) -> AbstractContextManager[object]:
        """Around one call of the Bot API."""
        return _Timed(self._call, None, self._clock)

    # ----------------------------------------------------------------------------------------

    def _message(self, direction: str, kind: str) -> None:
        series = self._series.get((direction, kind))
        if series is None:
            series = self._series[direction, kind] = self._messages.labels(direction, kind)
        series.inc()

    def _histogram(self, name: str, about: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(
            f"topicdesk_{name}_seconds", about, buckets=buckets, registry=self.registry
        )


class _Timed[Value]:
    """Measures a block; gives it ``value``. A class, for this is on the way of every message."""

    __slots__ = ("_began", "_clock", "_histogram", "_value")

    def __init__(self, histogram: Histogram, value: Value, clock: Callable[[], float]) -> None:
        self._histogram = histogram
        self._value = value
        self._clock = clock
        self._began = 0.0

    def __enter__(self) -> Value:
        self._began = self._clock()
        return self._value

    def __exit__(self, *error: object) -> None:
        self._histogram.observe(self._clock() - self._began)


def came(message: Message) -> tuple[str, str]:
    """Direction and kind of what a ticket was told."""
    match message:
        case ClientWrote():
            return "from_client", str(message.content.kind)
        case StaffWrote():
            return "from_staff", str(message.content.kind)
        case TechnicianWrote():
            return "from_technician", str(message.content.kind)
        case _:
            return "event", snake(type(message).__name__)


def goes(lane: str) -> str:
    """Direction of what a lane sends."""
    return LANES.get(lane.partition(":")[0], "answer_to_press")


@cache
def snake(name: str) -> str:
    """``CloseRequested`` as ``close_requested``; asked for the few names of types only."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
