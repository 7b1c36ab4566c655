"""How long the garbage collector stops the program."""

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds; what is longer goes to the last, which has no bound."""

GENERATIONS: Final = 3


class GcPauses(Collector):
    """Counts pauses by generation from its making until :meth:`close`.

    With plain numbers: the collector may run in the middle of anything, also while a lock of one
    of Prometheus's own instruments is held.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._counts = [[0] * (len(BUCKETS) + 1) for _ in range(GENERATIONS)]
        self._sums = [0.0] * GENERATIONS
        self.longest_s = 0.0
        """Since the start."""
        gc.callbacks.append(self._told)

    def close(self) -> None:
        gc.callbacks.remove(self._told)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "topicdesk_gc_pause_seconds",
            "How long the garbage collector stopped everything.",
            labels=["generation"],
        )
        bounds = [*map(str, BUCKETS), "+Inf"]
        for generation in range(GENERATIONS):
            total, buckets = 0, []
            for bound, count in zip(bounds, tuple(self._counts[generation]), strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric([str(generation)], buckets, self._sums[generation])
        yield family

    def _told(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = self._clock()
        elif self._began is not None:
            pause_s, generation = self._clock() - self._began, info["generation"]
            self._counts[generation][bisect_left(BUCKETS, pause_s)] += 1
            self._sums[generation] += pause_s
            self.longest_s = max(self.longest_s, pause_s)
            self._began = None
