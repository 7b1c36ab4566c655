"""Telegram's limits, kept by several nodes together in a real Valkey, and alone without it."""

import itertools
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf

import anyio
import pytest
from redis.asyncio import Redis

from actors.ids import ChatId
from bot.delivery.pace import Pace, PaceOptions
from bot.delivery.shared import SharedPace
from storage.pacing import Ask, Lesson, RedisBuckets
from storage.redis import RedisOptions
from storage.tolerant import Tolerant
from tests.fakes.redis import single_redis

pytestmark = pytest.mark.anyio

LESSON = Lesson(cut=0.5, least=0.25, recovery_s=1800)
IVAN, MAIN, OTHER = ChatId(501), ChatId(-1001), ChatId(-1002)


PATIENT_S = 20.0
"""A machine that has much to do is no Redis that is away: only that lets nodes keep shares."""


@dataclass
class Cluster:
    """Nodes of one bot; each test has a bot of its own."""

    redis: Redis
    bot_id: int

    def buckets(self) -> RedisBuckets:
        return RedisBuckets(
            self.redis, Tolerant(timeout_s=PATIENT_S), bot_id=self.bot_id, lesson=LESSON
        )

    def node(self, options: PaceOptions, nodes: int = 1) -> SharedPace:
        own = Pace(options, anyio.current_time, share=lambda: 1 / nodes)
        return SharedPace(own, self.buckets())


@pytest.fixture
async def cluster(valkey_url: str) -> AsyncIterator[Cluster]:
    options = RedisOptions(url=valkey_url, pool_timeout_s=PATIENT_S, command_timeout_s=PATIENT_S)
    redis = single_redis(options)
    await redis.ping()
    yield Cluster(redis, secrets.randbelow(1 << 40))
    await redis.aclose()


@pytest.fixture
async def nowhere() -> AsyncIterator[Cluster]:
    """Nodes whose Redis is away."""
    redis = single_redis(RedisOptions(url="redis://127.0.0.1:9/0"))
    yield Cluster(redis, 1)
    await redis.aclose()


async def taken(nodes: list[SharedPace], chat: ChatId, tries: int = 60, keep: int = 0) -> int:
    asked = [
        await node.ask(chat, keep=keep)
        for node, _ in zip(itertools.cycle(nodes), range(tries), strict=False)
    ]
    return asked.count(None)


async def test_nodes_together_get_a_groups_window_and_no_more(cluster: Cluster) -> None:
    nodes = [cluster.node(PaceOptions()) for _ in range(3)]
    assert await taken(nodes, MAIN) == 20
    hold = await nodes[0].ask(MAIN)
    assert hold is not None
    assert (round(hold.seconds), hold.of_bot) == (61, False)
    assert await nodes[0].ask(IVAN) is None


async def test_asking_at_once_from_many_sides_takes_no_more_either(cluster: Cluster) -> None:
    nodes = [cluster.node(PaceOptions(bot_per_s=0)) for _ in range(4)]
    got: list[bool] = []

    async def ask(node: SharedPace) -> None:
        got.append(await node.ask(MAIN) is None)

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(ask, nodes[number % 4])
    assert sum(got) == 20


async def test_a_window_opens_again_when_its_calls_have_passed(cluster: Cluster) -> None:
    node = cluster.node(PaceOptions(bot_per_s=0, group_per_min=5, group_window_s=3))
    assert await taken([node], MAIN, 8) == 5
    hold = await node.ask(MAIN)
    assert hold is not None
    assert 0 < hold.seconds <= 3
    await anyio.sleep(hold.seconds)
    while (hold := await node.ask(MAIN)) is not None:  # two clocks: Redis's may be a bit behind
        assert hold.seconds < 0.05
        await anyio.sleep(hold.seconds)


async def test_slow_ways_to_telegram_make_the_window_longer(cluster: Cluster) -> None:
    node = cluster.node(PaceOptions(bot_per_s=0, group_per_min=5, group_window_s=30))
    assert await taken([node], MAIN, 5) == 5
    node.answered(4.0)
    hold = await node.ask(MAIN)
    assert hold is not None
    assert 30 < hold.seconds <= 33


async def test_and_for_the_other_nodes_too(cluster: Cluster) -> None:
    """The calls that count are of all nodes: whoever had the longest way says how long."""
    options = PaceOptions(bot_per_s=0, group_per_min=5, group_window_s=30)
    slow, quick = cluster.node(options), cluster.node(options)
    slow.answered(4.0)
    assert await taken([slow], MAIN, 5) == 5
    hold = await quick.ask(MAIN)
    assert hold is not None
    assert 30 < hold.seconds <= 33
    assert await quick.rooms([MAIN]) == [0]


async def test_a_longer_window_is_kept_as_long_as_somebody_asks_for_it(cluster: Cluster) -> None:
    """Before it runs out, or a quick node would use a shorter one for an instant."""
    buckets = cluster.buckets()
    key = f"pace:{{{cluster.bot_id}}}:{MAIN}"
    ends: list[int] = []
    for wait_s in (0, 0, 2.5):
        await anyio.sleep(wait_s)
        await buckets.take([Ask(name=str(MAIN), kind="window", most=1000, span_s=4)])
        ends.append(int(await cluster.redis.hget(key, "span_until") or 0))
    assert ends[0] == ends[1] < ends[2]


async def test_a_private_chat_gets_its_burst_and_then_a_call_each_second(cluster: Cluster) -> None:
    nodes = [cluster.node(PaceOptions(private_per_s=0.5, private_burst=3)) for _ in range(2)]
    assert await taken(nodes, IVAN, 3) == 3
    hold = await nodes[0].ask(IVAN)
    assert hold is not None
    assert 0 < hold.seconds <= 2
    await anyio.sleep(hold.seconds)
    assert await nodes[1].ask(IVAN) is None


async def test_the_bots_budget_bounds_all_chats_and_says_that_it_is_the_bots(
    cluster: Cluster,
) -> None:
    node = cluster.node(PaceOptions(bot_per_s=1))
    holds = [await node.ask(ChatId(9000 + number)) for number in range(12)]
    refused = [hold for hold in holds if hold is not None]
    assert refused
    assert all(hold.of_bot and hold.seconds <= 1 for hold in refused)


async def test_all_buckets_give_or_none_does(cluster: Cluster) -> None:
    buckets = cluster.buckets()
    full = Ask(name="full", kind="window", most=1, span_s=60)
    free = Ask(name="free", kind="window", most=3, span_s=60)
    for _ in range(3):
        await buckets.take([full, free])
    answers = [await buckets.take([free]) for _ in range(3)]
    assert [answer is not None and answer.wait_s == 0 for answer in answers] == [True, True, False]


async def test_what_is_kept_and_what_an_album_costs_count_for_all_nodes(cluster: Cluster) -> None:
    one, two = cluster.node(PaceOptions()), cluster.node(PaceOptions())
    assert await one.ask(MAIN, cost=10) is None
    assert await two.ask(MAIN, cost=11) is not None
    assert await two.ask(MAIN, cost=4, keep=7) is not None
    assert await two.ask(MAIN, cost=4, keep=6) is None
    assert await taken([one], MAIN, 10) == 6


async def test_a_reaction_costs_the_chat_nothing(cluster: Cluster) -> None:
    node = cluster.node(PaceOptions(bot_per_s=0))
    assert await taken([node], MAIN, 20) == 20
    assert await node.ask(MAIN, cost=0) is None
    assert await node.ask(OTHER, cost=0) is None
    assert await taken([node], OTHER) == 20


async def test_a_pause_is_obeyed_by_the_other_nodes(cluster: Cluster) -> None:
    one, two = cluster.node(PaceOptions()), cluster.node(PaceOptions())
    await one.pause(MAIN, 30)
    await one.pause(MAIN, 5)
    for node in (one, two):
        hold = await node.ask(MAIN)
        assert hold is not None
        assert hold.seconds == pytest.approx(30, abs=1)
        assert await node.ask(OTHER) is None
    assert (one.pauses, two.pauses) == (2, 0)


async def test_a_pause_of_the_bot_closes_everything_on_all_nodes(cluster: Cluster) -> None:
    one, two = cluster.node(PaceOptions()), cluster.node(PaceOptions())
    await one.pause(None, 12)
    hold = await two.ask(IVAN)
    assert hold is not None
    assert (hold.of_bot, round(hold.seconds)) == (True, 12)


async def test_a_429_shrinks_the_window_for_all_nodes(cluster: Cluster) -> None:
    one, two = cluster.node(PaceOptions()), cluster.node(PaceOptions())
    await cluster.buckets().close([f"chat:{MAIN}"], 0.05)
    await cluster.buckets().close([f"chat:{MAIN}"], 0.05)  # under way together: one lesson
    await anyio.sleep(0.1)
    assert await taken([one, two], MAIN) == 10


async def test_a_short_pause_teaches_a_group_nothing(cluster: Cluster) -> None:
    node = cluster.node(PaceOptions())
    await node.pause(MAIN, 0.05)
    await anyio.sleep(0.1)
    assert await taken([node], MAIN) == 20


async def test_without_redis_each_node_keeps_to_its_share(nowhere: Cluster) -> None:
    nodes = [nowhere.node(PaceOptions(), nodes=2) for _ in range(2)]
    assert await taken(nodes, MAIN) == 20
    assert await taken([nowhere.node(PaceOptions(), nodes=1)], MAIN, 25) == 20


async def test_what_went_out_by_redis_is_known_when_redis_goes(
    cluster: Cluster, nowhere: Cluster
) -> None:
    own = Pace(PaceOptions(), anyio.current_time)
    assert await taken([SharedPace(own, cluster.buckets())], MAIN, 15) == 15
    alone = SharedPace(own, nowhere.buckets())
    assert await taken([alone], MAIN, 15) == 5


async def test_a_pause_that_redis_did_not_hear_of_is_obeyed_when_it_is_back(
    cluster: Cluster, nowhere: Cluster
) -> None:
    own = Pace(PaceOptions(), anyio.current_time)
    await SharedPace(own, nowhere.buckets()).pause(MAIN, 30)
    hold = await SharedPace(own, cluster.buckets()).ask(MAIN)
    assert hold is not None
    assert hold.seconds == pytest.approx(30, abs=1)


async def test_nothing_is_left_behind_for_ever(cluster: Cluster) -> None:
    node = cluster.node(PaceOptions())
    await node.ask(MAIN)
    await node.ask(IVAN)
    await node.pause(OTHER, 1)
    keys = [key async for key in cluster.redis.scan_iter(f"pace:{{{cluster.bot_id}}}:*")]
    assert len(keys) >= 4
    assert [key for key in keys if await cluster.redis.ttl(key) < 0] == []


async def test_what_is_left_of_each_groups_budget_is_known_to_all_nodes(cluster: Cluster) -> None:
    one, other = (cluster.node(PaceOptions(group_per_min=20)) for _ in range(2))
    assert await one.rooms([MAIN, OTHER]) == [20, 20]
    for _ in range(3):
        assert await one.ask(MAIN) is None
    assert await other.rooms([OTHER, MAIN]) == [20, 17]
    await one.pause(OTHER, 30)
    assert await other.rooms([MAIN, OTHER]) == [17, 0]


async def test_without_redis_a_node_says_what_it_knows_itself(nowhere: Cluster) -> None:
    node = nowhere.node(PaceOptions(group_per_min=20))
    assert await node.ask(MAIN) is None
    assert await node.rooms([MAIN, OTHER]) == [19, 20]


async def test_without_a_limit_there_is_always_room(nowhere: Cluster) -> None:
    node = nowhere.node(PaceOptions(group_per_min=0))
    assert await node.rooms([MAIN, OTHER]) == [inf, inf]
