"""One run of one seed: nodes, people and troubles in one trio program with virtual time."""

from dataclasses import dataclass
from functools import partial

import anyio

from lab.simulation.bugs import Bug
from lab.simulation.clock import VirtualTime, run_virtually
from lab.simulation.network import Weather
from lab.simulation.plan import AFTERMATH_S, Plan, draw
from lab.simulation.replay import check_rest, unsettled
from lab.simulation.stage import build, quiet
from lab.simulation.trace import Trace, Violation
from lab.simulation.troubles import Troubles

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
    with quiet():
        return run_virtually(plan.seed, partial(_main, plan, bugs))


async def _tides(plan: Plan, weather: Weather, time: VirtualTime, troubles: Troubles) -> None:
    """Says when nobody does anything, and nothing is still going wrong from before."""
    for begins, ends in plan.spells:
        await anyio.sleep(begins - anyio.current_time())
        weather.quiet = time.is_coarse = False
        await anyio.sleep(ends + AFTERMATH_S - anyio.current_time())
        while not troubles.are_over_for(AFTERMATH_S):  # noqa: ASYNC110 - it is looked at
            await anyio.sleep(LOOK_S)
        weather.quiet = time.is_coarse = True


async def _main(plan: Plan, bugs: frozenset[Bug], time: VirtualTime) -> Outcome:
    settled_s = 0.0
    async with anyio.create_task_group() as group:
        stage = build(plan, group, time, bugs=bugs)
        fleet, town, trace, world = stage.fleet, stage.town, stage.trace, stage.world
        for name in fleet.names:
            fleet.start(name)
        troubles = Troubles(plan, stage.weather, trace, fleet, world)
        group.start_soon(troubles.restart)
        with anyio.move_on_after(plan.duration_s):
            async with anyio.create_task_group() as busy:
                busy.start_soon(town.live)
                busy.start_soon(troubles.come)
                busy.start_soon(_tides, plan, stage.weather, time, troubles)
        await troubles.end()
        stage.weather.quiet = time.is_coarse = False
        began = anyio.current_time()
        with anyio.move_on_after(plan.settles_s):
            while not town.is_quiet or any(unsettled(world)):  # noqa: ASYNC110 - it is looked at
                await anyio.sleep(LOOK_S)
        settled_s = anyio.current_time() - began
        check_rest(world, stage.telegram, trace, town.accepted.keys)
        group.cancel_scope.cancel()
    return Outcome(
        seed=plan.seed,
        hash=trace.hash,
        violation=trace.violation,
        tickets=len(world.tickets),
        messages=len(world.inbox),
        calls=stage.telegram.calls,
        commits=stage.checkers.commits,
        runs=stage.around.runs,
        settled_s=settled_s,
        trace=trace,
    )
