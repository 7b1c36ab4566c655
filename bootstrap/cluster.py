"""``topicdesk run --nodes N``: several nodes on one machine, each a process, kept running."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import structlog
from anyio.abc import Process
from pydantic import SecretStr

from actors.errors import TopicdeskError
from bootstrap.outside import reach_servers, reach_telegram
from bootstrap.settings import Settings
from storage.embedded import embedded_postgres, embedded_valkey

log = structlog.get_logger(__name__)

PORT_MAX: Final = 65_535

WRONG_USE: Final = 2
"""Exit code of a node that will never start like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Times in seconds."""

    restart_first_s: float = 0.5
    restart_max_s: float = 30.0
    """Waits before a node that ended by itself is started again, doubling."""

    steady_s: float = 60.0
    """A node that lived so long is well: the next wait is the first again."""

    stop_s: float = 18.0
    """Nodes drain in at most 15; what has not ended then is killed."""


class ClusterError(TopicdeskError):
    """The nodes cannot be run like this."""


async def run_nodes(
    settings: Settings, count: int, env_file: Path, options: ClusterOptions | None = None
) -> None:
    """Runs ``count`` nodes until SIGTERM or SIGINT; then all drain.

    Embedded servers belong to this process, so that a node may end without them. Node ``k`` is
    called ``NODE_NAME-k`` and listens at the port of ``HTTP_BIND`` (and of ``WEBHOOK_BIND``) plus
    ``k - 1``. A node that ends by itself is started again; nodes end with this process, also when
    it is killed.

    Raises:
        TopicdeskError: Settings, servers or Telegram do not allow a start.
    """
    options = options or ClusterOptions()
    binds = addresses(
        {"HTTP_BIND": settings.http_bind, "WEBHOOK_BIND": settings.webhook_bind}, count
    )
    async with AsyncExitStack() as stack:
        shared = await _servers(settings, stack)
        await _check(settings.model_copy(update=_reached(shared)))
        nodes = [
            _Node(
                f"{settings.node_name}-{number}",
                {**os.environ, **shared, **own},
                env_file,
                options,
            )
            for number, own in enumerate(binds, 1)
        ]
        async with anyio.create_task_group() as group:
            for node in nodes:
                group.start_soon(node.keep, name=node.name)
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for received in signals:
                    log.info("stopping", signal=received.name, nodes=count)
                    break
            group.cancel_scope.cancel()


def addresses(firsts: Mapping[str, str | None], count: int) -> list[dict[str, str]]:
    """The addresses of each node, by the names of their settings."""
    nodes: list[dict[str, str]] = [{} for _ in range(count)]
    taken: dict[int, str] = {}
    for name, first in firsts.items():
        if first is None:
            continue
        host, _, text = first.rpartition(":")
        port = int(text)
        if port and port + count - 1 > PORT_MAX:
            raise ClusterError(f"{name} leaves no ports for {count} nodes")
        for number, node in enumerate(nodes):
            own = port + number if port else 0
            if own and taken.setdefault(own, name) != name:
                raise ClusterError(f"{taken[own]} and {name} want the same ports for {count} nodes")
            node[name] = f"{host}:{own}"
    return nodes


async def _servers(settings: Settings, stack: AsyncExitStack) -> dict[str, str]:
    """Starts the embedded servers where no others are named; what the nodes need to find them."""
    shared: dict[str, str] = {}
    if settings.database is None:
        dsn = await stack.enter_async_context(embedded_postgres(settings.data_dir))
        shared["POSTGRES_DSN"] = dsn
    if settings.redis is None:
        shared["REDIS_URL"] = await stack.enter_async_context(embedded_valkey(settings.data_dir))
    return shared


def _reached(shared: Mapping[str, str]) -> dict[str, object]:
    return {name.lower(): SecretStr(value) for name, value in shared.items()}


async def _check(settings: Settings) -> None:
    """Finds out what no restart would mend, and brings the schema to the newest."""
    async with AsyncExitStack() as stack:
        await reach_servers(settings, stack)
        await reach_telegram(settings, stack)


class _Node:
    """One process, started again whenever it ends."""

    def __init__(
        self, name: str, environment: Mapping[str, str], env_file: Path, options: ClusterOptions
    ) -> None:
        self.name = name
        self._environment = {**environment, "NODE_NAME": name}
        self._command = [sys.executable, "-m", "bootstrap", "run", "--env-file", str(env_file)]
        self._options = options

    async def keep(self) -> None:
        """Until cancelled; the process then drains and ends."""
        wait_s = self._options.restart_first_s
        while True:
            began = anyio.current_time()
            code = await self._live()
            if code == WRONG_USE:
                raise ClusterError(f"{self.name} does not take its settings")
            if anyio.current_time() - began >= self._options.steady_s:
                wait_s = self._options.restart_first_s
            log.error("node_process_ended", node_name=self.name, exit=code, again_in_s=wait_s)
            await anyio.sleep(wait_s)
            wait_s = min(self._options.restart_max_s, wait_s * 2)

    async def _live(self) -> int:
        process = await anyio.open_process(
            [*self._command, "--end-with-parent"],
            env=self._environment,
            stdin=subprocess.PIPE,  # its end tells the node that this process is gone
            stdout=None,
            stderr=None,
            start_new_session=True,  # Ctrl-C is for this process, which stops the nodes in order
        )
        try:
            return await process.wait()
        finally:
            with anyio.CancelScope(shield=True):  # bounded by stop_s
                await self._end(process)

    async def _end(self, process: Process) -> None:
        if process.returncode is None:
            process.terminate()
            with anyio.move_on_after(self._options.stop_s):
                await process.wait()
        if process.returncode is None:
            log.error("node_process_killed", node_name=self.name)
            process.kill()
            await process.wait()
        await process.aclose()
