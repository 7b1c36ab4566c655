"""One node's life: it beats, stops by itself in time, finds the dead, and gives away what it has.

Postgres is the judge. A beat that it took is the only licence to work; a node that could not renew
it pauses, then stops, before others may declare it dead. When it comes back and its run still
stands it goes on; otherwise it drops everything and begins a new run.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum

import anyio
from anyio.abc import TaskStatus

from actors.errors import Transient
from actors.ids import TicketId
from actors.nodes import Hints, Leases, NodeIdentity, NodeRecord, NodeStatus, NodeStore, Role
from supervisor import waits
from supervisor.node_parts import Sender, Worker
from supervisor.options import NodeOptions
from supervisor.reporter import Reporter


class NodeState(StrEnum):
    """What this node may do, as it knows it itself."""

    STARTING = "starting"
    SERVING = "serving"
    PAUSED = "paused"
    """Its last beat is too old: it starts nothing, and holds what it has."""
    DRAINING = "draining"
    ENDED = "ended"


class Node:
    """Run :meth:`run` in a task group for as long as the node lives; :meth:`drain` ends its work.

    ``new_run`` makes the identity of a run, each time another.
    """

    def __init__(
        self,
        *,
        new_run: Callable[[], NodeIdentity],
        store: NodeStore,
        leases: Leases,
        hints: Hints,
        worker: Worker,
        sender: Sender,
        reporter: Reporter,
        roles: Sequence[Role] = (),
        options: NodeOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._new_run = new_run
        self._store = store
        self._leases = leases
        self._hints = hints
        self._worker = worker
        self._sender = sender
        self._reporter = reporter
        self._wanted = roles
        self._options = options or NodeOptions()
        self._clock = clock
        self._identity = new_run()
        self._state = NodeState.STARTING
        self._beat_at = clock()
        self._well_since = clock()
        """Since when Postgres has taken every beat: before the others had time to beat as well,
        their silence says nothing about them."""
        self._lag_s = 0.0
        self._progress = (0, clock())
        self._roles: set[Role] = set()
        self._roles_changed = anyio.Event()
        self._vacancy = anyio.Event()
        """Set when a role may be free."""
        self._known_dead: frozenset[str] = frozenset()
        self._others: tuple[NodeRecord, ...] = ()
        self.declared_dead = 0
        """Runs of others that this node found dead, since its start."""

    # --- what others ask --------------------------------------------------------------------

    @property
    def identity(self) -> NodeIdentity:
        """The present run; changes when this node had to begin anew."""
        return self._identity

    @property
    def state(self) -> NodeState:
        return self._state

    @property
    def _is_ending(self) -> bool:
        """Whether this node gives away or has given away all it had; no run follows."""
        return self._state in {NodeState.DRAINING, NodeState.ENDED}

    @property
    def beat_age_s(self) -> float:
        """Seconds since the last beat that Postgres took."""
        return self._clock() - self._beat_at

    @property
    def lag_s(self) -> float:
        """How late the loop woke up last. Seconds."""
        return self._lag_s

    @property
    def peers(self) -> int:
        """Nodes that live as far as this one knows, itself included."""
        return 1 + len(self._others)

    def holds(self, role: Role) -> bool:
        return role in self._roles and self._state is NodeState.SERVING

    async def role_changed(self) -> None:
        """Waits until a role may have come or gone."""
        await self._roles_changed.wait()

    def told(self, tickets: Sequence[TicketId]) -> None:
        """Hears a hint of another run: tickets with mail, or none: a role is free."""
        if tickets:
            self._worker.look(tickets)
        else:
            self._vacancy.set()

    # --- its life ---------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Registers, then beats and watches until cancelled. Waits for Postgres to register."""
        await self._begin()
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat_on, name="beat")
            group.start_soon(self._guard, name="self-fencing")
            if self._wanted:
                group.start_soon(self._keep_roles, name="roles")
            group.start_soon(self._watch, name="watch over the others")
            task_status.started()

    async def _begin(self) -> None:
        """Registers the present run and serves, unless it is told to end meanwhile."""
        while not self._is_ending:
            began = self._clock()
            try:
                await self._store.register(self._identity)
            except Transient as error:
                self._reporter.warning("node_not_registered", error=str(error))
                await anyio.sleep(self._options.watch_interval_s)
            else:
                break
        if self._is_ending:
            with suppress(Transient):  # it came too late; nobody is to hand it tickets
                await self._store.retire(self._identity)
            return
        self._beat_at = self._well_since = began
        self._state = NodeState.SERVING
        self._reporter.info("node_registered", run=self._identity.owner)
        await self._leases.extend(self._identity, self._options.lease_s)
        self._vacancy.set()
        self._worker.look_for_orphans()
        self._worker.resume()

    async def _begin_anew(self) -> None:
        """Another run stands in its place, or it was declared dead: nothing here is its own."""
        self._reporter.error("node_lost_its_run", run=self._identity.owner)
        self._worker.pause()
        await self._worker.stop_turns()
        self._worker.forget_all()
        self._set_roles(set())
        if self._is_ending:
            return
        self._state = NodeState.STARTING
        self._identity = self._new_run()
        await self._begin()

    async def _beat_on(self) -> None:
        """Counted from where the last beat began: a slow one leaves little of its licence."""
        interval_s = self._options.beat_interval_s
        while self._state is not NodeState.ENDED:
            began = self._clock()
            if not self._is_wedged():
                await self._beat()
            await anyio.sleep(max(interval_s / 10, began + interval_s - self._clock()))

    async def _beat(self) -> None:
        """One beat; what its failure means is for :meth:`_guard` to say."""
        began = self._clock()
        draining = self._state is NodeState.DRAINING
        status = NodeStatus.DRAINING if draining else NodeStatus.UP
        try:
            with anyio.fail_after(self._options.beat_timeout_s):
                stands = await self._store.beat(self._identity, status)
        except (Transient, TimeoutError) as error:
            self._well_since = self._clock()
            self._reporter.warning("beat_failed", error=str(error) or type(error).__name__)
            return
        if self._state is NodeState.ENDED:
            return
        if not stands:
            if not self._is_ending:
                await self._begin_anew()
            return
        self._beat_at = began
        if self._state is NodeState.PAUSED and self.beat_age_s <= self._options.pause_after_s:
            self._state = NodeState.SERVING
            self._reporter.info("node_resumed", run=self._identity.owner)
            self._worker.resume()
            self._vacancy.set()
        await self._leases.extend(self._identity, self._options.lease_s)

    async def _guard(self) -> None:
        """Stops this node in time when its beats do not arrive; measures the loop's lag."""
        options = self._options
        stopped = False
        while True:
            slept_at = self._clock()
            await anyio.sleep(options.lag_interval_s)
            self._lag_s = max(0.0, self._clock() - slept_at - options.lag_interval_s)
            age = self.beat_age_s
            if self._state is NodeState.SERVING and age > options.pause_after_s:
                self._state = NodeState.PAUSED
                self._reporter.error("node_paused", beat_age_s=round(age, 1))
                self._worker.pause()
                self._set_roles(set())
            if self._state is NodeState.PAUSED and age > options.stop_after_s and not stopped:
                stopped = True
                self._reporter.error("turns_stopped", beat_age_s=round(age, 1))
                await self._worker.stop_turns()
            if age <= options.pause_after_s:
                stopped = False

    def _is_wedged(self) -> bool:
        """Whether this node only looks alive: its loop lags, or no turn under way ever ends."""
        now = self._clock()
        count, since = self._progress
        if self._worker.progress != count or not self._worker.busy:
            self._progress = (self._worker.progress, now)
        elif now - since > self._options.stuck_after_s:
            self._reporter.error("no_turn_ends", busy=len(self._worker.busy))
            return True
        if self._lag_s > self._options.lag_max_s:
            self._reporter.error("loop_lags", lag_s=round(self._lag_s, 3))
            return True
        return False

    # --- the others -------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Finds runs that ended: their leases in Redis say when to look, Postgres says so."""
        options = self._options
        read_at = -options.beat_interval_s
        while True:
            try:
                if self._clock() - read_at >= options.beat_interval_s:
                    await self._read_nodes()
                    read_at = self._clock()
                names = [other.name for other in self._others]
                expired = await self._leases.expired(names) if names else ()
                if expired is None or expired:
                    await self._judge()
                if expired:  # another may have declared it dead: its tickets are to be had
                    await self._read_nodes()
            except Transient as error:
                self._reporter.info("watch_waits", error=str(error))
            await anyio.sleep(options.watch_interval_s)

    async def _read_nodes(self) -> None:
        records = await self._store.nodes()
        dead = frozenset(r.owner for r in records if not r.is_alive)
        others = [r for r in records if r.is_alive and r.owner != self._identity.owner]
        self._others = tuple(others)
        if dead - self._known_dead:
            self._worker.look_for_orphans()
            self._vacancy.set()
        self._known_dead = dead
        if any(r.beat_age_s > self._options.lease_s for r in others):
            await self._judge()

    async def _judge(self) -> None:
        """Has Postgres declare dead whose beats are too old, if it has been up long enough."""
        options = self._options
        if self._state is not NodeState.SERVING:
            return
        if self._clock() - self._well_since < options.lease_s:
            return
        for name in await self._store.declare_dead(options.lease_s):
            self.declared_dead += 1
            self._reporter.warning("node_declared_dead", node_name=name)
            self._worker.look_for_orphans()
            self._vacancy.set()

    async def _keep_roles(self) -> None:
        """Beside the beats, which must not wait for it."""
        while True:
            self._vacancy = anyio.Event()
            if self._state is NodeState.SERVING:
                await self._take_roles()
            await waits.set_within(self._vacancy, self._options.beat_interval_s)

    async def _take_roles(self) -> None:
        run, held = self._identity, set[Role]()
        for role in self._wanted:
            try:
                if await self._store.take_role(run, role):
                    held.add(role)
            except Transient as error:
                self._reporter.info("role_not_taken", role=str(role), error=str(error))
                if role in self._roles:
                    held.add(role)
        if self._state is NodeState.SERVING and self._identity is run:
            self._set_roles(held)

    def _set_roles(self, held: set[Role]) -> None:
        if held != self._roles:
            for role in held - self._roles:
                self._reporter.info("role_taken", role=str(role))
            self._roles = held
            self._roles_changed_now()

    def _roles_changed_now(self) -> None:
        changed, self._roles_changed = self._roles_changed, anyio.Event()
        changed.set()

    # --- its end ----------------------------------------------------------------------------

    async def drain(self) -> None:
        """Finishes what is under way and gives every ticket to others; then this run is over.

        Tickets that are not busy go at once, the others when their turn and their calls have
        ended, at the latest after ``drain_s``. While Postgres is away nothing can be given: the
        run then ends by its lease.
        """
        options = self._options
        self._state = NodeState.DRAINING
        self._worker.pause()
        self._sender.drain()
        self._set_roles(set())
        try:
            with anyio.fail_after(options.drain_s):
                await self._store.beat(self._identity, NodeStatus.DRAINING)
                await self._store.leave_roles(self._identity)
                for other in self._others:
                    self._hints.tell(other.owner, ())
                await anyio.sleep(options.settle_s if self._busy() else 0)
                await self._give_away()
                await self._worker.turns_ended()
                while self._busy():
                    await anyio.sleep(options.settle_s / 10)
                    await self._give_away()
        except (Transient, TimeoutError) as error:
            self._reporter.warning("drain_cut_short", error=str(error) or type(error).__name__)
        with anyio.move_on_after(options.end_s):  # what Postgres holds back ends with the process
            await self._worker.stop_turns()
            await self._sender.stop()
        await self._end()

    async def _end(self) -> None:
        try:
            with anyio.fail_after(self._options.end_s):
                await self._give_away(everything=True)
                await self._store.retire(self._identity)
        except (Transient, TimeoutError) as error:
            self._reporter.warning("node_not_retired", error=str(error) or type(error).__name__)
        await self._leases.drop(self._identity)
        self._state = NodeState.ENDED
        self._reporter.info("node_ended", run=self._identity.owner)

    def _busy(self) -> set[TicketId]:
        return {*self._worker.busy, *self._sender.busy}

    async def _give_away(self, *, everything: bool = False) -> None:
        """Hands over what is not busy (or all of it) and tells the new owners."""
        while True:
            busy = frozenset[TicketId]() if everything else frozenset(self._busy())
            given = await self._store.hand_over(self._identity, busy, self._options.hand_over_max)
            if not given:
                return
            for owner, tickets in given.items():
                self._worker.forget(tickets)
                if owner:
                    self._hints.tell(owner, tickets)
