"""``topicdesk bench failover``: how long people wait when something ends.

Four phases under the same load, on one stage: nothing happens; Redis forgets everything and then
stands still; one node is killed and stays away; every node in turn is told to end and comes back.
A wait is the local Telegram's time from a message until its last copy.
"""

import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import anyio
from rich.console import Console
from rich.table import Table

from lab.chaos.checker import judge, missing
from lab.chaos.history import History
from lab.chaos.load import Load, LoadOptions
from lab.chaos.nodes import Node, NodeState
from lab.chaos.stage import Stage, staged
from lab.chaos.watch import Watch

CALM_S: Final = 10.0

NO_REDIS_S: Final = 60.0

AWAY_S: Final = 30.0
"""A killed node stays away: longer than its lease and the promise to be served after 20 s."""

BETWEEN_S: Final = 3.0
"""Between two nodes of a rolling restart, as an orchestrator waits for readiness to settle."""

RENEW_MAX_S: Final = 60.0
SETTLE_MAX_S: Final = 60.0
LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How long people waited in it. Seconds; ``tickets_p99_s``: of each ticket its longest wait."""

    name: str
    messages: int
    p50_s: float
    p99_s: float
    tickets_p50_s: float
    tickets_p99_s: float
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverReport:
    nodes: int
    clients: int
    updates_by: str
    phases: tuple[Phase, ...]
    lost: int
    doubled: int
    out_of_order: int
    stale_commits: int
    moved_without_redis: int
    """Tickets that changed their owner, or the epoch, while Redis was away: none has a cause to."""
    orphans: int
    """Open tickets of the node that was killed."""

    @property
    def is_clean(self) -> bool:
        return not (
            self.lost or self.out_of_order or self.stale_commits or self.moved_without_redis
        )


def failover(*, nodes: int, clients: int, webhook: bool, json_file: Path | None) -> int:
    """Prints the figures; exits 0 when nothing was lost or out of order."""
    report = anyio.run(_failover, nodes, clients, webhook)
    _print(report)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return 0 if report.is_clean else 1


async def _failover(nodes: int, clients: int, webhook: bool) -> FailoverReport:
    history, moved, orphans = History(), 0, 0
    with tempfile.TemporaryDirectory(prefix="topicdesk-failover-") as folder:
        async with (
            staged(Path(folder), nodes=nodes, webhook=webhook, seed=1) as stage,
            _talking(stage, history, clients) as begins,
        ):
            await anyio.sleep(CALM_S)
            begins("Redis flushed, then stopped for a minute")
            moved = await _without_redis(stage)
            begins("")  # what is under way now belongs to neither
            await anyio.sleep(BETWEEN_S)
            begins("one node killed")
            name, orphans = busiest(await stage.servers.owners())
            victim = stage.nodes[name]
            victim.kill()
            await anyio.sleep(AWAY_S)
            victim.release()
            await _until_up(victim)
            await anyio.sleep(CALM_S)
            begins("rolling restart")
            for node in stage.nodes.values():
                node.terminate()
                await _until_down(node)
                node.release()
                await _until_up(node)
                await anyio.sleep(BETWEEN_S)
            begins("")
    whole = judge(history)
    return FailoverReport(
        nodes=nodes,
        clients=clients,
        updates_by="webhook" if webhook else "polling",
        phases=_phases(history, begins.marks),
        lost=whole.lost,
        doubled=whole.doubled,
        out_of_order=whole.out_of_order,
        stale_commits=whole.stale_commits,
        moved_without_redis=moved,
        orphans=orphans,
    )


async def _without_redis(stage: Stage) -> int:
    """Returns how many tickets moved meanwhile."""
    before = await stage.servers.owners()
    await stage.servers.flush_redis()
    stage.servers.pause_redis()
    try:
        await anyio.sleep(NO_REDIS_S)
    finally:
        stage.servers.resume_redis()
    after = await stage.servers.owners()
    return sum(after[ticket] != owner for ticket, owner in before.items() if ticket in after)


def busiest(owners: Mapping[int, tuple[str, int]]) -> tuple[str, int]:
    """The node that owns most of these tickets, and how many; a node's run is ``name/incarnation``.

    By long polling one node may own them all, and the death of another shows nothing.
    """
    held = Counter(run.partition("/")[0] for run, _ in owners.values())
    [(name, tickets)] = held.most_common(1)
    return name, tickets


class _Marks:
    """Where one phase ends and the next begins, as numbers of messages said until then."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.marks: list[tuple[str, int]] = [("nothing happens", 0)]

    def __call__(self, name: str) -> None:
        self.marks.append((name, len(self._history.said)))


@asynccontextmanager
async def _talking(stage: Stage, history: History, clients: int) -> AsyncIterator[_Marks]:
    """People write while the block lasts; what they said has arrived when it is left."""
    options = LoadOptions(clients=clients, newcomer_every_s=3600.0)
    load = Load(stage.lab, history, options, seed=1)
    watch = Watch(stage.lab, history, lambda: load.client_ids)
    await load.open()
    async with anyio.create_task_group() as watching:
        watching.start_soon(watch.run)
        async with anyio.create_task_group() as people:
            people.start_soon(load.run)
            yield _Marks(history)
            load.finish()
        with anyio.move_on_after(SETTLE_MAX_S):
            while missing(history):  # noqa: ASYNC110 - it is looked at
                await anyio.sleep(LOOK_S)
        watching.cancel_scope.cancel()
    await watch.look()
    history.ledger = await stage.servers.ledger()


async def _until_up(node: Node) -> None:
    with anyio.fail_after(RENEW_MAX_S):
        while not (node.state is NodeState.UP and node.is_ready):  # noqa: ASYNC110 - a process
            await anyio.sleep(LOOK_S)


async def _until_down(node: Node) -> None:
    with anyio.fail_after(RENEW_MAX_S):
        while node.state is not NodeState.DOWN:  # noqa: ASYNC110 - a process
            await anyio.sleep(LOOK_S)


def _phases(history: History, marks: Sequence[tuple[str, int]]) -> tuple[Phase, ...]:
    ends = [first for _, first in marks[1:]]
    return tuple(
        _phase(name, replace(history, said=history.said[first:end]))
        for (name, first), end in zip(marks, ends, strict=False)
        if name
    )


def _phase(name: str, history: History) -> Phase:
    verdict = judge(history)
    tickets = {said.ticket for said in history.said}
    longest = sorted(
        judge(replace(history, said=[s for s in history.said if s.ticket == t])).longest_still_s
        for t in tickets
    )
    return Phase(
        name=name,
        messages=verdict.messages,
        p50_s=verdict.p50_s,
        p99_s=verdict.p99_s,
        tickets_p50_s=longest[len(longest) // 2],
        tickets_p99_s=longest[min(len(longest) - 1, int(len(longest) * 0.99))],
        longest_s=longest[-1],
    )


def _print(report: FailoverReport) -> None:
    title = f"{report.nodes} nodes, {report.clients} clients, updates by {report.updates_by}"
    table = Table(title=title)
    for column in ("", "messages", "p50", "p99", "a ticket's longest: p50", "p99", "longest"):
        table.add_column(column, justify="right" if column else "left")
    for phase in report.phases:
        waits = (phase.p50_s, phase.p99_s, phase.tickets_p50_s, phase.tickets_p99_s)
        shown = [f"{wait:.3f} s" for wait in (*waits, phase.longest_s)]
        table.add_row(phase.name, f"{phase.messages:,}", *shown)
    console = Console()
    console.print(table)
    console.print(
        f"lost {report.lost}, doubled {report.doubled}, out of order {report.out_of_order}, "
        f"stale commits {report.stale_commits}; "
        f"moved while Redis was away {report.moved_without_redis}; "
        f"the killed node had {report.orphans} of the tickets"
    )
