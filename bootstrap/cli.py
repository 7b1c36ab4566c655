"""The command ``topicdesk``. Imports what a command needs only when it runs: help comes at once."""

import importlib
import importlib.util
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NoReturn

import anyio
import click
from click.core import ParameterSource

from actors.errors import TopicdeskError
from bootstrap.settings import (
    SettingsError,
    StorageSettings,
    doubtful_names,
    load_settings,
    load_storage_settings,
)

FAILED: Final = 1
WRONG_USE: Final = 2

FLOOD: Final = 200
"""Messages of one who floods, if nobody says otherwise."""
INTERRUPTED: Final = 130

EPILOG: Final = """\b
Exit codes: 0 all well, 1 failed, 2 wrong use or wrong settings, 130 interrupted.

Settings come from the environment and from the file .env; .env.example explains each."""

env_file_option = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".env"),
    show_default=True,
    help="Where settings are read from that the environment does not hold.",
)


def _version() -> str:
    try:
        return version("topicdesk")
    except PackageNotFoundError:  # a checkout that was not installed
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


@click.group(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(_version(), prog_name="topicdesk", message="%(prog)s %(version)s")
def main() -> None:
    """A helpdesk that lives in Telegram.

    Clients write to a bot; each conversation becomes a topic in the staff's group, and in the
    group of the technician who is put on it.

    Try it without a bot or a server: topicdesk demo
    """


@main.command(short_help="Serve the bot until interrupted.")
@env_file_option
def run(env_file: Path) -> None:
    """Serve the bot until interrupted.

    Brings the database to the newest schema, then answers by webhook if WEBHOOK_URL is set, else
    by long polling. Without POSTGRES_HOST and REDIS_HOST it runs servers of its own in DATA_DIR.
    """
    settings = _loaded(load_settings, env_file)
    _configure_logs(settings, env_file)
    app = importlib.import_module("bootstrap.app")
    _guarded(app.run, settings)


@main.command(short_help="Try everything on this machine, without a bot.")
@click.option("--script", is_flag=True, help="Play a whole case, check every chat, and exit.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; 0 takes a free one.")
def demo(*, script: bool, port: int | None) -> None:
    """Try everything on this machine: a local Telegram with a page, the bot, a database.

    Needs no bot token, no server and no network. Ctrl-C stops all of it.
    """
    lab = _lab("lab.demo", "demo")
    with _told():
        sys.exit(lab.main(script=script, port=port))


@main.command(short_help="Bring the database's schema forwards or back.")
@env_file_option
@click.option("--sql", is_flag=True, help="Print the statements instead; needs no database.")
@click.option("--down", metavar="REVISION", help="Go back to that revision; 'base' drops all.")
def migrate(*, env_file: Path, sql: bool, down: str | None) -> None:
    """Bring the database to the newest schema, or back to an older one."""
    if sql and down is not None:
        raise click.UsageError("--sql and --down exclude each other")
    migrations = importlib.import_module("storage.migrate")
    if sql:
        click.echo(migrations.offline_sql(), nl=False)
        return
    settings = _loaded(load_storage_settings, env_file)
    _configure_logs(settings, env_file)
    commands = importlib.import_module("bootstrap.schema")
    click.echo(_guarded(commands.migrate, settings, down))


@main.command(short_help="Look at everything topicdesk depends on.")
@env_file_option
def doctor(env_file: Path) -> None:
    """Look at everything topicdesk depends on, and say what to do.

    Prints a line each for the settings, the database, the bot, its groups and rights, the webhook
    and the sheet. Changes nothing there. Exits with 1 when something fails.
    """
    _silence_logs()
    examination = importlib.import_module("bootstrap.doctor")
    verdicts: list[str] = []

    def report(finding: Any) -> None:
        verdicts.append(finding.verdict)
        click.echo(str(finding))

    _guarded(examination.examine, os.environ, env_file, report)
    sys.exit(FAILED if "FAIL" in verdicts else 0)


@main.group(short_help="Measure on this machine.")
def bench() -> None:
    """Measure on this machine, with a local Telegram and servers of its own."""


@bench.command()
@click.option("--clients", type=click.IntRange(min=1), default=200, show_default=True)
@click.option(
    "--messages", type=click.IntRange(min=1), default=5, show_default=True, help="Of each client."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures there, too.",
)
@click.option(
    "--rate", type=click.IntRange(min=0), default=0, help="And then so many a second, evenly."
)
@click.option(
    "--latency-ms", type=click.FloatRange(min=0), default=0.0, help="Of each copy at Telegram."
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--bare/--no-bare", default=True, help="Beside it, a relay that stores nothing.")
def relay(
    *,
    clients: int,
    messages: int,
    json_file: Path | None,
    rate: int,
    latency_ms: float,
    runs: int,
    bare: bool,
) -> None:
    """From a client's message received to its copy made: rate, times, lost, doubled, disordered."""
    lab = _lab("lab.bench", "bench")
    with _told():
        sys.exit(
            lab.relay(
                clients=clients,
                messages=messages,
                json_file=json_file,
                rate=rate,
                latency_ms=latency_ms,
                runs=runs,
                bare=bare,
            )
        )


@bench.command()
@click.argument("scene", type=click.Choice(["limited", "flood", "storm"]))
@click.option("--clients", type=click.IntRange(min=1), default=20, show_default=True)
@click.option(
    "--messages",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Of each client; of the one who floods, 200 if not given.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="Telegram's limits times this; 6 shows in minutes what else takes an hour.",
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures there, too.",
)
@click.pass_context
def delivery(
    context: click.Context,
    *,
    scene: str,
    clients: int,
    messages: int,
    scale: float,
    runs: int,
    json_file: Path | None,
) -> None:
    """How well Telegram's limits are used, and its faults borne.

    limited: all write at once under limits. flood: quiet clients beside one who floods.
    storm: no limits, but a fifth of all calls fails in some way.
    """
    lab = _lab("lab.bench_delivery", "bench")
    given = context.get_parameter_source("messages") is not ParameterSource.DEFAULT
    with _told():
        match scene:
            case "limited":
                code = lab.limited(
                    clients=clients, messages=messages, scale=scale, runs=runs, json_file=json_file
                )
            case "flood":
                count = messages if given else FLOOD
                code = lab.flood(
                    clients=clients, flood=count, scale=scale, runs=runs, json_file=json_file
                )
            case _:
                code = lab.storm(clients=clients, messages=messages, runs=runs, json_file=json_file)
        sys.exit(code)


# --- what the commands share ----------------------------------------------------------------


def _loaded[S: StorageSettings](
    load: Callable[[Mapping[str, str], Path | None], S], env_file: Path
) -> S:
    try:
        return load(os.environ, env_file)
    except SettingsError as error:
        count = len(error.problems)
        click.echo(f"topicdesk: {count} setting{'s are' if count > 1 else ' is'} wrong:", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        for name, meant in doubtful_names(os.environ, env_file):
            click.echo(f"  {name} is no setting; did you mean {meant}?", err=True)
        sys.exit(WRONG_USE)


def _configure_logs(settings: StorageSettings, env_file: Path) -> None:
    import structlog  # noqa: PLC0415 - help comes without it

    from bootstrap.logs import configure_logging  # noqa: PLC0415

    configure_logging(
        level=settings.log_level,
        style=settings.log_format,
        node=settings.node_name,
        secrets=settings.secrets(),
    )
    for name, meant in doubtful_names(os.environ, env_file):
        structlog.get_logger("topicdesk").warning("setting_unknown", name=name, meant=meant)


def _silence_logs() -> None:
    """The doctor says everything itself, in its own lines."""
    from bootstrap.logs import configure_logging  # noqa: PLC0415

    configure_logging(level="CRITICAL", style="console", node="doctor")


def _guarded(work: Callable[..., Any], *args: Any) -> Any:
    """Runs async work to its end, in the terms of :func:`_told`."""
    with _told():
        return anyio.run(work, *args, backend_options={"use_uvloop": _has_uvloop()})


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong is told in words, once, and exits non-zero; bugs keep their traceback."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except TopicdeskError as error:
        _fail(error)
    except BaseExceptionGroup as group:
        expected, others = group.split(TopicdeskError)
        if expected is None or others is not None:
            raise
        _fail(_first(expected))


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(error: BaseException) -> NoReturn:
    click.echo(f"topicdesk: {error}", err=True)
    sys.exit(FAILED)


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None


def _lab(module: str, command: str) -> Any:
    """The lab is for trying and measuring; a production install may lack what it needs."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if (error.name or "").startswith(("lab.", "bootstrap.", "bot.", "storage.", "web.")):
            raise
        click.echo(
            f"topicdesk: `{command}` needs the package {package}; install topicdesk with its "
            f"extras: pip install 'topicdesk[lab,embedded]'",
            err=True,
        )
        sys.exit(FAILED)
