"""When the budget is short: texts go together, albums stay whole, titles and floods wait."""

import re
from functools import partial
from typing import Any

import anyio
import pytest
from aiogram.methods import AnswerCallbackQuery, CopyMessages, EditForumTopic, SendMessage

from actors.effects import (
    AnswerPress,
    CloseTopic,
    Effect,
    OpenTopic,
    RenameTopic,
    Text,
)
from actors.messages import DeliveryFailed, FailureReason
from actors.places import MAIN
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from tests.fakes.bot_api import (
    ForgetfulMarks,
    copy,
    refusal,
    server_error,
    timed_out,
    too_many,
    written,
)
from tests.fakes.delivery import UNPACED, Post, texts, title, until

pytestmark = pytest.mark.anyio

OPTIONS = DeliveryOptions()
GROUP = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=20)
TIGHT = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=1)


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return virtual_time


@pytest.fixture
def post() -> Post:
    made = Post()
    made.topic(7)
    return made


def rename(words: str) -> RenameTopic:
    return RenameTopic(place=MAIN, title=title(words))


def said(post: Post) -> list[str]:
    return [call.text for call in post.api.of(SendMessage)]


def copied(post: Post, number: int) -> bool:
    return number in post.api.copied


async def spent(post: Post, delivery: Delivery) -> None:
    """A text took the only call of the minute."""
    delivery.wake(post.outbox.lanes(post.outbox.add(*texts(1))))
    await until(partial(copied, post, 1))


# --- joining --------------------------------------------------------------------------------


async def test_texts_go_out_one_by_one_while_there_is_budget(post: Post) -> None:
    post.outbox.add(*texts(4))
    async with post.running(GROUP):
        await post.settled()
    assert post.api.copied == [1, 2, 3, 4]


async def test_texts_that_wait_for_the_budget_go_out_as_one_and_all_are_settled_with_it(
    post: Post,
) -> None:
    async with post.running(TIGHT) as delivery:
        await spent(post, delivery)
        numbers = post.outbox.add(*texts(49, 2))
        delivery.wake(post.outbox.lanes(numbers))
        await post.settled()
        assert delivery.stats().joined == 49
    [joined] = said(post)
    assert post.api.copied == [1]
    assert [joined.index(f"text {n}.") for n in range(2, 51)] == sorted(
        joined.index(f"text {n}.") for n in range(2, 51)
    )
    assert {post.outbox.state(number) for number in numbers} == {"sent"}
    assert len({post.outbox.records[number].message_id for number in numbers}) == 1


async def test_what_comes_while_a_lane_waits_is_joined_too(post: Post) -> None:
    async with post.running(TIGHT) as delivery:
        await spent(post, delivery)
        for start in (2, 4):
            delivery.wake(post.outbox.lanes(post.outbox.add(*texts(2, start))))
            await anyio.sleep(20)
        await post.settled()
    assert post.api.copied == [1]
    assert [all(f"text {n}." in words for n in range(2, 6)) for words in said(post)] == [True]


async def test_the_last_call_of_a_budget_takes_along_all_that_is_there(post: Post) -> None:
    post.outbox.add(*texts(50))
    async with post.running(TIGHT):
        await post.settled()
        assert anyio.current_time() < 5
    [joined] = said(post)
    assert joined.count("text ") == 50


async def test_topics_share_what_is_left_of_a_budget_a_call_for_each(post: Post) -> None:
    """Twelve topics of four texts and twenty calls: eight go alone at most, no topic waits."""
    tickets = range(1, 13)
    for ticket in tickets:
        post.topic(ticket, thread=ticket)
        post.outbox.add(*texts(4, ticket * 10), ticket=ticket, client=ticket)
    async with post.running(GROUP):
        await post.settled()
        assert anyio.current_time() < 5
    assert len(post.api.calls) <= 20
    numbers = [int(n) for words in said(post) for n in re.findall(r"text (\d+)", words)]
    expected = [ticket * 10 + n for ticket in tickets for n in range(4)]
    assert sorted(numbers + post.api.copied) == expected


async def test_joining_keeps_to_the_order_of_what_cannot_be_joined(post: Post) -> None:
    post.outbox.add(*texts(2), copy(10, MAIN), *texts(2, 3))
    async with post.running(TIGHT):
        await post.settled()
    assert post.api.names == ["SendMessage", "CopyMessage", "SendMessage"]
    assert post.api.copied == [10]


async def test_what_is_too_long_for_one_message_becomes_several(post: Post) -> None:
    post.outbox.add(written(1, "x", MAIN), *(written(n, "y" * 1500, MAIN) for n in range(2, 8)))
    async with post.running(TIGHT):
        await post.settled()
    assert [words.count("y" * 1500) for words in said(post)] == [2, 2, 2]


@pytest.mark.parametrize("error", [server_error(), too_many(9)], ids=["5xx", "429"])
async def test_a_joined_call_that_did_not_arrive_is_made_again_whole(
    post: Post, error: Exception
) -> None:
    numbers = post.outbox.add(*texts(4))
    post.api.script[SendMessage].append(error)
    async with post.running(TIGHT) as delivery:
        await post.settled()
        assert delivery.stats().possible_doubles == 0
    first, second = said(post)
    assert first == second
    assert {post.outbox.state(number) for number in numbers} == {"sent"}


async def test_a_joined_call_that_may_have_arrived_is_repeated_once_without_the_newer(
    post: Post,
) -> None:
    post.marks = ForgetfulMarks()
    post.outbox.add(*texts(4))
    post.api.script[SendMessage].append(timed_out())
    async with post.running(TIGHT) as delivery:
        await until(lambda: len(said(post)) == 1)
        delivery.wake(post.outbox.lanes(post.outbox.add(*texts(2, 5))))
        await post.settled()
        assert delivery.stats().possible_doubles == 4
    first, second, third = said(post)
    assert first == second
    assert "text 5." in third
    assert "text 4." not in third


async def test_texts_that_are_refused_together_go_one_by_one_and_only_the_bad_one_fails(
    post: Post,
) -> None:
    numbers = post.outbox.add(*texts(4))
    post.api.script[SendMessage].append(refusal("can't parse entities"))
    bad = refusal("message to copy not found")
    post.api.always = lambda call: bad if getattr(call, "message_id", 0) == 3 else None
    async with post.running(TIGHT):
        await post.settled()
    states = [post.outbox.state(number) for number in numbers]
    assert states == ["sent", "sent", "undeliverable", "sent"]
    assert post.api.copied == [1, 2, 3, 4]
    assert len(said(post)) == 1


async def test_a_topic_that_is_gone_loses_nothing_of_what_was_joined(post: Post) -> None:
    post.outbox.topics.clear()
    numbers = post.outbox.add(OpenTopic(place=MAIN, title=title("x")), *texts(5))
    post.api.script[SendMessage].append(refusal("message thread not found"))
    async with post.running(TIGHT):
        await post.settled()
    first, second = post.api.of(SendMessage)
    assert first.text == second.text
    assert second.message_thread_id == post.outbox.topics["main:7"] != first.message_thread_id
    assert {post.outbox.state(number) for number in numbers} == {"sent"}


# --- albums ---------------------------------------------------------------------------------


def album(*numbers: int) -> list[Effect]:
    return [written(number, "", MAIN, album="a1") for number in numbers]


async def test_an_album_is_one_call_and_each_part_knows_its_copy(post: Post) -> None:
    numbers = post.outbox.add(copy(1, MAIN), *album(2, 3, 5), copy(6, MAIN))
    async with post.running():
        await post.settled()
    [call] = post.api.of(CopyMessages)
    assert call.message_ids == [2, 3, 5]
    assert post.api.copied == [1, 6]
    made = [post.outbox.records[number].message_id for number in numbers]
    assert len(set(made)) == 5
    assert None not in made


async def test_the_rest_of_an_album_is_waited_for(post: Post) -> None:
    async with post.running() as delivery:
        for number in (2, 3, 4):
            delivery.wake(post.outbox.lanes(post.outbox.add(*album(number))))
            await anyio.sleep(OPTIONS.album_wait_s / 2)
        await post.settled()
    assert [call.message_ids for call in post.api.of(CopyMessages)] == [[2, 3, 4]]
    assert post.api.copied == []


async def test_an_album_costs_its_parts(post: Post) -> None:
    post.topic(8, 80)
    post.outbox.add(*album(*range(1, 11)))
    post.outbox.add(*album(*range(11, 21)), ticket=8)
    async with post.running(GROUP) as delivery:
        await until(lambda: len(post.api.of(CopyMessages)) == 2)
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(99, MAIN), ticket=8)))
        await post.settled()
    assert post.api.when(99) - post.api.times[0] >= 60


async def test_an_album_of_which_telegram_skipped_parts_is_told_to_the_ticket(post: Post) -> None:
    post.api.skipped = 1
    numbers = post.outbox.add(*album(1, 2, 3))
    async with post.running():
        await post.settled()
    assert [post.outbox.state(number) for number in numbers] == ["sent", "sent", "undeliverable"]
    [report] = [envelope.message for envelope in post.mailroom.offered]
    assert isinstance(report, DeliveryFailed)
    assert report.reason is FailureReason.UNCOPYABLE
    assert all(post.outbox.records[number].message_id is None for number in numbers)


async def test_an_album_that_is_refused_goes_part_by_part(post: Post) -> None:
    post.api.script[CopyMessages].append(refusal("message to copy not found"))
    post.outbox.add(*album(1, 2, 3))
    async with post.running():
        await post.settled()
    assert post.api.copied == [1, 2, 3]


# --- titles and floods ----------------------------------------------------------------------


async def test_titles_of_a_topic_are_spaced_and_only_the_newest_is_sent(post: Post) -> None:
    async with post.running() as delivery:
        for number in range(10):
            delivery.wake(post.outbox.lanes(post.outbox.add(rename(str(number)))))
            await anyio.sleep(1)
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1, MAIN))))
        asked = anyio.current_time()
        await until(lambda: post.api.copied == [1])
        assert anyio.current_time() - asked < 1, "a message does not wait behind a title"
        await post.settled()
    names = [(call.name or "")[-1:] for call in post.api.of(EditForumTopic)]
    assert names == ["0", "9"]
    first, second = (
        at
        for call, at in zip(post.api.calls, post.api.times, strict=True)
        if isinstance(call, EditForumTopic)
    )
    assert second - first >= OPTIONS.title_gap_s


async def test_a_title_before_a_closing_waits_for_no_message_behind_it(post: Post) -> None:
    post.outbox.add(rename("x"), CloseTopic(place=MAIN), copy(1, MAIN))
    async with post.running():
        await post.settled()
    assert post.api.names == ["EditForumTopic", "CloseForumTopic", "CopyMessage"]


async def test_titles_leave_budget_for_messages(post: Post) -> None:
    for ticket in range(10, 40):
        post.topic(ticket, ticket)
        post.outbox.add(rename("x"), ticket=ticket)
    async with post.running(GROUP) as delivery:
        await until(lambda: len(post.api.calls) == 15)
        await anyio.sleep(5)
        assert len(post.api.calls) == 15
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1, MAIN))))
        asked = anyio.current_time()
        await until(lambda: post.api.copied == [1])
        assert anyio.current_time() - asked < 1
        await post.settled()


async def test_a_flood_leaves_budget_for_quiet_topics_and_ends_soon_all_the_same(
    post: Post,
) -> None:
    for ticket in range(8, 18):
        post.topic(ticket, ticket * 10)
    post.outbox.add(*texts(200))
    async with post.running(GROUP) as delivery:
        await until(lambda: len(post.api.copied) == 5)
        for ticket in range(8, 18):
            asked = anyio.current_time()
            number = 1000 + ticket
            rows = post.outbox.add(copy(number, MAIN), ticket=ticket)
            delivery.wake(post.outbox.lanes(rows))
            await until(partial(copied, post, number))
            assert anyio.current_time() - asked < 1
            await anyio.sleep(1)
        await post.settled()
        assert anyio.current_time() < 65
    assert len(post.api.calls) < 20
    assert [n for n in post.api.copied if n < 1000] == list(range(1, 6))


async def test_without_limits_nothing_is_joined_or_slowed(post: Post) -> None:
    post.outbox.add(*texts(300))
    async with post.running(UNPACED):
        await post.settled()
        assert anyio.current_time() < 5
    assert post.api.copied == list(range(1, 301))


# --- buttons --------------------------------------------------------------------------------


async def test_a_429_for_a_button_holds_up_no_message(post: Post) -> None:
    post.api.script[AnswerCallbackQuery].append(too_many(60))
    post.outbox.add(AnswerPress(callback_id="c1", text=Text(key="press-closed")))
    async with post.running(GROUP) as delivery:
        await until(lambda: len(post.api.of(AnswerCallbackQuery)) == 1)
        asked = anyio.current_time()
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1, MAIN))))
        await until(lambda: post.api.copied == [1])
        assert anyio.current_time() - asked < 1
        await post.settled()
    assert len(post.api.of(AnswerCallbackQuery)) == 2


async def test_buttons_are_answered_while_all_calls_are_taken_by_messages(post: Post) -> None:
    options = DeliveryOptions(in_flight_max=2, press_reserve=1)
    post.api.hold()
    for client in range(1, 6):
        post.outbox.add(copy(client), client=client)
    async with post.running(options=options) as delivery:
        await until(lambda: len(post.api.open) == 2)
        press = AnswerPress(callback_id="c1", text=Text(key="press-closed"))
        delivery.wake(post.outbox.lanes(post.outbox.add(press)))
        await until(lambda: len(post.api.open) == 3)
        assert len(post.api.of(AnswerCallbackQuery)) == 1
        await anyio.sleep(1)
        assert len(post.api.open) == 3
        post.api.release()
        await post.settled()
