"""Everything that a chaos run consists of, started, linked and stopped in order."""

import json
import secrets
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio

from lab.chaos.faults import SERVICES
from lab.chaos.nodes import Node
from lab.chaos.proxy import Address, Link, Tcp
from lab.chaos.servers import Servers
from lab.processes import DidNotStart, free_port
from lab.telegram.client import LabClient

UP_TIMEOUT_S: Final = 90.0
"""For the first start of all nodes; the first of them makes the schema."""

LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The running world. ``links`` by node and service; ``front`` in webhook mode only."""

    folder: Path
    nodes: Mapping[str, Node]
    links: Mapping[tuple[str, str], Link]
    front: Link | None
    servers: Servers
    lab: LabClient

    def links_to(self, service: str) -> Sequence[Link]:
        return [link for (_, to), link in self.links.items() if to == service]

    @property
    def logs(self) -> Sequence[Path]:
        return [node.log_file for node in self.nodes.values() if node.log_file.exists()]


@asynccontextmanager
async def staged(folder: Path, *, nodes: int, webhook: bool, seed: int) -> AsyncIterator[Stage]:
    """Starts all of it; begins when every node is ready.

    Raises:
        DidNotStart: A node is not ready in time; its log in ``folder`` says why.
    """
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(_telegram(seed))
        lab = await stack.enter_async_context(LabClient(telegram["url"]))
        servers = await stack.enter_async_context(Servers.started(folder))
        targets: dict[str, Address] = {
            "postgres": servers.postgres,
            "redis": servers.redis,
            "telegram": Tcp(urlsplit(telegram["url"]).port or 0),
        }
        names = [f"node-{number}" for number in range(1, nodes + 1)]
        links = await _linked(stack, names, targets)
        found: dict[str, Node] = {}
        front = await _front(stack, found) if webhook else None
        shared = {**telegram["settings"], **_webhook(front)}
        for name in names:
            settings = _settings(folder, name, shared, links)
            found[name] = Node(name, settings, folder / f"{name}.log")
        group = await stack.enter_async_context(anyio.create_task_group())
        for node in found.values():
            group.start_soon(node.keep)
            group.start_soon(node.watch)
            if front is not None:
                group.start_soon(_leave_out, front, node, found)
        await _until_ready(found.values())
        try:
            yield Stage(
                folder=folder, nodes=found, links=links, front=front, servers=servers, lab=lab
            )
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def _telegram(seed: int) -> AsyncIterator[dict[str, Any]]:
    """The local Telegram in a process of its own; yields its address and the bot's settings."""
    async with await anyio.open_process(
        [
            *(sys.executable, "-m", "lab.telegram", "--port", "0"),
            *("--die-with-stdin", "--seed", str(seed)),
        ],
        stderr=None,
        start_new_session=True,  # Ctrl-C is for us, who stop it last
    ) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(await process.stdout.receive())
        try:
            yield ready
        finally:
            with anyio.CancelScope(shield=True):
                process.terminate()
                await process.wait()


async def _linked(
    stack: AsyncExitStack, names: Sequence[str], targets: Mapping[str, Address]
) -> dict[tuple[str, str], Link]:
    links: dict[tuple[str, str], Link] = {}
    for name in names:
        for service in SERVICES:
            link = Link(f"{name}–{service}", partial(list, [targets[service]]))
            await stack.enter_async_context(link.serve(Tcp()))
            links[name, service] = link
    return links


async def _front(stack: AsyncExitStack, nodes: Mapping[str, Node]) -> Link:
    """Passes the webhook's connections on, each to the next node that is ready.

    When none is, to any: a node that cannot store says when to come again, which is better than
    a refusal, after which Telegram waits longer and longer.
    """
    turn = count()

    def rotated() -> Sequence[Address]:
        up = _ready(nodes.values()) or list(nodes.values())
        ready: list[Address] = [Tcp(node.webhook_port) for node in up]
        first = next(turn) % max(len(ready), 1)
        return ready[first:] + ready[:first]

    front = Link("front", rotated)
    await stack.enter_async_context(front.serve(Tcp()))
    return front


def _ready(nodes: Collection[Node]) -> list[Node]:
    return [node for node in nodes if node.is_ready]


async def _leave_out(front: Link, node: Node, others: Mapping[str, Node]) -> None:
    """Tears the front's connections to a node that is not ready, if another is.

    They would wait for it.
    """
    while True:
        await anyio.sleep(LOOK_S)
        if not node.is_ready and _ready(others.values()):
            front.reset(Tcp(node.webhook_port))


def _webhook(front: Link | None) -> dict[str, str]:
    if front is None:
        return {}
    return {
        "WEBHOOK_URL": f"http://127.0.0.1:{front.port}",
        "WEBHOOK_SECRET": secrets.token_hex(16),
    }


def _settings(
    folder: Path, name: str, shared: Mapping[str, str], links: Mapping[tuple[str, str], Link]
) -> dict[str, str]:
    postgres, redis, telegram = (links[name, service].port for service in SERVICES)
    return {
        **shared,
        "TELEGRAM_API_URL": f"http://127.0.0.1:{telegram}",
        "POSTGRES_DSN": f"postgresql://postgres@127.0.0.1:{postgres}/topicdesk",
        "REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "HTTP_BIND": f"127.0.0.1:{free_port()}",
        "WEBHOOK_BIND": f"127.0.0.1:{free_port()}",
        "NODE_NAME": name,
        "DATA_DIR": str(folder),
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        # Nobody limits the local Telegram but the nemesis.
        "PACE_BOT_PER_S": "0",
        "PACE_PRIVATE_PER_S": "0",
        "PACE_GROUP_PER_MIN": "0",
    }


async def _until_ready(nodes: Collection[Node]) -> None:
    with anyio.move_on_after(UP_TIMEOUT_S):
        while not all(node.is_ready for node in nodes):  # noqa: ASYNC110 - processes tell nobody
            await anyio.sleep(LOOK_S)
        return
    silent = ", ".join(node.name for node in nodes if not node.is_ready)
    raise DidNotStart(f"not ready after {UP_TIMEOUT_S:g} s: {silent}")
