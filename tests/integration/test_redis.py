"""Redis as a convenience: a real Valkey that is well, wedged, gone and back."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import BlockingPortal
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from actors.errors import Transient
from actors.ids import ChatId, TechnicianId, UserId
from actors.messages import Person, Technician
from actors.ports import ClientCard
from storage.cache import CachedDirectory, CachedRoster
from storage.embedded import embedded_valkey
from storage.locks import RedisPressLocks
from storage.redis import RedisOptions
from storage.tolerant import PAUSE_S, Tolerant
from tests.fakes.redis import single_redis

pytestmark = pytest.mark.anyio

ALICE = Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(-1002), user_id=UserId(7))
BOB = Technician(id=TechnicianId(2), name="bob", chat_id=ChatId(-1003))
IVAN = Person(id=UserId(501), name="Иван")
SOON_S = 10.0
CROWD = 100
POOL = 4
ALL_IN_TURN_S = CROWD / POOL * RedisOptions(url="").command_timeout_s
"""How long the crowd takes if each waits for a connection, and then for the server."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Table:
    def __init__(self, *technicians: Technician) -> None:
        self.technicians = technicians
        self.asked = 0
        self.away = False

    async def active(self) -> tuple[Technician, ...]:
        self.asked += 1
        if self.away:
            raise Transient("away")
        return self.technicians


class Wedged:
    """The server of its own, which can be stopped in the middle of everything."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def server(
    servers_portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wedged]:
    folder: Path = tmp_path_factory.mktemp("own")
    with servers_portal.wrap_async_context_manager(embedded_valkey(folder)) as url:
        pid = int((folder / "valkey" / "valkey.pid").read_text())
        made = Wedged(url, pid)
        yield made
        made.go_on()


@pytest.fixture
async def redis(server: Wedged) -> AsyncIterator[Redis]:
    server.go_on()
    client = single_redis(RedisOptions(url=server.url, pool_size=POOL))
    await client.flushdb()
    yield client
    server.go_on()
    await client.aclose()


async def test_a_wedged_server_costs_one_time_out_and_then_nothing(
    redis: Redis, server: Wedged
) -> None:
    tolerant = Tolerant(Clock())
    assert await tolerant(redis.ping, default=False)
    asked = 0

    async def ping() -> bool:
        nonlocal asked
        asked += 1
        return bool(await redis.ping())

    server.stop()
    with anyio.fail_after(SOON_S):
        assert await tolerant(ping, default=False) is False
    for _ in range(1000):
        assert await tolerant(ping, default=False) is False
    assert asked == 1


async def test_going_away_and_coming_back_are_each_said_once(redis: Redis, server: Wedged) -> None:
    clock = Clock()
    tolerant = Tolerant(clock)
    server.stop()
    with capture_logs() as logs:
        for _ in range(3):
            await tolerant(redis.ping, default=False)
            clock.now += PAUSE_S + 0.1
        server.go_on()
        assert await tolerant(redis.ping, default=False)
        assert await tolerant(redis.ping, default=False)
    assert [line["event"] for line in logs] == ["redis_away", "redis_back"]


async def test_many_at_once_are_all_answered_in_time_when_it_wedges(
    redis: Redis, server: Wedged
) -> None:
    """More callers than connections: none waits for the pool longer than for the server."""
    tolerant = Tolerant()
    server.stop()
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await tolerant(lambda: redis.get("k"), "absent"))

    started = anyio.current_time()
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            for _ in range(CROWD):
                group.start_soon(ask)
    assert answers == ["absent"] * CROWD
    assert anyio.current_time() - started < ALL_IN_TURN_S / 2
    assert [line["event"] for line in logs] == ["redis_away"]


async def test_a_cancelled_command_does_not_leave_its_answer_to_the_next(
    redis: Redis, server: Wedged
) -> None:
    await redis.set("a", "1")
    await redis.set("b", "2")
    single = single_redis(RedisOptions(url=server.url, pool_size=1))
    await single.ping()
    server.stop()
    with anyio.move_on_after(0.05):
        await single.get("a")
    server.go_on()
    assert await single.get("b") == b"2"
    await single.aclose()


async def test_connections_that_died_with_the_server_are_replaced_silently(
    redis: Redis, server: Wedged
) -> None:
    tolerant = Tolerant()
    await redis.ping()
    other = single_redis(RedisOptions(url=server.url))
    await other.client_kill_filter(_type="normal", skipme=True)
    await other.aclose()
    with capture_logs() as logs:
        assert await tolerant(redis.ping, default=False)
    assert logs == []


@pytest.mark.parametrize("url", ["http://x", "redis", "", "postgresql://u:secret@h/db"])
def test_an_address_of_another_kind_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="Redis address") as refused:
        single_redis(RedisOptions(url=url))
    assert "secret" not in str(refused.value)


async def test_the_roster_asks_the_table_once_for_all_processes(redis: Redis) -> None:
    table = Table(ALICE, BOB)
    assert await CachedRoster(table, redis, Tolerant()).active() == (ALICE, BOB)
    assert await CachedRoster(table, redis, Tolerant()).active() == (ALICE, BOB)
    assert table.asked == 1
    assert 590 <= await redis.ttl("cache:technicians") <= 600


async def test_the_hot_path_makes_no_call(redis: Redis, server: Wedged) -> None:
    table = Table(ALICE)
    tolerant = Tolerant()
    roster = CachedRoster(table, redis, tolerant)
    await roster.active()
    server.stop()
    for _ in range(1000):
        assert await roster.active() == (ALICE,)
    assert not tolerant.away, "nobody has asked the server that hangs"
    assert table.asked == 1


async def test_a_change_of_the_table_is_seen_at_once_after_invalidating(redis: Redis) -> None:
    table = Table(ALICE)
    roster = CachedRoster(table, redis, Tolerant())
    await roster.active()
    table.technicians = (BOB,)
    await roster.invalidate()
    assert await roster.active() == (BOB,)


async def test_without_redis_the_roster_asks_the_table(redis: Redis, server: Wedged) -> None:
    server.stop()
    assert await CachedRoster(Table(ALICE), redis, Tolerant()).active() == (ALICE,)


async def test_while_postgres_is_away_old_technicians_stand(redis: Redis) -> None:
    clock, table = Clock(), Table(ALICE)
    roster = CachedRoster(table, redis, Tolerant(), clock)
    await roster.active()
    await redis.flushdb()
    table.away, clock.now = True, clock.now + 60
    assert await roster.active() == (ALICE,)


async def test_garbage_in_the_cache_is_as_good_as_nothing(redis: Redis) -> None:
    for garbage in (b"\xff", b"{}", b'[{"id": "x"}]'):
        await redis.set("cache:technicians", garbage)
        assert await CachedRoster(Table(ALICE), redis, Tolerant()).active() == (ALICE,)


class Cards:
    def __init__(self, card: ClientCard | None) -> None:
        self.found = card

    async def card(self, client: Person) -> ClientCard | None:
        return self.found


async def test_a_card_outlives_a_restart_with_a_broken_sheet(redis: Redis) -> None:
    card = ClientCard(fields=(("Город", "Казань"), ("Phone", "+7 900")))
    assert await CachedDirectory(Cards(card), redis, Tolerant()).card(IVAN) == card
    assert await CachedDirectory(Cards(None), redis, Tolerant()).card(IVAN) == card
    assert 890 <= await redis.ttl("cache:card:501") <= 900


async def test_garbage_instead_of_a_card_is_no_card(redis: Redis) -> None:
    await redis.set("cache:card:501", b"\xff{")
    assert await CachedDirectory(Cards(None), redis, Tolerant()).card(IVAN) is None


async def test_one_of_two_presses_goes_on_and_none_is_lost_without_redis(
    redis: Redis, server: Wedged
) -> None:
    locks = RedisPressLocks(redis, Tolerant())
    assert await locks.acquire(1, "as:1:2:3", "first")
    assert not await locks.acquire(1, "as:1:2:3", "second")
    assert await locks.acquire(1, "as:1:2:3", "first")
    assert await locks.acquire(2, "as:1:2:3", "other person")
    await locks.release("first")
    assert await locks.acquire(1, "as:1:2:3", "third")
    server.stop()
    assert await locks.acquire(1, "as:1:2:3", "fourth")


def test_a_connection_that_closes_under_uvloop_is_a_lost_connection(server: Wedged) -> None:
    """There a write to a closed connection is a RuntimeError, which nobody expects of Redis."""
    server.go_on()

    async def speaks() -> None:
        redis = single_redis(RedisOptions(url=server.url))
        try:
            connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            assert connection._writer is not None
            connection._writer.transport.abort()
            await anyio.lowlevel.checkpoint()
            with pytest.raises(RedisError):
                await connection.send_command("PING")
            await redis.connection_pool.release(connection)
            assert await redis.ping() is True
        finally:
            await redis.aclose()

    anyio.run(speaks, backend_options={"use_uvloop": True})
