"""What the status page measures of this node's work: waits, turns, commits, calls, claims."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from types import TracebackType
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
        self._turn = [each.turn for each in runtime]
        self._storing = [each.storing for each in edges]

    def turn(self, envelopes: Sequence[Envelope]) -> AbstractContextManager[Sequence[Envelope]]:
        return _Chained(self._turn, envelopes)

    def commit(self, turns: Sequence[Turn]) -> AbstractContextManager[object]:
        return _Beside([each.commit(turns) for each in self._runtime])

    def handled(self, turn: Turn) -> None:
        for each in self._runtime:
            each.handled(turn)

    def claimed(self, tickets: int) -> None:
        for each in self._runtime:
            each.claimed(tickets)

    def storing(self, batch: Sequence[Incoming]) -> AbstractContextManager[Sequence[Incoming]]:
        return _Chained(self._storing, batch)

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        for each in self._edges:
            each.starting(rows)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for each in self._edges:
            each.settled(settlements)

    def calling(self) -> AbstractContextManager[object]:
        return _Beside([each.calling() for each in self._edges])


class _Chained[Value]:
    """Enters one after another, each with what the former gave. They neither raise nor suppress.

    A class, and no stack of the standard library's: this is on the way of every message.
    """

    __slots__ = ("_begin", "_entered", "_value")

    def __init__(
        self, begin: Sequence[Callable[[Value], AbstractContextManager[Value]]], value: Value
    ) -> None:
        self._begin = begin
        self._value = value
        self._entered: list[AbstractContextManager[Value]] = []

    def __enter__(self) -> Value:
        value = self._value
        for begin in self._begin:
            context = begin(value)
            value = context.__enter__()
            self._entered.append(context)
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for context in reversed(self._entered):
            context.__exit__(kind, error, trace)


class _Beside:
    """Enters all; they neither raise nor suppress."""

    __slots__ = ("_contexts",)

    def __init__(self, contexts: Sequence[AbstractContextManager[object]]) -> None:
        self._contexts = contexts

    def __enter__(self) -> None:
        for context in self._contexts:
            context.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for context in reversed(self._contexts):
            context.__exit__(kind, error, trace)
