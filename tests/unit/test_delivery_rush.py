"""Many new clients at once: each topic that is begun is shown whole, and no call is left unused."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import pytest
from aiogram.methods import CreateForumTopic, SendMessage, TelegramMethod

from actors.effects import (
    CloseTopic,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    RenameTopic,
    ShowCard,
)
from actors.errors import Transient
from actors.ids import ChatId
from actors.places import MAIN
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from bot.delivery.helping import Trouble
from bot.delivery.pace import Hold
from tests.fakes.bot_api import refusal, server_error, timed_out, too_many
from tests.fakes.delivery import FIRST, SECOND, Bots, Post, texts, title, until

pytestmark = pytest.mark.anyio

PACE = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=20)
GROUP = ChatId(-1001)
OLD = range(101, 131)
"""Topics that were there before."""


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return virtual_time


@pytest.fixture
def post() -> Post:
    made = Post()
    for ticket in OLD:
        made.topic(ticket, thread=ticket)
    return made


def opening(ticket: int) -> OpenTopic:
    return OpenTopic(place=MAIN, title=title(ticket))


CARD = ShowCard(place=MAIN, keyboard=Keyboard(kind=KeyboardKind.TRIAGE))


def case(post: Post, ticket: int, messages: int = 1) -> list[int]:
    """A new ticket; the rows of its opening, its card and its texts."""
    first = texts(messages, ticket * 10)
    return post.outbox.add(opening(ticket), CARD, *first, ticket=ticket, client=ticket)


def tell(post: Post, delivery: Delivery, rows: Sequence[int]) -> None:
    delivery.wake(post.outbox.lanes(rows))


def says(post: Post, delivery: Delivery, ticket: int, number: int) -> list[int]:
    """A text in a topic that is there."""
    rows = post.outbox.add(*texts(1, number), ticket=ticket, client=ticket)
    tell(post, delivery, rows)
    return rows


async def talk(post: Post, delivery: Delivery) -> None:
    """The old topics say half as much again as the budget allows, for ever."""
    number = 10_000
    while True:
        for ticket in OLD:
            number += 1
            says(post, delivery, ticket, number)
            await anyio.sleep(2)


# --- whole tickets --------------------------------------------------------------------------


async def served_each_minute(post: Post, cases: Sequence[Sequence[int]]) -> list[int]:
    """How many clients have been read at the beginning of each of three minutes."""
    began, done = anyio.current_time(), []
    for minute in range(3):
        await anyio.sleep_until(began + minute * 61 + 10)
        done.append(sum(post.outbox.state(rows[2]) == "sent" for rows in cases))
    return done


async def test_in_a_rush_the_first_clients_are_served_whole_and_none_later_than_else(
    post: Post,
) -> None:
    """Twenty clients cost sixty calls, which is three minutes' worth; a third is done in each."""
    cases = [case(post, ticket, messages=3) for ticket in range(1, 21)]
    async with post.running(PACE):
        assert await served_each_minute(post, cases) == [6, 12, 20]
        await post.settled()
    assert len(post.api.calls) == 60


async def test_helpers_that_cannot_write_there_count_as_none() -> None:
    bots = Bots()
    cases = [case(bots.post, ticket) for ticket in range(1, 21)]
    async with bots.post.running(PACE, helpers=bots.senders(PACE)) as delivery:
        for helper in (FIRST, SECOND):
            delivery.crew.note(helper, GROUP, Trouble.AWAY)
        assert await served_each_minute(bots.post, cases) == [6, 12, 20]


async def test_with_helpers_only_topics_and_cards_are_the_main_bots_work() -> None:
    bots = Bots()
    cases = [case(bots.post, ticket) for ticket in range(1, 21)]
    async with bots.post.running(PACE, helpers=bots.senders(PACE)):
        assert await served_each_minute(bots.post, cases) == [10, 20, 20]


async def test_a_new_client_is_heard_out_before_the_first_text_goes(post: Post) -> None:
    for ticket in range(1, 21):
        case(post, ticket)
    async with post.running(PACE) as delivery:
        for number in range(2, 5):
            await anyio.sleep(0.5)
            says(post, delivery, 1, number)
        await post.settled()
    said = [call.text for call in post.api.of(SendMessage)]
    [first] = [words for words in said if "text 4." in words]
    assert first.count("text ") == 4


async def test_nobody_waits_with_the_last_call(post: Post) -> None:
    """Somebody else could take it, and the client would wait for a minute."""
    async with post.running(PACE) as delivery:
        for ticket in OLD[:17]:
            says(post, delivery, ticket, ticket)
        await anyio.sleep(1)
        rows = case(post, 1)
        tell(post, delivery, rows)
        asked = anyio.current_time()
        await until(lambda: post.outbox.state(rows[2]) == "sent")
        assert anyio.current_time() - asked < 0.5


# --- beside topics that are there -----------------------------------------------------------


async def test_in_a_jam_a_topic_that_was_begun_does_not_queue_again(post: Post) -> None:
    async with post.running(PACE) as delivery, anyio.create_task_group() as group:
        group.start_soon(talk, post, delivery)
        await anyio.sleep(200)
        asked, read = anyio.current_time(), dict[int, float]()
        cases = {ticket: case(post, ticket) for ticket in range(1, 11)}
        tell(post, delivery, [row for rows in cases.values() for row in rows])
        while len(read) < len(cases):
            await anyio.sleep(1)
            for ticket, rows in cases.items():
                if post.outbox.state(rows[2]) == "sent":
                    read.setdefault(ticket, anyio.current_time() - asked)
        group.cancel_scope.cancel()
    first, *_, last = sorted(read.values())
    assert (first < 90, last < 200) == (True, True)


async def test_a_title_keeps_no_new_topic_waiting(post: Post) -> None:
    """A topic is made anew with a text, and its title cannot go while the jam lasts."""
    async with post.running(PACE) as delivery, anyio.create_task_group() as group:
        group.start_soon(talk, post, delivery)
        await anyio.sleep(150)
        rename = RenameTopic(place=MAIN, title=title("x"))
        tell(post, delivery, post.outbox.add(opening(7), *texts(1), rename, ticket=7))
        await anyio.sleep(200)
        rows = case(post, 1)
        tell(post, delivery, rows)
        asked = anyio.current_time()
        await until(lambda: post.outbox.state(rows[0]) == "sent")
        assert anyio.current_time() - asked < 150
        group.cancel_scope.cancel()


async def test_calls_that_a_topic_no_longer_needs_are_used_at_once(post: Post) -> None:
    """Seven topics are begun, and then their tickets go to another node."""
    cases = [case(post, ticket) for ticket in range(1, 21)]

    def lose(call: TelegramMethod[Any]) -> None:
        if isinstance(call, CreateForumTopic) and len(post.api.of(CreateForumTopic)) == 7:
            for row in (row for rows in cases[:7] for row in rows[1:]):
                post.outbox.records[row].state = "superseded"
                post.outbox.records[row].attempts += 1

    post.api.always = lose
    async with post.running(PACE) as delivery:
        await anyio.sleep(30)
        assert sum(post.outbox.state(rows[0]) == "sent" for rows in cases) == 7 + 5
        assert delivery.crew.main.pace.left(GROUP) == 0


async def test_texts_are_not_joined_while_all_bots_together_have_calls_enough() -> None:
    bots = Bots()
    for ticket in range(1, 16):
        bots.post.topic(ticket, ticket)
        bots.post.outbox.add(*texts(3, ticket * 10), ticket=ticket, client=ticket)
    async with bots.post.running(PACE, helpers=bots.senders(PACE)) as delivery:
        await bots.post.settled()
        assert delivery.stats().joined == 0


# --- what it costs --------------------------------------------------------------------------


async def test_topics_that_wait_do_not_each_ask_for_the_budget(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question is a way to Redis: they grow with the calls, not with the tickets."""
    for ticket in range(1001, 1301):
        case(post, ticket)
    async with post.running(PACE) as delivery:
        pace, asked = delivery.crew.main.pace, 0
        ask = pace.ask

        async def counted(chat_id: ChatId, cost: int = 1, keep: int = 0) -> Hold | None:
            nonlocal asked
            asked += 1
            return await ask(chat_id, cost, keep)

        monkeypatch.setattr(pace, "ask", counted)
        await anyio.sleep(4 * 61 + 30)
        assert len(post.api.calls) == 100
        assert asked < 150


# --- whatever happens -----------------------------------------------------------------------


TROUBLES = (
    server_error(),
    timed_out(),
    too_many(1),
    too_many(5),
    refusal("message thread not found"),
    refusal("can't parse entities"),
    refusal("not enough rights to create a topic"),
    refusal("CHAT_WRITE_FORBIDDEN"),
)


def counted(delivery: Delivery) -> tuple[Mapping[ChatId, int], Mapping[ChatId, int]]:
    """What the lanes say of themselves: how many work in each chat, and the calls they owe."""
    lanes = list(delivery._lanes._lanes.values())
    works = Counter(lane.works_in for lane in lanes if lane.works_in is not None)
    owed: Counter[ChatId] = Counter()
    for lane in lanes:
        if lane.works_in is not None and lane.owes:
            owed[lane.works_in] += lane.owes
    return works, owed


def agrees(delivery: Delivery) -> bool:
    works, owed = counted(delivery)
    lanes = delivery._lanes
    return (
        lanes._in_chat == works
        and +lanes._owed == owed
        and min(lanes._owed.values(), default=0) >= 0
    )


@pytest.mark.parametrize("helpers", [False, True], ids=["alone", "helped"])
@pytest.mark.parametrize("seed", range(6))
async def test_what_is_owed_is_counted_right_whatever_fails(seed: int, *, helpers: bool) -> None:
    chance = random.Random(seed)
    bots = Bots()
    post, outbox = bots.post, bots.post.outbox
    pace = PaceOptions(
        bot_per_s=chance.choice([0, 30]),
        private_per_s=0,
        group_per_min=chance.choice([1, 2, 5, 20]),
    )
    for api in (bots.main, bots.first, bots.second):
        api.always = lambda _: chance.choice(TROUBLES) if chance.random() < 0.2 else None

    def happens(tickets: list[int]) -> list[int]:
        match chance.choices(range(6), [30, 40, 10, 5, 5, 10])[0]:
            case 0:
                tickets.append(len(tickets) + 1)
                return case(post, tickets[-1], messages=chance.randint(0, 3))
            case 1:
                known = chance.choice(tickets)
                return outbox.add(*texts(chance.randint(1, 3)), ticket=known, client=known)
            case 2:
                known = chance.choice(tickets)
                renamed = RenameTopic(place=MAIN, title=title(chance.random()))
                return outbox.add(renamed, ticket=known, client=known)
            case 3:
                known = chance.choice(tickets)
                return outbox.add(CloseTopic(place=MAIN), ticket=known, client=known)
            case 4:  # the ticket has gone to another node
                known = chance.choice(tickets)
                for record in outbox.records.values():
                    if record.ticket_id == known and not record.is_settled:
                        record.state = "superseded"
            case _:
                where = chance.choice(["heads", "starting", "settle"])
                outbox.failures[where].append(Transient("away"))
        return []

    async with post.running(pace, helpers=bots.senders(pace) if helpers else ()) as delivery:
        tickets = [1]
        case(post, 1)
        for _ in range(100):
            rows = happens(tickets)
            if chance.random() < 0.9:
                tell(post, delivery, rows)
            for _ in range(4):
                await anyio.sleep(chance.choice([0, 0.01, 0.1, 1]))
                assert agrees(delivery)
        for api in (bots.main, bots.first, bots.second):
            api.always = lambda _: None
        with anyio.fail_after(36_000):
            while outbox.unsettled:  # noqa: ASYNC110 — virtual time
                await anyio.sleep(5)
        await anyio.sleep(70)
        assert counted(delivery) == ({}, {})
        assert agrees(delivery)


async def test_first_texts_do_not_wait_while_nothing_is_short(post: Post) -> None:
    async with post.running(PACE, DeliveryOptions(first_wait_s=30, first_wait_max_s=60)) as made:
        rows = case(post, 1, messages=3)
        tell(post, made, rows)
        await post.settled()
        assert anyio.current_time() < 5
        assert made.stats().joined == 0
