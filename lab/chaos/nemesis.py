"""Breaks what the plan says when it says so, heals it, and writes both down."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import anyio

from lab.chaos.faults import Planned
from lab.chaos.history import Broken
from lab.chaos.nodes import NodeState
from lab.chaos.proxy import Conditions, Link, Way
from lab.chaos.stage import Stage

LATENCY_S = 0.2
"""A link to the far side of the world."""

BYTES_PER_S = 20_000.0
"""A link that is nearly full."""

BACK_TIMEOUT_S = 120.0
"""For a node or server to serve again; the run is judged without it then."""

LOOK_S = 0.05

type Heal = Callable[[], None]


class Nemesis:
    """Runs a plan. What it broke, it heals, also when it is cancelled midway."""

    def __init__(
        self, stage: Stage, broken: list[Broken], burst: Callable[[], Awaitable[int]]
    ) -> None:
        self._stage = stage
        self._broken = broken
        self._burst = burst

    async def run(self, faults: Sequence[Planned]) -> None:
        """Returns when the last fault has healed."""
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for fault in faults:
                await anyio.sleep_until(begun + fault.at_s)
                tasks.start_soon(self._strike, fault)

    async def _strike(self, fault: Planned) -> None:
        broken = Broken(kind=fault.kind.name, target=fault.target, started_at=time.time())
        self._broken.append(broken)
        async with AsyncExitStack() as healing:
            match fault.kind.family:
                case "kill" | "pause":
                    self._node(fault, healing)
                case "redis" | "postgres":
                    broken.detail = await self._server(fault, healing)
                case "network":
                    self._link(fault, healing)
                case "telegram":
                    await self._telegram(fault, healing)
                case _:
                    broken.detail = f"{await self._burst()} messages at once"
            await anyio.sleep(fault.lasts_s)
        await self._until_back(fault)
        broken.healed_at = time.time()

    def _node(self, fault: Planned, healing: AsyncExitStack) -> None:
        node = self._stage.nodes[fault.node]
        match fault.kind.name:
            case "kill":
                node.kill()
                healing.callback(node.release)
            case "terminate":
                node.terminate()
                healing.callback(node.release)
            case _:
                node.pause()
                healing.callback(node.resume)

    async def _server(self, fault: Planned, healing: AsyncExitStack) -> str:
        servers = self._stage.servers
        match fault.kind.name:
            case "redis-kill":
                servers.kill_redis()
            case "redis-flush":
                return "" if await servers.flush_redis() else "was away"
            case "redis-pause":
                servers.pause_redis()
                healing.callback(servers.resume_redis)
            case "postgres-restart":
                servers.restart_postgres()
            case "postgres-crash":
                servers.crash_postgres()
            case "postgres-pause":
                servers.pause_postgres()
                healing.callback(servers.resume_postgres)
            case _:
                for link in self._stage.links_to(fault.kind.family):
                    self._set(link, Conditions(refuses=True), healing)
                    link.reset()
        return ""

    def _link(self, fault: Planned, healing: AsyncExitStack) -> None:
        link = self._stage.links[fault.node, fault.service]
        match fault.kind.name:
            case "reset":
                link.reset()
            case "refuse":
                self._set(link, Conditions(refuses=True), healing)
                link.reset()
            case "half-open":
                link.half_open()
                healing.callback(link.heal)
            case "one-way-there":
                self._set(link, Conditions(held=frozenset({Way.THERE})), healing)
            case "one-way-back":
                self._set(link, Conditions(held=frozenset({Way.BACK})), healing)
            case "latency":
                self._set(link, Conditions(latency_s=LATENCY_S), healing)
            case _:
                self._set(link, Conditions(bytes_per_s=BYTES_PER_S), healing)

    @staticmethod
    def _set(link: Link, conditions: Conditions, healing: AsyncExitStack) -> None:
        link.set(conditions)
        healing.callback(link.heal)

    async def _telegram(self, fault: Planned, healing: AsyncExitStack) -> None:
        rule = await self._stage.lab.add_fault(**fault.kind.more)

        async def heal() -> None:
            with anyio.move_on_after(LOOK_S * 100, shield=True):
                await self._stage.lab.clear_faults(rule["id"])

        healing.push_async_callback(heal)

    async def _until_back(self, fault: Planned) -> None:
        """The cause is gone when what was down serves again, not when it was told to start."""
        match fault.kind.family:
            case "kill" | "pause":
                node = self._stage.nodes[fault.node]
                await _until(lambda: node.state is NodeState.UP)
            case "redis":
                await self._until_answering(self._stage.servers.redis_answers)
            case "postgres":
                await self._until_answering(self._stage.servers.postgres_answers)
            case _:
                return

    @staticmethod
    async def _until_answering(answers: Callable[[], Awaitable[bool]]) -> None:
        with anyio.move_on_after(BACK_TIMEOUT_S):
            while not await answers():  # noqa: ASYNC110 - servers tell nobody
                await anyio.sleep(LOOK_S)


async def _until(is_so: Callable[[], bool]) -> None:
    with anyio.move_on_after(BACK_TIMEOUT_S):
        while not is_so():  # noqa: ASYNC110 - processes tell nobody
            await anyio.sleep(LOOK_S)
