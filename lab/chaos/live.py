"""What a run looks like while it goes on: a picture in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from typing import Final

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.chaos.history import Broken
from lab.chaos.nodes import Node, NodeState
from lab.chaos.run import Progress

PICTURE_S: Final = 0.25
"""Between two pictures: each costs a few milliseconds of the run's own time."""

LINE_S: Final = 10.0
"""Between two lines of counts where there is no terminal."""

LOOK_S: Final = 0.2

FAULTS_SHOWN: Final = 12

COLOURS: Final = {
    NodeState.UP: "green",
    NodeState.STARTING: "yellow",
    NodeState.ENDING: "yellow",
    NodeState.PAUSED: "magenta",
    NodeState.DOWN: "red",
}


async def show(progress: Progress, console: Console) -> None:
    """Until cancelled."""
    if console.is_terminal:
        await _pictures(progress, console)
    else:
        await _lines(progress, console)


# --- a terminal -----------------------------------------------------------------------------


async def _pictures(progress: Progress, console: Console) -> None:
    with Live(picture(progress), console=console, auto_refresh=False, transient=True) as live:
        while True:
            await anyio.sleep(PICTURE_S)
            live.update(picture(progress), refresh=True)


def picture(progress: Progress) -> RenderableType:
    """The run as it is now."""
    options = progress.options
    head = Text.assemble(
        (progress.phase, "bold"),
        f"  {options.nodes} nodes, {options.clients} clients, seed {options.seed}, ",
        f"updates by {'webhook' if options.by_webhook else 'polling'}",
    )
    done = ProgressBar(total=options.seconds, completed=min(_elapsed_s(progress), options.seconds))
    return Group(
        head,
        Padding(done, 0),  # a bar alone does not end its line
        Text(counts(progress)),
        _nodes(progress),
        _faults(progress),
    )


def _elapsed_s(progress: Progress) -> float:
    since = progress.faults_since
    return 0.0 if since is None else anyio.current_time() - since


def _nodes(progress: Progress) -> RenderableType:
    table = Table("node", "state", "ready", "actors", "starts", expand=True)
    nodes: tuple[Node, ...] = () if progress.stage is None else tuple(progress.stage.nodes.values())
    for node in nodes:
        table.add_row(
            node.name,
            Text(str(node.state), COLOURS[node.state]),
            "yes" if node.is_ready else "no",
            str(node.actors),
            str(node.starts),
        )
    return table


def _faults(progress: Progress) -> RenderableType:
    now = time.time()
    shown = progress.history.broken[-FAULTS_SHOWN:]
    lines = [_line(broken, now) for broken in reversed(shown)]
    title = f"faults: {len(progress.history.broken)} of {len(progress.faults)}"
    return Panel(Group(*lines) if lines else Text("none yet"), title=title)


def _line(broken: Broken, now: float) -> Text:
    lasted = (broken.healed_at or now) - broken.started_at
    told = f"{broken.kind:<17} {broken.target:<18} {lasted:5.1f} s  {broken.detail}"
    return Text(told, "dim" if broken.healed_at else "bold red")


# --- no terminal ----------------------------------------------------------------------------


async def _lines(progress: Progress, console: Console) -> None:
    for line in _opening(progress):
        console.print(line, markup=False, highlight=False)
    phase, struck = "", 0
    healed: set[int] = set()
    told_at = anyio.current_time()
    while True:
        found: list[str] = []
        if progress.phase != phase:
            phase = progress.phase
            found.append(phase)
        broken = progress.history.broken
        found += [f"fault   {each.kind} {each.target}" for each in broken[struck:]]
        struck = len(broken)
        for number, each in enumerate(broken):
            if each.healed_at is not None and number not in healed:
                healed.add(number)
                found.append(f"healed  {each.kind} {each.target}")
        if anyio.current_time() - told_at >= LINE_S:
            told_at = anyio.current_time()
            found.append(counts(progress))
        for line in found:
            console.print(f"{_clock()}  {line}", markup=False, highlight=False, soft_wrap=True)
        await anyio.sleep(LOOK_S)


def _opening(progress: Progress) -> Iterator[str]:
    options = progress.options
    yield (
        f"{options.nodes} nodes, {options.clients} clients, {options.minutes:g} min of "
        f"{', '.join(options.families) or 'nothing'}; seed {options.seed}"
    )


def _clock() -> str:
    return time.strftime("%H:%M:%S")


# --- both -----------------------------------------------------------------------------------


def counts(progress: Progress) -> str:
    """Messages sent and arrived, in one line."""
    history = progress.history
    copies = sum(len(said.places) for said in history.said)
    arrived = sum(len(shown.words) for shown in history.shown)
    line = f"{len(history.said)} messages sent; {arrived} of {copies} copies arrived"
    if progress.owed is not None:
        line += f"; {progress.owed} still to come"
    if progress.stage is not None:
        line += f"; {sum(node.actors for node in progress.stage.nodes.values())} actors"
    return line
