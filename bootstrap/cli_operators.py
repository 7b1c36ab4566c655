"""The commands of operators, ``topicdesk tickets`` and ``topicdesk dead``; help comes at once."""

import importlib
from pathlib import Path
from typing import Any, Final

import click

from bootstrap.cli_shared import env_file_option, example, guarded, loaded, silence_logs
from bootstrap.settings import load_storage_settings


class _Number(click.IntRange):
    name = "number"
    """As what it says in a complaint."""


POSITIVE: Final = _Number(1, 2**63 - 1)
"""Numbers of tickets and dead letters, as the database has them."""

WHY_LENGTH_MAX: Final = 500
"""A reason is read on one line; more belongs elsewhere."""

ticket_argument = click.argument("ticket", metavar="N", type=POSITIVE)
dead_argument = click.argument("letter", metavar="ID", type=POSITIVE)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for machines.")
raw_option = click.option("--raw", is_flag=True, help="Show names and what people wrote.")


def _some_words(context: click.Context, option: click.Parameter, words: str) -> str:
    del context, option
    if not words.strip():
        raise click.BadParameter("is empty")
    if len(words) > WHY_LENGTH_MAX:
        raise click.BadParameter(f"is longer than {WHY_LENGTH_MAX} characters")
    return words.strip()


why_option = click.option(
    "--why", metavar="TEXT", required=True, callback=_some_words, help="For whoever comes next."
)


@click.group(short_help="Look at a ticket, move it, stop it, let it go on.")
def tickets() -> None:
    """Look at a ticket and put it right by hand, while topicdesk runs or not.

    Each change is written to the ticket's log with your login name. What a node
    does for the ticket at that moment is done wholly or not at all.
    """


@tickets.command("show", epilog=example("topicdesk tickets show 7"))
@ticket_argument
@raw_option
@json_option
@env_file_option
def tickets_show(*, ticket: int, raw: bool, as_json: bool, env_file: Path) -> None:
    """Show ticket N: who owns it, and what waits for it.

    Its mail, what is not sent yet, timers, dead letters and the newest lines of its log. Names and
    what people wrote are hidden unless --raw is given. Times are UTC.
    """
    _operate("show", env_file, ticket, as_json=as_json, raw=raw)


@tickets.command("poke", epilog=example("topicdesk tickets poke 7"))
@ticket_argument
@json_option
@env_file_option
def tickets_poke(*, ticket: int, as_json: bool, env_file: Path) -> None:
    """Tell the owner of ticket N to look at it now.

    Only a hint, through Redis: nothing of the ticket is changed. A ticket without a living owner is
    pointed out to the node that was heard of last. Exits with 1 when nobody heard it.
    """
    _operate("poke", env_file, ticket, as_json=as_json)


@tickets.command(
    "move", epilog=example("topicdesk tickets move 7 --to desk-2", "topicdesk tickets move 7")
)
@ticket_argument
@click.option("--to", "node", metavar="NODE", help="Its NODE_NAME; must be up.")
@json_option
@env_file_option
def tickets_move(*, ticket: int, node: str | None, as_json: bool, env_file: Path) -> None:
    """Give ticket N to the node NODE, whoever has it now.

    Without --to it goes to another node than it is with, the one with the fewest tickets. It goes
    on there with its next message, in order; nothing is lost or done twice.
    """
    _operate("move", env_file, ticket, node, as_json=as_json)


@tickets.command(
    "quarantine", epilog=example('topicdesk tickets quarantine 7 --why "answers itself"')
)
@ticket_argument
@why_option
@json_option
@env_file_option
def tickets_quarantine(*, ticket: int, why: str, as_json: bool, env_file: Path) -> None:
    """Stop ticket N on all nodes until it is released.

    What comes in for it is stored and waits. What it had decided before is still sent.
    """
    _operate("quarantine", env_file, ticket, why, as_json=as_json)


@tickets.command("release", epilog=example("topicdesk tickets release 7"))
@ticket_argument
@json_option
@env_file_option
def tickets_release(*, ticket: int, as_json: bool, env_file: Path) -> None:
    """Let ticket N go on after a quarantine.

    All that has waited is handled, in order.
    """
    _operate("release", env_file, ticket, as_json=as_json)


@click.group(short_help="Look at messages that were given up; retry or drop them.")
def dead() -> None:
    """Look at dead letters: messages that failed five times and were given up.

    The ticket has gone on without them.
    """


@dead.command("list", epilog=example("topicdesk dead list --ticket 7"))
@click.option("--ticket", metavar="N", type=POSITIVE, help="Only of this ticket.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest."
)
@raw_option
@json_option
@env_file_option
def dead_list(*, ticket: int | None, limit: int, raw: bool, as_json: bool, env_file: Path) -> None:
    """List dead letters, newest first.

    Each with the last line of its error, which may quote what people wrote.
    """
    _operate("dead_list", env_file, ticket, limit, as_json=as_json, raw=raw)


@dead.command("show", epilog=example("topicdesk dead show 3"))
@dead_argument
@raw_option
@json_option
@env_file_option
def dead_show(*, letter: int, raw: bool, as_json: bool, env_file: Path) -> None:
    """Show dead letter ID with its message and its traceback.

    Names and what people wrote are hidden unless --raw is given; the traceback may quote them.
    """
    _operate("dead_show", env_file, letter, as_json=as_json, raw=raw)


@dead.command("retry", epilog=example("topicdesk dead retry 3", "topicdesk dead retry --all"))
@click.argument("letter", metavar="[ID]", type=POSITIVE, required=False)
@click.option("--all", "everything", is_flag=True, help="Every dead letter, oldest first.")
@json_option
@env_file_option
def dead_retry(*, letter: int | None, everything: bool, as_json: bool, env_file: Path) -> None:
    """Put the message of dead letter ID into its inbox again.

    It comes behind all that is there already, and the dead letter is gone. Asked twice, it is
    still done once. With --all, exits with 1 when some could not be.
    """
    if (letter is None) is not everything:
        raise click.UsageError("give either the ID of a dead letter or --all")
    if letter is None:
        _operate("retry_all", env_file, as_json=as_json)
    else:
        _operate("retry", env_file, letter, as_json=as_json)


@dead.command("drop", epilog=example('topicdesk dead drop 3 --why "spam"'))
@dead_argument
@why_option
@json_option
@env_file_option
def dead_drop(*, letter: int, why: str, as_json: bool, env_file: Path) -> None:
    """Remove dead letter ID for good.

    Its ticket's log keeps that, why, and your login name. The desk's letters have no log.
    """
    _operate("drop", env_file, letter, why, as_json=as_json)


def _operate(name: str, env_file: Path, *args: Any, as_json: bool, raw: bool = False) -> None:
    """Runs one of the operators' commands and prints its answer; logs would only repeat it."""
    settings = loaded(load_storage_settings, env_file)
    silence_logs()
    from bootstrap.masking import Mask  # noqa: PLC0415 - help comes without it
    from bootstrap.operations_text import Form  # noqa: PLC0415

    form = Form(as_json=as_json, raw=raw, mask=Mask(settings.secrets()))
    commands = importlib.import_module("bootstrap.operations")
    click.echo(guarded(getattr(commands, name), settings, form, *args))
