"""One topic's flood leaves most of its group's budget to the others."""

import pytest

from actors.ids import ChatId
from bot.delivery.shares import ShareOptions, Shares

MAIN, IVAN = ChatId(-1001), ChatId(501)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shares(clock: Clock, most: int = 20) -> Shares:
    return Shares(ShareOptions(), (most, 60.0), clock)


def test_the_first_calls_of_a_topic_are_free_then_it_goes_step_by_step(clock: Clock) -> None:
    made = shares(clock)
    for _ in range(5):
        assert not made.terms("main:7", MAIN).is_flood
        made.took("main:7", MAIN, 1)
    terms = made.terms("main:7", MAIN)
    assert (terms.is_flood, terms.keep, terms.not_before) == (True, 10, clock.now + 3)
    assert not made.terms("main:8", MAIN).is_flood


def test_what_was_taken_is_forgotten_with_the_window(clock: Clock) -> None:
    made = shares(clock)
    made.took("main:7", MAIN, 6)
    clock.now += 59
    assert made.terms("main:7", MAIN).is_flood
    clock.now += 1
    assert not made.terms("main:7", MAIN).is_flood


def test_private_chats_and_groups_without_limit_have_no_shares(clock: Clock) -> None:
    bounded, unbounded = shares(clock), shares(clock, 0)
    bounded.took("client:501", IVAN, 50)
    unbounded.took("main:7", MAIN, 50)
    assert not bounded.terms("client:501", IVAN).is_flood
    assert not unbounded.terms("main:7", MAIN).is_flood
    assert unbounded.decoration().keep == 0


def test_only_so_many_topics_are_remembered(clock: Clock) -> None:
    made = Shares(ShareOptions(topics_max=3), (20, 60.0), clock)
    for ticket in range(10):
        made.took(f"main:{ticket}", MAIN, 9)
    assert [made.terms(f"main:{t}", MAIN).is_flood for t in range(10)] == [False] * 7 + [True] * 3
