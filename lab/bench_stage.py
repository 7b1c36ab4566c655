"""What the benchmarks share: the local Telegram and the bot as processes, medians and tables."""

import json
import secrets
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from lab.processes import BotProcess, free_port
from lab.telegram.client import LabClient

FIRST_CLIENT_ID = 6_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running bot with its Telegram; ``log_file`` is the bot's."""

    lab: LabClient
    bot: BotProcess
    settings: Mapping[str, str]
    log_file: Path


@asynccontextmanager
async def telegram_alone() -> AsyncIterator[tuple[LabClient, Mapping[str, str]]]:
    """The local Telegram in a process of its own, with the settings of a bot for it."""
    async with await anyio.open_process(
        [sys.executable, "-m", "lab.telegram", "--port", "0", "--die-with-stdin"], stderr=None
    ) as telegram:
        assert telegram.stdout is not None
        ready = json.loads(await telegram.stdout.receive())
        try:
            async with LabClient(ready["url"]) as lab:
                yield lab, ready["settings"]
        finally:
            telegram.terminate()
            with anyio.CancelScope(shield=True):
                await telegram.wait()


@asynccontextmanager
async def running(
    module: Sequence[str] | None = None, *, helpers: Sequence[str] = (), **more: str
) -> AsyncIterator[Stage]:
    """The local Telegram and the bot, by webhook, in processes of their own.

    ``helpers`` are tokens of helper bots. ``more`` are settings of the bot; without them its pace
    knows no limit. ``module`` is a program to run in the bot's stead.
    """
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-bench-"))
    try:
        async with telegram_alone() as (lab, given):
            if helpers:
                await _join(lab, helpers)
                more["HELPER_BOT_TOKENS"] = ",".join(helpers)
            webhook = f"127.0.0.1:{free_port()}"
            settings = {
                **given,
                "HTTP_BIND": f"127.0.0.1:{free_port()}",
                "WEBHOOK_BIND": webhook,
                "WEBHOOK_URL": f"http://{webhook}",
                "WEBHOOK_SECRET": secrets.token_hex(16),
                "DATA_DIR": str(folder),
                "LOG_LEVEL": "WARNING",
                "LOG_FORMAT": "json",
                "PACE_BOT_PER_S": "0",
                "PACE_PRIVATE_PER_S": "0",
                "PACE_GROUP_PER_MIN": "0",
                **more,
            }
            log_file = folder / "bot.log"
            program = {} if module is None else {"module": module}
            async with BotProcess(settings, log_file=log_file, **program) as bot:
                yield Stage(lab=lab, bot=bot, settings=settings, log_file=log_file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _join(lab: LabClient, tokens: Sequence[str]) -> None:
    """Helper bots become plain members of all groups."""
    groups = [chat["id"] for chat in (await lab.world())["chats"] if chat["id"] < 0]
    for number, token in enumerate(tokens, start=1):
        bot = await lab.add_bot(token, f"helper_{number}_bot")
        for group in groups:
            await lab.join(group, bot["id"])


def percentile(waits: Iterable[float], part: float) -> float:
    """The wait, of any unit, that ``part`` of them do not exceed; 0 for none."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def medians(reports: Sequence[Any]) -> dict[str, Any]:
    """Field by field over reports of one kind; of what must never happen, the worst."""
    rows = [asdict(report) for report in reports]
    out: dict[str, Any] = {}
    for name, first in rows[0].items():
        values = [row[name] for row in rows]
        if name in WORST:
            out[name] = max(values)
        elif isinstance(first, int | float) and not isinstance(first, bool):
            out[name] = round(statistics.median(values), 3)
        else:
            out[name] = first
    return out


WORST = frozenset({"lost", "doubled", "out_of_order", "refused_429", "over_429"})
"""Fields of which no median is told: one bad run is a bad program."""


def show(title: str, figures: Mapping[str, Any]) -> None:
    table = Table(title=title, show_header=False, min_width=len(title))
    for name, value in figures.items():
        words = f"{value:,}" if isinstance(value, int | float) else str(value)
        table.add_row(name.replace("_", " "), words)
    Console().print(table)


def write(json_file: Path | None, title: str, reports: Sequence[Any]) -> None:
    """All runs and their medians, for whoever compares later."""
    if json_file is not None:
        runs = [asdict(report) for report in reports]
        content = {"title": title, "medians": medians(reports), "runs": runs}
        json_file.write_text(json.dumps(content, indent=2) + "\n")
