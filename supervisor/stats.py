"""What the runtime has done, for the status page and the benchmarks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from supervisor.actor import ActorStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStats:
    """A snapshot; counts since the start, ``last_handled_at`` on the runtime's clock."""

    actors: Mapping[ActorStatus, int]
    messages_handled: int
    turns: int
    commits: int
    commits_unknown: int
    fenced: int
    transients: int
    crashes: int
    dead_letters: int
    timers_fired: int
    found_by_poll: int
    """Tickets whose hint was lost."""
    window_messages: int
    mailbox_depth_max: int
    last_handled_at: float | None
    owned: int
    """Actors in memory, those asleep included."""
    is_circuit_open: bool
    """So many turns fail that this node takes no more tickets."""


SLOT_S: Final = 10.0
SLOTS: Final = 6
"""Durations of the last minute count, forgotten in steps of ten seconds."""

BUCKETS_PER_DECADE: Final = 10
SHORTEST_S: Final = 1e-5
BUCKETS: Final = 8 * BUCKETS_PER_DECADE
"""From 10 µs to 1,000 s, each bucket a quarter longer than the one before."""


class Durations:
    """How long something took, over about the last minute: a histogram, so that nodes add up."""

    __slots__ = ("_clock", "_max", "_slot", "_slots")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slots: list[list[int]] = [[0] * BUCKETS for _ in range(SLOTS)]
        self._max = [0.0] * SLOTS
        self._slot = int(clock() / SLOT_S)

    def observe(self, seconds: float) -> None:
        """Costs about a microsecond, whatever there is already."""
        at = self._turn()
        self._slots[at][bucket(seconds)] += 1
        self._max[at] = max(self._max[at], seconds)

    def counts(self) -> list[int]:
        """How many fell into each bucket."""
        self._turn()
        return [sum(column) for column in zip(*self._slots, strict=True)]

    @property
    def longest_s(self) -> float:
        self._turn()
        return max(self._max)

    def _turn(self) -> int:
        """The present slot, emptied when it is new."""
        now = int(self._clock() / SLOT_S)
        for slot in range(max(self._slot + 1, now - SLOTS + 1), now + 1):
            self._slots[slot % SLOTS] = [0] * BUCKETS
            self._max[slot % SLOTS] = 0.0
        self._slot = now
        return now % SLOTS


def bucket(seconds: float) -> int:
    """The bucket of a duration."""
    if seconds <= SHORTEST_S:
        return 0
    return min(BUCKETS - 1, int(log10(seconds / SHORTEST_S) * BUCKETS_PER_DECADE))


def quantile(counts: Sequence[int], part: float) -> float:
    """Below which so much of the durations lie, to a bucket's width; 0 of none. Seconds."""
    rank = part * sum(counts)
    seen = 0.0
    for index, count in enumerate(counts):
        if count and seen + count >= rank:
            inside = (rank - seen) / count
            return SHORTEST_S * 10 ** ((index + inside) / BUCKETS_PER_DECADE)
        seen += count
    return 0.0


@dataclass(slots=True)
class Counters:
    messages_handled: int = 0
    turns: int = 0
    fenced: int = 0
    transients: int = 0
    crashes: int = 0
    dead_letters: int = 0
    timers_fired: int = 0
    found_by_poll: int = 0
    last_handled_at: float | None = None
