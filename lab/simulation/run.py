"""One run of one seed: nodes, people and troubles in one trio program with virtual time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import structlog
import trio
import trio.testing

from actors.ids import ChatId, TechnicianId, UserId
from actors.messages import Technician
from lab.simulation.bugs import Bug
from lab.simulation.checkers import Checkers
from lab.simulation.decisions import Decisions
from lab.simulation.network import Bus, Weather
from lab.simulation.node import Fleet, Surroundings
from lab.simulation.people import Town
from lab.simulation.plan import Plan, draw
from lab.simulation.replay import check_rest, unsettled
from lab.simulation.rows import Configuration
from lab.simulation.telegram import SimulatedTelegram
from lab.simulation.trace import Trace, Violation
from lab.simulation.troubles import Troubles
from lab.simulation.world import World

MAIN_CHAT = ChatId(-1000)

SETTLES_WITHIN_S = 20.0
"""How long after its troubles a run may still have something to do."""

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"

LOOK_S = 0.25
"""How often it is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed. ``trace`` is kept for whoever wants to read it."""

    seed: int
    hash: str
    violation: Violation | None
    tickets: int
    messages: int
    calls: int
    commits: int
    runs: int
    settled_s: float
    """How long it took to come to rest. Virtual seconds."""
    trace: Trace


def simulate(seed: int, hours: float, bugs: frozenset[Bug] = frozenset()) -> Outcome:
    """Runs a seed to its end or to the first broken promise."""
    plan = draw(seed, hours)
    return play(plan, bugs)


def play(plan: Plan, bugs: frozenset[Bug] = frozenset()) -> Outcome:
    """Runs a plan."""
    with _deterministic(plan.seed), _quiet():
        return trio.run(
            partial(_main, plan, bugs), clock=trio.testing.MockClock(autojump_threshold=0)
        )


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Lets the seed alone decide in which order trio runs tasks that are ready."""
    core = trio._core._run  # noqa: SLF001 - trio has no public name for it
    state, allowed = core._r.getstate(), getattr(core, _SWITCH)  # noqa: SLF001
    setattr(core, _SWITCH, True)  # it is declared final
    core._r.seed(seed)  # noqa: SLF001
    try:
        yield
    finally:
        setattr(core, _SWITCH, allowed)
        core._r.setstate(state)  # noqa: SLF001


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the log of the parts to themselves; the trace has what matters."""

    def drop(_logger: object, _name: str, _facts: object) -> str:
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    kept = list(processors)
    processors[:] = [drop]
    try:
        yield
    finally:
        processors[:] = kept


async def _main(plan: Plan, bugs: frozenset[Bug]) -> Outcome:
    trace = Trace(anyio.current_time)
    roster = tuple(
        Technician(
            id=TechnicianId(number + 1),
            name=f"Technician {number + 1}",
            chat_id=ChatId(-2001 - number),
            user_id=UserId(1001 + number),
        )
        for number in range(plan.technicians)
    )
    configuration = Configuration(
        main_chat_id=MAIN_CHAT, technician_chats={each.id: each.chat_id for each in roster}
    )
    world = World(configuration, hurry=plan.hurry, bugs=bugs)
    weather = Weather()
    telegram = SimulatedTelegram(plan, weather, trace)
    checkers = Checkers(world, trace, is_calm=not plan.faults)
    world.watchers += [trace, checkers]
    telegram.arrived, telegram.landed = checkers.arrived, checkers.landed
    settled_s = 0.0
    async with anyio.create_task_group() as group:
        trace.stop = group.cancel_scope.cancel
        around = Surroundings(
            plan=plan,
            world=world,
            telegram=telegram,
            weather=weather,
            trace=trace,
            bus=Bus(plan, weather, group),
            roster=roster,
            decisions=Decisions(),
            spawn=group.start_soon,
            leased=checkers.leased,
            handled=checkers.handled,
        )
        fleet = Fleet(around, group)
        checkers.machines = fleet.machines
        for name in fleet.names:
            fleet.start(name)
        town = Town(
            plan,
            world=world,
            telegram=telegram,
            weather=weather,
            trace=trace,
            fleet=fleet,
            roster=roster,
            group=group,
        )
        troubles = Troubles(plan, weather, trace, fleet, world)
        group.start_soon(troubles.restart)
        with anyio.move_on_after(plan.duration_s):
            async with anyio.create_task_group() as busy:
                busy.start_soon(town.live)
                busy.start_soon(troubles.come)
        troubles.end()
        began = anyio.current_time()
        with anyio.move_on_after(SETTLES_WITHIN_S):
            while not town.is_quiet or any(unsettled(world)):  # noqa: ASYNC110 - it is looked at
                await anyio.sleep(LOOK_S)
        settled_s = anyio.current_time() - began
        check_rest(world, telegram, trace, town.accepted.keys)
        group.cancel_scope.cancel()
    return Outcome(
        seed=plan.seed,
        hash=trace.hash,
        violation=trace.violation,
        tickets=len(world.tickets),
        messages=len(world.inbox),
        calls=telegram.calls,
        commits=checkers.commits,
        runs=around.runs,
        settled_s=settled_s,
        trace=trace,
    )
