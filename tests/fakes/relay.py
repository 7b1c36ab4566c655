"""A wire to Postgres that can be cut: what stands between a program and a server far away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream

from lab.chaos.proxy import readable, writable
from storage.postgres import normalise


class Relay:
    """Passes bytes on while it is up; cutting it resets what is open and what comes."""

    def __init__(self, dsn: str, port: int) -> None:
        self._server = normalise(dsn)
        self._scopes: set[anyio.CancelScope] = set()
        self._silent: set[anyio.Event] = set()
        self._up = True
        here = self._server.set(host="127.0.0.1", port=port, query={})
        self.dsn = here.render_as_string(hide_password=False)
        """Leads through here."""

    def cut(self) -> None:
        self._up = False
        for scope in self._scopes:
            scope.cancel()

    def mend(self) -> None:
        self._up = True

    def silence(self) -> None:
        """Nothing passes any more on what is open, and nobody is told."""
        for silent in self._silent:
            silent.set()

    async def connected(self, near: SocketStream) -> None:
        async with near:
            if not self._up:
                return
            silent = anyio.Event()
            self._silent.add(silent)
            with anyio.CancelScope() as scope:
                self._scopes.add(scope)
                async with await self._far() as far, anyio.create_task_group() as both:
                    both.start_soon(_pour, near, far, scope, silent)
                    both.start_soon(_pour, far, near, scope, silent)
            self._scopes.discard(scope)
            self._silent.discard(silent)

    async def _far(self) -> SocketStream:
        socket = self._server.query.get("host")
        port = self._server.port or 5432
        if isinstance(socket, str) and socket.startswith("/"):
            return await anyio.connect_unix(f"{socket}/.s.PGSQL.{port}")
        return await anyio.connect_tcp(self._server.host or "127.0.0.1", port)


async def _pour(
    source: SocketStream, target: SocketStream, scope: anyio.CancelScope, silent: anyio.Event
) -> None:
    try:
        while True:
            await readable(source)
            chunk = await source.receive()
            if silent.is_set():
                await anyio.sleep_forever()
            await writable(target)
            await target.send(chunk)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
        pass
    scope.cancel()


@asynccontextmanager
async def open_relay(dsn: str) -> AsyncIterator[Relay]:
    """Listens on a free port until the block is left."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    relay = Relay(dsn, listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, relay.connected)
        yield relay
        group.cancel_scope.cancel()
