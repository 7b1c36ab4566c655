"""The checker of chaos runs: it must find what is wrong, and forgive only what has a cause."""

from collections import Counter
from dataclasses import fields, replace
from itertools import count

import pytest

from lab.chaos.checker import judge, missing
from lab.chaos.history import Broken, Deed, History, Ledger, Place, Said, Shown, shown_in, word

IVAN = 7
MAIN = Place(-100, 5)
MIRROR = Place(-200, 9)


def said(number: int, at: float = 0.0, *, places: tuple[Place, ...] = (MAIN,)) -> Said:
    return Said(who="c-7", number=number, ticket=IVAN, at=at, places=places)


message_ids = count(1)


def shown(*numbers: int, at: float = 1.0, place: Place = MAIN) -> Shown:
    """Each is the newest message of its chat."""
    return Shown(
        chat=place.chat,
        thread=place.thread,
        message_id=next(message_ids),
        at=at,
        words=tuple(("c-7", number) for number in numbers),
    )


def test_a_run_in_which_everything_arrives_once_and_in_order_is_ok() -> None:
    both = (MAIN, MIRROR)
    verdict = judge(
        History(
            said=[said(1, places=both), said(2, places=both)],
            shown=[shown(1), shown(1, place=MIRROR), shown(2), shown(2, place=MIRROR)],
        )
    )
    assert verdict.is_ok
    assert (verdict.messages, verdict.expected, verdict.arrived) == (2, 4, 4)
    assert verdict.as_json()["ok"] is True


def test_a_run_without_any_message_proves_nothing() -> None:
    assert not judge(History()).is_ok


def test_a_message_that_no_chat_shows_is_lost() -> None:
    history = History(said=[said(1), said(2)], shown=[shown(1)])
    assert missing(history) == 1
    verdict = judge(history)
    assert verdict.lost == 1
    assert verdict.violations == ("1 lost",)
    assert verdict.examples == ("lost: c-7 2 in -100/5",)


def test_a_message_in_one_of_two_places_is_lost_in_the_other() -> None:
    verdict = judge(History(said=[said(1, places=(MAIN, MIRROR))], shown=[shown(1)]))
    assert verdict.lost == 1


def test_a_message_in_the_wrong_topic_is_lost() -> None:
    wrong = shown(1, place=Place(-100, 6))
    assert judge(History(said=[said(1)], shown=[wrong])).lost == 1


def test_a_topic_that_nobody_knew_before_may_be_any() -> None:
    anywhere = (Place(-100),)
    verdict = judge(History(said=[said(1, places=anywhere)], shown=[shown(1)]))
    assert verdict.is_ok


def test_a_later_message_before_an_earlier_one_is_out_of_order() -> None:
    verdict = judge(History(said=[said(1), said(2)], shown=[shown(2), shown(1)]))
    assert verdict.violations == ("1 out of order",)


def test_two_topics_of_one_chat_have_no_order_between_them() -> None:
    """A ticket was closed between two words: the later one's topic may be the faster."""
    anywhere = (Place(-100),)
    words = [said(number, places=anywhere) for number in (1, 2, 3)]
    later = shown(3, place=Place(-100, 6))
    assert judge(History(said=words, shown=[shown(1), later, shown(2)])).is_ok
    wrong = judge(History(said=words, shown=[shown(2), later, shown(1)]))
    assert wrong.examples == ("out of order: c-7 1 behind 2 in -100",)


def test_the_order_is_that_of_the_chat_and_not_of_the_history() -> None:
    first, second = shown(1), shown(2)
    assert judge(History(said=[said(1), said(2)], shown=[second, first])).is_ok


def test_a_message_twice_without_a_cause_is_a_violation() -> None:
    verdict = judge(History(said=[said(1)], shown=[shown(1), shown(1)]))
    assert (verdict.doubled, verdict.explained) == (1, 0)
    assert verdict.violations == ("1 doubled without a cause",)
    assert verdict.examples == ("doubled: 1 in the ticket of 7, resent 0",)


def test_a_message_twice_is_explained_by_a_call_that_had_to_be_repeated() -> None:
    history = History(said=[said(1)], shown=[shown(1), shown(1)], resent=Counter({IVAN: 1}))
    verdict = judge(history)
    assert (verdict.doubled, verdict.explained) == (1, 1)
    assert verdict.is_ok


def test_a_repeated_call_of_another_ticket_explains_nothing() -> None:
    history = History(said=[said(1)], shown=[shown(1), shown(1)], resent=Counter({8: 5}))
    assert not judge(history).is_ok


def test_one_repeated_call_explains_one_double_only() -> None:
    history = History(
        said=[said(1)], shown=[shown(1), shown(1), shown(1)], resent=Counter({IVAN: 1})
    )
    assert judge(history).violations == ("1 doubled without a cause",)


def test_joined_words_are_one_call() -> None:
    joined = History(
        said=[said(1), said(2)], shown=[shown(1, 2), shown(1, 2)], resent=Counter({IVAN: 1})
    )
    verdict = judge(joined)
    assert verdict.doubled == 1
    assert verdict.is_ok


def test_a_repeat_that_comes_late_is_a_double_and_not_a_disorder() -> None:
    history = History(
        said=[said(1), said(2)],
        shown=[shown(1), shown(2), shown(1)],
        resent=Counter({IVAN: 1}),
    )
    assert judge(history).is_ok


@pytest.mark.parametrize(
    "name", [field.name for field in fields(Ledger) if field.name != "tickets"]
)
def test_whatever_postgres_should_not_hold_is_a_violation(name: str) -> None:
    fine = History(said=[said(1)], shown=[shown(1)])
    assert judge(fine).is_ok
    fine.ledger = replace(fine.ledger, **{name: 3})
    assert not judge(fine).is_ok


def test_the_longest_stand_still_is_while_something_was_owed() -> None:
    history = History(
        said=[said(1, at=0.0), said(2, at=1.0), said(3, at=100.0)],
        shown=[shown(1, at=4.0), shown(2, at=9.0), shown(3, at=102.0)],
    )
    verdict = judge(history)
    assert verdict.longest_still_s == 5.0  # from 4 to 9; nothing was owed from 9 to 100
    assert verdict.stillest_ticket == IVAN
    assert verdict.p50_s == 4.0
    assert verdict.p99_s == 8.0


def test_recovery_is_from_the_healing_until_all_said_meanwhile_has_arrived() -> None:
    kill = Broken(kind="kill", target="node-1", started_at=10.0, healed_at=12.0)
    history = History(
        said=[said(1, at=9.0), said(2, at=11.0), said(3, at=13.0)],
        shown=[shown(1, at=9.1), shown(2, at=14.5), shown(3, at=30.0)],
        broken=[kill],
    )
    (recovery,) = judge(history).recoveries
    assert (recovery.at_s, recovery.lasted_s, recovery.recovery_s) == (1.0, 2.0, 2.5)


def test_a_fault_that_ate_a_message_has_no_recovery() -> None:
    kill = Broken(kind="kill", target="node-1", started_at=10.0, healed_at=12.0)
    history = History(said=[said(1, at=11.0)], shown=[], broken=[kill])
    assert judge(history).recoveries[0].recovery_s is None


def test_words_are_read_from_what_the_bot_wrote_only() -> None:
    message = {
        "chat_id": -100,
        "thread_id": 5,
        "message_id": 3,
        "at": 1.5,
        "text": f"Ivan:\n{word('c-7', 1)}\n{word('c-7', 2)}",
        "from": {"is_bot": True},
    }
    found = shown_in(message)
    assert found is not None
    assert found.words == (("c-7", 1), ("c-7", 2))
    assert shown_in({**message, "text": "✅"}) is None
    assert shown_in({**message, "from": {"is_bot": False}}) is None


def test_a_button_whose_effect_no_topic_shows_is_a_violation() -> None:
    closing = Deed(what="closed", ticket=IVAN, chat=-100, thread=5)
    history = History(said=[said(1)], shown=[shown(1)], deeds=[closing])
    assert judge(history).is_ok
    history.undone = [closing]
    verdict = judge(history)
    assert verdict.violations == ("1 buttons pressed in vain",)
    assert verdict.examples == ("in vain: closed, the ticket of 7",)


def test_a_word_in_two_topics_of_one_chat_is_a_double() -> None:
    anywhere = (Place(-100),)
    elsewhere = shown(1, place=Place(-100, 6))
    history = History(said=[said(1, places=anywhere)], shown=[shown(1), elsewhere])
    assert judge(history).violations == ("1 doubled without a cause",)


def test_what_was_said_before_is_owed_in_a_later_place_and_counts_once() -> None:
    history = History(said=[said(1), said(1, at=5.0, places=(MIRROR,))], shown=[shown(1)])
    verdict = judge(history)
    assert (verdict.messages, verdict.expected, verdict.lost) == (1, 2, 1)
