"""The benchmarks' judge sees what is lost, doubled and disordered, joined or not."""

from typing import Any

import pytest

from lab.bench_failover import busiest
from lab.bench_judge import joined_calls, judge, optimum_s, token


def message(text: str, at: float = 10.0) -> dict[str, Any]:
    return {"text": text, "at": at}


SENT = {(1, n): 1.0 for n in range(4)} | {(2, n): 2.0 for n in range(2)}


def words(client: int, *numbers: int) -> str:
    return " ".join(token(client, number) for number in numbers)


def test_what_arrives_whole_and_in_order_is_clean_however_it_is_joined() -> None:
    found = judge(
        SENT, [message(words(1, 0)), message(words(2, 0, 1)), message(words(1, 1, 2, 3), 12.0)]
    )
    assert (found.lost, found.doubled, found.out_of_order, found.messages) == (0, 0, 0, 3)
    assert found.waits[1, 3] == 11.0


def test_what_is_missing_is_lost() -> None:
    assert judge(SENT, [message(words(1, 0, 1, 3))]).lost == 3


def test_what_comes_again_is_doubled_even_inside_of_another() -> None:
    found = judge(SENT, [message(words(1, 0, 1)), message(words(1, 0, 1, 2))])
    assert (found.doubled, found.out_of_order) == (1, 0)


def test_what_overtakes_is_out_of_order() -> None:
    found = judge(SENT, [message(words(1, 1)), message(words(1, 0)), message(words(2, 1, 0))])
    assert found.out_of_order == 2


def test_what_nobody_wrote_does_not_count() -> None:
    found = judge(SENT, [message("Card"), message(words(9, 9))])
    assert (found.messages, found.doubled) == (0, 0)


@pytest.mark.parametrize(
    ("calls", "seconds"), [(0, 0), (1, 0), (20, 0), (21, 60), (60, 120), (61, 180)]
)
def test_the_optimum_is_when_the_last_window_opens(calls: int, seconds: float) -> None:
    assert optimum_s(calls, 20, 60) == seconds


def test_the_least_of_joined_messages() -> None:
    assert joined_calls(["x" * 10] * 5, head=40, stamp=8, most=4096) == 1
    assert joined_calls(["x" * 2000] * 5, head=40, stamp=8, most=4096) == 3


def test_the_node_that_has_most_tickets_is_the_one_to_kill() -> None:
    owners = {1: ("node-1/a", 1), 2: ("node-2/b", 1), 3: ("node-2/b", 4)}
    assert busiest(owners) == ("node-2", 2)
