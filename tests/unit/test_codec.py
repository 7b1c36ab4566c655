"""What is stored comes back as it was, for every type there is; what is broken is said as such."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.effects import EFFECT_TYPES, Effect, Text
from actors.errors import CorruptSnapshot
from actors.ids import ChatId, MessageId, TechnicianId, TicketId, UserId
from actors.messages import (
    MESSAGE_TYPES,
    ClientWrote,
    Content,
    ContentKind,
    Message,
    Person,
    Unreadable,
)
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import SNAPSHOT_VERSION, TicketState
from storage import codec

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
"""Text as Telegram sends it."""

NUMBERS = st.integers(-(2**53), 2**53)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(STORABLE, inner, max_size=2),
    max_leaves=4,
)
PLACES = st.sampled_from([CLIENT, MAIN]) | NUMBERS.map(TechnicianId).map(mirror)

st.register_type_strategy(str, STORABLE)
st.register_type_strategy(int, NUMBERS)
st.register_type_strategy(Place, PLACES)
st.register_type_strategy(
    Text,
    st.builds(Text, key=STORABLE, args=st.dictionaries(STORABLE, STORABLE | NUMBERS, max_size=3)),
)
st.register_type_strategy(
    Content,
    st.builds(
        Content,
        chat_id=NUMBERS.map(ChatId),
        message_id=NUMBERS.map(MessageId),
        kind=st.sampled_from(ContentKind),
        text=STORABLE,
        entities=st.lists(st.dictionaries(STORABLE, JSON, max_size=3), max_size=2).map(tuple),
    ),
)


def stored(value: Message | Effect) -> Any:
    """Through the text that Postgres gets and back, as the driver hands it over."""
    return orjson.loads(codec.dumps(codec.encode(value)))


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_every_message_comes_back(kind: type[Message]) -> None:
    @given(st.from_type(kind))
    def check(message: Message) -> None:
        assert codec.decode_message(stored(message)) == message

    check()


@pytest.mark.parametrize("kind", EFFECT_TYPES, ids=lambda kind: kind.__name__)
def test_every_effect_comes_back(kind: type[Effect]) -> None:
    @given(st.from_type(kind))
    def check(effect: Effect) -> None:
        assert codec.decode_effect(stored(effect)) == effect

    check()


@given(st.from_type(TicketState))
def test_every_state_comes_back(state: TicketState) -> None:
    again = orjson.loads(codec.dumps(codec.encode_state(state)))
    assert codec.decode_state(again) == state


@given(st.recursive(st.text() | NUMBERS, lambda s: st.dictionaries(st.text(), s), max_leaves=5))
def test_whatever_comes_in_is_written_as_json_that_postgres_takes(value: object) -> None:
    """Any text at all, also in names of fields: neither NUL nor half a surrogate pair remains."""
    written = codec.dumps({"raw": value})
    again = json.loads(written)
    assert set(again) == {"raw"}
    flat = repr(again)
    written.encode()
    assert "\\x00" not in flat.replace("\\\\", "")
    assert not codec.HALF.search(written)


@given(STORABLE)
def test_text_that_can_be_stored_is_not_touched(words: str) -> None:
    assert codec.clean(words) == words
    assert orjson.loads(codec.dumps({"words": words})) == {"words": words}


def test_a_backslash_before_u0000_is_text_and_not_a_nul() -> None:
    for words in ("\\u0000", "\\\\u0000", "\\\0", "a\\\\\0\\u0000"):
        again = orjson.loads(codec.dumps({"words": words}))
        assert again == {"words": words.replace("\0", codec.STAND_IN)}


def test_what_is_nested_without_end_is_not_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert codec.dumps({"raw": deep}) == '{"unstorable":true}'


PERSON = Person(id=UserId(1), name="Ann")
CONTENT = Content(chat_id=ChatId(1), message_id=MessageId(2), kind=ContentKind.TEXT, text="hidden")
WROTE = codec.encode(ClientWrote(author=PERSON, content=CONTENT))
STATE = codec.encode_state(TicketState(ticket_id=TicketId(1), client=PERSON))


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "ClientWrote",
        {},
        {"type": None},
        {"type": "Sang"},
        {"type": "ClientWrote"},
        {**WROTE, "content": {**WROTE["content"], "kind": "hidden"}},
        {**WROTE, "author": "hidden"},
        {"type": "CloseRequested", "by": WROTE["author"], "place": {"kind": "mirror"}},
    ],
    ids=repr,
)
def test_a_broken_message_is_unreadable_and_says_why_without_the_words(broken: object) -> None:
    message = codec.decode_message(broken)
    assert isinstance(message, Unreadable)
    assert message.detail
    assert "hidden" not in message.detail


@pytest.mark.parametrize("broken", [{}, {"type": "Sing"}, {"type": "Copy"}], ids=repr)
def test_a_broken_effect_is_a_value_error(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode_effect(broken)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {**STATE, "v": "1"},
        {**STATE, "v": SNAPSHOT_VERSION + 1},
        {**STATE, "v": 0},
        {**STATE, "client": None},
        {**STATE, "status": "hidden"},
    ],
    ids=repr,
)
def test_a_broken_or_newer_snapshot_is_corrupt(broken: dict[str, Any]) -> None:
    with pytest.raises(CorruptSnapshot) as caught:
        codec.decode_state(broken)
    assert "hidden" not in str(caught.value)


def test_an_older_snapshot_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def lift(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "v": 1, "client": {**old["client"], "name": old["client"]["name"] + "!"}}

    monkeypatch.setattr(codec, "UPCASTERS", {0: lift})
    state = codec.decode_state({**STATE, "v": 0})
    assert state == TicketState(ticket_id=TicketId(1), client=replace(PERSON, name="Ann!"))


def test_a_field_that_a_newer_program_added_does_not_hide_the_rest() -> None:
    message = codec.decode_message({**WROTE, "mood": "good"})
    assert message == ClientWrote(author=PERSON, content=CONTENT)
