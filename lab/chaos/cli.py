"""``topicdesk chaos``: runs it, shows it, says how it went, and leaves nothing behind."""

import json
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio
import click
import orjson
from rich.console import Console

from lab.chaos.faults import FAMILIES
from lab.chaos.live import show
from lab.chaos.report import as_html, replay_command, verdict_text
from lab.chaos.run import ChaosOptions, Outcome, Progress, run_chaos

OK: Final = 0
VIOLATED: Final = 1
INTERRUPTED: Final = 130


def families_in(text: str) -> tuple[str, ...]:
    """What ``--faults`` names: families by commas, ``all`` or ``none``.

    Raises:
        ValueError: There is no such family; says which there are.
    """
    named = {name.strip() for name in text.split(",")}
    if named == {"all"}:
        return FAMILIES
    if named == {"none"}:
        return ()
    unknown = sorted(named - set(FAMILIES))
    if unknown:
        raise ValueError(f"no such kind: {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    return tuple(family for family in FAMILIES if family in named)


def main(
    *,
    families: tuple[str, ...],
    minutes: float,
    nodes: int,
    clients: int,
    seed: int | None,
    updates: str | None,
    report: Path | None,
    as_json: bool,
) -> int:
    """Runs it; the exit code is 0 when every invariant held, 1 when one did not.

    Raises:
        TopicdeskError: Something did not start while nothing was broken; alone or in a group.
    """
    options = ChaosOptions(
        minutes=minutes,
        nodes=nodes,
        clients=clients,
        families=families,
        seed=drawn_seed() if seed is None else seed,
        webhook=None if updates is None else updates == "webhook",
    )
    console = Console(stderr=as_json)
    with _kept_on_failure() as (folder, let_go):
        # On asyncio's own loop: uvloop complains of sockets that are torn while in use.
        outcome = anyio.run(_watched, options, folder, console)
        if outcome is None:
            let_go()
            return INTERRUPTED
        click.echo(_json(outcome) if as_json else verdict_text(outcome))
        if report is not None:
            report.write_text(as_html(outcome), "utf-8")
        if outcome.verdict.is_ok:
            let_go()
            return OK
        _keep(outcome, folder)
        click.echo(f"The same again: {replay_command(outcome)}", err=True)
    return VIOLATED


@contextmanager
def _kept_on_failure() -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder for everything; it stays, and is named, unless it was let go."""
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-chaos-"))
    kept = [folder]
    try:
        yield folder, kept.clear
    except KeyboardInterrupt:
        kept.clear()
        raise
    finally:
        if kept:
            click.echo(f"Logs, data and report: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _keep(outcome: Outcome, folder: Path) -> None:
    """Beside the logs: all that it takes to find out why."""
    (folder / "verdict.json").write_text(_json(outcome), "utf-8")
    (folder / "report.html").write_text(as_html(outcome), "utf-8")
    history = orjson.dumps(outcome.history, option=orjson.OPT_NON_STR_KEYS)
    (folder / "history.json").write_bytes(history)


def _json(outcome: Outcome) -> str:
    return json.dumps(outcome.as_json(), indent=2)


def drawn_seed() -> int:
    """A seed for whoever names none; the verdict says it."""
    return secrets.randbelow(1_000_000)


async def _watched(options: ChaosOptions, folder: Path, console: Console) -> Outcome | None:
    """A run with its view; ``None`` when it was interrupted."""
    progress = Progress(options=options)
    async with anyio.create_task_group() as group:
        group.start_soon(_interrupted, group.cancel_scope)
        async with anyio.create_task_group() as showing:
            showing.start_soon(show, progress, console)
            await run_chaos(options, folder, progress)
            showing.cancel_scope.cancel()
        group.cancel_scope.cancel()
    return progress.done


async def _interrupted(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
