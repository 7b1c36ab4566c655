"""What becomes of an actor whose turn failed: it waits, is given up on, or stands still."""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from actors.errors import Transient
from actors.ports import LoadedTicket, TicketStore, Turn
from supervisor.actor import ActorStatus, TicketActor
from supervisor.directory import Directory
from supervisor.options import RuntimeOptions
from supervisor.reporter import Reporter
from supervisor.stats import Counters
from supervisor.turns import Decide, Failure, giving_up
from supervisor.waits import backoff


class Recovery:
    """Answers each family of failures; ``wake`` puts an idle actor into the run queue again.

    ``group`` is where actors wait, and ``None`` while nobody may.
    """

    def __init__(
        self,
        *,
        store: TicketStore,
        directory: Directory,
        counters: Counters,
        give_up: Decide,
        wake: Callable[[TicketActor], None],
        reporter: Reporter,
        jitter: Callable[[], float],
        options: RuntimeOptions,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._directory = directory
        self._counters = counters
        self._give_up = give_up
        self._wake = wake
        self._reporter = reporter
        self._jitter = jitter
        self._options = options
        self._clock = clock
        self.group: TaskGroup | None = None

    def failed(self, actor: TicketActor, loaded: LoadedTicket, failure: Failure) -> Turn:
        """Decides whether a message that failed is tried again (raises) or given up (a turn)."""
        attempts = actor.failed_at(failure.envelope.seq)
        if attempts < self._options.attempts_max and not failure.is_final:
            raise failure.error
        self._counters.dead_letters += 1
        self._reporter.error(
            "message_dead_lettered",
            ticket_id=actor.ticket_id,
            seq=failure.envelope.seq,
            key=failure.envelope.key,
            attempts=attempts,
            error=repr(failure.error),
        )
        return giving_up(loaded, failure, self._give_up, attempts)

    def crash(self, actor: TicketActor, error: Exception) -> None:
        """A bug: state is read anew, and a ticket that keeps failing waits longer and longer."""
        self._counters.crashes += 1
        now = self._clock()
        crashes = actor.crashed(now, self._options.crash_window_s)
        actor.chill()
        actor.last_error = repr(error)
        self._directory.trouble(actor)
        wait = 0.0
        if crashes >= self._options.crashes_max:
            options = self._options
            wait = backoff(
                options.backoff_base_s, options.backoff_max_s, actor.crash_backoffs, self._jitter
            )
            actor.crash_backoffs += 1
        self._reporter.error(
            "actor_crashed",
            ticket_id=actor.ticket_id,
            seq=actor.failing_seq,
            error=repr(error),
            crashes=crashes,
            restarts_left=max(0, self._options.crashes_max - crashes),
            wait_s=round(wait, 3),
            exc_info=error,
        )
        self._retry_in(actor, wait)

    def postpone(self, actor: TicketActor, error: Transient) -> None:
        """A service is away: wait and try again; nothing counts against the message."""
        self._counters.transients += 1
        options = self._options
        wait = backoff(
            options.transient_base_s, options.transient_max_s, actor.transients, self._jitter
        )
        actor.transients += 1
        actor.last_error = str(error)
        self._reporter.warning(
            "turn_postponed", ticket_id=actor.ticket_id, error=str(error), wait_s=round(wait, 3)
        )
        self._retry_in(actor, max(wait, error.retry_after_s))

    def lose(self, actor: TicketActor) -> None:
        """Another writer owns the ticket: stop silently; the poll finds it if it comes back."""
        self._counters.fenced += 1
        self._directory.remove(actor)

    async def quarantine(self, actor: TicketActor, why: str) -> None:
        """Stops the ticket, on every node and over restarts, until an operator releases it."""
        self.stop(actor, why, stored=False)
        self._reporter.error("ticket_quarantined", ticket_id=actor.ticket_id, why=why)
        try:
            await self._store.quarantine(actor.ticket_id, why)
        except Transient as error:  # it is stopped here; elsewhere it would stop itself again
            self._reporter.warning(
                "quarantine_not_stored", ticket_id=actor.ticket_id, error=str(error)
            )
        else:
            actor.was_stored = True

    def stop(self, actor: TicketActor, why: str, *, stored: bool) -> None:
        actor.last_error = why
        actor.was_stored = stored
        self._directory.trouble(actor)
        actor.chill()
        self._directory.move(actor, ActorStatus.QUARANTINED)

    def _retry_in(self, actor: TicketActor, wait_s: float) -> None:
        if wait_s <= 0 or self.group is None:
            self._directory.move(actor, ActorStatus.IDLE)
            self._wake(actor)
            return
        self._directory.move(actor, ActorStatus.BACKING_OFF)
        self.group.start_soon(self._wake_after, actor, wait_s, name="back-off")

    async def _wake_after(self, actor: TicketActor, wait_s: float) -> None:
        await anyio.sleep(wait_s)
        if not actor.is_gone:
            self._directory.move(actor, ActorStatus.IDLE)
            self._wake(actor)
