"""What an operator can see: one frozen picture of the node, shared by everybody who looks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import anyio
import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether something we depend on answers; ``detail`` is short and holds no secret."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """The node at one moment. Counts are since its start, but tickets and dead letters: of all.

    Times are aware, durations in seconds. ``health`` has ``postgres``, ``redis`` and ``telegram``.
    """

    node: str
    version: str
    started_at: datetime
    now: datetime
    mode: str
    """``webhook`` or ``polling``: how updates come in."""
    ready: bool
    reasons: tuple[str, ...]
    """Why the node is not ready; empty when it is."""
    health: dict[str, Health]
    actors: dict[str, int]
    tickets: dict[str, int]
    messages_handled: int
    messages_per_s: float
    last_message_at: datetime | None
    turns: int
    commits: int
    fenced: int
    crashes: int
    transients: int
    dead_letters: int
    mailbox_depth_max: int
    window_messages: int
    updates_stored: int
    updates_duplicate: int
    updates_ignored: int
    updates_refused: int
    outbox_waiting: int
    outbox_sending: int
    outbox_oldest_s: float
    in_flight: int
    sent: int
    retries: int
    possible_doubles: int
    undeliverable: int
    pauses_429: int
    paused_s: float


class StatusSource(Protocol):
    """Where the picture comes from; the wiring makes it."""

    async def snapshot(self) -> StatusSnapshot:
        """The node as it is now. May fail: the page then says so and asks again."""


class Level(StrEnum):
    WELL = "well"
    DEGRADED = "degraded"
    """It works, but somebody should look."""
    DOWN = "down"
    """Nothing is handled now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A code that the page has words for, and what belongs to it."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The banner: the level, and every cause, the gravest first."""

    level: Level
    causes: tuple[Cause, ...]


OUTBOX_LATE_S = 60.0
"""Telegram's pauses are shorter as a rule; what waits longer deserves a look."""


def assess(snapshot: StatusSnapshot) -> Verdict:
    """How the node is, from the numbers alone."""
    health = snapshot.health
    grave: list[Cause] = []
    if "postgres" in health and not health["postgres"].ok:
        grave.append(Cause(code="postgres", detail=health["postgres"].detail))
    elif not snapshot.ready:
        reasons = snapshot.reasons or ("",)
        grave.extend(Cause(code="not_ready", detail=reason) for reason in reasons)
    light = [
        Cause(code=name, detail=state.detail)
        for name, state in sorted(health.items())
        if not state.ok and name != "postgres"
    ]
    if quarantined := snapshot.actors.get("quarantined", 0):
        light.append(Cause(code="quarantined", detail=str(quarantined)))
    if snapshot.outbox_oldest_s > OUTBOX_LATE_S:
        light.append(Cause(code="outbox_late", detail=str(round(snapshot.outbox_oldest_s))))
    level = Level.DOWN if grave else Level.DEGRADED if light else Level.WELL
    return Verdict(level=level, causes=(*grave, *light))


class SnapshotFailed(Exception):
    """The picture could not be taken just now."""


SNAPSHOT_TIMEOUT_S = 5.0
"""A node that cannot tell within this is in trouble, and the page says so."""


class SharedSnapshots:
    """Takes a picture when somebody looks and the last one is old; never two at once."""

    def __init__(
        self,
        source: StatusSource,
        interval_s: float = 1.0,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.interval_s = interval_s
        self._source = source
        self._clock = clock
        self._lock = anyio.Lock()
        self._picture: StatusSnapshot | None = None
        self._taken_at: float | None = None

    async def get(self) -> StatusSnapshot:
        """The picture, at most ``interval_s`` old. A cancelled viewer leaves the others theirs.

        Raises:
            SnapshotFailed: The source failed within the last ``interval_s``; the log says how.
        """
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh():
                    await self._take()
        if self._picture is None:
            raise SnapshotFailed
        return self._picture

    def _is_fresh(self) -> bool:
        return self._taken_at is not None and self._clock() - self._taken_at < self.interval_s

    async def _take(self) -> None:
        was_known = self._picture is not None or self._taken_at is None
        try:
            with anyio.fail_after(SNAPSHOT_TIMEOUT_S):
                self._picture = await self._source.snapshot()
        except Exception as error:
            self._picture = None
            if was_known:  # once, not every second
                log.exception("status_unknown", error=type(error).__name__)
        self._taken_at = self._clock()
