"""Nothing is called more often than Telegram allows, nor less often than it could be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ids import ChatId
from bot.delivery import PaceOptions
from bot.delivery.buckets import Learning
from bot.delivery.pace import Pace, added

IVAN, ANNA = ChatId(501), ChatId(502)
MAIN, OTHER = ChatId(-1001), ChatId(-1002)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def calls(pace: Pace, clock: Clock, chat: ChatId, seconds: float) -> list[float]:
    """When calls go out to a chat that always has more to say."""
    end, times = clock.now + seconds, []
    while clock.now < end:
        wait = pace.reserve(chat)
        if wait > 0:
            clock.now += wait
        else:
            times.append(clock.now)
    return times


def test_a_group_gets_its_minute_and_no_more(clock: Clock) -> None:
    times = calls(Pace(PaceOptions(bot_per_s=0), clock), clock, MAIN, 600)
    assert all(later - times[i] >= 60 for i, later in enumerate(times[20:]))
    assert len(times) >= 9 * 20


def test_slow_ways_to_telegram_make_the_minute_longer_for_a_while(clock: Clock) -> None:
    """A call may be counted when it is answered: the next minute begins no sooner."""
    pace = Pace(PaceOptions(bot_per_s=0), clock)
    calls(pace, clock, MAIN, 1)
    pace.answered(0.3)
    assert pace.window == (20, 61.0)
    pace.answered(3.5)
    assert pace.window == (20, 63.5)
    times = calls(pace, clock, MAIN, 100)
    assert times[0] == pytest.approx(1063.5)
    pace.answered(40.0)  # no answer: that says nothing of the others
    assert pace.window == (20, 66.0)
    clock.now += 200
    assert pace.window == (20, 61.0)


def test_a_private_chat_gets_a_burst_and_then_one_a_second(clock: Clock) -> None:
    times = calls(Pace(PaceOptions(bot_per_s=0), clock), clock, IVAN, 60)
    assert times[4] == times[0]
    assert times[5] - times[4] == pytest.approx(1)
    assert len(times) == pytest.approx(65, abs=1)


def test_the_bot_as_a_whole_is_bounded_too(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=30, private_per_s=0), clock)
    times = calls(pace, clock, IVAN, 10)
    assert len(times) == pytest.approx(300 + 24, abs=2)


def test_a_refused_call_costs_nothing(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=10, private_per_s=1, private_burst=1), clock)
    assert pace.reserve(IVAN) == 0
    for _ in range(100):
        assert pace.reserve(IVAN) > 0
    assert sum(pace.reserve(ChatId(600 + n)) == 0 for n in range(20)) == 7


def test_zero_means_no_limit(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=0), clock)
    assert all(pace.reserve(chat) == 0 for chat in (IVAN, MAIN) for _ in range(10_000))


def test_a_pause_closes_its_chat_only_and_never_shortens(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=0), clock)
    pace.close(MAIN, 30)
    pace.close(MAIN, 5)
    assert pace.reserve(MAIN) == pytest.approx(30)
    assert pace.reserve(OTHER) == pace.reserve(IVAN) == 0
    assert (pace.pauses, pace.paused_chats()) == (2, 1)
    clock.now += 30
    assert pace.reserve(MAIN) == 0
    assert pace.paused_chats() == 0


def test_a_pause_of_the_bot_closes_everything(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=0), clock)
    pace.close(None, 12)
    assert pace.reserve(IVAN) == pace.reserve(MAIN) == pytest.approx(12)


def test_a_paused_chat_is_not_forgotten_when_many_others_come(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_per_s=0, buckets_max=10), clock)
    pace.close(IVAN, 60)
    for number in range(100):
        pace.reserve(ChatId(1000 + number))
    assert pace.reserve(IVAN) == pytest.approx(60)


def test_a_chat_that_has_spent_its_budget_is_not_forgotten_either(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, buckets_max=10), clock)
    for _ in range(20):
        assert pace.reserve(MAIN) == 0
    for number in range(100):
        pace.reserve(ChatId(1000 + number))
    assert pace.reserve(MAIN) > 0


def test_a_429_shrinks_the_budget_of_its_chat_which_slowly_grows_back(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, learning=Learning(cut=0.5, recovery_s=600)), clock)
    pace.close(MAIN, 5)
    pace.close(MAIN, 5)  # under way together with the first
    clock.now += 5
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 10
    assert sum(pace.reserve(OTHER) == 0 for _ in range(30)) == 20
    clock.now += 150
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 15
    clock.now += 600
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 20


def test_a_short_pause_teaches_a_group_nothing(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0), clock)
    pace.close(MAIN, 1)
    assert pace.reserve(MAIN) == pytest.approx(1)
    clock.now += 1
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 20


def test_a_budget_is_never_learnt_away(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0), clock)
    for _ in range(50):
        pace.close(MAIN, 5)
        pace.close(IVAN, 5)
        clock.now += 5
    clock.now += 61
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) >= 5
    assert pace.reserve(IVAN) == 0


def test_a_429_in_many_chats_at_once_is_taken_for_the_bots_own(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=0), clock)
    chats = [ChatId(700 + n) for n in range(PaceOptions().bot_alarm_chats)]
    assert [pace.close(chat, 9) for chat in chats] == [False, False, False, True]
    assert pace.reserve(MAIN) == pytest.approx(9)
    clock.now += 9
    assert pace.close(MAIN, 9) is False


def test_what_must_be_kept_for_others_stays(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0), clock)
    assert sum(pace.reserve(MAIN, keep=8) == 0 for _ in range(30)) == 12
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 8


def test_an_album_costs_all_its_parts_or_nothing(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0), clock)
    assert pace.reserve(MAIN, cost=8) == pace.reserve(MAIN, cost=8) == 0
    assert pace.reserve(MAIN, cost=8) == pytest.approx(PaceOptions().group_window_s)
    assert pace.reserve(MAIN, cost=4) == 0


def test_what_costs_more_than_a_whole_budget_goes_out_when_the_budget_is_whole(
    clock: Clock,
) -> None:
    pace = Pace(PaceOptions(bot_per_s=0, private_burst=3, group_per_min=5), clock)
    for chat in (IVAN, MAIN):
        assert pace.reserve(chat, cost=10) == 0
        assert pace.reserve(chat, cost=1) > 0


def test_a_share_is_a_part_of_each_budget(clock: Clock) -> None:
    pace = Pace(PaceOptions(bot_per_s=0), clock, share=lambda: 0.25)
    assert sum(pace.reserve(MAIN) == 0 for _ in range(30)) == 5


def test_the_budgets_of_several_bots_are_seen_as_one(clock: Clock) -> None:
    one, other = (Pace(PaceOptions(), clock) for _ in range(2))
    for pace in (one, one, other):
        assert pace.reserve(MAIN) == 0
    other.reserve(OTHER)
    bots, main, technicians = added([one.budgets(), other.budgets()])
    assert (bots.chat_id, bots.used) == (0, 4)
    assert (main.chat_id, main.used, main.limit) == (MAIN, 3, 40)
    assert (technicians.chat_id, technicians.used, technicians.limit) == (OTHER, 1, 20)


@given(
    steps=st.lists(st.tuples(st.sampled_from([MAIN, OTHER]), st.floats(0, 20)), max_size=200),
    per_min=st.integers(1, 30),
)
def test_no_minute_of_any_group_is_ever_over_its_budget(
    steps: list[tuple[ChatId, float]], per_min: int
) -> None:
    clock = Clock()
    pace = Pace(PaceOptions(bot_per_s=0, group_per_min=per_min), clock)
    out: dict[ChatId, list[float]] = {MAIN: [], OTHER: []}
    for chat, wait in steps:
        clock.now += wait
        if pace.reserve(chat) == 0:
            out[chat].append(clock.now)
    for times in out.values():
        assert all(later - times[i] > 60 for i, later in enumerate(times[per_min:]))
