"""The ways between nodes and what they depend on, with everything that can happen on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from actors.errors import Transient
from actors.ids import TicketId
from lab.simulation.plan import FaultKind, Plan
from lab.simulation.trace import Trace
from storage.postgres import UNIT_TIMEOUT_S

LATENCY_S = 0.002
"""One way to the database and back takes about this long each."""

SLOW_S = 2.0
"""A late answer takes up to this long."""

LATENCIES_S = tuple(n * LATENCY_S / 4 for n in range(4))
"""What is drawn from: few values, so that what happens at one moment is one turn of the loop."""

NO_ANSWER_S = 5.0
"""Who hears nothing from the database gives up after this long, at the latest."""

LATE_HINT_S = 3.0
"""A late hint takes up to this long."""


class Weather:
    """What is wrong for all nodes at present; all is well when nothing is set."""

    def __init__(self) -> None:
        self.calm = False
        """Nothing goes wrong any more."""
        self.quiet = False
        """Nobody does anything at present: requests take no time, and none of them fails.

        Nor does anybody watch them, so that most need not even be told to the link.
        """
        self.database_away = False
        self.redis_away = False
        self.telegram_away = False
        self.cut_off: set[str] = set()
        """Nodes that do not reach the database, by name."""
        self.deaf: set[str] = set()
        """Nodes that the answers of the database do not reach."""

    @property
    def is_fine(self) -> bool:
        """Whether requests to the database take no time, arrive and are answered."""
        return self.quiet and not (self.database_away or self.cut_off or self.deaf)

    def calm_down(self) -> None:
        self.calm = True
        self.database_away = self.redis_away = self.telegram_away = False
        self.cut_off.clear()
        self.deaf.clear()


@dataclass(slots=True, kw_only=True)
class Life:
    """One run of one node, as those see it that can end or stop it."""

    name: str
    run: str
    end: Callable[[], object]
    """Ends it at once, as ``kill -9`` does."""
    is_over: bool = False
    watch: Callable[["Life", str], object] = lambda _life, _what: None
    """Hears of each request and call, before and after it; may kill."""
    awake: anyio.Event | None = None
    """Set when the pause ends; ``None`` while there is none."""
    unstuck: anyio.Event | None = None
    """Set when commits are answered again; ``None`` while they are."""

    def kill(self) -> None:
        self.is_over = True
        self.end()

    @property
    def is_hindered(self) -> bool:
        return self.awake is not None or self.unstuck is not None

    def get_stuck(self) -> None:
        """From now on nothing that it commits is answered."""
        self.unstuck = anyio.Event()

    def free(self) -> None:
        unstuck, self.unstuck = self.unstuck, None
        if unstuck is not None:
            unstuck.set()

    async def passes(self, what: str) -> None:
        """Right before a request or a call has its effect, or right after. Waits for nothing."""
        self.watch(self, what)
        if self.is_over:
            await anyio.sleep_forever()

    async def checkpoint(self) -> None:
        """Where a run that is over stays for ever, and a paused one until it goes on."""
        while self.awake is not None and not self.is_over:
            await self.awake.wait()
        if self.is_over:
            await anyio.sleep_forever()


class FaultyLink:
    """Implements :class:`lab.simulation.world.Link` for one run of a node."""

    def __init__(self, plan: Plan, weather: Weather, trace: Trace, life: Life) -> None:
        self._plan = plan
        self._weather = weather
        self._trace = trace
        self._life = life
        self._rng = plan.rng(f"link {life.run}")

    @property
    def is_clear(self) -> bool:
        life = self._life
        return self._weather.is_fine and not (life.is_over or life.is_hindered)

    async def ask(self, what: str) -> None:
        await self._life.checkpoint()
        if not self._weather.quiet:
            await self._travel()
        if what == "commit":
            await self._wait_stuck()
        await self._life.passes(f"before {what}")
        if self._hits(FaultKind.CRASH_ON_THE_WAY, 0.1):
            await self._crash(f"before {what}")
        await self._must_reach(what, self._weather.cut_off)
        if self._hits(FaultKind.REFUSED):
            raise Transient(f"{what}: refused")

    async def answer(self, what: str) -> None:
        await self._life.passes(f"after {what}")
        if self._hits(FaultKind.CRASH_ON_THE_WAY, 0.1):
            await self._crash(f"after {what}")
        if not self._weather.quiet:
            await self._travel()
        await self._must_reach(what, self._weather.cut_off | self._weather.deaf)
        if self._hits(FaultKind.ANSWER_LOST):
            self._trace.note(self._life.run, f"never hears of its {what}")
            raise Transient(f"{what}: the connection was lost")

    async def _travel(self) -> None:
        wait = self._rng.choice(LATENCIES_S)
        if self._hits(FaultKind.SLOW):
            wait = SLOW_S * self._rng.random()
        await anyio.sleep(wait)
        await self._life.checkpoint()

    async def _crash(self, when: str) -> None:
        self._trace.note(self._life.run, f"crashes {when}")
        self._life.kill()
        await anyio.sleep_forever()

    async def _must_reach(self, what: str, cut_off: set[str]) -> None:
        if self._weather.database_away:
            raise Transient(f"{what}: the database is away")
        if self._life.name in cut_off:
            await anyio.sleep(NO_ANSWER_S * self._rng.random())
            await self._life.checkpoint()
            raise Transient(f"{what}: the database does not answer")

    async def _wait_stuck(self) -> None:
        """Raises ``Transient`` when nothing came in the time that a transaction has."""
        if self._life.unstuck is None:
            return
        with anyio.move_on_after(UNIT_TIMEOUT_S) as patience:
            await self._life.unstuck.wait()
        await self._life.checkpoint()
        if patience.cancelled_caught:
            raise Transient("commit: no answer in time")

    def _hits(self, kind: FaultKind, part: float = 1.0) -> bool:
        if self._weather.calm or self._weather.quiet or not self._plan.has(kind):
            return False
        return self._rng.random() < self._plan.rate * part


class Bus:
    """Redis's channels: carries hints from node to node, sometimes."""

    def __init__(self, plan: Plan, weather: Weather, carriers: TaskGroup) -> None:
        self._plan = plan
        self._weather = weather
        self._carriers = carriers
        self._rng = plan.rng("bus")
        self._listeners: dict[str, Callable[[Sequence[TicketId]], None]] = {}

    def listen(self, owner: str, hear: Callable[[Sequence[TicketId]], None]) -> None:
        self._listeners[owner] = hear

    def leave(self, owner: str) -> None:
        self._listeners.pop(owner, None)

    def tell(self, owner: str, tickets: Sequence[TicketId]) -> None:
        """Implements :class:`actors.nodes.Hints`."""
        if self._weather.redis_away:
            return
        times, wait = 1, LATENCY_S
        if self._plan.has(FaultKind.HINTS) and not self._weather.calm:
            times = self._rng.choice((0, 1, 1, 2))
            wait = self._rng.choice((LATENCY_S, LATE_HINT_S)) * self._rng.random()
        for number in range(times):
            self._carriers.start_soon(self._carry, owner, tuple(tickets), wait * (number + 1))

    async def _carry(self, owner: str, tickets: Sequence[TicketId], wait_s: float) -> None:
        await anyio.sleep(wait_s)
        hear = self._listeners.get(owner)
        if hear is not None:
            hear(tickets)
