"""Postgres or Redis away, slow to come back, or full: nothing is lost and nobody has to help."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import asyncpg
import pytest

from lab.chaos.checker import judge, missing
from lab.chaos.history import History
from lab.chaos.load import Load, LoadOptions
from lab.chaos.nodes import Node, NodeState
from lab.chaos.proxy import FINE, Conditions
from lab.chaos.stage import Stage, staged
from lab.chaos.watch import Watch

pytestmark = [pytest.mark.anyio, pytest.mark.processes, pytest.mark.timeout(240)]

NODES = 2
CLIENTS = 6

WAIT_S = 60.0
"""For what must come about; it takes a second or two."""

SETTLE_S = 60.0

READY_TIMEOUT = aiohttp.ClientTimeout(total=10)
"""Far more than ``/readyz`` takes, whatever hangs."""

STOP_S = 20.0
"""What the program promises for its end, 15 s, and what it takes to see that."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The links run on the test's loop; uvloop complains of sockets that are torn while in use."""
    return "asyncio", {"use_uvloop": False}


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk under load, to be hurt."""

    stage: Stage
    history: History
    watch: Watch

    async def goes_on(self) -> None:
        """Returns once messages that were said from now on have arrived."""
        said = len(self.history.said)
        await until(lambda: self._arrived_after(said))

    async def _arrived_after(self, said: int) -> bool:
        await self.watch.look()
        shown = {word for each in self.history.shown for word in each.words}
        return any((each.who, each.number) in shown for each in self.history.said[said:])

    async def ready(self) -> dict[str, tuple[int, str]]:
        """Status and body of each node's ``/readyz``."""
        found: dict[str, tuple[int, str]] = {}
        async with aiohttp.ClientSession(timeout=READY_TIMEOUT) as session:
            for node in self.stage.nodes.values():
                try:
                    async with session.get(f"{node.url}/readyz") as answer:
                        found[node.name] = answer.status, await answer.text()
                except aiohttp.ClientConnectionError:
                    found[node.name] = 0, "not listening"
                except TimeoutError:
                    found[node.name] = 0, "no answer"
        return found

    async def all_ready(self) -> bool:
        return all(status == 200 for status, _ in (await self.ready()).values())

    async def all_unready(self, reason: str) -> bool:
        answers = (await self.ready()).values()
        return all(status == 503 and reason in body for status, body in answers)

    async def owners(self) -> list[tuple[int, str, int]]:
        """Who owns which ticket, and since which epoch."""
        rows = await self.ask("SELECT id, owner, epoch FROM tickets ORDER BY id")
        return [tuple(row) for row in rows]

    async def ask(self, statement: str) -> list[Any]:
        """Asks Postgres directly, whatever the links do."""
        connection = await self.connect()
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def connect(self) -> asyncpg.Connection:
        socket = self.stage.servers.postgres.path
        return await asyncpg.connect(
            host=str(socket.parent), port=5432, user="postgres", password="", database="topicdesk"
        )

    def logged(self, event: str) -> int:
        return sum(log.read_text("utf-8").count(f'"{event}"') for log in self.stage.logs)


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[Desk]:
    """Two nodes, six clients and their staff who write all the time; judged at the end."""
    async with staged(folder, nodes=NODES, webhook=False, seed=1) as stage:
        history = History()
        options = LoadOptions(clients=CLIENTS, messages_per_s=20.0, newcomer_every_s=5.0)
        load = Load(stage.lab, history, options, seed=1)
        watch = Watch(stage.lab, history, lambda: load.client_ids)
        await load.open()
        async with anyio.create_task_group() as people:
            people.start_soon(load.run)
            yield Desk(stage, history, watch)
            load.finish()
        with anyio.move_on_after(SETTLE_S):
            while missing(history) or history.ledger.unhandled or history.ledger.unsent:
                await anyio.sleep(0.2)
                await watch.look()
                history.ledger = await stage.servers.ledger()
        assert judge(history).violations == ()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(WAIT_S):
        while not await holds():  # noqa: ASYNC110 - other processes tell nobody
            await anyio.sleep(0.1)


# --- Redis ----------------------------------------------------------------------------------


@asynccontextmanager
async def redis_hangs(desk: Desk) -> AsyncIterator[None]:
    desk.stage.servers.pause_redis()
    try:
        yield
    finally:
        desk.stage.servers.resume_redis()


@asynccontextmanager
async def redis_refuses(desk: Desk) -> AsyncIterator[None]:
    links = desk.stage.links_to("redis")
    for link in links:
        link.set(Conditions(refuses=True))
        link.reset()
    try:
        yield
    finally:
        for link in links:
            link.set(FINE)


async def test_without_redis_messages_go_on_and_no_ticket_moves(tmp_path: Path) -> None:
    """Flushed, then away for longer than a lease lasts; then refusing; then killed three times."""
    async with talking(tmp_path) as desk:
        before = await desk.owners()
        await desk.stage.servers.flush_redis()
        for away, looks in ((redis_hangs, 4), (redis_refuses, 1)):
            async with away(desk):
                for _ in range(looks):
                    await desk.goes_on()
                    assert await desk.all_ready()
                    await anyio.sleep(4)
        for _ in range(3):
            desk.stage.servers.kill_redis()
            await desk.goes_on()
        after = await desk.owners()
        assert after[: len(before)] == before
        assert desk.logged("redis_away") >= NODES
        assert desk.logged("node_declared_dead") == 0


# --- Postgres -------------------------------------------------------------------------------


async def test_nodes_wait_for_a_postgres_that_hangs_and_go_on_as_they_were(tmp_path: Path) -> None:
    """Alone, then with a Redis that hangs as well."""
    async with talking(tmp_path) as desk:
        servers = desk.stage.servers
        before = await desk.owners()
        for away in (no_more, redis_hangs):
            async with away(desk):
                servers.pause_postgres()
                try:
                    await until(lambda: desk.all_unready("Postgres"))
                    await until(lambda: desk.all_unready("paused"))
                finally:
                    servers.resume_postgres()
            await until(desk.all_ready)
            await desk.goes_on()
        after = await desk.owners()
        assert after[: len(before)] == before  # a newcomer's ticket is nobody's at first
        assert desk.logged("node_paused") == 2 * NODES
        assert desk.logged("node_resumed") == 2 * NODES


@asynccontextmanager
async def no_more(_: Desk) -> AsyncIterator[None]:
    """Nothing else is broken."""
    yield


async def test_a_postgres_that_ends_or_takes_no_writes_is_waited_for(tmp_path: Path) -> None:
    async with talking(tmp_path) as desk:
        for end in (desk.stage.servers.restart_postgres, desk.stage.servers.crash_postgres):
            end()
            await desk.goes_on()
        for state in (read_only, full):
            failures = desk.logged("beat_failed")
            async with state(desk):
                await until(lambda failures=failures: has_failed(desk, failures))  # type: ignore[misc]
            await until(desk.all_ready)
            await desk.goes_on()
        assert all(node.own_ends == 0 for node in desk.stage.nodes.values())


async def has_failed(desk: Desk, before: int) -> bool:
    return desk.logged("beat_failed") >= before + NODES


@asynccontextmanager
async def read_only(desk: Desk) -> AsyncIterator[None]:
    """As a replica is that a load balancer takes for the primary."""
    try:
        await desk.ask("ALTER DATABASE topicdesk SET default_transaction_read_only = on")
        await desk.ask(OTHERS_END)
        yield
    finally:
        connection = await desk.connect()
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER DATABASE topicdesk RESET default_transaction_read_only")
        await connection.execute(OTHERS_END)
        await connection.close()


@asynccontextmanager
async def full(desk: Desk) -> AsyncIterator[None]:
    """No connection is left: somebody else has them all."""
    async with AsyncExitStack() as stack:
        taken: list[asyncpg.Connection] = []

        async def release() -> None:
            for connection in taken:
                connection.terminate()

        stack.push_async_callback(release)
        while not taken or await taken[0].fetchval(END_ALL_BUT, pids(taken)):
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    taken.append(await desk.connect())
        yield


OTHERS_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = 'topicdesk' AND pid <> pg_backend_pid()
"""


END_ALL_BUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = 'topicdesk' AND NOT pid = ANY($1)
"""


def pids(connections: Sequence[asyncpg.Connection]) -> list[int]:
    return [connection.get_server_pid() for connection in connections]


async def test_a_node_ends_in_time_although_postgres_hangs(tmp_path: Path) -> None:
    async with talking(tmp_path) as desk:
        [node, *_] = desk.stage.nodes.values()
        desk.stage.servers.pause_postgres()
        try:
            await anyio.sleep(1)  # some turns are under way
            node.terminate()
            with anyio.fail_after(STOP_S):
                await until(lambda: has_ended(node))
            assert node.last_exit == 0
        finally:
            desk.stage.servers.resume_postgres()
            node.release()
        await until(desk.all_ready)
        await desk.goes_on()


async def has_ended(node: Node) -> bool:
    return node.state is NodeState.DOWN
