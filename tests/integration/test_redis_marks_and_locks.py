"""Marks of sent rows and press locks on a real Valkey, and without any."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import pytest
from redis.asyncio import Redis

from actors.effects import CloseTopic
from actors.ids import MessageId, ThreadId, TicketId, UserId
from actors.messages import Person
from actors.places import MAIN
from actors.ports import Made, OutboxRow
from storage.locks import RedisPressLocks
from storage.marks import KEPT_S, RedisMarks
from storage.redis import RedisOptions
from storage.tolerant import TIMEOUT_S, Tolerant
from tests.fakes.redis import single_redis

pytestmark = pytest.mark.anyio


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    client = single_redis(RedisOptions(url=valkey_url))
    yield client
    await client.aclose()


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    """A Redis that takes connections and never answers."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    client = single_redis(RedisOptions(url=f"redis://127.0.0.1:{port}"))
    yield client
    await client.aclose()
    await listener.aclose()


def name() -> str:
    return str(secrets.randbelow(2**40))


def press() -> str:
    return secrets.token_hex(8)


async def test_a_mark_is_found_as_it_was_made_and_does_not_stay_for_ever(redis: Redis) -> None:
    first, second, nothing = name(), name(), name()
    marks = RedisMarks(redis, Tolerant())
    await marks.mark(
        {
            first: Made(message_id=MessageId(11)),
            second: Made(thread_id=ThreadId(70)),
            nothing: Made(),
        }
    )
    later = RedisMarks(redis, Tolerant())
    assert await later.find(first) == Made(message_id=MessageId(11))
    assert await later.find(second) == Made(thread_id=ThreadId(70))
    assert await later.find(nothing) == Made()
    assert await later.find(name()) is None
    assert 0 < await redis.ttl(f"fwd:{first}") <= KEPT_S


async def test_one_of_two_equal_presses_goes_on_until_it_is_answered(redis: Redis) -> None:
    locks, data = RedisPressLocks(redis, Tolerant()), press()
    assert await locks.acquire(501, data, "c1")
    assert not await locks.acquire(501, data, "c2")
    assert await locks.acquire(501, data, "c1"), "the same press, delivered again"
    assert await locks.acquire(502, data, "c3"), "another person"
    assert await locks.acquire(501, press(), "c4"), "another button"
    await locks.release("c1")
    assert await locks.acquire(501, data, "c5")


async def test_a_press_that_was_refused_releases_nothing_of_the_other(redis: Redis) -> None:
    locks, data = RedisPressLocks(redis, Tolerant()), press()
    assert await locks.acquire(501, data, "c1")
    assert not await locks.acquire(501, data, "c2")
    await locks.release("c2")
    await locks.release("never seen")
    assert not await locks.acquire(501, data, "c3")


async def test_without_redis_nothing_is_remembered_and_nobody_waits(nowhere: Redis) -> None:
    tolerant = Tolerant()
    marks, locks = RedisMarks(nowhere, tolerant), RedisPressLocks(nowhere, tolerant)
    began = anyio.current_time()
    for outbox_id in range(200):
        await marks.mark({str(outbox_id): Made()})
        assert await marks.find(str(outbox_id)) is None
        assert await locks.acquire(501, "data", "c1")
        await locks.release("c1")
    assert tolerant.away
    assert anyio.current_time() - began < 20 * TIMEOUT_S, "one time-out for all eight hundred"


async def test_a_row_of_another_database_with_the_same_id_is_not_taken_for_sent(
    redis: Redis,
) -> None:
    """A new or restored database counts its rows anew while Redis still remembers the old ones."""
    long_ago = outbox_row(7, datetime(2026, 1, 1, tzinfo=UTC))
    today = outbox_row(7, datetime(2026, 1, 2, tzinfo=UTC))
    marks = RedisMarks(redis, Tolerant())
    await marks.mark({long_ago.mark: Made(message_id=MessageId(11))})
    assert await marks.find(today.mark) is None
    assert await marks.find(long_ago.mark) is not None


def outbox_row(number: int, created_at: datetime) -> OutboxRow:
    return OutboxRow(
        id=number,
        ticket_id=TicketId(1),
        lane="main:1",
        effect=CloseTopic(place=MAIN),
        address=None,
        client=Person(id=UserId(1), name="Ivan"),
        attempts=1,
        uncertain=True,
        created_at=created_at,
    )
