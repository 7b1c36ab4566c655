"""``topicdesk demo``: everything on this machine, with a local Telegram to play in.

The local Telegram lives in this process, the bot in one of its own. Whoever kills the bot sees it
come back and go on: that is the promise, to be tried by hand.
"""

import importlib.util
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import anyio
import click

from lab.case import Case, CaseFailed
from lab.processes import BotProcess, free_port
from lab.telegram.client import LabClient
from lab.telegram.scene import Scene, demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.world import World

DATA = Path("data") / "demo"
"""Made anew each time: the local Telegram forgets its chats too when it ends."""

PAGE_PORT, STATUS_PORT = 8081, 8080
"""Where the pages are when these are free."""

BOT_TOKEN = "42:demo"  # noqa: S105 — a token of the local Telegram only


def main(*, script: bool, port: int | None) -> int:
    """Runs the demo; the exit code is 0 when all went well.

    Raises:
        TopicdeskError: The bot did not start; alone or in an exception group.
    """
    loop = {"use_uvloop": importlib.util.find_spec("uvloop") is not None}
    return anyio.run(_script if script else _stay, port, backend_options=loop)


async def _script(port: int | None) -> int:
    """Plays the whole case and checks every chat."""
    async with _demo(port) as (telegram, scene, _), LabClient(telegram.url) as lab:
        case = Case(lab=lab, scene=scene, say=click.echo)
        try:
            await case.play()
        except CaseFailed as error:
            click.echo(f"\nFAILED: {error}", err=True)
            click.echo(f"The bot's log: {DATA / 'bot.log'}", err=True)
            return 1
    click.echo("\nOK: the whole case, every chat as it should be.")
    return 0


async def _stay(port: int | None) -> int:
    """Plays a short case, prints what to try, and stays until it is interrupted."""
    async with (
        _demo(port) as (telegram, scene, bot),
        LabClient(telegram.url) as lab,
        anyio.create_task_group() as group,
    ):
        case = Case(lab=lab, scene=scene, say=lambda _: None)
        case.client = scene.ivan_id
        await case.opens()
        await case.assigns()
        _print_welcome(telegram.url, bot)
        group.start_soon(_revive, bot)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        click.echo("\nStopping …")
        group.cancel_scope.cancel()
    click.echo("Stopped.")
    return 0


@asynccontextmanager
async def _demo(port: int | None) -> AsyncIterator[tuple[LocalTelegram, Scene, BotProcess]]:
    """A fresh local Telegram with its scene, and a bot that serves it."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    world = World()
    scene = demo_scene(world, BOT_TOKEN)
    chosen = free_port(PAGE_PORT) if port is None else port
    async with LocalTelegram.serve(port=chosen, world=world) as telegram:
        settings = {
            **scene.settings(telegram.url),
            "HTTP_BIND": f"127.0.0.1:{free_port(STATUS_PORT)}",
            "DATA_DIR": str(DATA.resolve()),
            "LOG_FORMAT": "json",
            # Nobody limits the local Telegram, so nobody should wait for it.
            "PACE_BOT_PER_S": "0",
            "PACE_PRIVATE_PER_S": "0",
            "PACE_GROUP_PER_MIN": "0",
        }
        click.echo("Starting Postgres, Valkey and the bot …", err=True)
        async with BotProcess(settings, log_file=DATA / "bot.log") as bot:
            yield telegram, scene, bot


async def _revive(bot: BotProcess) -> None:
    """Starts the bot again whenever it dies, as a service manager would."""
    while True:
        code = await bot.wait()
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        click.echo(f"The bot died ({why}). Starting it again …")
        await bot.start()
        click.echo(f"The bot is back, process {bot.pid}; what was under way goes on.")


def _print_welcome(page: str, bot: BotProcess) -> None:
    address = f"{page}/?status={quote(bot.url, safe='')}"
    click.echo(f"""
topicdesk demo — not for production: nothing of this is kept.

  The chats     {address}
  Status page   {bot.url}/
  The bot       process {bot.pid}, log in {DATA / "bot.log"}

Ivan has written already, and alice has his request. Now try:

  1  write as Ivan, as Мария (staff) and as alice; send a photo; begin a line with // to stay inside
  2  press "new client" and write: a topic opens, the buttons under the card assign it
  3  break it:  kill -9 {bot.pid}  while messages are flying; it comes back and nothing is missing
  4  press "Закрыть заявку" under the card and answer the survey as the client

Ctrl-C stops everything.""")
    sys.stdout.flush()
