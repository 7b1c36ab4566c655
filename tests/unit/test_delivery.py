"""Delivery sends every row once, in its lane's order, whatever fails around it."""

from itertools import pairwise
from typing import Any

import anyio
import pytest
from aiogram.exceptions import ClientDecodeError
from aiogram.methods import (
    AnswerCallbackQuery,
    CloseForumTopic,
    CopyMessage,
    CreateForumTopic,
    EditForumTopic,
    EditMessageText,
    GetChat,
    SendMessage,
)
from aiogram.types import InlineKeyboardMarkup

from actors.effects import (
    SURVEY_TAG,
    AnswerPress,
    CloseTopic,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    RenameTopic,
    Say,
    Text,
)
from actors.errors import Transient
from actors.ids import MessageId, TechnicianId
from actors.messages import DeliveryFailed, FailureReason, TopicOpened
from actors.places import CLIENT, MAIN, mirror
from actors.ports import Made
from bot.delivery import DeliveryOptions, PaceOptions
from tests.fakes.bot_api import ForgetfulMarks, copy, refusal, server_error, timed_out, too_many
from tests.fakes.delivery import UNPACED, Post, until
from tests.fakes.outbox import Gate

pytestmark = pytest.mark.anyio

POLL_S = DeliveryOptions().poll_interval_s

RETRIES_END_S = 600.0
"""Every wait of a retry is shorter."""


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return virtual_time


@pytest.fixture
def post() -> Post:
    return Post()


def title(words: str) -> Text:
    return Text(key="title-work", args={"ticket": 7, "client": words, "technician": "alice"})


def open_topic(words: str = "first") -> OpenTopic:
    return OpenTopic(place=MAIN, title=title(words))


def rename(words: str) -> RenameTopic:
    return RenameTopic(place=MAIN, title=title(words))


def copies(*numbers: int) -> list[Effect]:
    return [copy(number, MAIN) for number in numbers]


def received() -> Say:
    return Say(place=CLIENT, text=Text(key="received", args={"ticket": 7}))


# --- order ----------------------------------------------------------------------------------


async def test_rows_of_a_lane_go_out_in_their_order_one_at_a_time(post: Post) -> None:
    post.outbox.add(*(copy(number) for number in range(1, 41)))
    async with post.running():
        await post.settled()
    assert post.api.copied == list(range(1, 41))
    assert post.api.open_max == 1


async def test_lanes_go_out_at_once_up_to_the_bound(post: Post) -> None:
    for client in range(1, 11):
        post.outbox.add(copy(client), client=client)
    post.api.hold()
    async with post.running(options=DeliveryOptions(in_flight_max=4)):
        await until(lambda: len(post.api.open) == 4)
        await anyio.sleep(5)
        assert len(post.api.calls) == 4
        post.api.release()
        await post.settled()
    assert sorted(post.api.copied) == list(range(1, 11))
    assert post.api.overlaps == []


async def test_woken_lanes_are_read_together_and_their_starts_and_outcomes_recorded_in_groups(
    post: Post,
) -> None:
    async with post.running() as delivery:
        await until(lambda: post.outbox.readings > 0)
        before = post.outbox.readings
        numbers = [n for c in range(1, 51) for n in post.outbox.add(copy(c), client=c)]
        delivery.wake(post.outbox.lanes(numbers))
        await post.settled()
        assert post.outbox.readings - before <= 2
    assert max(post.outbox.start_sizes) > 10
    assert max(post.outbox.settle_sizes) > 10


async def test_a_woken_lane_does_not_wait_for_the_poll(post: Post) -> None:
    async with post.running() as delivery:
        await anyio.sleep(POLL_S * 1.5)
        began = anyio.current_time()
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1))))
        await post.settled()
        assert anyio.current_time() - began < POLL_S / 4


async def test_a_lane_whose_hint_was_lost_is_found_by_the_poll(post: Post) -> None:
    async with post.running():
        await anyio.sleep(POLL_S * 1.5)
        post.outbox.add(copy(1))
        began = anyio.current_time()
        await post.settled()
        assert anyio.current_time() - began <= POLL_S * 1.5


async def test_a_row_that_comes_while_its_lane_is_busy_follows_at_once(post: Post) -> None:
    post.api.hold()
    async with post.running() as delivery:
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1))))
        await until(lambda: len(post.api.open) == 1)
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(2))))
        await anyio.sleep(0.01)
        post.api.release()
        await post.settled()
    assert post.api.copied == [1, 2]


async def test_a_reading_that_was_overtaken_by_a_settlement_sends_nothing_twice(post: Post) -> None:
    """A poll sees the row as being sent; its answer comes when the row has long been settled."""
    post.marks = ForgetfulMarks()
    gate = Gate()
    async with post.running() as delivery:
        await until(lambda: post.outbox.readings > 0)
        post.outbox.gates.append(gate)
        post.api.hold()
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(1))))
        await until(lambda: len(post.api.open) == 1)
        await gate.looked.wait()
        post.api.release()
        await post.settled()
        gate.release.set()
        await anyio.sleep(POLL_S * 3)
        assert delivery.stats().possible_doubles == 0
    assert post.api.copied == [1]


async def test_a_long_queue_behind_a_title_does_not_hold_the_lane(post: Post) -> None:
    post.topic(7)
    per_lane = DeliveryOptions().rows_per_lane
    post.outbox.add(rename("Ivan"), *(copy(n, MAIN) for n in range(1, per_lane * 2)))
    async with post.running():
        with anyio.fail_after(10):
            await post.settled()
    assert post.api.copied == list(range(1, per_lane * 2))


# --- topics ---------------------------------------------------------------------------------


async def test_what_was_read_with_the_opening_of_its_topic_goes_into_that_topic(
    post: Post,
) -> None:
    async with post.running() as delivery:
        await until(lambda: post.outbox.readings > 0)
        delivery.wake(post.outbox.lanes(post.outbox.add(open_topic(), *copies(1, 2))))
        await post.settled()
    thread = post.outbox.topics["main:7"]
    assert post.api.names == ["CreateForumTopic", "CopyMessage", "CopyMessage"]
    assert [call.message_thread_id for call in post.api.of(CopyMessage)] == [thread, thread]
    assert [type(each.message) for each in post.mailroom.offered] == [TopicOpened]


async def test_a_deleted_topic_is_made_anew_and_the_message_goes_there_before_all_others(
    post: Post,
) -> None:
    post.outbox.add(open_topic("Ivan"), copy(1, MAIN))
    async with post.running():
        await post.settled()
        former = post.outbox.topics["main:7"]
        post.api.script[CopyMessage].append(refusal("message thread not found"))
        post.outbox.add(copy(2, MAIN), copy(3, MAIN))
        await post.settled()
    renewed = post.outbox.topics["main:7"]
    assert renewed != former
    opened = post.api.of(CreateForumTopic)
    assert [call.name for call in opened] == [opened[0].name] * 2
    assert post.api.copied == [1, 2, 2, 3]
    assert [call.message_thread_id for call in post.api.of(CopyMessage)[2:]] == [renewed] * 2


async def test_only_the_newest_title_is_sent_and_the_older_ones_are_settled(post: Post) -> None:
    post.topic(7)
    numbers = post.outbox.add(rename("one"), rename("two"), copy(1, MAIN), rename("three"))
    async with post.running():
        await post.settled()
    assert [call.name for call in post.api.of(EditForumTopic)] == [
        "🟡 [In work | @alice] #7 | three"
    ]
    states = [post.outbox.state(number) for number in numbers]
    assert states == ["superseded", "superseded", "sent", "sent"]


async def test_a_title_that_is_not_sent_costs_nothing_of_the_budget(post: Post) -> None:
    post.topic(7)
    post.outbox.add(rename("one"), rename("two"), rename("three"), copy(1, MAIN))
    async with post.running(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=2)):
        await post.settled()
        assert anyio.current_time() < POLL_S * 3
    assert post.api.names == ["CopyMessage", "EditForumTopic"]


async def test_a_title_before_a_closing_is_sent_before_it(post: Post) -> None:
    post.topic(7)
    post.outbox.add(rename("one"), CloseTopic(place=MAIN))
    async with post.running():
        await post.settled()
    assert post.api.names == ["EditForumTopic", "CloseForumTopic"]


async def test_a_topic_that_is_closed_already_counts_as_closed(post: Post) -> None:
    post.topic(7)
    post.api.script[CloseForumTopic].append(refusal("TOPIC_NOT_MODIFIED"))
    [number] = post.outbox.add(CloseTopic(place=MAIN))
    async with post.running():
        await post.settled()
    assert post.outbox.state(number) == "sent"
    assert post.outbox.reports == {}


# --- failures -------------------------------------------------------------------------------


async def test_429_pauses_that_chat_for_as_long_as_asked_and_no_other(post: Post) -> None:
    post.api.script[CopyMessage].append(too_many(30))
    async with post.running() as delivery:
        post.outbox.add(copy(1), copy(2), client=501)
        await until(lambda: post.api.copied == [1])
        paused_at = anyio.current_time()
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(9), client=502)))
        await until(lambda: 9 in post.api.copied)
        assert anyio.current_time() - paused_at < 5
        await post.settled()
        stats = delivery.stats()
    assert post.api.copied == [1, 9, 1, 2]
    assert post.api.when(1) - paused_at >= 29.9
    assert (stats.possible_doubles, stats.pauses) == (0, 1)


async def test_a_lane_whose_pause_is_over_waits_idly_while_all_calls_are_taken(post: Post) -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        assert looks < 1000, "it looks at the clock instead of waiting"
        return anyio.current_time()

    post.api.script[CopyMessage].append(too_many(5))
    async with post.running(options=DeliveryOptions(in_flight_max=1), clock=clock) as delivery:
        post.outbox.add(copy(1), client=501)
        await until(lambda: post.api.copied == [1])
        post.api.hold()
        delivery.wake(post.outbox.lanes(post.outbox.add(copy(2), client=502)))
        await until(lambda: post.api.copied == [1, 2])
        await anyio.sleep(20)
        post.api.release()
        await post.settled()
    assert post.api.copied == [1, 2, 1]


async def test_429_in_one_topic_pauses_the_other_topics_of_its_group(post: Post) -> None:
    post.topic(7, 70)
    post.topic(8, 80)
    post.api.script[CopyMessage].append(too_many(30))
    async with post.running():
        post.outbox.add(copy(1, MAIN), ticket=7)
        await until(lambda: post.api.copied == [1])
        at = anyio.current_time()
        post.outbox.add(copy(2, MAIN), ticket=8)
        await post.settled()
    assert min(post.api.when(1), post.api.when(2)) - at >= 29.9


@pytest.mark.parametrize("error", [server_error, timed_out])
async def test_a_passing_failure_is_tried_again_and_nothing_overtakes(
    post: Post, error: Any
) -> None:
    post.api.script[CopyMessage].extend([error(), error()])
    post.outbox.add(copy(1), copy(2), copy(3))
    async with post.running() as delivery:
        await post.settled()
        doubles = delivery.stats().possible_doubles
    assert post.api.copied == [1, 1, 1, 2, 3]
    assert doubles == (2 if error is timed_out else 0)


async def test_a_client_who_blocked_the_bot_is_reported_to_the_ticket_and_the_rest_goes_on(
    post: Post,
) -> None:
    post.api.script[CopyMessage].append(refusal("bot was blocked by the user"))
    first, second = post.outbox.add(copy(1), copy(2))
    async with post.running():
        await post.settled()
    assert (post.outbox.state(first), post.outbox.state(second)) == ("undeliverable", "sent")
    [report] = [envelope.message for envelope in post.mailroom.offered]
    assert isinstance(report, DeliveryFailed)
    assert report.reason is FailureReason.CLIENT_BLOCKED
    assert report.content is not None
    assert report.content.message_id == 1


async def test_a_group_that_lost_its_bot_keeps_everything_until_it_is_mended(post: Post) -> None:
    post.topic(7)
    words = "not enough rights to send text messages to the chat"
    post.api.always = lambda _: refusal(words)
    post.outbox.add(copy(1, MAIN), copy(2, MAIN))
    async with post.running():
        await anyio.sleep(3600)
        assert len(post.api.calls) < 30, "it must not be asked for ever so often"
        post.api.always = lambda _: None
        began = anyio.current_time()
        await post.settled()
        assert anyio.current_time() - began <= DeliveryOptions().closed_max_s + POLL_S
    assert post.api.copied[-2:] == [1, 2]
    assert set(post.api.copied[:-1]) == {1}
    assert post.outbox.reports == {}


async def test_a_chat_to_copy_from_that_is_gone_holds_up_nothing_behind_it(post: Post) -> None:
    """Telegram says "chat not found" of either side; only a look at the other one tells which."""
    post.topic(7)
    post.api.script[CopyMessage].append(refusal("chat not found"))
    first, second = post.outbox.add(copy(1, MAIN), copy(2, MAIN))
    async with post.running():
        await post.settled()
    assert (post.outbox.state(first), post.outbox.state(second)) == ("undeliverable", "sent")
    assert [call.chat_id for call in post.api.of(GetChat)] == [-1001]
    [report] = [envelope.message for envelope in post.mailroom.offered]
    assert isinstance(report, DeliveryFailed)
    assert report.reason is FailureReason.SOURCE_GONE


async def test_a_group_that_telegram_does_not_know_keeps_everything(post: Post) -> None:
    post.topic(7)
    post.api.always = lambda _: refusal("chat not found")
    post.outbox.add(copy(1, MAIN), copy(2, MAIN))
    async with post.running():
        await anyio.sleep(600)
        post.api.always = lambda _: None
        await post.settled()
    assert post.api.copied[-2:] == [1, 2]
    assert post.outbox.reports == {}


async def test_a_deleted_topic_is_made_anew_however_often_telegram_failed_before(
    post: Post,
) -> None:
    post.outbox.add(open_topic("one"), copy(1, MAIN))
    post.api.script[CopyMessage].extend(server_error() for _ in range(8))
    post.api.script[CopyMessage].append(refusal("message thread not found"))
    async with post.running():
        await post.settled()
    assert post.api.names[-3:] == ["CopyMessage", "CreateForumTopic", "CopyMessage"]


async def test_a_topic_that_is_lost_again_and_again_is_not_made_for_ever_so_often(
    post: Post,
) -> None:
    post.outbox.add(open_topic("one"), copy(1, MAIN))
    gone = refusal("message thread not found")
    post.api.always = lambda call: gone if isinstance(call, CopyMessage) else None
    async with post.running():
        await anyio.sleep(600)
        assert 5 < post.api.names.count("CreateForumTopic") < 100
        post.api.always = lambda _: None
        await post.settled()
    assert post.api.names[-1] == "CopyMessage"


async def test_a_call_that_can_never_be_understood_is_not_repeated_for_ever(post: Post) -> None:
    post.api.always = lambda _: ClientDecodeError("bad", ValueError(), {"ok": True, "result": 5})
    [number] = post.outbox.add(copy(1))
    async with post.running():
        await post.settled()
    assert post.api.copied == [1]
    assert post.outbox.state(number) == "sent"


async def test_a_bot_without_the_right_to_manage_topics_still_passes_messages_on(
    post: Post,
) -> None:
    post.topic(7)
    words = "not enough rights to manage topics"
    post.api.always = lambda call: refusal(words) if isinstance(call, EditForumTopic) else None
    post.outbox.add(rename("one"), copy(1, MAIN))
    async with post.running():
        with anyio.fail_after(POLL_S * 5):
            await until(lambda: post.api.copied == [1])


async def test_a_row_that_cannot_be_worded_harms_only_itself(post: Post) -> None:
    bad = Say(place=CLIENT, text=Text(key="no-such-text"))
    numbers = post.outbox.add(bad, copy(1))
    other = post.outbox.add(copy(2), client=502)
    async with post.running():
        await post.settled()
    states = [post.outbox.state(number) for number in numbers + other]
    assert states == ["undeliverable", "sent", "sent"]


# --- crashes and outages --------------------------------------------------------------------


async def test_a_call_that_a_crash_tore_is_repeated_once_and_counted(post: Post) -> None:
    post.api.hold()
    post.outbox.add(copy(1), copy(2))
    async with post.running():
        await until(lambda: len(post.api.open) == 1)
    post.api.release()
    async with post.running() as delivery:
        await post.settled()
        stats = delivery.stats()
    assert post.api.copied == [1, 1, 2]
    assert (stats.possible_doubles, stats.recovered) == (1, 0)


async def test_after_a_crash_a_marked_row_is_not_sent_again(post: Post) -> None:
    [first, _] = post.outbox.add(copy(1), copy(2))
    record = post.outbox.records[first]
    record.state, record.attempts = "sending", 1
    post.marks.made[post.outbox.mark(first)] = Made(message_id=MessageId(4242))
    async with post.running() as delivery:
        await post.settled()
        stats = delivery.stats()
    assert post.api.copied == [2]
    assert record.message_id == 4242
    assert (stats.possible_doubles, stats.recovered) == (0, 1)


async def test_nothing_is_sent_that_could_not_be_marked_first(post: Post) -> None:
    post.outbox.failures["starting"] = [Transient("away")] * 20
    post.outbox.add(copy(1), copy(2))
    async with post.running() as delivery:
        await until(lambda: len(post.outbox.failures["starting"]) <= 10)
        assert post.api.calls == []
        await post.settled()
        assert delivery.stats().possible_doubles == 0
    assert post.api.copied == [1, 2]


async def test_an_outage_between_a_call_and_its_record_repeats_no_call(post: Post) -> None:
    post.outbox.failures["settle"] = [Transient("away")] * 5
    post.outbox.lost_settle_answers = 1
    post.outbox.add(copy(1), copy(2))
    async with post.running() as delivery:
        await post.settled()
        assert delivery.stats().possible_doubles == 0
    assert post.api.copied == [1, 2]


async def test_an_outage_while_an_edit_looks_for_its_message_is_no_possible_double(
    post: Post,
) -> None:
    edit = Edit(place=CLIENT, tag=SURVEY_TAG, text=Text(key="survey-improve"))
    post.outbox.add(Say(place=CLIENT, text=Text(key="survey-question-2"), tag=SURVEY_TAG), edit)
    post.outbox.failures["tagged"] = [Transient("away")]
    async with post.running() as delivery:
        await post.settled()
        assert delivery.stats().possible_doubles == 0
    assert post.api.names == ["SendMessage", "EditMessageText"]


async def test_delivery_waits_for_an_outbox_that_is_away(post: Post) -> None:
    post.outbox.away = True
    async with post.running():
        await anyio.sleep(30)
        post.outbox.add(copy(1))
        post.outbox.away = False
        await post.settled()
    assert post.api.copied == [1]


async def test_an_outcome_that_cannot_be_recorded_stops_no_other_lane(post: Post) -> None:
    [bad] = post.outbox.add(copy(1), client=501)
    post.outbox.poison.add(bad)
    for client in range(600, 610):
        post.outbox.add(copy(client), client=client)
    async with post.running():
        await until(lambda: post.outbox.unsettled == [bad])
        await anyio.sleep(RETRIES_END_S)
        assert post.api.copied.count(1) == 1, "it was sent, although that is not on record"
        post.outbox.poison.clear()
        await post.settled()


async def test_an_outbox_that_cannot_be_read_for_a_while_does_not_end_delivery(
    post: Post,
) -> None:
    post.outbox.failures["heads"] = [ValueError("a row that nobody can read")] * 3
    post.outbox.add(copy(1))
    async with post.running():
        await post.settled()
    assert post.api.copied == [1]


# --- edits and presses ----------------------------------------------------------------------


async def test_an_edit_changes_the_message_of_its_tag(post: Post) -> None:
    keyboard = Keyboard(kind=KeyboardKind.SCORES, question=1)
    asked = Say(place=CLIENT, text=Text(key="survey-question-2"), keyboard=keyboard, tag=SURVEY_TAG)
    edit = Edit(place=CLIENT, tag=SURVEY_TAG, text=Text(key="survey-improve"))
    [said, _] = post.outbox.add(asked, edit)
    async with post.running():
        await post.settled()
    [sent], [edited] = post.api.of(SendMessage), post.api.of(EditMessageText)
    assert isinstance(sent.reply_markup, InlineKeyboardMarkup)
    assert edited.message_id == post.outbox.records[said].message_id
    assert edited.reply_markup is None


async def test_an_edit_of_what_was_never_sent_needs_no_call(post: Post) -> None:
    [number] = post.outbox.add(Edit(place=CLIENT, tag=SURVEY_TAG, text=Text(key="survey-thanks")))
    async with post.running():
        await post.settled()
    assert post.api.calls == []
    assert post.outbox.state(number) == "sent"


@pytest.mark.parametrize("error", [None, refusal("query is too old and response timeout expired")])
async def test_a_press_is_answered_at_once_however_tight_the_budget_and_its_lock_released(
    post: Post, error: Exception | None
) -> None:
    pace = PaceOptions(bot_per_s=0.01, private_per_s=0.01, private_burst=1, group_per_min=1)
    post.api.script[AnswerCallbackQuery].append(error)
    for client in range(1, 5):
        post.outbox.add(copy(client), client=client)
    async with post.running(pace) as delivery:
        await until(lambda: len(post.api.calls) > 0)
        began = anyio.current_time()
        press = AnswerPress(callback_id="c9", text=Text(key="press-closed"), alert=True)
        [number] = post.outbox.add(press)
        delivery.wake(post.outbox.lanes([number]))
        await until(lambda: post.outbox.state(number) == "sent")
        assert anyio.current_time() - began < POLL_S
    assert post.presses.released == ["c9"]


# --- scarce budgets -------------------------------------------------------------------------


async def test_a_flood_in_one_topic_does_not_starve_the_others(post: Post) -> None:
    for ticket in (7, 8, 9):
        post.topic(ticket, ticket * 10)
    post.outbox.add(*(copy(n, MAIN) for n in range(100, 110)), ticket=7)
    post.outbox.add(copy(8, MAIN), ticket=8)
    post.outbox.add(copy(9, MAIN), ticket=9)
    async with post.running(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=3)):
        await post.settled()
    assert {8, 9} <= set(post.api.copied[:4])
    flood = [number for number in post.api.copied if number >= 100]
    assert flood == list(range(100, 110))


async def test_clients_come_before_copies_and_copies_before_titles_when_the_bot_is_at_its_limit(
    post: Post,
) -> None:
    post.topic(7)
    post.topic(8, 80)
    post.outbox.topics["mirror:9:1"] = post.outbox.topics["main:7"]
    pace = PaceOptions(bot_per_s=1, private_per_s=0, group_per_min=0)
    async with post.running(pace) as delivery:
        post.outbox.add(copy(1), client=1)
        await until(lambda: post.api.copied == [1])
        rows: list[tuple[Effect, int]] = [
            (rename("title"), 7),
            (copy(30, mirror(TechnicianId(1))), 9),
            (copy(20), 8),
        ]
        numbers = [n for effect, ticket in rows for n in post.outbox.add(effect, ticket=ticket)]
        delivery.wake(post.outbox.lanes(numbers))
        await post.settled()
    assert post.api.names == ["CopyMessage", "CopyMessage", "CopyMessage", "EditForumTopic"]
    assert post.api.copied == [1, 20, 30]
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(post.api.times))


async def test_after_a_restart_a_jammed_group_keeps_no_client_waiting(post: Post) -> None:
    for ticket in range(1, 151):
        post.topic(ticket, ticket)
        post.outbox.add(*(copy(1, MAIN) for _ in range(16)), ticket=ticket)
    [number] = post.outbox.add(copy(7777), client=600)
    pace = PaceOptions(bot_per_s=0, private_per_s=1, group_per_min=20)
    async with post.running(pace):
        await until(lambda: post.outbox.state(number) == "sent")
        assert anyio.current_time() < POLL_S * 5
        assert len(post.api.calls) <= 21


async def test_a_group_never_gets_more_than_its_budget_in_any_minute(post: Post) -> None:
    for ticket in range(1, 6):
        post.topic(ticket, ticket)
        post.outbox.add(*(copy(n, MAIN) for n in range(30)), ticket=ticket)
    async with post.running(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=20)):
        await post.settled()
    times = sorted(post.api.times)
    assert len(times) == 150
    assert all(later - times[i] >= 59.99 for i, later in enumerate(times[20:]))


# --- stopping -------------------------------------------------------------------------------


async def test_draining_finishes_and_records_what_is_under_way_and_begins_nothing(
    post: Post,
) -> None:
    first, second = post.outbox.add(copy(1), copy(2))
    post.api.hold()
    delivery = post.make()
    async with anyio.create_task_group() as group:
        await group.start(delivery.run)
        await until(lambda: len(post.api.open) == 1)
        delivery.drain()
        await anyio.sleep(0.1)
        post.api.release()
    assert post.api.copied == [1]
    assert (post.outbox.state(first), post.outbox.state(second)) == ("sent", "waiting")


async def test_draining_gives_up_a_call_that_does_not_end_in_time(post: Post) -> None:
    [number] = post.outbox.add(copy(1))
    post.api.hold()
    delivery = post.make(UNPACED, DeliveryOptions(drain_timeout_s=5))
    async with anyio.create_task_group() as group:
        await group.start(delivery.run)
        await until(lambda: len(post.api.open) == 1)
        began = anyio.current_time()
        delivery.drain()
    assert anyio.current_time() - began <= 6
    assert post.outbox.state(number) == "sending"


async def test_stats_tell_what_was_done(post: Post) -> None:
    post.topic(7)
    post.outbox.add(rename("one"), rename("two"), copy(1, MAIN), received())
    async with post.running() as delivery:
        await post.settled()
        stats = delivery.stats()
    assert (stats.sent, stats.superseded, stats.in_flight) == (3, 1, 0)
    assert stats.last_sent_at is not None
