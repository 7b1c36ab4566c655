"""The runtime of one node: actors with mail take turns on a fixed set of workers."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import anyio
from anyio.abc import TaskStatus

from actors.errors import CorruptSnapshot, Fenced, Quarantined, Transient
from actors.ids import TicketId
from actors.messages import Envelope
from actors.ports import (
    CommitOutcome,
    CommitStatus,
    DeliveryHints,
    LoadedTicket,
    Mailroom,
    TicketStore,
    Turn,
)
from supervisor.actor import ActorStatus, TicketActor
from supervisor.circuit import Circuit
from supervisor.committer import GroupCommitter
from supervisor.directory import Directory
from supervisor.gate import Gate
from supervisor.lookout import Lookout
from supervisor.observer import Observer, Unobserved
from supervisor.options import RuntimeOptions
from supervisor.recovery import Recovery
from supervisor.reporter import Reporter
from supervisor.stats import Counters, RuntimeStats
from supervisor.troubled import Troubled, troubled
from supervisor.turns import Decide, Failure, fold


class Runtime:
    """Runs the actors of this node. One message of a ticket is handled at a time, in inbox order.

    ``decide`` and ``give_up`` are the workflow; ``store`` is where tickets live; ``hints`` hears of
    lanes with new effects, ``mailroom`` of messages for other tickets (without one it is itself).
    Call :meth:`run` in a task group; :meth:`offer` may be called from the same loop at any time,
    also before and after.
    """

    def __init__(
        self,
        *,
        store: TicketStore,
        hints: DeliveryHints,
        decide: Decide,
        give_up: Decide,
        reporter: Reporter,
        jitter: Callable[[], float],
        mailroom: Mailroom | None = None,
        observer: Observer | None = None,
        options: RuntimeOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._options = options or RuntimeOptions()
        self._store = store
        self._hints = hints
        self._decide = decide
        self._mailroom = mailroom or self
        self._reporter = reporter
        self._clock = clock
        self._directory = Directory(self._options)
        self._observer = observer or Unobserved()
        self._committer = GroupCommitter(store, self._options, jitter, self._observer)
        self._counters = Counters()
        # Unbounded, but an actor is in it at most once: the directory is the bound.
        self._ready, self._take = anyio.create_memory_object_stream[TicketActor](math.inf)
        self._draining = False
        self._chill_at = clock()
        self._gate = Gate()
        self._recovery = Recovery(
            store=store,
            directory=self._directory,
            counters=self._counters,
            give_up=give_up,
            wake=self._wake,
            reporter=reporter,
            jitter=jitter,
            options=self._options,
            clock=clock,
        )
        self._circuit = Circuit(
            window_s=self._options.circuit_window_s,
            share_max=self._options.circuit_share_max,
            turns_min=self._options.circuit_turns_min,
        )
        self._lookout = Lookout(
            store=store,
            options=self._options,
            reporter=reporter,
            jitter=jitter,
            may_look=lambda: self._gate.is_open and not self._draining,
            may_claim=lambda: not self._circuit.is_open(self._clock()),
        )

    # --- from outside -----------------------------------------------------------------------

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Takes messages that are already durable. Never fails, never waits."""
        for envelope in envelopes:
            actor = self._directory.find_or_add(envelope.ticket_id)
            actor.mailbox.offer(envelope)
            self._wake(actor)

    def look(self, tickets: Sequence[TicketId]) -> None:
        """Hears that these tickets have mail, or are this run's now; what they are is read."""
        came = any(ticket_id not in self._directory for ticket_id in tickets)
        for ticket_id in tickets:
            actor = self._directory.find_or_add(ticket_id)
            actor.mailbox.miss()
            self._wake(actor)
        if came:
            self._hints.look()  # what they have to send came with them

    def look_for_orphans(self) -> None:
        """Hears that there may be tickets without an owner."""
        self._lookout.look_for_orphans()

    # --- whether it may ---------------------------------------------------------------------

    @property
    def is_paused(self) -> bool:
        return not self._gate.is_open

    @property
    def progress(self) -> int:
        """Counts whatever became of turns; stands still when nothing does."""
        counters = self._counters
        return counters.turns + counters.transients + counters.crashes + counters.fenced

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets whose turn is under way."""
        return self._gate.busy

    def pause(self) -> None:
        """Starts no further turn until :meth:`resume`; those under way go on."""
        self._gate.close()

    def resume(self) -> None:
        self._gate.open()

    async def turns_ended(self) -> None:
        """Waits until no turn is under way. Sensible while paused."""
        await self._gate.empty()

    async def stop_turns(self) -> None:
        """Cancels the turns under way and waits for their end.

        What they had given to the store may stand or not: their tickets are claimed anew before
        anything else is decided, which fences whatever is still on its way.
        """
        await self._gate.stop()

    def forget(self, tickets: Sequence[TicketId]) -> None:
        """Lets go of tickets that are another run's now; one whose turn is under way is fenced."""
        self._directory.forget_asleep(tickets)
        for ticket_id in tickets:
            actor = self._directory.find(ticket_id)
            if actor is not None and actor not in self._gate:
                self._directory.remove(actor)

    def forget_all(self) -> None:
        """Lets go of everything: this run owns nothing any more."""
        self._directory.forget_asleep()
        self.forget([actor.ticket_id for actor in self._directory])

    def stats(self) -> RuntimeStats:
        counters = self._counters
        return RuntimeStats(
            actors=dict(self._directory.counts),
            messages_handled=counters.messages_handled,
            turns=counters.turns,
            commits=self._committer.commits,
            commits_unknown=self._committer.unknown,
            fenced=counters.fenced,
            transients=counters.transients,
            crashes=counters.crashes,
            dead_letters=counters.dead_letters,
            timers_fired=counters.timers_fired,
            found_by_poll=counters.found_by_poll,
            window_messages=self._directory.window.messages,
            mailbox_depth_max=self._directory.window.depth_max,
            last_handled_at=counters.last_handled_at,
            owned=len(self._directory),
            is_circuit_open=self._circuit.is_open(self._clock()),
        )

    def troubled(self) -> Sequence[Troubled]:
        """Actors that failed lately or stand still, the worst first, at most ``TROUBLED_MAX``."""
        return troubled(self._directory, self._clock() - self._options.crash_window_s)

    @property
    def options(self) -> RuntimeOptions:
        return self._options

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Revives this node's tickets and serves until cancelled or drained.

        A cancel stops at once: turns that are being committed may or may not stand, all else is
        as if it had not begun; either way the next start goes on from the last commit.
        """
        async with self._ready, self._take, anyio.create_task_group() as services:
            for _ in range(self._options.committers):
                services.start_soon(self._committer.run, name="committer")
            async with anyio.create_task_group() as waiting:
                self._recovery.group = waiting
                waiting.start_soon(self._lookout.poll, self._found, name="inbox poll")
                waiting.start_soon(self._lookout.fire_timers, self._fired, name="timers")
                waiting.start_soon(self._lookout.revive, self._revived, name="revival")
                async with anyio.create_task_group() as workers:
                    for number in range(self._options.workers):
                        workers.start_soon(self._work, name=f"worker {number}")
                    task_status.started()
                waiting.cancel_scope.cancel()
            services.cancel_scope.cancel()

    def drain(self) -> None:
        """Starts no further turn; :meth:`run` returns when those under way have ended."""
        self._draining = True
        self._recovery.group = None  # nobody waits for a turn that will not come
        self._ready.close()

    def close(self) -> None:
        """Lets go of the run queue; for a runtime whose :meth:`run` never began."""
        self._ready.close()
        self._take.close()

    # --- the run queue ----------------------------------------------------------------------

    def _wake(self, actor: TicketActor) -> None:
        if actor.status is ActorStatus.IDLE and not self._draining and not actor.is_gone:
            self._directory.move(actor, ActorStatus.QUEUED)
            self._ready.send_nowait(actor)

    async def _work(self) -> None:
        """Gives one turn after another to whoever is next, until there will be no more."""
        async with self._take.clone() as take:
            async for actor in take:
                while self.is_paused and not self._draining:
                    await self._gate.opened()
                if actor.is_gone:
                    continue
                if self._draining:
                    self._directory.move(actor, ActorStatus.IDLE)
                else:
                    await self._run(actor)

    async def _run(self, actor: TicketActor) -> None:
        """One turn, whatever comes of it. Only a cancel from outside leaves this method."""
        self._directory.move(actor, ActorStatus.RUNNING)
        actor.last_used = self._clock()
        if not await self._gate.through(
            actor, self._attempt
        ):  # the claim that comes next fences what was under way
            actor.chill()
            self._directory.move(actor, ActorStatus.IDLE)
            self._wake(actor)

    async def _attempt(self, actor: TicketActor) -> None:
        failed = False
        try:
            with anyio.fail_after(self._options.turn_timeout_s):
                await self._turn(actor)
        except Transient as error:
            self._recovery.postpone(actor, error)
        except TimeoutError:
            # The committer may still hold the turn; the next claim raises the epoch and fences it.
            actor.chill()
            self._recovery.postpone(actor, Transient("the turn took too long"))
        except Fenced:
            self._recovery.lose(actor)
        except Quarantined as stopped:
            self._recovery.stop(actor, str(stopped), stored=True)
        except CorruptSnapshot as error:
            await self._recovery.quarantine(actor, str(error))
        except Exception as error:  # noqa: BLE001 — rule 6: a bad ticket harms itself only
            failed = True
            self._recovery.crash(actor, error)
        else:
            self._rest(actor)
        self._circuit.count(self._clock(), failed=failed)

    async def _turn(self, actor: TicketActor) -> None:
        """Loads what is missing, decides, commits. Raises what went wrong, by family."""
        loaded = await self._load(actor)
        envelopes = await self._mail(actor, loaded)
        if not envelopes:
            return
        with self._observer.turn(envelopes) as mail:
            outcome = fold(loaded, mail, self._decide, self._options, self._clock)
            turn = (
                self._recovery.failed(actor, loaded, outcome)
                if isinstance(outcome, Failure)
                else outcome
            )
            await self._commit(actor, turn)
        if turn.dead:
            dead = actor.gave_up(self._clock(), self._options.dead_letter_window_s)
            if dead >= self._options.dead_letters_max:
                await self._recovery.quarantine(actor, f"{dead} dead letters in a short time")

    async def _load(self, actor: TicketActor) -> LoadedTicket:
        if actor.loaded is None:
            loaded = await self._store.claim(actor.ticket_id)
            if loaded is None:
                raise Fenced
            self._observer.claimed(1)
            actor.loaded = loaded
            actor.mailbox.start_after(loaded.handled_seq)
        return actor.loaded

    async def _mail(self, actor: TicketActor, loaded: LoadedTicket) -> Sequence[Envelope]:
        """The next messages, read from the inbox when the window is empty but not all."""
        mailbox = actor.mailbox
        if not mailbox and mailbox.behind:
            limit = self._options.mailbox_messages_max
            missed = mailbox.missed
            found = await self._store.mail(actor.ticket_id, loaded.handled_seq, limit)
            mailbox.fill(found, complete=len(found) < limit, missed=missed)
        return mailbox.peek(self._options.turn_messages_max)

    async def _commit(self, actor: TicketActor, turn: Turn) -> None:
        """Makes the turn durable and lets its effects out: the output gate."""
        outcome = await self._committer.commit(turn)
        if outcome.status is CommitStatus.FENCED:
            raise Fenced
        assert actor.loaded is not None
        actor.loaded = replace(
            actor.loaded,
            state=turn.state,
            version=turn.version + 1,
            handled_seq=turn.handled_seq,
        )
        actor.mailbox.start_after(turn.handled_seq)
        actor.recovered()
        self._note(actor, turn, outcome)

    def _note(self, actor: TicketActor, turn: Turn, outcome: CommitOutcome) -> None:
        counters = self._counters
        counters.turns += 1
        counters.messages_handled += len(turn.steps)
        counters.last_handled_at = self._clock()
        self._observer.handled(turn)
        for envelope, decision in turn.steps:
            self._reporter.info(
                "message_handled",
                ticket_id=actor.ticket_id,
                seq=envelope.seq,
                key=envelope.key,
                message=type(envelope.message).__name__,
                effects=len(decision.effects),
                status=str(decision.state.status),
            )
        if outcome.lanes:
            self._hints.wake(outcome.lanes)
        if outcome.rerouted:
            self._mailroom.offer(outcome.rerouted)

    def _rest(self, actor: TicketActor) -> None:
        """After a good turn: to the back of the queue, to sleep, or out of the directory."""
        if actor.status is ActorStatus.QUARANTINED:
            return
        self._directory.move(actor, ActorStatus.IDLE)
        if actor.mailbox.has_mail:
            self._wake(actor)
        elif actor.loaded is not None and not actor.loaded.state.status.is_open:
            self._directory.remove(actor)

    # --- what nobody told us ----------------------------------------------------------------

    def _revived(self, tickets: Sequence[TicketId]) -> None:
        """Tickets that are this run's now: their state is read when they have mail."""
        self._observer.claimed(len(tickets))
        self._directory.add_asleep(tickets)
        self._hints.look()

    def _found(self, tickets: Sequence[TicketId]) -> None:
        """Tickets with mail. One in quarantine is among them once it was released."""
        for ticket_id in tickets:
            actor = self._directory.find_or_add(ticket_id)
            if actor.status is ActorStatus.QUARANTINED and actor.was_stored:
                self._directory.move(actor, ActorStatus.IDLE)
            if actor.status is ActorStatus.IDLE:
                self._counters.found_by_poll += 1
                actor.mailbox.behind = True
                self._wake(actor)
        if self._clock() >= self._chill_at:
            self._chill_at = self._clock() + self._options.chill_interval_s
            self._directory.chill_idle(self._clock() - self._options.idle_timeout_s)

    def _fired(self, envelopes: Sequence[Envelope]) -> None:
        self._counters.timers_fired += len(envelopes)
        self.offer(envelopes)
