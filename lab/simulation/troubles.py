"""Lasting troubles: when they come, whom they meet, and that they end."""

import anyio

from actors.ids import TicketId
from lab.simulation.network import Weather
from lab.simulation.node import Fleet, Machine
from lab.simulation.nodes import MemoryNodeStore
from lab.simulation.plan import FaultKind, Plan
from lab.simulation.trace import Trace
from lab.simulation.world import Session, World

LASTING = (
    FaultKind.CRASH,
    FaultKind.DEPLOY,
    FaultKind.PAUSE,
    FaultKind.OUTAGE,
    FaultKind.PARTITION,
    FaultKind.REDIS,
    FaultKind.TELEGRAM,
    FaultKind.MOVES,
)

MOVE_S = 0.1
"""Between two moves of tickets by an operator."""

RESTART_S = 8.0
"""A node that ended starts again within this, sometimes after its lease."""

LEASE_S = 15.0

WATCH_S = 0.5
"""How soon a process that ended by itself is seen."""


class Troubles:
    """Draws one trouble after another until cancelled; :meth:`end` takes all of them away."""

    def __init__(
        self, plan: Plan, weather: Weather, trace: Trace, fleet: Fleet, world: World
    ) -> None:
        self._nodes = MemoryNodeStore(Session(world=world, by="operator"))
        self._world = world
        self._plan = plan
        self._weather = weather
        self._trace = trace
        self._fleet = fleet
        self._rng = plan.rng("troubles")
        self._due: dict[str, float] = {}

    async def come(self) -> None:
        """Troubles of the kinds that the plan names, several at once at times."""
        kinds = [kind for kind in LASTING if self._plan.has(kind)]
        async with anyio.create_task_group() as group:
            while kinds:
                await anyio.sleep(self._rng.expovariate(1 / self._plan.between_s))
                group.start_soon(self._trouble, self._rng.choice(kinds))
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
            await anyio.sleep(WATCH_S)

    def end(self) -> None:
        """Nothing is wrong any more, and every node runs."""
        self._trace.note("troubles", "end")
        self._weather.calm_down()
        for name in self._fleet.names:
            machine = self._fleet.machines[name]
            self._wake(machine)
            if machine.life.is_over:
                self._fleet.start(name)

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
            case FaultKind.PAUSE:
                if machine.life.awake is None:
                    machine.life.awake = anyio.Event()
                    await anyio.sleep(seconds)
                    self._wake(machine)
            case FaultKind.OUTAGE:
                self._weather.database_away = True
                await anyio.sleep(seconds)
                self._weather.database_away = False
            case FaultKind.PARTITION:
                self._weather.cut_off.add(machine.life.name)
                await anyio.sleep(seconds)
                self._weather.cut_off.discard(machine.life.name)
            case FaultKind.REDIS:
                self._weather.redis_away = True
                await anyio.sleep(seconds)
                self._weather.redis_away = False
            case FaultKind.TELEGRAM:
                self._weather.telegram_away = True
                await anyio.sleep(seconds)
                self._weather.telegram_away = False
            case FaultKind.MOVES:
                with anyio.move_on_after(seconds):
                    await self._move()
            case _:
                raise AssertionError(kind)

    async def _move(self) -> None:
        """Gives tickets with mail to some node that serves, until cancelled."""
        while True:
            await anyio.sleep(MOVE_S * self._rng.random())
            tickets = [row.id for row in self._world.tickets if self._has_mail(row.id)]
            serving = self._fleet.serving()
            if tickets and serving:
                owner = self._rng.choice(serving).owner
                await self._nodes.move(self._rng.choice(tickets), owner)

    def _has_mail(self, ticket_id: TicketId) -> bool:
        return bool(self._world.inbox.group("waits_for", ticket_id))

    def _wake(self, machine: Machine) -> None:
        awake, machine.life.awake = machine.life.awake, None
        if awake is not None:
            awake.set()
