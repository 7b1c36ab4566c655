"""Texts that are joined keep their words, order, entities and times, within Telegram's bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.effects import Copy, Say, Text
from actors.ids import ChatId, TicketId, UserId
from actors.messages import Json, Person
from actors.places import CLIENT, MAIN, Place
from actors.ports import Address, OutboxRow
from bot.joining import ENTITIES_MAX, UNITS_MAX, joinable, joined
from bot.titles import utf16_length
from tests.fakes.bot_api import copy, written

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def row(number: int, effect: Copy | Say, **changes: object) -> OutboxRow:
    made = OutboxRow(
        id=number,
        ticket_id=TicketId(7),
        lane="main:7",
        effect=effect,
        address=Address(chat_id=ChatId(-1001), thread_id=None),
        client=Person(id=UserId(501), name="Иван 🦊", language="ru"),
        attempts=0,
        uncertain=False,
        created_at=NOON + timedelta(minutes=number),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def rows(*texts: str, place: Place = MAIN) -> list[OutboxRow]:
    return [row(n, written(n, words, place)) for n, words in enumerate(texts, 1)]


def spans(text: str, entities: Sequence[object]) -> list[str]:
    """What the entities cover, by UTF-16 units, as Telegram counts."""
    units = text.encode("utf-16-le")
    found = []
    for entity in entities:
        offset, length = entity.offset, entity.length  # type: ignore[attr-defined]
        found.append(units[offset * 2 : (offset + length) * 2].decode("utf-16-le"))
    return found


def test_the_author_is_named_once_and_each_text_has_its_time() -> None:
    text, _ = joined(rows("Здравствуйте", "не печатает\nпринтер"), None, UTC)
    assert text == "Иван 🦊:\n12:01 · Здравствуйте\n12:02 · не печатает\nпринтер"


def test_a_label_stands_for_the_author() -> None:
    text, _ = joined(rows("один", "два"), "🛟 Мария:", UTC)
    assert text.startswith("🛟 Мария:\n12:01 · один\n")


def test_the_client_is_not_told_who_of_the_staff_wrote() -> None:
    text, entities = joined(rows("один", "два", place=CLIENT), None, UTC)
    assert (text, entities) == ("12:01 · один\n12:02 · два", [])


def test_entities_cover_the_same_words_as_before() -> None:
    bold: Mapping[str, Json] = {"type": "bold", "offset": 3, "length": 5}
    link: Mapping[str, Json] = {
        "type": "text_link",
        "offset": 0,
        "length": 4,
        "url": "https://example.org/",
    }
    texts = [
        row(1, written(1, "🦊 важно", MAIN, entities=[bold])),
        row(2, written(2, "тут 🦊 ссылка", MAIN, entities=[link])),
    ]
    text, entities = joined(texts, None, UTC)
    assert spans(text, entities) == ["Иван 🦊:", "важно", "тут "]
    assert entities[2].url == "https://example.org/"


@given(st.lists(st.text(min_size=1, max_size=1500), min_size=1, max_size=40))
def test_what_is_said_to_fit_does_fit_whatever_is_written(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    many = rows(*texts)
    count = joinable(many)
    text, _ = joined(many[:count], "🦊" * 300, UTC)
    assert utf16_length(text) <= UNITS_MAX
    assert all(words in text for words in texts[:count])


def test_as_many_as_fit_are_joined() -> None:
    assert joinable(rows(*["x" * 100] * 100)) == 35
    assert joinable(rows("x" * UNITS_MAX, "y")) == 0


def test_entities_are_never_more_than_telegram_keeps() -> None:
    bold: Mapping[str, Json] = {"type": "bold", "offset": 0, "length": 1}
    many = [row(n, written(n, "xxxx", MAIN, entities=[bold] * 4)) for n in range(1, 60)]
    count = joinable(many)
    assert count == (ENTITIES_MAX - 1) // 4
    assert len(joined(many[:count], None, UTC)[1]) <= ENTITIES_MAX


@pytest.mark.parametrize(
    "other",
    [
        row(2, copy(2, MAIN)),
        row(2, written(2, "x", MAIN), ticket_id=TicketId(8)),
        row(2, written(2, "x", MAIN, Text(key="label-staff", args={"name": "Мария"}))),
        row(2, written(2, "x", MAIN), uncertain=True),
        row(2, written(2, "x", MAIN, album="a1")),
        row(2, Say(place=MAIN, text=Text(key="received"))),
    ],
    ids=["a photo", "another ticket", "another author", "uncertain", "album", "the bot's own"],
)
def test_what_is_not_of_the_same_kind_and_author_is_not_joined(other: OutboxRow) -> None:
    assert joinable([*rows("a"), other, *rows("b")]) == 1


def test_a_message_of_another_chat_is_another_authors() -> None:
    effect = written(2, "x", MAIN)
    other = replace(effect, content=replace(effect.content, chat_id=ChatId(901)))
    assert joinable([*rows("a"), row(2, other)]) == 1
