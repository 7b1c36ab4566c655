"""Masking: what must not be seen is not, and what is needed to understand a line still is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap.masking import Mask
from bootstrap.masking_shapes import HIDDEN, luhn
from tests.unit.masking_corpus import HIDDEN_FROM, PASSED

MASK = Mask()
FALSE_ALARMS_MAX = 0
"""Of the lines that must be let pass."""


@pytest.mark.parametrize("kind", HIDDEN_FROM)
def test_all_of_a_kind_is_masked(kind: str) -> None:
    left = [
        f"{line!r} -> {MASK.text(line)!r}"
        for line, what in HIDDEN_FROM[kind]
        if what in MASK.text(line) or HIDDEN not in MASK.text(line)
    ]
    assert not left, "\n".join(left)


def test_what_a_line_says_else_stays_readable() -> None:
    assert MASK.text("карта 4111 1111 1111 1111, заявка #7") == "карта ***, заявка #7"
    assert (
        MASK.text("postgresql://desk:hunter2@db:5432/desk") == "postgresql://desk:***@db:5432/desk"
    )
    assert MASK.text("Authorization: Bearer abcDEF123456") == "Authorization: Bearer ***"
    assert MASK.text("[Новый] #12 | Иван") == "[Новый] #12 | ***"
    assert MASK.text("звоните 8 916 123-45-67, номер 12") == "звоните ***, номер 12"


def test_false_alarms_are_counted_and_few() -> None:
    alarms = [f"{line!r} -> {MASK.text(line)!r}" for line in PASSED if MASK.text(line) != line]
    print(f"false alarms: {len(alarms)} of {len(PASSED)}")
    assert len(alarms) <= FALSE_ALARMS_MAX, "\n".join(alarms)


def test_masking_twice_changes_nothing() -> None:
    for lines in HIDDEN_FROM.values():
        for line, _ in lines:
            once = MASK.text(line)
            assert MASK.text(once) == once


PIECES = st.sampled_from(
    [*(line for lines in HIDDEN_FROM.values() for line, _ in lines), *PASSED, " ", "\n", ", "]
)


def test_two_that_touch_are_both_hidden() -> None:
    told = MASK.text("Позвоните мне: +7 (916) 123-45-67+380671234567")
    assert told == f"Позвоните мне: {HIDDEN}{HIDDEN}"


@pytest.mark.parametrize("count", [*range(3, 12), 300])
def test_any_number_that_touch_are_hidden(count: int) -> None:
    told = MASK.text("Позвоните: +7 (916) 123-45-67" + count * "+380671234567")
    assert "380671234567" not in told
    assert MASK.text(told) == told


@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=6).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_text_is_masked_once_and_for_all(text: str) -> None:
    once = MASK.text(text)
    assert MASK.text(once) == once


@pytest.mark.parametrize("other", PASSED)
def test_what_stands_around_it_does_not_bring_it_to_light(other: str) -> None:
    for line, what in (pair for lines in HIDDEN_FROM.values() for pair in lines):
        assert what not in MASK.text(f"{other}\n{line}\n{other}") or what in other


def test_fields_that_hold_people_are_masked_whatever_they_hold() -> None:
    event = {
        "client": {"id": 5, "name": "Иван", "username": "ivan"},
        "full_name": "Иван Петров",
        "text": "слова",
        "caption": "",
        "phone": "5",
        "node": "desk-1",
        "technician": {"id": 1, "name": "alice"},
        "ticket_id": 4111111111111111,
    }
    assert MASK(None, "info", event) == {
        "client": {"id": 5, "name": HIDDEN, "username": HIDDEN},
        "full_name": HIDDEN,
        "text": HIDDEN,
        "caption": "",
        "phone": HIDDEN,
        "node": "desk-1",
        "technician": {"id": 1, "name": "alice"},
        "ticket_id": 4111111111111111,
    }


def test_a_known_secret_is_masked_also_inside_of_a_plain_word() -> None:
    assert Mask(["hunter"]).text("xhunterx") == "x***x"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 50_000,
        "a." * 25_000,
        "1" * 50_000,
        "1 " * 25_000,
        "+1 " * 15_000,
        "ул. " * 12_000,
        "улица а" * 7_000,
        "12 Main " * 6_000,
        "d 1 кв " * 7_000,
        "http://" * 7_000,
        "password" * 6_000,
        "'name': '" * 5_000,
        "-----BEGIN PRIVATE KEY-----" * 2_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_long_line_made_to_be_slow_is_not(text: str) -> None:
    began = time.process_time()
    MASK.text(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("number", "right"),
    [("4111111111111111", True), ("4111111111111112", False), ("378282246310005", True)],
)
def test_the_last_digit_of_a_card_checks_the_others(number: str, right: bool) -> None:
    assert luhn([int(digit) for digit in number]) is right
