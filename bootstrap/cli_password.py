"""``topicdesk password``: a hash for STATUS_USERS."""

import importlib
import sys

import click

from bootstrap.cli_shared import FAILED, example


@click.command(
    short_help="Make a hash of a password for STATUS_USERS.",
    epilog=example(
        'topicdesk password\nSTATUS_USERS={"olga": {"role": "viewer", "password": "…"}}'
    ),
)
def password() -> None:
    """Ask for a password and print its hash, for STATUS_USERS.

    The password is typed twice and not shown; from a pipe its first line is read. It is never an
    argument: those can be seen by everybody on the machine.
    """
    passwords = importlib.import_module("web.passwords")
    if sys.stdin.isatty():
        typed = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    try:
        hashed = passwords.hash_password(typed)
    except ValueError as error:
        click.echo(f"topicdesk: {error}", err=True)
        sys.exit(FAILED)
    click.echo(hashed)
