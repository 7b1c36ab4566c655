"""``python -m lab.telegram``: the local Telegram as a process of its own."""

import json
import os
import signal
import sys

import anyio
import click
import uvloop

from lab.telegram.scene import demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.world import World


@click.command(help="A Bot API server with a small world behind it, for trying and testing.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8081, show_default=True, help="Port; 0 takes a free one.")
@click.option("--bot-token", default="42:demo", show_default=True, help="The first bot's token.")
@click.option("--scene", type=click.Choice(["demo", "empty"]), default="demo", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Seed of ids, dice and faults.")
@click.option("--loose", is_flag=True, help="Let unknown parameters pass, as Telegram does.")
@click.option("--die-with-stdin", is_flag=True, help="Stop when standard input closes.")
def main(  # noqa: PLR0917 - click calls it by name
    host: str, port: int, bot_token: str, scene: str, seed: int, loose: bool, die_with_stdin: bool
) -> None:
    async def run() -> None:
        world = World(seed=seed)
        chosen = demo_scene(world, bot_token) if scene == "demo" else None
        async with (
            LocalTelegram.serve(host=host, port=port, world=world, strict=not loose) as telegram,
            anyio.create_task_group() as tasks,
        ):
            settings = chosen.settings(telegram.url) if chosen is not None else {}
            print(json.dumps({"url": telegram.url, "settings": settings}), flush=True)
            if die_with_stdin:
                tasks.start_soon(_until_stdin_closes, tasks.cancel_scope)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
            tasks.cancel_scope.cancel()

    try:
        anyio.run(run, backend_options={"loop_factory": uvloop.new_event_loop})
    except* OSError as errors:
        print(f"cannot listen on {host}:{port}: {errors.exceptions[0]}", file=sys.stderr)
        sys.exit(1)


async def _until_stdin_closes(scope: anyio.CancelScope) -> None:
    """A parent that dies, however, closes our standard input: then nobody needs us."""
    os.set_blocking(0, False)
    while True:
        await anyio.wait_readable(0)
        try:
            if not os.read(0, 4096):
                break
        except BlockingIOError:
            continue
    scope.cancel()


if __name__ == "__main__":
    main()
