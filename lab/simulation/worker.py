"""A process that runs seeds: a task on each line of its input, a report on each of its output.

It ends with its input. Whoever starts it may give it ``-O``: trio checks itself with assertions,
which cost an eighth of a run.
"""

import gc
import sys
import time
import traceback
from dataclasses import dataclass

import orjson

from lab.simulation.bugs import Bug
from lab.simulation.run import Outcome, simulate
from lab.simulation.timeline import timeline

TIMELINE_LINES = 60
"""As much of a ticket's story as one reads before looking into the run itself."""

GARBAGE_EVERY = 100_000
"""A run makes few cycles; looking for them at the usual rate takes a thirtieth of its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A seed to run. ``bugs`` names members of :class:`~lab.simulation.bugs.Bug`; tests only."""

    seed: int
    hours: float
    bugs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a seed, as it travels between processes.

    ``promise`` is empty when all were kept; then so are ``detail`` and ``timeline``. ``ticket`` is
    0 when the broken promise concerns no single ticket.
    """

    seed: int
    seconds: float
    """Real time."""
    hash: str = ""
    tickets: int = 0
    messages: int = 0
    calls: int = 0
    commits: int = 0
    runs: int = 0
    settled_s: float = 0.0
    promise: str = ""
    detail: str = ""
    ticket: int = 0
    timeline: tuple[str, ...] = ()


def run(task: Task) -> Report:
    """Runs a seed. An error of the run itself is a broken promise, too."""
    began = time.monotonic()
    try:
        outcome = simulate(task.seed, task.hours, frozenset(Bug[name] for name in task.bugs))
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the seed
        return Report(
            seed=task.seed,
            seconds=time.monotonic() - began,
            promise="a run comes to its end",
            detail=f"{type(error).__name__}: {error}",
            timeline=tuple("".join(traceback.format_exception(error)).splitlines()),
        )
    return _report(outcome, time.monotonic() - began)


def _report(outcome: Outcome, seconds: float) -> Report:
    broken = outcome.violation
    return Report(
        seed=outcome.seed,
        seconds=seconds,
        hash=outcome.hash,
        tickets=outcome.tickets,
        messages=outcome.messages,
        calls=outcome.calls,
        commits=outcome.commits,
        runs=outcome.runs,
        settled_s=outcome.settled_s,
        promise="" if broken is None else broken.promise,
        detail="" if broken is None else broken.detail,
        ticket=0 if broken is None else broken.ticket,
        timeline=()
        if broken is None
        else tuple(timeline(outcome.trace, broken.ticket, TIMELINE_LINES)),
    )


def main() -> None:
    """Until the input ends."""
    gc.set_threshold(GARBAGE_EVERY)
    for line in sys.stdin.buffer:
        task = orjson.loads(line)
        report = run(Task(seed=task["seed"], hours=task["hours"], bugs=tuple(task["bugs"])))
        sys.stdout.buffer.write(orjson.dumps(report) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
