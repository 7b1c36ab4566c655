"""Titles of topics: whatever people are called, status and number are there to be read."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.effects import Text
from bot.people import NAME_LENGTH_MAX, clean_name
from bot.texts import LANGUAGES, Texts
from bot.titles import TECHNICIAN_LENGTH_MAX, TITLE_LENGTH_MAX, cut, title, utf16_length

PREFIXES = {
    "title-new": {"ru": "🟢 [Новый] #{n} |", "en": "🟢 [New] #{n} |"},
    "title-work": {"ru": "🟡 [В работе | @{t}] #{n} |", "en": "🟡 [In work | @{t}] #{n} |"},
    "title-closed": {"ru": "🟣 [Закрыт | @{t}] #{n} |", "en": "🟣 [Closed | @{t}] #{n} |"},
    "title-closed-unassigned": {"ru": "🟣 [Закрыт] #{n} |", "en": "🟣 [Closed] #{n} |"},
}

WHOLE = (
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "👩🏽‍🚀",
    "👍🏿",
    "🇩🇪",
    "🇫🇷",
    "1️⃣",
    "☎️",
    "☎︎",
    "e\u0301",
    "นี้",
    "कि",
    "क्\u200dष",
    "Я",
    "𝕬",
)
"""What a reader takes for one character, though it is made of several."""

BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=160)
clusters = st.lists(st.sampled_from(WHOLE), max_size=120)
tickets = st.integers(1, 2**62)
languages = st.sampled_from(LANGUAGES)
keys = st.sampled_from(list(PREFIXES))


def made(
    key: str = "title-new",
    client: str = "Иван",
    *,
    username: str = "",
    technician: str = "alice",
    ticket: int = 7,
    language: str = "ru",
) -> str:
    args: dict[str, str | int] = {"ticket": ticket, "client": client}
    if key == "title-new":
        args["username"] = username
    elif key != "title-closed-unassigned":
        args["technician"] = technician
    return title(Text(key=key, args=args), Texts(language))


def prefix(key: str, language: str, ticket: int, technician: str = "alice") -> str:
    return PREFIXES[key][language].format(n=ticket, t=technician)


@settings(deadline=None)
@given(key=keys, client=names, ticket=tickets, language=languages)
@example(key="title-new", client="😀" * 200, ticket=2**62, language="ru")
@example(key="title-closed", client="a" + "\u0301" * 200, ticket=2**62, language="ru")
@example(key="title-work", client="\u202e\u2067evil", ticket=1, language="en")
def test_a_title_fits_begins_with_status_and_number_and_is_one_clean_line(
    key: str, client: str, ticket: int, language: str
) -> None:
    made_title = made(key, client, username="u" * 32, ticket=ticket, language=language)
    assert 0 < utf16_length(made_title) <= TITLE_LENGTH_MAX
    assert made_title.startswith(prefix(key, language, ticket))
    assert not {"\n", "\r", "\t", "\0", "\u2028", "\u2029"} & set(made_title)
    assert "  " not in made_title
    assert made_title == made_title.strip()


@settings(deadline=None)
@given(parts=clusters, key=keys)
@example(parts=["1️⃣"] * 100, key="title-new")
@example(parts=["นี้"] * 100, key="title-new")
@example(parts=["👨‍👩‍👧‍👦"] * 30, key="title-work")
def test_a_long_name_ends_after_a_whole_character_and_says_that_it_goes_on(
    parts: list[str], key: str
) -> None:
    whole = "".join(parts)
    shown = made(key, whole).removeprefix(prefix(key, "ru", 7)).strip()
    beginnings = {"".join(parts[:count]) for count in range(len(parts) + 1)}
    if shown.endswith("…"):
        assert shown.removesuffix("…") in beginnings
    else:
        assert shown in {whole, whole[:NAME_LENGTH_MAX]}


@settings(deadline=None)
@given(units=st.integers(0, 60), parts=clusters)
def test_a_cut_takes_as_much_as_fits_and_nothing_by_halves(units: int, parts: list[str]) -> None:
    whole = "".join(parts)
    kept = cut(whole, units)
    assert utf16_length(kept) <= units or kept == whole
    assert whole.startswith(kept)
    assert kept in {"".join(parts[:count]) for count in range(len(parts) + 1)}
    if kept != whole:
        following = next(n for n in range(len(parts)) if "".join(parts[:n]) == kept)
        assert utf16_length(kept + parts[following]) > units


@pytest.mark.parametrize("key", ["title-work", "title-closed"])
@pytest.mark.parametrize(
    "technician", ["😀" * 64, "x" * 1000, "עומר" * 16, "a\nb\u202e", "👨‍👩‍👧‍👦" * 9]
)
def test_a_technician_of_any_name_leaves_room_for_status_and_number(
    key: str, technician: str
) -> None:
    made_title = made(key, "Иван Иванов", technician=technician, ticket=2**62)
    status = prefix(key, "ru", 2**62).partition("@")[0]
    assert made_title.startswith(f"{status}@")
    assert f"] #{2**62} |" in made_title
    assert utf16_length(made_title) <= TITLE_LENGTH_MAX
    between = made_title.partition("@")[2].partition("]")[0].strip("\u2068\u2069")
    assert utf16_length(between) <= TECHNICIAN_LENGTH_MAX


# --- direction ------------------------------------------------------------------------------


@settings(deadline=None)
@given(client=names, key=keys)
@example(client="שלום", key="title-new")
@example(client="\u202eevil\u202c", key="title-new")
@example(client="\u2067عمر" * 60, key="title-closed")
@example(client="\u2069\u2069ab", key="title-new")
def test_no_name_can_turn_the_line_around(client: str, key: str) -> None:
    """Right-to-left letters stand in one isolate, which is opened once and closed once."""
    made_title = made(key, client, username="ann")
    controls = [character for character in made_title if character in BIDI_CONTROLS]
    assert controls in ([], ["\u2068", "\u2069"])
    outside = re.sub("\u2068.*\u2069", "", made_title)
    assert not {unicodedata.bidirectional(character) for character in outside} & {"R", "AL", "AN"}


def test_a_right_to_left_name_is_cut_within_its_isolate() -> None:
    made_title = made(client="שלום" * 50, username="ann")
    assert made_title.endswith("…\u2069 (@ann)")
    assert utf16_length(made_title) == TITLE_LENGTH_MAX


# --- examples -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "client", "wanted"),
    [
        ("title-new", "Иван", "🟢 [Новый] #7 | Иван (@ivan)"),
        ("title-work", "Иван", "🟡 [В работе | @alice] #7 | Иван"),
        ("title-closed", "Иван", "🟣 [Закрыт | @alice] #7 | Иван"),
        ("title-closed-unassigned", "Иван", "🟣 [Закрыт] #7 | Иван"),
        ("title-new", "<b>A & B</b> &lt;", "🟢 [Новый] #7 | <b>A & B</b> &lt; (@ivan)"),
        ("title-new", "] #8 | { $ticket }", "🟢 [Новый] #7 | ] #8 | { $ticket } (@ivan)"),
        ("title-new", "  a \n\t b  ", "🟢 [Новый] #7 | a b (@ivan)"),
        ("title-new", "👨‍👩‍👧‍👦 Ли", "🟢 [Новый] #7 | 👨‍👩‍👧‍👦 Ли (@ivan)"),
        ("title-new", "", "🟢 [Новый] #7 | (@ivan)"),
        ("title-work", " \n ", "🟡 [В работе | @alice] #7 |"),
    ],
)
def test_titles_read_as_designed(key: str, client: str, wanted: str) -> None:
    assert made(key, client, username="ivan") == wanted


def test_without_a_user_name_there_are_no_brackets() -> None:
    assert made(client="Иван") == "🟢 [Новый] #7 | Иван"


@pytest.mark.parametrize("length", range(100, 116))
def test_a_name_that_just_fits_is_whole_and_one_letter_more_is_cut(length: int) -> None:
    made_title = made(client="я" * length)
    fits = utf16_length(prefix("title-new", "ru", 7)) + 1 + length <= TITLE_LENGTH_MAX
    assert made_title.endswith("я" * length) is fits
    assert made_title.endswith("…") is not fits
    assert fits or utf16_length(made_title) == TITLE_LENGTH_MAX


# --- names ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(names)
@example("a" * (NAME_LENGTH_MAX - 1) + " b")
def test_a_clean_name_is_short_one_line_stays_as_it_is_and_has_no_direction_controls(
    name: str,
) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= NAME_LENGTH_MAX
    assert clean_name(cleaned) == cleaned
    assert not BIDI_CONTROLS & set(cleaned)
    assert cleaned.split(" ") == cleaned.split() or cleaned == ""


@pytest.mark.parametrize(
    "blank",
    [
        "",
        "   ",
        "\u3164",
        "\u2800\u2800",
        "\u200d",
        "\u200b\u2060",
        "\u115f \uffa0",
        "\ufe0f",
        "\u0301",
    ],
    ids=ascii,
)
def test_a_name_of_which_nothing_is_seen_is_none(blank: str) -> None:
    assert clean_name(blank) == ""


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a\u202eb", "a b"),
        ("a\u200bb", "a b"),
        ("O'Neil <i>", "O'Neil <i>"),
        ("نا\u200cم", "نا\u200cم"),
    ],
)
def test_what_is_hidden_goes_and_what_is_written_stays(name: str, wanted: str) -> None:
    assert clean_name(name) == wanted
