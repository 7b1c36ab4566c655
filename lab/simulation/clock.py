"""Virtual time, and a scheduler that does as the seed says."""

import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from math import inf
from typing import Any

import anyio
import anyio.lowlevel
import trio
import trio.testing

from lab.simulation.waiting import Event, FailAfter, SeldomAsked, Sleeper
from supervisor import waits

PROCESS: ContextVar[str] = ContextVar("PROCESS", default="")
"""To which simulated process a task belongs; tasks inherit it from whoever starts them."""

GRID_S = 1 / 8
"""Long sleeps end on such marks: polls of all nodes meet there, and one turn serves them all."""

LONG_S = 0.2

FINE_S = 1 / 512
"""The marks for short sleeps: requests and answers of one moment meet as well, in any order."""

COARSE_S = 1
"""The marks for everything while time is coarse."""

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"


class _Holding(deque[trio.lowlevel.Task]):
    """trio's queue of tasks that are ready, without those whose process is held."""

    def __init__(self, tasks: Iterator[trio.lowlevel.Task], take: Callable[[Any], bool]) -> None:
        super().__init__()
        self._take = take
        for task in tasks:
            self.append(task)

    def append(self, task: trio.lowlevel.Task) -> None:
        if not self._take(task):
            super().append(task)


class VirtualTime:
    """The clock of one run. Time jumps to the next moment at which somebody has something to do.

    A held process takes no step while all others go on, and its clock with theirs: what a stopped
    or a starved process looks like from outside.
    """

    def __init__(self) -> None:
        self.is_coarse = False
        """Whether time may go in larger steps, as nothing depends on the small ones."""
        self._now = 0.0
        self._number = count()
        self._sleepers: list[tuple[float, int, Sleeper]] = []
        self._holds: dict[str, Callable[[], float]] = {}
        self._held: dict[str, list[trio.lowlevel.Task]] = {}
        self.clock = trio.testing.MockClock(autojump_threshold=0)
        for name, does in {
            "current_time": self.now,
            "deadline_to_sleep_time": self._until,
            "_autojump": self._jump,
        }.items():
            setattr(self.clock, name, does)  # the class may not be derived from

    def now(self) -> float:
        return self._now

    async def sleep(self, delay: float) -> None:
        """Takes the place of :func:`anyio.sleep`."""
        if delay <= 0:
            await anyio.lowlevel.checkpoint()
            return
        sleeper = Sleeper(trio.lowlevel.current_task())
        self._wake_after(delay, sleeper)
        await trio.lowlevel.wait_task_rescheduled(sleeper.abort)

    async def set_within(self, event: Event, seconds: float) -> None:
        """Takes the place of :func:`supervisor.waits.set_within`."""
        if seconds <= 0 or event.is_set():
            await anyio.lowlevel.checkpoint()
            return
        sleeper = event.listen()
        self._wake_after(seconds, sleeper)
        await trio.lowlevel.wait_task_rescheduled(sleeper.abort)

    def move_on_after(self, delay: float) -> trio.CancelScope:
        """Takes the place of :func:`anyio.move_on_after`."""
        return trio.CancelScope(deadline=self._now + delay)

    def fail_after(self, delay: float) -> FailAfter:
        """Takes the place of :func:`anyio.fail_after`."""
        return FailAfter(self.move_on_after(delay))

    def _wake_after(self, delay: float, sleeper: Sleeper) -> None:
        mark = GRID_S if delay >= LONG_S else FINE_S
        due = -(-(self._now + delay) // mark) * mark
        heapq.heappush(self._sleepers, (due, next(self._number), sleeper))

    # --- processes --------------------------------------------------------------------------

    def freeze(self, process: str) -> None:
        """The process takes no step until :meth:`thaw`."""
        self._hold(process, lambda: inf)

    def slow_down(self, process: str, delay: Callable[[], float]) -> None:
        """Each step of the process comes ``delay()`` seconds late, until :meth:`thaw`."""
        self._hold(process, delay)

    def thaw(self, process: str) -> None:
        """The process goes on; harmless when it was not held."""
        if process not in self._holds:
            return
        del self._holds[process]
        runner = _runner()
        if not self._holds:
            runner.runq = deque(runner.runq)
        runner.runq.extend(self._held.pop(process, ()))

    def _hold(self, process: str, delay: Callable[[], float]) -> None:
        runner = _runner()
        if process not in self._holds:
            self._holds[process] = delay
            runner.runq = _Holding(iter(runner.runq), self._take)

    def _take(self, task: trio.lowlevel.Task) -> bool:
        """Whether the task has to wait."""
        process = task.context.get(PROCESS, "")
        delay = self._holds.get(process)
        if delay is None:
            return False
        seconds = delay()
        if seconds <= 0:
            return False
        if seconds == inf:
            self._held.setdefault(process, []).append(task)
        else:
            self._wake_after(seconds, Sleeper(task))
        return True

    # --- what trio asks of a clock ----------------------------------------------------------

    def _until(self, deadline: float) -> float:
        """How long the loop may wait, in seconds; any time above 0 makes the clock jump."""
        return 0.0 if deadline <= self._now else 1e9

    def _jump(self) -> None:
        """To the next deadline or to the next who wakes up, whichever comes first."""
        runner = _runner()
        sleepers = self._sleepers
        while sleepers and sleepers[0][2].task is None:
            heapq.heappop(sleepers)
        due = runner.deadlines.next_deadline()
        if sleepers and sleepers[0][0] < due:
            due = sleepers[0][0]
        if due == inf:
            raise RuntimeError("nobody has anything to do ever again")
        if self.is_coarse:
            due = -(-due // COARSE_S) * COARSE_S
        self._now = max(self._now, due)
        runner.deadlines.expire(self._now)
        while sleepers and sleepers[0][0] <= self._now:
            sleeper = heapq.heappop(sleepers)[2]
            task, sleeper.task = sleeper.task, None
            if task is not None:
                self._wake(runner, task)

    def _wake(self, runner: Any, task: trio.lowlevel.Task) -> None:
        if task._next_send_fn is None:  # noqa: SLF001 - it sleeps; else it is ready, and late
            trio.lowlevel.reschedule(task)
        else:
            deque.append(runner.runq, task)


def run_virtually[Result](seed: int, main: Callable[[VirtualTime], Awaitable[Result]]) -> Result:
    """Runs ``main`` in virtual time; the seed alone decides who of those that are ready is next."""
    time = VirtualTime()
    with _deterministic(seed, time):
        return trio.run(_without_system, main, time, clock=time.clock)


async def _without_system[Result](
    main: Callable[[VirtualTime], Awaitable[Result]], time: VirtualTime
) -> Result:
    runner = _runner()
    system = runner.io_manager
    runner.io_manager = SeldomAsked(system)
    try:
        return await main(time)
    finally:
        runner.io_manager = system


def _runner() -> Any:
    return trio._core._run.GLOBAL_RUN_CONTEXT.runner  # noqa: SLF001 - trio has no public name


@contextmanager
def _deterministic(seed: int, time: VirtualTime) -> Iterator[None]:
    """Seeds trio's order of tasks, and gives everybody the waits of ``time``."""
    core = trio._core._run  # noqa: SLF001 - trio has no public name for it
    state = core._r.getstate()  # noqa: SLF001
    replaced: list[tuple[Any, str, Any]] = [
        (core, _SWITCH, True),  # it is declared final
        (anyio, "sleep", time.sleep),
        (anyio, "Event", Event),
        (anyio, "move_on_after", time.move_on_after),
        (anyio, "fail_after", time.fail_after),
        (waits, "set_within", time.set_within),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    core._r.seed(seed)  # noqa: SLF001
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        core._r.setstate(state)  # noqa: SLF001
