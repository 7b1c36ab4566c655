"""What the status page measures of this node's work: waits, turns, commits, calls, claims."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Final

from actors.messages import Envelope
from actors.ports import Incoming, OutboxRow, Settlement, Turn
from bootstrap.observed import EdgeObserver
from supervisor.observer import Observer
from supervisor.stats import Durations

NAMES: Final = ("queue_wait", "turn", "commit", "delivery")


class Measures:
    """Implements :class:`supervisor.observer.Observer` and ``bootstrap.observed.EdgeObserver``.

    ``clock`` in seconds, of any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.durations = {name: Durations(clock) for name in NAMES}
        self.claims = 0
        """Tickets taken for this run, those of a dead run included."""

    @contextmanager
    def turn(self, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
        now, waited = datetime.now(UTC), self.durations["queue_wait"]
        for envelope in envelopes:
            # Two clocks: the database's and ours. A small lead of its must not count as less.
            waited.observe(max(0.0, (now - envelope.received_at).total_seconds()))
        with self._timed("turn"):
            yield envelopes

    @contextmanager
    def commit(self, turns: Sequence[Turn]) -> Iterator[None]:
        del turns
        with self._timed("commit"):
            yield

    def handled(self, turn: Turn) -> None:
        """Counted by the runtime itself."""

    def claimed(self, tickets: int) -> None:
        self.claims += tickets

    @contextmanager
    def storing(self, batch: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
        """Not shown."""
        yield batch

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        """Not shown."""

    def settled(self, settlements: Sequence[Settlement]) -> None:
        """Counted by delivery itself."""

    @contextmanager
    def calling(self) -> Iterator[None]:
        with self._timed("delivery"):
            yield

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = self._clock()
        try:
            yield
        finally:
            self.durations[name].observe(self._clock() - began)


class Observers:
    """Several that look at the same work."""

    def __init__(self, runtime: Sequence[Observer], edges: Sequence[EdgeObserver]) -> None:
        self._runtime = runtime
        self._edges = edges

    @contextmanager
    def turn(self, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
        with ExitStack() as stack:
            for each in self._runtime:
                envelopes = stack.enter_context(each.turn(envelopes))
            yield envelopes

    @contextmanager
    def commit(self, turns: Sequence[Turn]) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self._runtime:
                stack.enter_context(each.commit(turns))
            yield

    def handled(self, turn: Turn) -> None:
        for each in self._runtime:
            each.handled(turn)

    def claimed(self, tickets: int) -> None:
        for each in self._runtime:
            each.claimed(tickets)

    @contextmanager
    def storing(self, batch: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
        with ExitStack() as stack:
            for each in self._edges:
                batch = stack.enter_context(each.storing(batch))
            yield batch

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        for each in self._edges:
            each.starting(rows)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for each in self._edges:
            each.settled(settlements)

    @contextmanager
    def calling(self) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self._edges:
                stack.enter_context(each.calling())
            yield
