"""A link between a node and a server that can be slowed, held, refused and torn.

Bytes pass through unchanged and in order, or not at all, as on a network: what is held on the way
arrives when the link heals, unless the connection was given up meanwhile.
"""

import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream

CHUNK: Final = 65_536
"""Read at once; a chunk is also what a latency delays."""

CONNECT_TIMEOUT_S: Final = 2.0
"""Everything is on this machine: who does not answer within this is away."""

_LINGER_NONE: Final = struct.pack("ii", 1, 0)
"""Makes closing a TCP connection a reset, without the usual goodbye."""


@dataclass(frozen=True, slots=True)
class Tcp:
    """A port of this machine; 0 is any free one."""

    port: int = 0


@dataclass(frozen=True, slots=True)
class Unix:
    """A unix socket."""

    path: Path


type Address = Tcp | Unix


class Way(Enum):
    """The two directions of a link."""

    THERE = "there"
    """From the node to the server."""
    BACK = "back"


BOTH: Final = frozenset(Way)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the weather is like. The default is fine."""

    latency_s: float = 0.0
    """Before each chunk, either way."""
    bytes_per_s: float | None = None
    held: frozenset[Way] = frozenset()
    """Directions in which nothing arrives for now; a new connection is held like an old one."""
    refuses: bool = False
    """New connections are reset at once."""


FINE: Final = Conditions()


@dataclass(slots=True, eq=False)
class _Connection:
    client: SocketStream
    server: SocketStream
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Link:
    """Passes connections on to the first of ``targets()`` that takes them.

    ``targets`` is asked for each connection, so it may rotate, or leave out who is down. All
    methods but :meth:`serve` act at once and never fail.
    """

    def __init__(self, name: str, targets: Callable[[], Sequence[Address]]) -> None:
        self.name = name
        self.address: Address = Tcp()
        """Where it listens, once it serves."""
        self._targets = targets
        self._conditions = FINE
        self._changed = anyio.Event()
        self._connections: dict[_Connection, Address] = {}
        self._forgotten: set[_Connection] = set()

    @asynccontextmanager
    async def serve(self, address: Address) -> AsyncIterator[Address]:
        """Listens until the block ends; yields where. Leaving it cuts every connection.

        Raises:
            OSError: The address is taken.
        """
        listener, self.address = await listen(address)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._carry)
            try:
                yield self.address
            finally:
                tasks.cancel_scope.cancel()

    @property
    def port(self) -> int:
        """The TCP port on which it listens."""
        assert isinstance(self.address, Tcp)
        return self.address.port

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def conditions(self) -> Conditions:
        return self._conditions

    def set(self, conditions: Conditions) -> None:
        """Changes the weather, for open connections too."""
        self._conditions = conditions
        self._changed.set()
        self._changed = anyio.Event()

    def half_open(self) -> None:
        """As if the other end had lost its power: nothing arrives, nobody says goodbye.

        What was open stays without an answer; healing resets it, since the other end has
        forgotten it.
        """
        self._forgotten |= set(self._connections)
        self.set(Conditions(held=BOTH))

    def heal(self) -> None:
        """Fine weather. What was held arrives now."""
        for connection in self._forgotten:
            connection.scope.cancel()
        self._forgotten.clear()
        self.set(FINE)

    def reset(self, target: Address | None = None) -> int:
        """Tears open connections, all or those to ``target``; returns how many."""
        torn = [
            connection
            for connection, to in self._connections.items()
            if target is None or to == target
        ]
        for connection in torn:
            connection.scope.cancel()
        return len(torn)

    async def _carry(self, stream: SocketStream) -> None:
        """One connection from beginning to end; never raises but for a cancellation."""
        try:
            found = None if self._conditions.refuses else await self._connected()
        except BaseException:
            await _abort(stream)
            raise
        if found is None:
            await _abort(stream)
            return
        server, target = found
        connection = _Connection(stream, server)
        self._connections[connection] = target
        try:
            with connection.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pump, connection, stream, server, Way.THERE)
                    tasks.start_soon(self._pump, connection, server, stream, Way.BACK)
        finally:
            del self._connections[connection]
            self._forgotten.discard(connection)
            with anyio.CancelScope(shield=True):  # both close at once, nothing is waited for
                await _abort(stream)
                await _abort(server)

    async def _connected(self) -> tuple[SocketStream, Address] | None:
        """The first target that takes a connection, after the way there is free."""
        await self._until_passable(Way.THERE)
        for target in self._targets():
            with suppress(OSError, TimeoutError):
                return await _connect(target), target
        return None

    async def _pump(
        self, connection: _Connection, source: SocketStream, sink: SocketStream, way: Way
    ) -> None:
        try:
            while True:
                try:
                    await readable(source)
                    data = await source.receive(CHUNK)
                except anyio.EndOfStream:
                    await self._until_passable(way)
                    await sink.send_eof()
                    return
                await self._travel(way, len(data))
                await writable(sink)
                await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, RuntimeError):
            # RuntimeError is uvloop's word for a stream that has just closed.
            connection.scope.cancel()  # one end is gone: the other is told by a reset

    async def _travel(self, way: Way, size: int) -> None:
        """As long as the weather makes ``size`` bytes take."""
        await self._until_passable(way)
        now = self._conditions
        wait_s = now.latency_s + (size / now.bytes_per_s if now.bytes_per_s else 0.0)
        if wait_s:
            await anyio.sleep(wait_s)
            await self._until_passable(way)

    async def _until_passable(self, way: Way) -> None:
        while way in self._conditions.held:
            await self._changed.wait()


async def listen(address: Address) -> tuple[Listener[SocketStream], Address]:
    """A listener, and where it really is.

    Raises:
        OSError: The address is taken.
    """
    if isinstance(address, Unix):
        return await anyio.create_unix_listener(address.path), address
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=address.port)
    port = int(listener.extra(SocketAttribute.local_port))  # noqa: S610 - not Django's
    return listener, Tcp(port)


async def _connect(target: Address) -> SocketStream:
    with anyio.fail_after(CONNECT_TIMEOUT_S):
        if isinstance(target, Unix):
            return await anyio.connect_unix(target.path)
        return await anyio.connect_tcp("127.0.0.1", target.port)


async def readable(stream: SocketStream) -> None:
    """Returns when there is something to read, or to hear of.

    anyio waits for a unix socket with a future that the loop may set after a cancellation, which
    then ends as an error of nobody's; its wait for a bare socket has no such gap. A chunk fits
    into a socket that can be written to, so that sending does not wait either.
    """
    raw = _unix_socket(stream)
    if raw is not None:
        await anyio.wait_readable(raw)


async def writable(stream: SocketStream) -> None:
    """As :func:`readable`."""
    raw = _unix_socket(stream)
    if raw is not None:
        await anyio.wait_writable(raw)


def _unix_socket(stream: SocketStream) -> socket.socket | None:
    try:
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django's
    except AttributeError:  # closed already; uvloop's streams then have no socket to ask
        return None
    return raw if raw.family == socket.AF_UNIX and raw.fileno() >= 0 else None


async def _abort(stream: SocketStream) -> None:
    """Closes at once: over TCP with a reset."""
    # A unix socket, or closed already; uvloop's streams then have no socket to ask.
    with suppress(OSError, AttributeError):
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django's
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    await anyio.aclose_forcefully(stream)
