"""Who waits for a row says how soon it goes."""

import pytest

from actors.effects import (
    AnswerPress,
    Delete,
    Edit,
    EditCopy,
    Effect,
    OpenTopic,
    React,
    RenameTopic,
    Say,
    Text,
)
from actors.ids import ChatId, MessageId, TechnicianId
from actors.messages import Content, ContentKind
from actors.places import CLIENT, MAIN, Place, mirror
from bot.delivery.priority import Priority, priority_of
from tests.fakes.bot_api import copy
from tests.unit.test_calls import row

HERS = mirror(TechnicianId(1))
WORDS = Text(key="title-work", args={"ticket": 7, "client": "Ann", "technician": "alice"})
CHANGED = Content(
    chat_id=ChatId(501), message_id=MessageId(3), kind=ContentKind.TEXT, text="as it is now"
)


def delete(place: Place) -> Delete:
    return Delete(place=place, of_chat=ChatId(-1001), message_id=MessageId(3), by="Мария")


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (AnswerPress(callback_id="c"), Priority.PRESS),
        (copy(1, CLIENT), Priority.CLIENT),
        (Edit(place=CLIENT, tag="survey", text=WORDS), Priority.CLIENT),
        (copy(1, MAIN), Priority.COPY),
        (Say(place=MAIN, text=WORDS), Priority.COPY),
        (OpenTopic(place=MAIN, title=WORDS), Priority.COPY),
        (copy(1, HERS), Priority.MIRROR),
        (EditCopy(place=CLIENT, content=CHANGED), Priority.MIRROR),
        (EditCopy(place=MAIN, content=CHANGED), Priority.MIRROR),
        (EditCopy(place=HERS, content=CHANGED), Priority.MIRROR),
        (delete(CLIENT), Priority.MIRROR),
        (Edit(place=MAIN, tag="card"), Priority.CARD),
        (React(place=MAIN, message_id=MessageId(3), emoji="👍"), Priority.CARD),
        (RenameTopic(place=MAIN, title=WORDS), Priority.DECORATION),
    ],
)
def test_what_people_read_goes_before_what_decorates(effect: Effect, expected: Priority) -> None:
    assert priority_of(row(effect)) is expected
