"""How the process itself does: the loop's lag, garbage collection, memory, processor, rates."""

import gc
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import TaskStatus

from supervisor.stats import Durations
from web.shapes import Loop

BEAT_S: Final = 0.25
"""How often the loop is looked at; four times a second cost nothing that can be measured."""

READ_S: Final = 1.0
"""How often counters are read for the rates."""

RATE_WINDOW_S: Final = 10
"""Readings that a rate spans: short enough to see, long enough to read."""

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second, over the last ten."""

    handled: float
    sent: float
    cpu: float
    """Of one core."""


class Pulse:
    """Run :meth:`run` beside the work; ``counts`` says what was handled and sent so far."""

    def __init__(
        self,
        counts: Callable[[], tuple[int, int]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._lag = Durations(clock)
        self._pauses = Durations(clock)
        self._pause_last_s = 0.0
        self._pauses_began: float | None = None
        self.pauses = 0
        self._lag_s = 0.0
        self._readings: deque[tuple[float, int, int, float]] = deque(maxlen=RATE_WINDOW_S + 1)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        gc.callbacks.append(self._collected)
        task_status.started()
        try:
            read_at = 0.0
            while True:
                slept_at = self._clock()
                if slept_at - read_at >= READ_S:
                    read_at = slept_at
                    self._read()
                await anyio.sleep(BEAT_S)
                self._lag_s = max(0.0, self._clock() - slept_at - BEAT_S)
                self._lag.observe(self._lag_s)
        finally:
            gc.callbacks.remove(self._collected)

    def loop(self) -> Loop:
        """Everything but what others know better."""
        return Loop(
            lag_s=self._lag_s,
            lag_max_s=self._lag.longest_s,
            gc_pauses=self.pauses,
            gc_pause_last_s=self._pause_last_s,
            gc_pause_max_s=self._pauses.longest_s,
            memory_bytes=memory_bytes(),
            cpu_share=self.rates().cpu,
        )

    def rates(self) -> Rates:
        if len(self._readings) < 2:  # noqa: PLR2004
            return Rates(handled=0.0, sent=0.0, cpu=0.0)
        began, *first = self._readings[0]
        ended, *last = self._readings[-1]
        handled, sent, cpu = (
            (after - before) / (ended - began) for before, after in zip(first, last, strict=True)
        )
        return Rates(handled=handled, sent=sent, cpu=cpu)

    def _read(self) -> None:
        handled, sent = self._counts()
        self._readings.append((self._clock(), handled, sent, time.process_time()))

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        del info
        if phase == "start":
            self._pauses_began = self._clock()
        elif self._pauses_began is not None:
            self._pause_last_s = self._clock() - self._pauses_began
            self._pauses.observe(self._pause_last_s)
            self.pauses += 1


def memory_bytes() -> int:
    """Resident memory of this process; where only its peak is known, that."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
