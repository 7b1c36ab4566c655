"""What delivery may rely on, of the outbox in Postgres and of those in memory alike."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import anyio
import pytest

from actors.effects import Effect, OpenTopic, RenameTopic, Say, Text
from actors.ids import MessageId, ThreadId, TicketId
from actors.messages import DeliveryFailed, FailureReason, TopicOpened
from actors.places import CLIENT, MAIN
from actors.ports import (
    Outbox,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    Superseded,
    TopicLost,
    Undeliverable,
)
from tests.contract.backing import Backing, MemoryBacking, PostgresBacking
from tests.contract.conftest import stores_of
from tests.fakes.bot_api import copy
from tests.fakes.outbox import MemoryOutbox as FakeOutbox

pytestmark = pytest.mark.anyio

CLIENT_ID = 501
OPEN = OpenTopic(place=MAIN, title=Text(key="title-new"))
RENAME = RenameTopic(place=MAIN, title=Text(key="title-work"))


@dataclass
class Bench:
    outbox: Outbox
    add: Callable[..., Awaitable[TicketId]]
    """Commits effects of one ticket of the client."""

    async def heads(self, per_lane: int = 16, limit: int = 100) -> Sequence[OutboxRow]:
        return await self.outbox.heads(None, per_lane, limit)

    async def head(self) -> OutboxRow:
        return (await self.heads(1))[0]

    async def settle(self, *settlements: Settlement) -> list[Any]:
        return [envelope.message for envelope in await self.outbox.settle(settlements)]

    async def open(self, thread: int) -> None:
        row = await self.head()
        assert isinstance(row.effect, OpenTopic)
        await self.outbox.starting([row])
        await self.settle(Sent(row=row, thread_id=ThreadId(thread)))


@pytest.fixture(params=["postgres", "memory", "fake"])
def backing(request: pytest.FixtureRequest) -> Backing | None:
    """An empty store; ``None`` for the fake of delivery's tests, which has no tickets."""
    match request.param:
        case "postgres":
            return PostgresBacking(request.getfixturevalue("engine"))
        case "memory":
            return MemoryBacking()
        case _:
            return None


@pytest.fixture
async def bench(backing: Backing | None) -> Bench:
    """An outbox of each kind."""
    if backing is None:
        fake = FakeOutbox()

        async def remember(*effects: Effect) -> TicketId:
            fake.add(*effects, ticket=7, client=CLIENT_ID)
            return TicketId(7)

        return Bench(fake, remember)
    stores = await stores_of(backing)
    number = count(1)

    async def commit(*effects: Effect) -> TicketId:
        return await stores.decide(next(number), *effects, client=CLIENT_ID)

    return Bench(stores.outbox, commit)


def sources(rows: Sequence[OutboxRow]) -> list[int]:
    return [row.effect.content.message_id for row in rows if hasattr(row.effect, "content")]


def kinds(rows: Sequence[OutboxRow]) -> list[str]:
    return [type(row.effect).__name__ for row in rows]


async def test_a_lane_is_read_in_its_order_and_no_further_than_asked(bench: Bench) -> None:
    await bench.add(*(copy(number) for number in range(1, 6)))
    assert sources(await bench.heads()) == [1, 2, 3, 4, 5]
    assert sources(await bench.heads(per_lane=2)) == [1, 2]
    assert sources(await bench.heads(limit=3)) == [1, 2, 3]


async def test_lanes_are_read_by_name(bench: Bench) -> None:
    await bench.add(copy(1, CLIENT), copy(2, MAIN))
    private = f"client:{CLIENT_ID}"
    assert sources(await bench.outbox.heads([private], 16, 100)) == [1]
    assert await bench.outbox.heads(["main:999"], 16, 100) == []


async def test_what_is_settled_is_not_read_again(bench: Bench) -> None:
    await bench.add(copy(1), copy(2), copy(3), copy(4))
    first, second, third, fourth = await bench.heads()
    refused = Undeliverable(row=third, reason=FailureReason.REFUSED, detail="no")
    await bench.settle(Sent(row=first), Superseded(row=second), refused)
    assert [row.id for row in await bench.heads()] == [fourth.id]


async def test_a_row_that_was_started_and_never_settled_is_uncertain(bench: Bench) -> None:
    await bench.add(copy(1), copy(2))
    await bench.outbox.starting([await bench.head()])
    first, second = await bench.heads()
    assert (first.uncertain, first.attempts) == (True, 1)
    assert (second.uncertain, second.attempts) == (False, 0)


async def test_a_postponed_row_holds_its_lane_for_its_time(bench: Bench) -> None:
    await bench.add(copy(1), copy(2))
    row = await bench.head()
    await bench.outbox.starting([row])
    await bench.settle(Postponed(row=row, after_s=0.3, error="again", uncertain=True))
    assert await bench.heads() == []
    with anyio.fail_after(20):
        while not (rows := await bench.heads()):  # noqa: ASYNC110 — the database has no event
            await anyio.sleep(0.02)
    assert sources(rows) == [1, 2]
    assert [row.uncertain for row in rows] == [True, False]


async def test_a_postponement_without_doubt_leaves_none(bench: Bench) -> None:
    await bench.add(copy(1))
    row = await bench.head()
    await bench.outbox.starting([row])
    await bench.settle(Postponed(row=row, after_s=0, error="again"))
    assert not (await bench.head()).uncertain


async def test_an_opened_topic_is_where_the_rest_of_the_lane_goes_and_the_ticket_hears_of_it(
    bench: Bench,
) -> None:
    await bench.add(OPEN, copy(1, MAIN))
    row, waiting = await bench.heads()
    assert waiting.address is not None
    assert waiting.address.thread_id is None
    [told] = await bench.settle(Sent(row=row, thread_id=ThreadId(70)))
    assert isinstance(told, TopicOpened)
    assert (told.place, told.thread_id) == (MAIN, 70)
    address = (await bench.head()).address
    assert address is not None
    assert address.thread_id == 70


async def test_a_lost_topic_is_opened_again_before_all_that_waits(bench: Bench) -> None:
    await bench.add(OPEN, copy(1, MAIN), copy(2, MAIN))
    await bench.open(70)
    row = await bench.head()
    await bench.outbox.starting([row])
    await bench.settle(TopicLost(row=row))
    rows = await bench.heads()
    assert kinds(rows) == ["OpenTopic", "Copy", "Copy"]
    assert not rows[1].uncertain
    assert rows[0].address is not None
    assert rows[0].address.thread_id is None
    await bench.open(71)
    rows = await bench.heads()
    assert sources(rows) == [1, 2]
    assert [row.address.thread_id for row in rows if row.address is not None] == [71, 71]


async def test_settling_twice_is_harmless(bench: Bench) -> None:
    await bench.add(OPEN, copy(1, MAIN))
    opening, waiting = await bench.heads()
    sent = Sent(row=opening, thread_id=ThreadId(70))
    failed = Undeliverable(row=waiting, reason=FailureReason.UNCOPYABLE, detail="no")
    assert len(await bench.settle(sent, failed)) == 2
    assert await bench.settle(sent, failed) == []
    assert await bench.settle(Postponed(row=waiting, after_s=0, error="late")) == []
    assert await bench.heads() == []


async def test_a_refused_copy_is_told_with_what_it_was(bench: Bench) -> None:
    await bench.add(copy(1))
    row = await bench.head()
    [told] = await bench.settle(
        Undeliverable(row=row, reason=FailureReason.SOURCE_GONE, detail="message gone")
    )
    assert isinstance(told, DeliveryFailed)
    assert (told.place, told.effect, told.reason) == (CLIENT, "Copy", FailureReason.SOURCE_GONE)
    assert told.content is not None
    assert told.content.message_id == 1


async def test_the_newest_message_of_a_tag_is_found(bench: Bench) -> None:
    says = [Say(place=CLIENT, text=Text(key="survey-question-1"), tag="survey") for _ in range(3)]
    ticket_id = await bench.add(*says, Say(place=MAIN, text=Text(key="received"), tag="survey"))
    assert await bench.outbox.tagged(ticket_id, CLIENT, "survey") is None
    for row, message in zip(await bench.heads(), (11, 12), strict=False):
        await bench.settle(Sent(row=row, message_id=MessageId(message)))
    assert await bench.outbox.tagged(ticket_id, CLIENT, "survey") == 12
    assert await bench.outbox.tagged(ticket_id, MAIN, "survey") is None
    assert await bench.outbox.tagged(ticket_id, CLIENT, "card") is None
