"""The commands ``topicdesk backup`` and ``topicdesk restore``; help comes at once."""

import importlib
from functools import partial
from pathlib import Path

import click

from bootstrap.cli_shared import env_file_option, example, guarded, loaded, silence_logs
from bootstrap.settings import load_storage_settings

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command(
    short_help="Write the whole database into a file.",
    epilog=example("topicdesk backup desk-$(date +%F).dump"),
)
@file_argument
@env_file_option
def backup(*, file: Path, env_file: Path) -> None:
    """Write the whole database into FILE, while topicdesk runs or not.

    FILE is in PostgreSQL's custom format, of one instant, and holds what people wrote: only its
    owner may read it. Needs pg_dump, not older than the server; the embedded server brings it.
    """
    silence_logs()
    settings = loaded(load_storage_settings, env_file)
    commands = importlib.import_module("bootstrap.backup")
    click.echo(guarded(commands.write, settings, file))


@click.command(
    short_help="Put a backup into the database.",
    epilog=example("topicdesk restore desk-2026-11-01.dump"),
)
@file_argument
@click.option("--replace", is_flag=True, help="Although there are tickets, which are then gone.")
@env_file_option
def restore(*, file: Path, replace: bool, env_file: Path) -> None:
    """Put the backup FILE into the database, all of it or nothing.

    No node may work with the database; stop them first. Whoever owned a ticket before owns it no
    more and can write nothing. What was still to be sent then is sent, unless it went out since.
    """
    silence_logs()
    settings = loaded(load_storage_settings, env_file)
    commands = importlib.import_module("bootstrap.backup")
    click.echo(guarded(partial(commands.read, replace=replace), settings, file))
