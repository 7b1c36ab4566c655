"""Buttons carry what they mean within Telegram's limits; cards show whatever is known."""

from collections.abc import Callable

import pytest
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.effects import Keyboard, KeyboardKind
from actors.ids import ChatId, TechnicianId, TicketId, UserId
from actors.messages import Person, Technician
from actors.ports import ClientCard
from bot.cards import card_text
from bot.desk.buttons import PAGE_MAX, FoundData, ListData, Shelf
from bot.keyboards import (
    BUTTON_LENGTH_MAX,
    BUTTONS_MAX,
    TECHNICIANS_PER_ROW,
    TICKET_DATA,
    AssignData,
    CloseData,
    CommentData,
    ScoreData,
    SkipData,
    draw,
)
from bot.texts import LANGUAGES, Texts
from bot.titles import utf16_length

CALLBACK_BYTES_MAX, MESSAGE_UNITS_MAX, BUTTONS_IN_ALL = 64, 4096, 100
"""Telegram's own limits."""

ID_MAX, COUNT_MAX = 2**62, 2**31
HERE = TicketId(7)

ALL_DATA: tuple[type[CallbackData], ...] = (*TICKET_DATA, ListData, FoundData)

ids = st.integers(1, ID_MAX)
DATA = st.one_of(
    st.builds(AssignData, ticket=ids, technician=ids, generation=st.integers(0, COUNT_MAX)),
    st.builds(CloseData, ticket=ids),
    st.builds(ScoreData, ticket=ids, question=st.integers(1, 3), score=st.integers(1, 5)),
    st.builds(CommentData, ticket=ids),
    st.builds(SkipData, ticket=ids),
    st.builds(ListData, shelf=st.sampled_from(Shelf), page=st.integers(1, PAGE_MAX)),
    st.builds(FoundData, page=st.integers(1, PAGE_MAX)),
)


def technicians(number: int, name: Callable[[int], str] = "tech {}".format) -> list[Technician]:
    return [
        Technician(id=TechnicianId(n), name=name(n), chat_id=ChatId(-n))
        for n in range(1, number + 1)
    ]


def drawn(
    keyboard: Keyboard,
    roster: list[Technician] | None = None,
    language: str = "ru",
    ticket: int = HERE,
) -> InlineKeyboardMarkup:
    return draw(keyboard, TicketId(ticket), roster or [], Texts(), language)


def flat(markup: InlineKeyboardMarkup) -> list[InlineKeyboardButton]:
    return [button for row in markup.inline_keyboard for button in row]


def read(data: str | None) -> CallbackData | None:
    """The one kind that takes the data, ``None`` when none does."""
    found: list[CallbackData] = []
    for kind in ALL_DATA:
        try:
            found.append(kind.unpack(data or ""))
        except (TypeError, ValueError):
            continue
    assert len(found) <= 1, data
    return found[0] if found else None


# --- what buttons carry ---------------------------------------------------------------------


@settings(deadline=None)
@given(DATA)
def test_what_is_packed_fits_and_is_read_again_as_the_same_and_nothing_else(
    data: CallbackData,
) -> None:
    packed = data.pack()
    assert len(packed.encode()) <= CALLBACK_BYTES_MAX
    assert read(packed) == data


def test_the_largest_ids_fit_with_room_to_spare() -> None:
    largest = AssignData(ticket=ID_MAX, technician=ID_MAX, generation=COUNT_MAX)
    assert len(largest.pack().encode()) <= CALLBACK_BYTES_MAX - 8


@pytest.mark.parametrize(
    "garbage",
    [
        *("", ":", "as", "as:", "as:1", "as:1:2", "as:1:2:3:4", "zz:1", "AS:1:2:3", " as:1:2:3"),
        *("as:0:1:0", "as:-1:1:0", "as:1:0:0", "as:1:1:-1", "as:a:1:0", "as:1:1:", "as:١:1:0x"),
        *(f"as:{ID_MAX + 1}:1:0", f"as:1:{ID_MAX + 1}:0", f"as:1:1:{COUNT_MAX + 1}", "as:1e3:1:0"),
        *(
            "cl",
            "cl:",
            "cl:0",
            "cl:1:2",
            "cl:nan",
            "cl:inf",
            f"cl:{'9' * 60}",
            "cl:1;drop",
            "cl:0x1",
        ),
        *("sc:1:0:1", "sc:1:4:1", "sc:1:1:0", "sc:1:1:6", "sc:1:1", "sc:1:1:1.5", "co:", "sk:null"),
        *("dl:NONE:1", "dl:ALL:0", f"dl:ALL:{PAGE_MAX + 1}", "df:0", "df:", "\0", "🙂" * 16, "{}"),
    ],
)
def test_garbage_is_refused(garbage: str) -> None:
    assert read(garbage) is None


@settings(deadline=None)
@given(st.text(max_size=64))
def test_whatever_comes_either_means_something_within_bounds_or_is_refused(data: str) -> None:
    found = read(data)
    assert found is None or len(found.pack().encode()) <= CALLBACK_BYTES_MAX


# --- how buttons are drawn ------------------------------------------------------------------


def test_triage_offers_each_technician_in_rows_and_closing_below() -> None:
    keyboard = Keyboard(kind=KeyboardKind.TRIAGE, generation=4, technician_id=TechnicianId(2))
    markup = drawn(keyboard, technicians(5))
    texts = [[button.text for button in row] for row in markup.inline_keyboard]
    assert texts == [
        ["tech 1", "✓ tech 2", "tech 3"],
        ["tech 4", "tech 5"],
        ["✅ Закрыть заявку"],
    ]
    *assigning, closing = (read(button.callback_data) for button in flat(markup))
    assert closing == CloseData(ticket=HERE)
    assert assigning == [AssignData(ticket=HERE, technician=n, generation=4) for n in range(1, 6)]


def test_without_technicians_a_ticket_can_still_be_closed() -> None:
    [[closing]] = drawn(Keyboard(kind=KeyboardKind.TRIAGE)).inline_keyboard
    assert read(closing.callback_data) == CloseData(ticket=HERE)


def test_more_technicians_than_buttons_leave_room_for_closing() -> None:
    markup = drawn(Keyboard(kind=KeyboardKind.TRIAGE), technicians(500))
    assert len(flat(markup)) == BUTTONS_MAX + 1 <= BUTTONS_IN_ALL
    assert all(len(row) <= TECHNICIANS_PER_ROW for row in markup.inline_keyboard)
    assert read(flat(markup)[-1].callback_data) == CloseData(ticket=HERE)


@pytest.mark.parametrize("question", [1, 2, 3])
def test_marks_go_from_one_to_five_in_one_row(question: int) -> None:
    [row] = drawn(Keyboard(kind=KeyboardKind.SCORES, question=question)).inline_keyboard
    assert [button.text for button in row] == ["1", "2", "3", "4", "5"]
    assert [read(button.callback_data) for button in row] == [
        ScoreData(ticket=HERE, question=question, score=score) for score in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("kind", "language", "text", "data"),
    [
        (KeyboardKind.MIRROR, "ru", "✅ Закрыть заявку", CloseData(ticket=HERE)),
        (KeyboardKind.MIRROR, "en", "✅ Close the request", CloseData(ticket=HERE)),
        (KeyboardKind.SKIP, "ru", "Пропустить", SkipData(ticket=HERE)),
        (KeyboardKind.SKIP, "en-US", "Skip", SkipData(ticket=HERE)),
        (KeyboardKind.COMMENT, "ru", "Добавить комментарий", CommentData(ticket=HERE)),
        (KeyboardKind.COMMENT, "de", "Добавить комментарий", CommentData(ticket=HERE)),
    ],
)
def test_a_single_button_is_drawn_in_the_readers_language(
    kind: KeyboardKind, language: str, text: str, data: CallbackData
) -> None:
    [[button]] = drawn(Keyboard(kind=kind), language=language).inline_keyboard
    assert (button.text, read(button.callback_data)) == (text, data)


@pytest.mark.parametrize("kind", KeyboardKind)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["😀" * 64, "👨‍👩‍👧‍👦" * 9, "<b>&{ $x }" * 5, "עומר" * 16, "x\ny"])
def test_every_keyboard_keeps_to_the_limits_whatever_the_names_and_ids(
    kind: KeyboardKind, language: str, name: str
) -> None:
    roster = technicians(BUTTONS_MAX + 10, lambda _: name)
    first = TechnicianId(1)
    keyboard = Keyboard(
        kind=kind, generation=COUNT_MAX, technician_id=first, question=3, card=ID_MAX
    )
    buttons = flat(drawn(keyboard, roster, language, ticket=ID_MAX))
    assert 0 < len(buttons) <= BUTTONS_IN_ALL
    for button in buttons:
        assert 0 < utf16_length(button.text) <= BUTTON_LENGTH_MAX
        assert len((button.callback_data or "").encode()) <= CALLBACK_BYTES_MAX
        assert read(button.callback_data) is not None
    assert not any(button.text.endswith(("\u200d", "👨", "👩", "👧")) for button in buttons)


# --- cards ----------------------------------------------------------------------------------


def client(name: str = "Ann", username: str | None = "ann", language: str | None = "en") -> Person:
    return Person(id=UserId(501), name=name, username=username, language=language)


def test_a_card_says_what_telegram_knows_when_the_directory_knows_nothing() -> None:
    assert card_text(client(), None, 6, Texts("en")).splitlines() == [
        *("👤 Ann", "@ann", "ID: 501", "Language: en", "Previous request: #6"),
        *("", "Who takes it?"),
    ]


def test_a_card_says_what_the_directory_knows_in_its_order() -> None:
    card = ClientCard(fields=(("Phone", "+1"), ("Address", "Main St.")))
    shown = card_text(client(username=None), card, 0, Texts("en"))
    assert shown.splitlines() == ["👤 Ann", "Phone: +1", "Address: Main St.", "", "Who takes it?"]


def test_what_is_not_known_takes_no_line() -> None:
    shown = card_text(client(username=None, language=None), None, 0, Texts("ru"))
    assert shown.splitlines() == ["👤 Ann", "ID: 501", "", "Кто займётся?"]


@pytest.mark.parametrize(
    "value", ["{ $name }", "<b>&amp;</b>", "*_`[x](y)", "\u202eevil", "🙂\n🙂"]
)
def test_values_stand_in_the_card_as_they_are(value: str) -> None:
    card = ClientCard(fields=((value, value), ("last", "line")))
    shown = card_text(client(name=value), card, 0, Texts("en"))
    assert f"👤 {value}\n" in shown
    assert f"{value}: {value}\nlast: line\n" in shown


@pytest.mark.parametrize("value", ["x" * 10_000, "😀" * 10_000, "👨‍👩‍👧‍👦" * 2_000, "a\n" * 5_000])
def test_a_card_is_one_message_that_always_ends_with_its_question(value: str) -> None:
    for card in (None, ClientCard(fields=((value, value),) * 5)):
        shown = card_text(client(name=value, username=value), card, 2**62, Texts("ru"))
        assert utf16_length(shown) <= MESSAGE_UNITS_MAX
        assert shown.endswith("…\n\nКто займётся?")
        assert "\u200d…" not in shown
