"""A crash at every point of a scenario: right before and after each request and call of a node."""

from dataclasses import dataclass, field
from functools import partial

import anyio

from lab.simulation.bugs import Bug
from lab.simulation.clock import VirtualTime, run_virtually
from lab.simulation.network import Life
from lab.simulation.picture import Picture, picture
from lab.simulation.plan import FaultKind, Plan
from lab.simulation.replay import check_rest
from lab.simulation.rows import SendState
from lab.simulation.scenarios import Scenario
from lab.simulation.script import Script, Stuck
from lab.simulation.stage import Stage, build, quiet
from lab.simulation.trace import Trace, Violation

SETTLES = "a scenario comes to its end, whatever crashed in it"
SAME_PICTURE = "a crash changes nothing that people see"
DOUBLES = "only what was on its way when the node crashed may be there twice"


@dataclass(slots=True, kw_only=True)
class Points:
    """Counts what one process does; ends it at point ``crash_at``, counted from 1."""

    crash_at: int = 0
    process: str = ""
    passed: list[str] = field(default_factory=list)
    on_the_way: frozenset[int] = frozenset()
    """Rows of the outbox whose call was under way at the crash."""
    stage: Stage | None = None

    def watch(self, life: Life, what: str) -> None:
        if life.run != self.process or life.is_over:
            return
        self.passed.append(what)
        if len(self.passed) == self.crash_at:
            assert self.stage is not None
            rows = self.stage.world.outbox
            self.on_the_way = frozenset(row.id for row in rows if row.state is SendState.SENDING)
            self.stage.trace.note(life.run, f"crashes {what}")
            life.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scenario that was played to its end, or to its first broken promise."""

    points: list[str]
    picture: Picture
    on_the_way: frozenset[int]
    violation: Violation | None
    trace: Trace


def play(scenario: Scenario, crash_at: int = 0, bugs: frozenset[Bug] = frozenset()) -> Played:
    """Plays a scenario; with a crash at that point, or in peace."""
    plan = Plan(
        seed=1,
        duration_s=scenario.duration_s,
        nodes=scenario.nodes,
        clients=1,
        technicians=2,
        faults=frozenset({FaultKind.CRASH}),
        rate=0.0,
        between_s=1.0,
        thinking_s=1.0,
        burst=0.0,
    )
    with quiet():
        return run_virtually(plan.seed, partial(_main, plan, scenario, crash_at, bugs))


async def _main(
    plan: Plan, scenario: Scenario, crash_at: int, bugs: frozenset[Bug], time: VirtualTime
) -> Played:
    points = Points(crash_at=crash_at)
    async with anyio.create_task_group() as group:
        stage = points.stage = build(plan, group, time, bugs=bugs, watch=points.watch)
        script = Script(stage)
        try:
            await script.start("node-1")
            await scenario.prelude(script)
            group.start_soon(script.keep_up)
            points.process = stage.fleet.machines[scenario.victim].life.run
            await scenario.act(script)
        except Stuck as stuck:
            stage.trace.fail(SETTLES, str(stuck))
        points.process = ""
        check_rest(stage.world, stage.telegram, stage.trace, stage.town.accepted.keys)
        group.cancel_scope.cancel()
    return Played(
        points=points.passed,
        picture=picture(stage),
        on_the_way=points.on_the_way,
        violation=stage.trace.violation,
        trace=stage.trace,
    )


def difference(peace: Played, crashed: Played) -> Violation | None:
    """What a crash has changed that it must not."""
    if crashed.violation is not None:
        return crashed.violation
    doubled = crashed.picture.doubled
    for row, times in doubled.items():
        if times > 1 or row not in crashed.on_the_way:
            return Violation(DOUBLES, f"row {row}, {times} times too often")
    for what in ("chats", "tickets"):
        should, was = getattr(peace.picture, what), getattr(crashed.picture, what)
        if should != was:
            return Violation(SAME_PICTURE, f"{what} are {was}, not {should}")
    return None
