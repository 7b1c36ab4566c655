"""Beside the work: tells the other nodes, writes minutes and crashes, hears of a wish to drain."""

import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import anyio
import structlog
from anyio.abc import TaskStatus
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.nodes import Role
from bootstrap.joined import quantiles
from bootstrap.picture import NodePicture
from bootstrap.status import LiveStatus
from storage.postgres import transaction, unit
from storage.stats_history import CRASHES_MAX, CrashSeen, Minute, StatsHistory
from supervisor.node import Node
from supervisor.reporter import Reporter

TICK_S: Final = 1.0

DRAIN_LOOK_TICKS: Final = 2
"""An operator's wish is found so many seconds later; one small question."""

MINUTE_S: Final = 60

MINUTES_MAX: Final = 120
"""Minutes that wait while Postgres is away; older ones are a gap in the charts."""

CRASHES_WAITING_MAX: Final = 500

_DRAIN = text("SELECT drain_asked_by FROM nodes WHERE owner = :owner")

log = structlog.get_logger(__name__)


class CrashReporter:
    """A reporter that keeps what crashed, until it is written; all is passed on."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.crashes: deque[CrashSeen] = deque(maxlen=CRASHES_WAITING_MAX)

    def info(self, event: str, /, **facts: Any) -> None:
        self._reporter.info(event, **facts)

    def warning(self, event: str, /, **facts: Any) -> None:
        self._reporter.warning(event, **facts)

    def error(self, event: str, /, **facts: Any) -> None:
        crash = facts.get("exc_info")
        if event == "actor_crashed" and isinstance(crash, BaseException):
            self.crashes.append(
                CrashSeen(
                    ts=datetime.now(UTC),
                    ticket_id=facts["ticket_id"],
                    seq=facts.get("seq"),
                    error=repr(crash),
                    trace="".join(traceback.format_exception(crash)),
                )
            )
        self._reporter.error(event, **facts)


class Historian:
    """Run :meth:`run` beside the work; ``drain`` is called once when an operator asks for it."""

    def __init__(
        self,
        *,
        status: LiveStatus,
        node: Node,
        engine: AsyncEngine,
        reporter: CrashReporter,
        drain: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._status = status
        self._node = node
        self._engine = engine
        self._history = StatsHistory(engine)
        self._reporter = reporter
        self._drain = drain
        self._drained = False
        self._now = now
        self._minutes: deque[Minute] = deque(maxlen=MINUTES_MAX)
        self._former: NodePicture | None = None
        self._minute = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Nothing here may hold up or end anything else."""
        self._former = self._status.own()
        self._minute = int(self._now()) // MINUTE_S
        async with anyio.create_task_group() as group:
            # Apart: a Postgres that hangs must not keep this node from telling the others.
            group.start_soon(self._each_second, self._tell, name="teller")
            group.start_soon(self._each_second, self._write, name="history")
            task_status.started()

    async def _each_second(self, work: Callable[[int], Awaitable[None]]) -> None:
        ticks = 0
        while True:
            began = anyio.current_time()
            ticks += 1
            try:
                await work(ticks)
            except Transient:
                pass  # it is tried again a second later
            except Exception:
                log.exception("history_failed")
            await anyio.sleep(max(TICK_S / 10, began + TICK_S - anyio.current_time()))

    async def _tell(self, ticks: int) -> None:
        del ticks
        await self._status.tell()

    async def _write(self, ticks: int) -> None:
        if int(self._now()) // MINUTE_S != self._minute:
            await self._end_minute()
        if self._reporter.crashes:
            await self._write_crashes()
        if ticks % DRAIN_LOOK_TICKS == 0 and not self._drained:
            await self._look_for_wish()

    async def _write_crashes(self) -> None:
        """Some of those that wait; they go on waiting while Postgres is away."""
        waiting = self._reporter.crashes
        crashes = [waiting.popleft() for _ in range(min(CRASHES_MAX, len(waiting)))]
        try:
            await self._history.crashed(self._node.identity.owner, crashes)
        except Transient:
            waiting.extendleft(reversed(crashes))
            raise

    async def _look_for_wish(self) -> None:
        async def work() -> Any:
            async with transaction(self._engine) as connection:
                values = {"owner": self._node.identity.owner}
                return (await connection.execute(_DRAIN, values)).one_or_none()

        row = await unit(work)
        if row is not None and row.drain_asked_by is not None:
            self._drained = True
            log.warning("drain_asked", by=row.drain_asked_by)
            self._drain(row.drain_asked_by)

    async def _end_minute(self) -> None:
        """Adds the minute that is over, and writes all that waits."""
        picture, former = self._status.own(), self._former
        minute, self._minute = self._minute, int(self._now()) // MINUTE_S
        self._former = picture
        data = _numbers(picture, former)
        if self._node.holds(Role.DESK):
            data |= await self._of_database()
        self._minutes.append(Minute(minute=minute * MINUTE_S, run=picture.run, data=data))
        while self._minutes:
            run = self._minutes[0].run
            same = [each for each in self._minutes if each.run == run]
            await self._history.write(same)
            self._minutes = deque((m for m in self._minutes if m.run != run), maxlen=MINUTES_MAX)
        if self._node.holds(Role.DESK):
            await self._history.forget()

    async def _of_database(self) -> dict[str, float | None]:
        """What is the same on all nodes, told by one."""
        stored = await self._status.stored()
        if stored is None:
            return {}
        tickets = stored.tickets.items()
        return {
            "open_tickets": sum(count for status, count in tickets if status != "CLOSED"),
            "mail_waiting": stored.mail,
            "outbox_waiting": stored.waiting + stored.sending,
            "outbox_oldest_s": stored.oldest_s,
            "dead_letters": stored.dead_letters,
        }


def _numbers(picture: NodePicture, former: NodePicture | None) -> dict[str, float | None]:
    """What this node did since the former picture, and how it is."""
    before = former if former is not None and former.run == picture.run else None
    traffic, was = picture.traffic, before.traffic if before else None
    updates = traffic.updates_stored
    bots = sum(bot.too_many for bot in picture.sending.bots)
    return {
        "handled": traffic.handled - (was.handled if was else 0),
        "sent": traffic.sent - (was.sent if was else 0),
        "updates": updates - (was.updates_stored if was else 0),
        "crashes": picture.restarts.crashes - (before.restarts.crashes if before else 0),
        "too_many": bots - (sum(b.too_many for b in before.sending.bots) if before else 0),
        "paused_s": picture.sending.paused_s - (before.sending.paused_s if before else 0.0),
        "actors": picture.ownership.owned,
        "memory_bytes": picture.loop.memory_bytes,
        "lag_max_s": picture.loop.lag_max_s,
        "queue_wait_p95_s": quantiles([picture], "queue_wait").p95_s,
        "turn_p95_s": quantiles([picture], "turn").p95_s,
        "commit_p99_s": quantiles([picture], "commit").p99_s,
    }
