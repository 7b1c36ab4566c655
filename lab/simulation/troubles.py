"""Lasting troubles: when they come, whom they meet, and that they end."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import anyio

from actors.ids import TicketId
from lab.simulation.network import Weather
from lab.simulation.node import Fleet, Machine
from lab.simulation.nodes import MemoryNodeStore
from lab.simulation.operators import MemoryOperations
from lab.simulation.plan import AFTERMATH_S, FaultKind, Plan
from lab.simulation.trace import Trace
from lab.simulation.world import Session, World

LASTING = (
    FaultKind.CRASH,
    FaultKind.DEPLOY,
    FaultKind.ROLLING,
    FaultKind.PAUSE,
    FaultKind.SLUGGISH,
    FaultKind.WEDGE,
    FaultKind.OUTAGE,
    FaultKind.PARTITION,
    FaultKind.ONE_WAY,
    FaultKind.REDIS,
    FaultKind.FLUSH,
    FaultKind.TELEGRAM,
    FaultKind.MOVES,
    FaultKind.OPERATORS,
)

MOVE_S = 0.1
"""Between two moves of tickets by an operator."""

CHANGE_S = 2.0
"""Between two other changes by an operator."""

RESTART_S = 8.0
"""A node that ended starts again within this, sometimes after its lease."""

LEASE_S = 15.0

WEDGED_S = 150.0
"""Longer than turns may take and a node may stand still: the others have to notice."""

WATCH_S = 0.5
"""How soon a process that ended by itself is seen."""

QUIET_WATCH_S = 5.0

LATE_S = 0.05
"""Each step of a sluggish process comes up to so late."""


class Troubles:
    """Draws one trouble after another until cancelled; :meth:`end` takes all of them away."""

    def __init__(
        self, plan: Plan, weather: Weather, trace: Trace, fleet: Fleet, world: World
    ) -> None:
        operator = Session(world=world, by="operator")
        self._nodes = MemoryNodeStore(operator)
        self._operations = MemoryOperations(operator)
        self._world = world
        self._plan = plan
        self._weather = weather
        self._trace = trace
        self._fleet = fleet
        self._rng = plan.rng("troubles")
        self._due: dict[str, float] = {}
        self._under_way = 0
        self._ended_at = -inf

    def are_over_for(self, seconds: float) -> bool:
        """Whether none is under way, nor was within the last ``seconds``."""
        return not self._under_way and anyio.current_time() >= self._ended_at + seconds

    async def come(self) -> None:
        """Troubles of the kinds that the plan names, several at once at times."""
        kinds = [kind for kind in LASTING if self._plan.has(kind)]
        async with anyio.create_task_group() as group:
            while kinds:
                await anyio.sleep(self._rng.expovariate(1 / self._plan.between_s))
                now = anyio.current_time()
                begins = self._plan.quiet_until(now, AFTERMATH_S)
                if begins == inf:
                    break
                if begins > now:
                    await anyio.sleep(begins - now)
                else:
                    group.start_soon(self._count, self._rng.choice(kinds))
            await anyio.sleep_forever()

    async def restart(self) -> None:
        """Starts nodes again whose process has ended, some time later."""
        while True:
            for name in self._fleet.names:
                if not self._fleet.machines[name].life.is_over:
                    continue
                wait = self._rng.choice((0.5, RESTART_S, LEASE_S + RESTART_S))
                due = self._due.setdefault(name, anyio.current_time() + wait * self._rng.random())
                if anyio.current_time() >= due:
                    del self._due[name]
                    self._fleet.start(name)
            await anyio.sleep(QUIET_WATCH_S if self._weather.quiet else WATCH_S)

    async def end(self) -> None:
        """Nothing is wrong any more, every node runs, and no operator holds a ticket back."""
        self._trace.note("troubles", "end")
        self._weather.calm_down()
        for name in self._fleet.names:
            machine = self._fleet.machines[name]
            machine.thaw()
            machine.life.free()
            if machine.life.is_over:
                self._fleet.start(name)
        for row in list(self._world.tickets):
            if row.quarantined is not None:
                await self._operations.release(row.id)

    async def _count(self, kind: FaultKind) -> None:
        self._under_way += 1
        await self._trouble(kind)
        self._under_way -= 1
        self._ended_at = anyio.current_time()

    async def _trouble(self, kind: FaultKind) -> None:
        machine = self._fleet.machines[self._rng.choice(self._fleet.names)]
        seconds = self._rng.choice((0.5, 4.0, 12.0, 25.0)) * self._rng.random()
        self._trace.note(machine.life.name, f"{kind} for {seconds:.1f} s")
        match kind:
            case FaultKind.CRASH:
                machine.life.kill()
            case FaultKind.DEPLOY:
                if machine.serves:
                    await machine.drain()
            case FaultKind.ROLLING:
                await self._roll()
            case FaultKind.FLUSH:
                self._fleet.flush_redis()
            case FaultKind.PAUSE | FaultKind.SLUGGISH | FaultKind.WEDGE:
                await self._hold(kind, machine, seconds)
            case FaultKind.MOVES:
                with anyio.move_on_after(seconds):
                    await self._move()
            case FaultKind.OPERATORS:
                with anyio.move_on_after(seconds):
                    await self._change()
            case _:
                with self._bad(kind, machine.life.name):
                    await anyio.sleep(seconds)

    # --- troubles of a process --------------------------------------------------------------

    async def _hold(self, kind: FaultKind, machine: Machine, seconds: float) -> None:
        """One process stops or drags, or what it commits is not answered."""
        if machine.is_held or machine.life.is_over:
            return
        if kind is FaultKind.WEDGE:
            machine.life.get_stuck()
            await anyio.sleep(seconds if self._rng.random() < 0.5 else WEDGED_S)  # noqa: PLR2004
            machine.life.free()
            return
        if kind is FaultKind.PAUSE:
            machine.freeze()
        else:
            machine.slow_down(lambda: LATE_S * self._rng.random())
        await anyio.sleep(seconds)
        machine.thaw()

    async def _roll(self) -> None:
        """Every node is drained and started anew, one after another."""
        for name in self._fleet.names:
            machine = self._fleet.machines[name]
            if machine.serves:
                await machine.drain()
            while not self._fleet.machines[name].serves:  # noqa: ASYNC110 - it is looked at
                await anyio.sleep(WATCH_S)

    # --- troubles of what all share ---------------------------------------------------------

    @contextmanager
    def _bad(self, kind: FaultKind, name: str) -> Iterator[None]:
        weather = self._weather
        match kind:
            case FaultKind.OUTAGE:
                weather.database_away = True
                yield
                weather.database_away = False
            case FaultKind.REDIS:
                weather.redis_away = True
                yield
                weather.redis_away = False
            case FaultKind.TELEGRAM:
                weather.telegram_away = True
                yield
                weather.telegram_away = False
            case FaultKind.PARTITION:
                weather.cut_off.add(name)
                yield
                weather.cut_off.discard(name)
            case FaultKind.ONE_WAY:
                weather.deaf.add(name)
                yield
                weather.deaf.discard(name)
            case _:
                raise AssertionError(kind)

    # --- operators --------------------------------------------------------------------------

    async def _move(self) -> None:
        """Gives tickets with mail to some node that serves, until cancelled."""
        while True:
            await anyio.sleep(MOVE_S * self._rng.random())
            tickets = [row.id for row in self._world.tickets if self._has_mail(row.id)]
            serving = self._fleet.serving()
            if tickets and serving:
                owner = self._rng.choice(serving).owner
                await self._nodes.move(self._rng.choice(tickets), owner)

    async def _change(self) -> None:
        """Stops and releases tickets and has dead letters tried again, until cancelled."""
        while True:
            await anyio.sleep(CHANGE_S * self._rng.random())
            tickets = list(self._world.tickets)
            dead = list(self._world.dead_letters)
            if dead and self._rng.random() < 0.3:  # noqa: PLR2004
                await self._operations.retry(self._rng.choice(dead).id)
            elif tickets:
                row = self._rng.choice(tickets[-8:])
                if row.quarantined is None:
                    await self._operations.quarantine(row.id)
                else:
                    await self._operations.release(row.id)

    def _has_mail(self, ticket_id: TicketId) -> bool:
        return bool(self._world.inbox.group("waits_for", ticket_id))
