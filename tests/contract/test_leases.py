"""What nodes may rely on, of Redis's leases and hints and of the simulated ones alike."""

import math
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import anyio
import pytest
from anyio.abc import TaskGroup
from redis.asyncio import Redis

from actors.ids import TicketId
from actors.nodes import Hints, Leases, NodeIdentity
from lab.simulation.network import Bus, Weather
from lab.simulation.plan import draw
from lab.simulation.redis import MemoryLeases
from storage.hints import RedisHints
from storage.leases import RedisLeases
from storage.redis import RedisOptions
from storage.tolerant import Tolerant
from tests.fakes.nodes import a_run
from tests.fakes.redis import single_redis

pytestmark = pytest.mark.anyio

LONG_S = 30.0
SHORT_S = 0.05

type Hear = Callable[[Sequence[TicketId]], None]


class MemoryBacking:
    """The simulation's Redis, without any troubles."""

    def __init__(self, group: TaskGroup) -> None:
        self.held: dict[str, tuple[str, float]] = {}
        self.leases: Leases = MemoryLeases(self.held)
        weather = Weather()
        weather.calm_down()
        self._bus = Bus(draw(1, 0.1), weather, group)
        self.hints: Hints = self._bus

    async def spoil(self, name: str) -> None:
        """Puts something that is no lease where the node's lease would be."""
        self.held[name] = ("", math.inf)

    async def listen(self, owner: str, hear: Hear) -> None:
        self._bus.listen(owner, hear)


class RedisBacking:
    """A real Valkey."""

    def __init__(self, redis: Redis, group: TaskGroup) -> None:
        self._redis = redis
        self._group = group
        self.leases: Leases = RedisLeases(redis, Tolerant())
        self._hints = RedisHints(redis, Tolerant())
        self.hints: Hints = self._hints

    async def start(self) -> None:
        await self._group.start(self._hints.send)

    async def spoil(self, name: str) -> None:
        await self._redis.delete(f"lease:{name}")
        await self._redis.hset(f"lease:{name}", "garbage", "1")

    async def listen(self, owner: str, hear: Hear) -> None:
        """Returns when the channel is subscribed to, of which :class:`RedisHints` says nothing."""
        self._group.start_soon(self._hints.listen, lambda: owner, hear)
        await until(partial(self._is_heard, f"own:{owner}"))

    async def _is_heard(self, channel: str) -> bool:
        [(_, listeners)] = await self._redis.pubsub_numsub(channel)
        return bool(listeners)


type Backing = MemoryBacking | RedisBacking


@pytest.fixture(params=["redis", "memory"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where Redis is; ``None`` for the simulated one."""
    found: str | None = None
    if request.param == "redis":
        found = request.getfixturevalue("valkey_url")
    return found


@pytest.fixture
async def backing(url: str | None) -> AsyncIterator[Backing]:
    async with anyio.create_task_group() as group:
        if url is None:
            yield MemoryBacking(group)
        else:
            client = single_redis(RedisOptions(url=url))
            made = RedisBacking(client, group)
            await made.start()
            yield made
            await client.aclose()
        group.cancel_scope.cancel()


@pytest.fixture
def node() -> NodeIdentity:
    return a_run(f"node-{secrets.token_hex(4)}", "1")


async def until(holds: Callable[[], object]) -> None:
    """Looks until ``holds`` answers with something true; it may be a coroutine function."""
    with anyio.fail_after(20):
        while True:
            answer = holds()
            if await answer if hasattr(answer, "__await__") else answer:
                return
            await anyio.sleep(0.01)


def another_run(node: NodeIdentity) -> NodeIdentity:
    """A later run of the same node."""
    return a_run(node.name, "2")


async def test_a_lease_is_taken_and_extended_by_its_run(
    backing: Backing, node: NodeIdentity
) -> None:
    assert await backing.leases.expired([node.name]) == [node.name]
    assert await backing.leases.extend(node, LONG_S) is True
    assert await backing.leases.extend(node, LONG_S) is True
    assert await backing.leases.expired([node.name, "nobody"]) == ["nobody"]


async def test_a_stolen_lease_is_never_renewed(backing: Backing, node: NodeIdentity) -> None:
    await backing.leases.extend(another_run(node), LONG_S)
    assert await backing.leases.extend(node, LONG_S) is False
    assert await backing.leases.extend(another_run(node), LONG_S) is True


async def test_a_refused_extension_does_not_lengthen_the_thiefs_lease(
    backing: Backing, node: NodeIdentity
) -> None:
    await backing.leases.extend(another_run(node), 4 * SHORT_S)
    assert await backing.leases.extend(node, LONG_S) is False
    await until(partial(backing.leases.expired, [node.name]))


async def test_a_lease_ends_by_itself_and_may_then_be_taken(
    backing: Backing, node: NodeIdentity
) -> None:
    await backing.leases.extend(node, SHORT_S)
    await until(partial(backing.leases.expired, [node.name]))
    assert await backing.leases.extend(another_run(node), LONG_S) is True
    assert await backing.leases.extend(node, LONG_S) is False


async def test_an_extension_counts_from_when_it_was_made(
    backing: Backing, node: NodeIdentity
) -> None:
    await backing.leases.extend(node, SHORT_S)
    await backing.leases.extend(node, LONG_S)
    await anyio.sleep(2 * SHORT_S)
    assert await backing.leases.expired([node.name]) == []


async def test_only_ones_own_lease_is_dropped(backing: Backing, node: NodeIdentity) -> None:
    await backing.leases.extend(node, LONG_S)
    await backing.leases.drop(another_run(node))
    assert await backing.leases.expired([node.name]) == []
    await backing.leases.drop(node)
    assert await backing.leases.expired([node.name]) == [node.name]
    await backing.leases.drop(node)


async def test_what_is_no_lease_gives_way_to_one_and_is_not_dropped(
    backing: Backing, node: NodeIdentity
) -> None:
    await backing.spoil(node.name)
    await backing.leases.drop(node)
    assert await backing.leases.expired([node.name]) == []
    assert await backing.leases.extend(node, LONG_S) is True
    assert await backing.leases.extend(another_run(node), LONG_S) is False


async def test_no_names_no_answer(backing: Backing) -> None:
    assert await backing.leases.expired([]) == []


async def test_a_hint_reaches_the_run_that_listens_and_no_other(
    backing: Backing, node: NodeIdentity
) -> None:
    heard: list[TicketId] = []
    elsewhere: list[TicketId] = []
    await backing.listen(node.owner, heard.extend)
    await backing.listen(another_run(node).owner, elsewhere.extend)
    backing.hints.tell(node.owner, [TicketId(7), TicketId(9)])
    await until(lambda: heard)
    backing.hints.tell(another_run(node).owner, [TicketId(8)])
    await until(lambda: elsewhere)
    assert (sorted(heard), elsewhere) == ([7, 9], [8])


async def test_a_hint_to_nobody_is_lost(backing: Backing, node: NodeIdentity) -> None:
    heard: list[TicketId] = []
    other: list[TicketId] = []
    await backing.listen(another_run(node).owner, other.extend)
    backing.hints.tell(node.owner, [TicketId(7)])
    backing.hints.tell(another_run(node).owner, [TicketId(1)])
    await until(lambda: other)
    await backing.listen(node.owner, heard.extend)
    backing.hints.tell(node.owner, [TicketId(8)])
    await until(lambda: heard)
    assert heard == [8]


async def test_many_hints_are_told_at_once_without_waiting(
    backing: Backing, node: NodeIdentity
) -> None:
    heard: set[TicketId] = set()
    await backing.listen(node.owner, heard.update)
    for number in range(1, 101):
        backing.hints.tell(node.owner, [TicketId(number)])
    await until(lambda: len(heard) == 100)
