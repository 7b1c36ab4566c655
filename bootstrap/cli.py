"""The command ``topicdesk``. Imports what a command needs only when it runs: help comes at once."""

import importlib
import importlib.util
import os
import sys
import tomllib
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from bootstrap.cli_backup import backup, restore
from bootstrap.cli_operators import dead, tickets
from bootstrap.cli_password import password
from bootstrap.cli_shared import (
    FAILED,
    configure_logs,
    env_file_option,
    example,
    guarded,
    loaded,
    silence_logs,
    told,
)
from bootstrap.settings import load_settings, load_storage_settings

FLOOD: Final = 200
"""Messages of one who floods, if nobody says otherwise."""

EPILOG: Final = """\b
Exit codes: 0 all well, 1 failed, 2 wrong use or wrong settings, 130 interrupted.

Settings come from the environment and from the file .env; .env.example explains each."""


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
@click.option(
    "--nodes",
    type=click.IntRange(1, 64),
    help="Run so many nodes on this machine, each a process, kept running.",
)
@click.option("--end-with-parent", is_flag=True, hidden=True)
def run(*, env_file: Path, nodes: int | None, end_with_parent: bool) -> None:
    """Serve the bot until interrupted.

    Brings the database to the newest schema, then answers by webhook if WEBHOOK_URL is set, else
    by long polling. Without POSTGRES_HOST and REDIS_HOST it runs servers of its own in DATA_DIR.

    With --nodes, node K is called NODE_NAME-K and listens at the port of HTTP_BIND plus K-1.
    """
    settings = loaded(load_settings, env_file)
    configure_logs(settings, env_file)
    if nodes is None:
        app = importlib.import_module("bootstrap.app")
        guarded(partial(app.run, end_with_parent=end_with_parent), settings)
    else:
        cluster = importlib.import_module("bootstrap.cluster")
        guarded(cluster.run_nodes, settings, nodes, env_file)


@main.command(short_help="Try everything on this machine, without a bot.")
@click.option("--script", is_flag=True, help="Play a whole case, check every chat, and exit.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; 0 takes a free one.")
def demo(*, script: bool, port: int | None) -> None:
    """Try everything on this machine: a local Telegram with a page, the bot, a database.

    Needs no bot token, no server and no network. Ctrl-C stops all of it.
    """
    lab = _lab("lab.demo", "demo")
    with told():
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
    settings = loaded(load_storage_settings, env_file)
    configure_logs(settings, env_file)
    commands = importlib.import_module("bootstrap.schema")
    click.echo(guarded(commands.migrate, settings, down))


@main.command(short_help="Look at everything topicdesk depends on.")
@env_file_option
def doctor(env_file: Path) -> None:
    """Look at everything topicdesk depends on, and say what to do.

    Prints a line each for the settings, the database, the bot, its groups and rights, the webhook
    and the sheet. Changes nothing there. Exits with 1 when something fails.
    """
    silence_logs()
    examination = importlib.import_module("bootstrap.doctor")
    verdicts: list[str] = []

    def report(finding: Any) -> None:
        verdicts.append(finding.verdict)
        click.echo(str(finding))

    guarded(examination.examine, os.environ, env_file, report)
    sys.exit(FAILED if "FAIL" in verdicts else 0)


json_file_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures there, too.",
)


@main.group(short_help="Measure on this machine.")
def bench() -> None:
    """Measure on this machine, with a local Telegram and servers of its own."""


@bench.command()
@click.option("--clients", type=click.IntRange(min=1), default=200, show_default=True)
@click.option(
    "--messages", type=click.IntRange(min=1), default=5, show_default=True, help="Of each client."
)
@json_file_option
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
    with told():
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
@click.option(
    "--helpers",
    type=click.IntRange(min=0, max=19),
    default=0,
    show_default=True,
    help="Helper bots that share the texts (limited only).",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Of each call at Telegram (flood only).",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Minutes without and with a flood, in turn (flood only); each adds to what is compared.",
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True)
@json_file_option
@click.pass_context
def delivery(
    context: click.Context,
    *,
    scene: str,
    clients: int,
    messages: int,
    scale: float,
    helpers: int,
    latency_ms: float,
    rounds: int,
    runs: int,
    json_file: Path | None,
) -> None:
    """How well Telegram's limits are used, and its faults borne.

    limited: all write at once under limits. flood: quiet clients beside one who floods.
    storm: no limits, but a fifth of all calls fails in some way.
    """
    lab = _lab(f"lab.bench_{scene}", "bench")
    given = context.get_parameter_source("messages") is not ParameterSource.DEFAULT
    with told():
        match scene:
            case "limited":
                code = lab.limited(
                    clients=clients,
                    messages=messages,
                    scale=scale,
                    runs=runs,
                    json_file=json_file,
                    helpers=helpers,
                )
            case "flood":
                count = messages if given else FLOOD
                code = lab.flood(
                    clients=clients,
                    flood=count,
                    scale=scale,
                    latency_ms=latency_ms,
                    rounds=rounds,
                    runs=runs,
                    json_file=json_file,
                )
            case _:
                code = lab.storm(clients=clients, messages=messages, runs=runs, json_file=json_file)
        sys.exit(code)


@bench.command(epilog=example("topicdesk bench failover --clients 30 --polling"))
@click.option("--nodes", type=click.IntRange(2, 9), default=3, show_default=True)
@click.option("--clients", type=click.IntRange(1, 500), default=30, show_default=True)
@click.option("--polling", is_flag=True, help="Updates by long polling instead of by webhook.")
@json_file_option
def failover(*, nodes: int, clients: int, polling: bool, json_file: Path | None) -> None:
    """How long people wait without Redis, when a node is killed, and when all restart in turn."""
    lab = _lab("lab.bench_failover", "bench")
    with told():
        sys.exit(
            lab.failover(nodes=nodes, clients=clients, webhook=not polling, json_file=json_file)
        )


@bench.command(epilog=example("topicdesk bench takeover --tickets 10000 --tickets 100000"))
@click.option(
    "--tickets",
    type=click.IntRange(min=1),
    multiple=True,
    default=[10_000],
    show_default=True,
    help="How many; may be given several times.",
)
@json_file_option
def takeover(*, tickets: tuple[int, ...], json_file: Path | None) -> None:
    """From a node declared dead to its tickets claimed by another: time, memory, the loop's stops.

    Exits with 1 when a goal is missed: 10 s, 1,000 bytes a ticket, no stop over 50 ms.
    """
    lab = _lab("lab.bench_takeover", "bench")
    with told():
        sys.exit(lab.takeover(tickets=tickets, json_file=json_file))


@bench.command(epilog=example("topicdesk bench status --tickets 100000 --viewers 50"))
@click.option("--tickets", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--viewers", type=click.IntRange(0, 100), default=50, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 600), default=20.0, show_default=True)
@json_file_option
def status(*, tickets: int, viewers: int, seconds: float, json_file: Path | None) -> None:
    """What the status page costs a node that has many tickets while people look at it.

    Exits with 1 when a goal is missed: 2 % of a core, counts that equal the database's.
    """
    lab = _lab("lab.bench_status", "bench")
    with told():
        sys.exit(lab.status(tickets=tickets, viewers=viewers, seconds=seconds, json_file=json_file))


@main.command(short_help="Break everything on purpose, and check that nothing is lost.")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=2.0, show_default=True)
@click.option("--nodes", type=click.IntRange(1, 16), default=3, show_default=True)
@click.option("--clients", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option(
    "--faults",
    metavar="KINDS",
    default="all",
    show_default=True,
    help="Of kill,pause,redis,postgres,network,telegram,burst; or none.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Breaks the same at the same times.")
@click.option(
    "--updates",
    type=click.Choice(["webhook", "polling"]),
    help="How they reach the nodes; the seed draws it if not given.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with a time line there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def chaos(*, faults: str, **options: Any) -> None:
    """Break nodes, servers and links while people write, and check that nothing is lost.

    Runs nodes, Postgres, Valkey and a local Telegram on this machine, all of which end with it.
    Exits with 0 only when every message arrived, in order, and nothing twice without a cause.
    """
    silence_logs()  # the nodes have logs of their own; here the verdict is all
    lab = _lab("lab.chaos.cli", "chaos")
    try:
        families = lab.families_in(faults)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--faults") from error
    with told():
        sys.exit(lab.main(families=families, **options))


@main.command(
    short_help="Run whole installations in virtual time, and check every promise.",
    epilog=example(
        "topicdesk simulate --seeds 200 --hours 2", "topicdesk simulate --first 17 --seeds 1"
    ),
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=50, show_default=True, help="How many."
)
@click.option("--first", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--hours",
    type=click.FloatRange(0.01, 100),
    default=2.0,
    show_default=True,
    help="Virtual time of each.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="So many at once; one per processor if not given."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def simulate(**options: Any) -> None:
    """Run whole installations in virtual time, and check every promise.

    Each seed is an installation of its own: nodes, database, Telegram, people, and what goes wrong
    between them. The same seed and hours always do the same, step by step. A seed that breaks a
    promise is told with what happened to the ticket concerned. Exits with 0 when none did.
    """
    silence_logs()
    lab = _lab("lab.simulation.cli", "simulate")
    with told():
        sys.exit(lab.main(**options))


main.add_command(backup)
main.add_command(restore)
main.add_command(tickets)
main.add_command(dead)
main.add_command(password)


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
