"""The HTTP server: hypercorn on asyncio, with an end that always comes.

Since Python 3.12 a server waits for open connections when it closes, whatever hypercorn's own
time-out says, so one open event stream would hold up the program for ever
(https://github.com/pgjones/hypercorn/issues/308). Hence three steps here: streams are told by an
event in their scope, then what still runs is cancelled, then the server is given up.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, cast

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Any, Any, Any], Awaitable[None]]
"""Any ASGI application: frameworks write the types of its three arguments differently."""

CLOSING: Final = "topicdesk.closing"
"""Key in the scope of each request: an ``anyio.Event`` that long answers must watch."""

LOOPBACK: Final = "topicdesk.loopback"
"""Key in the scope of each request: whether only this machine can reach the server."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the server takes at most. Times in seconds."""

    grace_s: float = 2.0
    """Requests that run when the end comes may take this long; a commit takes milliseconds."""

    give_up_s: float = 0.5
    """After they were cancelled, the server gets this long to close its connections."""

    requests_max: int = 1000
    """Requests at once; hypercorn itself has no limit. Telegram opens at most 100."""

    retry_after_s: int = 2
    """How long a request too many should wait."""

    keep_alive_s: float = 75.0
    """Longer than the pause between two updates of a busy bot, so connections are used again."""

    backlog: int = 1024
    """Connections that wait while the loop is busy."""


class CannotBind(OSError):
    """The address cannot be listened on: taken, not of this machine, or not allowed."""


async def serve(
    app: App,
    bind: str,
    closing: anyio.Event,
    *,
    options: ServerOptions | None = None,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until ``closing`` is set, at most ``grace_s + give_up_s`` longer.

    ``bind`` is ``host:port``; port 0 takes a free one. Reports the address, such as
    ``http://127.0.0.1:8080``, once connections are accepted. A cancel ends at once: requests in
    work are cut off.

    Raises:
        CannotBind: Nothing can listen there.
    """
    options = options or ServerOptions()
    listener = await listen(bind)
    url = url_of(listener)
    gate = _Gate(app, options, closing, loopback=_is_loopback(listener))
    config = _config(listener, options)

    accepting = anyio.Event()

    async def until_closing() -> None:
        accepting.set()  # hypercorn asks for the end only once it accepts
        await closing.wait()

    async def run(group: TaskGroup) -> None:
        await hypercorn_serve(
            cast("ASGIFramework", gate), config, shutdown_trigger=until_closing, mode="asgi"
        )
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run, group, name="http server")
        await accepting.wait()
        log.info("http_listening", url=url)
        task_status.started(url)  # from this task: anyio knows none that hypercorn made
        await _end(gate, options)
        group.cancel_scope.cancel()
    log.info("http_closed")


async def _end(gate: "_Gate", options: ServerOptions) -> None:
    """Returns when the server has had all the time it gets; a server that ends cancels this."""
    await gate.closing.wait()
    await anyio.sleep(options.grace_s)
    log.warning("http_requests_cut", requests=gate.cancel())
    await anyio.sleep(options.give_up_s)
    log.warning("http_given_up")
    gate.abandon()


class _Gate:
    """Counts and bounds the requests, tells them of the end, and can cancel them."""

    def __init__(
        self, app: App, options: ServerOptions, closing: anyio.Event, *, loopback: bool
    ) -> None:
        self._loopback = loopback
        self._app = app
        self._options = options
        self._running: set[anyio.CancelScope] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return  # nothing of ours starts or ends with it; returning says so
        if len(self._running) >= self._options.requests_max and scope["type"] == "http":
            await self._busy(send)
            return
        self._remember()
        scope[CLOSING] = self.closing
        scope[LOOPBACK] = self._loopback
        with anyio.CancelScope() as cancel:
            self._running.add(cancel)
            try:
                await self._app(scope, receive, send)
            finally:
                self._running.discard(cancel)

    def cancel(self) -> int:
        """Cuts off what runs; says how many that were."""
        running = list(self._running)
        for scope in running:
            scope.cancel()
        return len(running)

    def abandon(self) -> None:
        """Ends hypercorn's own tasks of requests, one of which may wait for its client to read.

        After our scope has left, such a task waits in hypercorn's code, whose group passes only the
        first cancel on: under uvloop the server would never end, and its canceller would spin.
        """
        for task in list(self._tasks):
            task.cancel()

    def _remember(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "hypercorn runs each request in a task"
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _busy(self, send: Send) -> None:
        headers = [
            (b"retry-after", str(self._options.retry_after_s).encode()),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def listen(bind: str) -> socket.socket:
    """A socket bound to ``host:port``, port 0 for a free one; whoever serves listens on it.

    Raises:
        CannotBind: Nothing can listen there.
    """
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        [(family, kind, protocol, _, address), *_] = await anyio.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM
        )
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not host:port"
        raise CannotBind(f"cannot listen on {bind}: {why}") from error
    return listener


def _is_loopback(listener: socket.socket) -> bool:
    return ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """An address for the browser of this machine, with the real port."""
    host, port, *_ = listener.getsockname()
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = anywhere.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(listener: socket.socket, options: ServerOptions) -> Config:
    errors = logging.getLogger("hypercorn.error")
    errors.setLevel(logging.WARNING)  # it would say "CTRL + C to quit" to programs
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # hypercorn closes it from here on
    config.backlog = options.backlog
    config.accesslog = None
    config.errorlog = errors
    config.graceful_timeout = options.grace_s
    config.include_server_header = False
    config.keep_alive_timeout = options.keep_alive_s
    return config
