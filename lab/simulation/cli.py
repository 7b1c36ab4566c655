"""``topicdesk simulate``: runs seeds, shows how far it is, and tells what broke."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import anyio
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lab.simulation.pool import processors, running
from lab.simulation.worker import Report, Task

OK: Final = 0
VIOLATED: Final = 1

LINE_EVERY: Final = 50
"""Seeds; where there is no terminal for a bar."""

FAILURES_MAX: Final = 5
"""After so many failing seeds the rest would only say the same again."""


@dataclass(slots=True)
class Summary:
    """All reports of one command."""

    hours: float
    reports: dict[int, Report] = field(default_factory=dict)

    @property
    def failures(self) -> list[Report]:
        return [report for report in self._in_order() if report.promise]

    @property
    def hash(self) -> str:
        """Of all runs: the same seeds and hours always give the same."""
        whole = hashlib.sha256()
        for report in self._in_order():
            whole.update(f"{report.seed} {report.hash}\n".encode())
        return whole.hexdigest()

    def as_json(self) -> dict[str, Any]:
        return {
            "seeds": len(self.reports),
            "first": min(self.reports, default=0),
            "hours": self.hours,
            "hash": self.hash,
            "processor_s": round(sum(each.seconds for each in self.reports.values()), 1),
            "settled_max_s": max((each.settled_s for each in self.reports.values()), default=0.0),
            **self.totals(),
            "violations": [
                {key: value for key, value in asdict(each).items() if key in _TOLD}
                | {"replay": replay_command(each.seed, self.hours)}
                for each in self.failures
            ],
        }

    def totals(self) -> dict[str, int]:
        return {
            what: sum(getattr(each, what) for each in self.reports.values())
            for what in ("tickets", "messages", "calls", "commits", "runs")
        }

    def text(self) -> str:
        """The end of the command, in a few lines."""
        seeds, totals = len(self.reports), self.totals()
        longest = max((each.settled_s for each in self.reports.values()), default=0.0)
        broken = f"{len(self.failures)} broke a promise" if self.failures else "no violation"
        counts = ", ".join(f"{count:,} {what}" for what, count in totals.items())
        return (
            f"{seeds:,} seeds, {seeds * self.hours:,g} virtual hours: {broken}\n"
            f"{counts} of nodes; at rest at most {longest:.1f} s after the last trouble\n"
            f"hash {self.hash[:16]}"
        )

    def _in_order(self) -> Iterator[Report]:
        return (self.reports[seed] for seed in sorted(self.reports))


_TOLD: Final = {"seed", "promise", "detail", "ticket", "timeline", "hash"}


def replay_command(seed: int, hours: float) -> str:
    """What runs one seed again."""
    return f"topicdesk simulate --first {seed} --seeds 1 --hours {hours:g}"


def failure_text(report: Report, hours: float) -> str:
    """What broke, what led to it, and how to see it again."""
    concerned = f" (ticket {report.ticket})" if report.ticket else ""
    lines = [
        f"Seed {report.seed} broke a promise{concerned}: {report.promise}",
        *(f"  {line}" for line in report.detail.splitlines()),
        *(f"    {line}" for line in report.timeline),
        f"The same again: {replay_command(report.seed, hours)}",
    ]
    return "\n".join(lines)


def main(*, seeds: int, first: int, hours: float, jobs: int | None, as_json: bool) -> int:
    """Runs ``seeds`` seeds from ``first`` on; 0 when no promise was broken, else 1."""
    tasks = [Task(seed=seed, hours=hours) for seed in range(first, first + seeds)]
    summary = anyio.run(run, tasks, jobs or processors(), hours, as_json)
    click.echo(json.dumps(summary.as_json(), indent=2) if as_json else summary.text())
    return VIOLATED if summary.failures else OK


async def run(tasks: list[Task], jobs: int, hours: float, as_json: bool) -> Summary:
    """Runs all tasks, or fewer when too many fail; tells of each failure at once."""
    summary = Summary(hours)
    with _progress(len(tasks)) as progress:
        async with running(tasks, jobs) as reports:
            async for report in reports:
                summary.reports[report.seed] = report
                progress.advance(progress.task_ids[0])
                done = len(summary.reports)
                if done % LINE_EVERY == 0 and not progress.console.is_terminal:
                    progress.console.print(f"{done} of {len(tasks)} seeds", highlight=False)
                if report.promise and not as_json:
                    progress.console.print(
                        failure_text(report, hours), markup=False, highlight=False, soft_wrap=True
                    )
                if len(summary.failures) >= FAILURES_MAX:
                    break
    return summary


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a line now and then."""
    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]simulating[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        bar.add_task("seeds", total=total)
        yield bar
