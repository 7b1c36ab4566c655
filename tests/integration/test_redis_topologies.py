"""Redis on several machines: a failover by a sentinel, and all that is kept there on a cluster."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import pytest
from aiogram.fsm.storage.base import DefaultKeyBuilder, StorageKey
from aiogram.fsm.storage.redis import RedisStorage
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from actors.ids import ChatId, MessageId, TechnicianId, TicketId, UserId
from actors.messages import Person, Technician
from actors.ports import ClientCard, Made
from storage.cache import CachedDirectory, CachedRoster
from storage.hints import RedisHints
from storage.leases import RedisLeases
from storage.locks import RedisPressLocks
from storage.marks import RedisMarks
from storage.redis import AnyRedis, RedisOptions, create_redis, server_info
from storage.tolerant import AWAY, TIMEOUT_S, Tolerant
from tests.fakes.nodes import a_run
from tests.integration.redis_farm import (
    PASSWORD,
    SERVICE,
    Farm,
    as_cluster,
    farm,
    free_ports,
    until,
    with_sentinel,
)

pytestmark = pytest.mark.anyio

ALICE = Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(-1002), user_id=UserId(7))
IVAN = Person(id=UserId(501), name="Иван")
LONG_S = 30.0
BACK_S = 15.0
"""A failover on one machine takes a second or two."""


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Farm]:
    async with farm(tmp_path) as made:
        yield made


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AnyRedis]:
    client = create_redis(RedisOptions(url=url, pool_size=8))
    try:
        yield client
    finally:
        await client.aclose()


def sentinel_url(*ports: int) -> str:
    return f"redis+sentinel://:{PASSWORD}@{hosts(ports)}/{SERVICE}/0"


def cluster_url(*ports: int) -> str:
    return f"redis+cluster://:{PASSWORD}@{hosts(ports)}"


def hosts(ports: tuple[int, ...]) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in ports)


async def works(redis: AnyRedis, key: str = "probe") -> bool:
    """One attempt, within the time that users of Redis have."""
    try:
        with anyio.fail_after(TIMEOUT_S):
            return bool(await redis.set(key, "1"))
    except AWAY:
        return False


async def has(servers: Farm, port: int, key: str) -> bool:
    async with servers.ask(port) as direct:
        return bool(await direct.exists(key))


async def reached(redis: AnyRedis) -> None:
    """Connections are made: on a busy machine that may take longer than the program waits."""
    for number in range(100):
        await until(partial(works, redis, f"reached:{number}"))


async def everything_works(redis: AnyRedis) -> None:
    """Each use that the program makes of Redis, with keys enough for every server of a cluster."""
    await reached(redis)
    tolerant = Tolerant()
    await leases_work(redis, tolerant)
    marks = RedisMarks(redis, tolerant)
    await marks.mark({str(n): Made(message_id=MessageId(n)) for n in range(1, 50)})
    for n in range(1, 50):
        assert await marks.find(str(n)) == Made(message_id=MessageId(n))
    locks = RedisPressLocks(redis, tolerant)
    for n in range(20):
        assert await locks.acquire(n, "as:1:2:3", f"first {n}")
        assert not await locks.acquire(n, "as:1:2:3", f"second {n}")
        await locks.release(f"first {n}")
        assert await locks.acquire(n, "as:1:2:3", f"third {n}")
        await locks.release(f"third {n}")
    await caches_work(redis, tolerant)
    await questions_are_remembered(redis)
    await hints_arrive(redis, tolerant)
    assert not tolerant.away


async def leases_work(redis: AnyRedis, tolerant: Tolerant) -> None:
    leases = RedisLeases(redis, tolerant)
    names = [f"node-{n}" for n in range(20)]
    for name in names:
        assert await leases.extend(a_run(name, "1"), LONG_S) is True
        assert await leases.extend(a_run(name, "2"), LONG_S) is False
    assert await leases.expired([*names, "nobody"]) == ["nobody"]
    assert await leases.expired([]) == []
    for name in names:
        await leases.drop(a_run(name, "1"))
    assert await leases.expired(names) == names


class Table:
    def __init__(self) -> None:
        self.asked = 0

    async def active(self) -> tuple[Technician, ...]:
        self.asked += 1
        return (ALICE,)


class Cards:
    def __init__(self, card: ClientCard | None) -> None:
        self.found = card

    async def card(self, client: Person) -> ClientCard | None:
        return self.found


async def caches_work(redis: AnyRedis, tolerant: Tolerant) -> None:
    table = Table()
    await CachedRoster(table, redis, tolerant).invalidate()
    assert await CachedRoster(table, redis, tolerant).active() == (ALICE,)
    assert await CachedRoster(table, redis, tolerant).active() == (ALICE,)
    assert table.asked == 1
    await CachedRoster(table, redis, tolerant).invalidate()
    assert await CachedRoster(table, redis, tolerant).active() == (ALICE,)
    assert table.asked == 2
    card = ClientCard(fields=(("Город", "Казань"),))
    assert await CachedDirectory(Cards(card), redis, tolerant).card(IVAN) == card
    assert await CachedDirectory(Cards(None), redis, tolerant).card(IVAN) == card


async def questions_are_remembered(redis: AnyRedis) -> None:
    storage = RedisStorage(
        cast("Redis", redis), DefaultKeyBuilder(prefix="fsm"), state_ttl=60, data_ttl=60
    )
    for user in range(20):
        key = StorageKey(bot_id=1, chat_id=user, user_id=user)
        await storage.set_state(key, "waits")
        await storage.set_data(key, {"page": user})
        assert await storage.get_state(key) == "waits"
        assert await storage.get_data(key) == {"page": user}
        await storage.set_data(key, {})
        await storage.set_state(key, None)
        assert await storage.get_state(key) is None


async def hints_arrive(redis: AnyRedis, tolerant: Tolerant) -> None:
    """From each run to each other, whichever servers their channels belong to."""
    heard: dict[str, set[TicketId]] = {f"run {n}": set() for n in range(6)}
    hints = RedisHints(redis, tolerant)
    async with anyio.create_task_group() as group:
        await group.start(hints.send)
        for owner, tickets in heard.items():
            group.start_soon(hints.listen, lambda owner=owner: owner, tickets.update)
        for owner, tickets in heard.items():

            async def told(owner: str = owner, tickets: set[TicketId] = tickets) -> bool:
                hints.tell(owner, [TicketId(7)])
                return TicketId(7) in tickets

            await until(told)
            assert tickets == {TicketId(7)}
        group.cancel_scope.cancel()


async def many_at_once_wait_for_a_connection_instead_of_failing(redis: AnyRedis) -> None:
    answers: list[object] = []

    async def ask(number: int) -> None:
        answers.append(await redis.set(f"k{number}", "1"))

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(ask, number)
    assert answers == [True] * 100


async def test_all_that_is_kept_in_redis_works_behind_a_sentinel(servers: Farm) -> None:
    master, _, sentinel = await with_sentinel(servers)
    async with connected(sentinel_url(sentinel)) as redis:
        await everything_works(redis)
        await many_at_once_wait_for_a_connection_instead_of_failing(redis)
        async with servers.ask(master) as direct:
            assert "topicdesk" in {each["name"] for each in await direct.client_list()}


async def test_commands_work_again_when_the_master_was_killed_and_the_replica_promoted(
    servers: Farm,
) -> None:
    master, replica, sentinel = await with_sentinel(servers)
    async with connected(sentinel_url(sentinel)) as redis:
        heard: list[TicketId] = []
        hints = RedisHints(redis, Tolerant())
        async with anyio.create_task_group() as group:
            await group.start(hints.send)
            group.start_soon(hints.listen, lambda: "me", heard.extend)
            await redis.set("before", "kept")
            await until(partial(has, servers, replica, "before"))
            await servers.kill(master)
            assert not await works(redis)
            await until(lambda: works(redis), BACK_S)

            async def told() -> list[TicketId]:
                hints.tell("me", [TicketId(7)])
                return heard

            await until(told, BACK_S)
            group.cancel_scope.cancel()
        assert await redis.get("before") == b"kept"
        async with servers.ask(replica) as direct:
            assert await direct.get("probe") == "1"
        await everything_works(redis)


async def test_a_master_that_hangs_is_left_for_the_one_that_was_promoted(servers: Farm) -> None:
    """A machine that is gone refuses nothing: only time-outs tell, and they are ours."""
    master, _, sentinel = await with_sentinel(servers)
    async with connected(sentinel_url(sentinel)) as redis:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(works, redis)
        servers.signal(master, signal.SIGSTOP)
        assert not await works(redis)
        await until(lambda: works(redis), BACK_S)
        await everything_works(redis)


async def test_a_master_that_comes_back_as_a_replica_is_not_written_to(servers: Farm) -> None:
    master, replica, sentinel = await with_sentinel(servers)
    async with connected(sentinel_url(sentinel)) as redis:
        assert await works(redis)

        async def is_promoted() -> bool:
            try:
                await servers.command(sentinel, "SENTINEL", "FAILOVER", SERVICE, password=None)
            except ResponseError:  # it has not yet looked at the replica
                return False
            return True

        async def is_announced() -> bool:
            words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
            _, port = await servers.command(sentinel, *words, password=None)
            return int(port) == replica

        await until(is_promoted)
        await until(is_announced)
        # The sentinel does the same at its next look, some ten seconds later.
        await servers.command(master, "REPLICAOF", "127.0.0.1", replica)
        await until(lambda: works(redis), BACK_S)
        async with servers.ask(replica) as direct:
            assert await direct.get("probe") == "1"


async def test_sentinels_that_are_silent_or_gone_cost_no_answer(servers: Farm) -> None:
    _, _, sentinel = await with_sentinel(servers)
    silent = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = silent.extra(anyio.abc.SocketAttribute.local_port)
    [nobody] = free_ports(1)
    async with connected(sentinel_url(port, nobody, sentinel)) as redis:
        assert await works(redis)
    await silent.aclose()


async def test_without_any_sentinel_redis_is_away_and_nobody_waits() -> None:
    async with connected(sentinel_url(*free_ports(2))) as redis:
        tolerant = Tolerant()
        began = anyio.current_time()
        assert await tolerant(redis.ping, default=False) is False
        assert tolerant.away
        assert anyio.current_time() - began < 10 * TIMEOUT_S


async def test_all_that_is_kept_in_redis_works_on_a_cluster(servers: Farm) -> None:
    ports = await as_cluster(servers)
    async with connected(cluster_url(*ports[:2])) as redis:
        await everything_works(redis)
        assert await redis.ping()
        assert (await server_info(redis))["valkey_version"]
        await many_at_once_wait_for_a_connection_instead_of_failing(redis)
    for port in ports:
        async with servers.ask(port) as direct:
            assert await direct.dbsize() > 0, "this test has keys on each server"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
async def test_a_cluster_is_followed_when_a_replica_takes_over(
    servers: Farm, how: signal.Signals
) -> None:
    first, second, third, replica = await as_cluster(servers, replicas=1)
    async with connected(cluster_url(first, second, third)) as redis:
        await everything_works(redis)
        heard: list[TicketId] = []
        hints = RedisHints(redis, Tolerant())
        name = next(f"run {n}" for n in range(99) if key_slot(f"own:run {n}".encode()) < 5000)
        key = next(f"k{n}" for n in range(99) if key_slot(f"k{n}".encode()) < 5000)
        async with anyio.create_task_group() as group:
            await group.start(hints.send)
            group.start_soon(hints.listen, lambda: name, heard.extend)

            async def told() -> list[TicketId]:
                hints.tell(name, [TicketId(7)])
                return heard

            await until(told)
            servers.signal(first, how)

            async def again() -> bool:
                return bool(await Tolerant()(lambda: redis.set(key, "1"), None))

            assert not await again()
            await until(again, BACK_S)
            heard.clear()
            await until(told, 2 * BACK_S)
            group.cancel_scope.cancel()
        async with servers.ask(replica) as direct:
            assert await direct.get(key) == "1"
        await until(lambda: works(redis), BACK_S)
        await everything_works(redis)


async def test_without_any_server_of_the_cluster_redis_is_away_and_nobody_waits() -> None:
    async with connected(cluster_url(*free_ports(2))) as redis:
        tolerant = Tolerant()
        began = anyio.current_time()
        assert await tolerant(redis.ping, default=False) is False
        assert await RedisLeases(redis, tolerant).expired(["one"]) is None
        assert tolerant.away
        assert anyio.current_time() - began < 10 * TIMEOUT_S


async def test_a_single_server_is_no_cluster_and_no_sentinel(servers: Farm) -> None:
    [port] = free_ports(1)
    await servers.start(port, "--requirepass", PASSWORD)
    for url in (cluster_url(port), sentinel_url(port)):
        async with connected(url) as redis:
            assert not await works(redis)
