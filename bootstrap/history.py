"""Columns for the charts: minutes of all runs put together. Pure but for one reading."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from storage.stats_history import Minute, StatsHistory
from web.shapes import History

SPANS: Final[Mapping[str, tuple[int, int]]] = {"hour": (60, 60), "day": (600, 144)}
"""Seconds of a step, and how many steps."""

KEPT_S: Final = 15.0
"""Minutes change once a minute: viewers share what was read."""

MINUTE_S: Final = 60

RATES: Final = ("handled", "sent", "updates")
"""Counts of a minute that are shown per second."""

SUMS: Final = ("too_many", "paused_s", "crashes")
"""Counts of a minute that are shown for each step."""

OF_ALL: Final = ("actors", "memory_bytes")
"""As of one moment, added up over the nodes."""

WORST: Final = (
    *("queue_wait_p95_s", "turn_p95_s", "commit_p99_s", "lag_max_s"),
    *("mail_waiting", "outbox_waiting", "outbox_oldest_s", "dead_letters", "open_tickets"),
)
"""The largest of the nodes and of the step; those of the database are told by one node."""

NAMES: Final = (*RATES, *SUMS, *OF_ALL, *WORST, "nodes")


class Columns:
    """Reads and keeps them for a while. ``clock`` in seconds, ``now`` since 1970."""

    def __init__(
        self,
        history: StatsHistory,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._clock = clock
        self._now = now
        self._kept: dict[str, tuple[float, History]] = {}

    async def of(self, span: str) -> History:
        """The last hour or day. Raises ``Transient`` while Postgres is away."""
        kept = self._kept.get(span)
        if kept is not None and self._clock() - kept[0] < KEPT_S:
            return kept[1]
        step_s, count = SPANS[span]
        end = int(self._now()) // step_s * step_s + step_s
        minutes = await self._history.since(end - step_s * count)
        found = columns(minutes, span, end)
        self._kept[span] = self._clock(), found
        return found


def columns(minutes: Sequence[Minute], span: str, end: int) -> History:
    """The steps before ``end``, which is the end of one."""
    step_s, count = SPANS[span]
    begin = end - step_s * count
    steps: list[list[Minute]] = [[] for _ in range(count)]
    for minute in minutes:
        place = (minute.minute - begin) // step_s
        if 0 <= place < count:
            steps[place].append(minute)
    return History(
        span=span,
        step_s=step_s,
        at=tuple(begin + step_s * i for i in range(count)),
        columns={name: tuple(_value(name, step) for step in steps) for name in NAMES},
    )


def _value(name: str, step: Sequence[Minute]) -> float | None:
    if not step:
        return None
    if name == "nodes":
        return max(len(part) for part in _by_minute(step))
    values = [minute.data.get(name) for minute in step]
    known = [value for value in values if value is not None]
    if not known:
        return None
    if name in RATES:
        return sum(known) / (len(_by_minute(step)) * MINUTE_S)
    if name in SUMS:
        return sum(known)
    if name in OF_ALL:
        return max(sum(m.data.get(name) or 0.0 for m in part) for part in _by_minute(step))
    return max(known)


def _by_minute(step: Iterable[Minute]) -> list[list[Minute]]:
    found: dict[int, list[Minute]] = {}
    for minute in step:
        found.setdefault(minute.minute, []).append(minute)
    return list(found.values())
