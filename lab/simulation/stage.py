"""Everything that a run needs, put together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from anyio.abc import TaskGroup

from actors.ids import ChatId, TechnicianId, UserId
from actors.messages import Technician
from lab.simulation.bugs import Bug
from lab.simulation.checkers import Checkers
from lab.simulation.clock import VirtualTime
from lab.simulation.decisions import Decisions
from lab.simulation.network import Bus, Life, Weather
from lab.simulation.node import Fleet, Surroundings
from lab.simulation.people import Town
from lab.simulation.plan import Plan
from lab.simulation.rows import Configuration
from lab.simulation.telegram import SimulatedTelegram
from lab.simulation.trace import Trace
from lab.simulation.world import World

MAIN_CHAT = ChatId(-1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The parts of one run. Nothing of it moves yet."""

    world: World
    weather: Weather
    telegram: SimulatedTelegram
    trace: Trace
    checkers: Checkers
    around: Surroundings
    fleet: Fleet
    town: Town


def build(
    plan: Plan,
    group: TaskGroup,
    time: VirtualTime,
    *,
    bugs: frozenset[Bug] = frozenset(),
    watch: Callable[[Life, str], object] = lambda _life, _what: None,
) -> Stage:
    """All parts, checked; the first broken promise cancels ``group``."""
    trace = Trace(time.now)
    trace.stop = group.cancel_scope.cancel
    roster = tuple(_technician(number) for number in range(plan.technicians))
    configuration = Configuration(
        main_chat_id=MAIN_CHAT, technician_chats={each.id: each.chat_id for each in roster}
    )
    world = World(
        configuration, clock=plan.clock_of("database", time.now), hurry=plan.hurry, bugs=bugs
    )
    weather = Weather()
    telegram = SimulatedTelegram(plan, weather, trace)
    checkers = Checkers(world, trace, is_calm=not plan.faults)
    world.watchers += [trace, checkers]
    telegram.arrived, telegram.landed = checkers.arrived, checkers.landed
    around = Surroundings(
        plan=plan,
        world=world,
        telegram=telegram,
        weather=weather,
        trace=trace,
        bus=Bus(plan, weather, group),
        roster=roster,
        decisions=Decisions(),
        time=time,
        spawn=group.start_soon,
        leased=checkers.leased,
        handled=checkers.handled,
        watch=watch,
    )
    fleet = Fleet(around, group)
    checkers.machines = fleet.machines
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
    return Stage(
        world=world,
        weather=weather,
        telegram=telegram,
        trace=trace,
        checkers=checkers,
        around=around,
        fleet=fleet,
        town=town,
    )


def _technician(number: int) -> Technician:
    return Technician(
        id=TechnicianId(number + 1),
        name=f"Technician {number + 1}",
        chat_id=ChatId(-2001 - number),
        user_id=UserId(1001 + number),
    )


@contextmanager
def quiet() -> Iterator[None]:
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
