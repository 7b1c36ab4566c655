"""The catalogues hold what the program says: every text, in both languages, shown as it is."""

import re
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.effects import Text
from actors.survey import COMMENT_LENGTH_MAX
from bot.texts import LANGUAGES, NUMBERS_OF_THINGS, MissingText, Texts
from tests.fakes.phrases import ROOT, Phrase, catalogue, phrases
from web.texts import LANGUAGES as WEB_LANGUAGES
from web.texts import choose

BOT, WEB = "bot/locales", "web/locales"
PEOPLE = phrases("actors", "bot", "bootstrap")
SELECTING = {
    "shelf",
    "others",
    "kind",
    "status",
    "place",
    "reason",
    "actor",
    "action",
    "q1",
    "q2",
    "q3",
}
"""Arguments that choose words of the catalogue instead of being shown."""

HOSTILE = (
    "{ $ticket }",
    '{"{"} }}{{',
    "<b>bold</b> &amp; </a>",
    "\u202eright to left\u202c",
    "שלום عليكم",
    "two\nlines\r\nand\ttabs",
    "*_`~|[x](tg://user?id=1)",
    "{ NUMBER(1) } -term = x",
    "\x000\x00",
    "x" * 10_000,
)


def shown(key: str) -> set[str]:
    return set(catalogue(BOT, "en")[key]) - SELECTING


def filled(key: str, **values: str | int) -> Text:
    """The text with all its arguments; what a variant shows is among what can be seen."""
    args: dict[str, str | int] = dict.fromkeys(catalogue(BOT, "en")[key], "x")
    if key == "desk-event":
        args["action"] = "assigned"  # the variants that show the technician
    return Text(key=key, args={**args, **values})


# --- completeness ---------------------------------------------------------------------------


def ids(found: Iterable[Phrase]) -> list[str]:
    return [f"{each.where}:{each.pattern}" for each in found]


def test_the_sources_are_read_well_enough_to_be_checked() -> None:
    """Else the tests below would have nothing to find."""
    assert len(PEOPLE) > 70
    assert ids(each for each in PEOPLE if each.args is None) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_place_that_says_something_finds_its_text_and_gives_what_it_asks_for(
    language: str,
) -> None:
    texts = catalogue(BOT, language)
    for phrase in PEOPLE:
        matching = [key for key in texts if re.fullmatch(phrase.pattern, key)]
        assert matching, f"{phrase.where} asks for {phrase.pattern}, which {language} lacks"
        used = frozenset().union(*(texts[key] for key in matching))
        assert used == phrase.args, phrase


@pytest.mark.parametrize("folder", [BOT, WEB])
def test_both_languages_say_the_same_things_with_the_same_arguments(folder: str) -> None:
    assert catalogue(folder, "ru") == catalogue(folder, "en")


def test_no_text_for_people_is_left_over() -> None:
    patterns = [phrase.pattern for phrase in PEOPLE]
    unused = {key for key in catalogue(BOT, "en") if not any(_is(p, key) for p in patterns)}
    assert unused == set()


def _is(pattern: str, key: str) -> bool:
    return re.fullmatch(pattern, key) is not None


@pytest.mark.parametrize("language", WEB_LANGUAGES)
def test_the_pages_of_the_operator_find_their_texts(language: str) -> None:
    pages = "".join(path.read_text() for path in (ROOT / "web/templates").glob("*.html"))
    wanted = set(re.findall(r"""\bt\(["']([a-z-]+)["']\)""", pages))
    assert len(wanted) > 10
    assert wanted <= catalogue(WEB, language).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_rendered_and_says_something(language: str) -> None:
    for key in catalogue(BOT, language):
        rendered = Texts().render(filled(key), language)
        assert rendered.strip() == rendered != ""
        assert "{" not in rendered
        assert "$" not in rendered


def test_russian_is_written_in_russian_and_english_in_english() -> None:
    for key in catalogue(BOT, "en"):
        russian, english = (Texts().render(filled(key), each) for each in LANGUAGES)
        assert not re.search("[а-яё]", english, re.IGNORECASE), key
        if re.search("[a-z]{4}", english.replace("Telegram", "")):
            assert re.search("[а-яё]", russian, re.IGNORECASE), key


# --- values are shown, never interpreted ----------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: value[:12])
def test_hostile_values_are_shown_as_they_are(value: str, language: str) -> None:
    for key in catalogue(BOT, language):
        for name in shown(key):
            assert value in Texts().render(filled(key, **{name: value}), language), (key, name)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_label_is_the_name_between_fixed_words_whatever_the_name(name: str) -> None:
    for language in LANGUAGES:
        text = Text(key="label-technician", args={"name": name})
        assert Texts().render(text, language) == f"👷 {name}:"


def test_a_comment_of_the_greatest_length_is_shown_to_its_last_letter() -> None:
    comment = "{" + "я" * (COMMENT_LENGTH_MAX - 2) + "}"
    rendered = Texts().render(filled("feedback-summary", comment=comment, ticket=2 * 10**9), "ru")
    assert rendered.endswith(f"«{comment}»")
    assert "№2000000000:" in rendered


def test_an_empty_optional_value_takes_its_punctuation_with_it() -> None:
    args: dict[str, str | int] = {"ticket": 1, "client": "Ann"}
    named = Text(key="title-new", args={**args, "username": "ann"})
    nameless = Text(key="title-new", args={**args, "username": ""})
    assert Texts().render(named) == "🟢 [Новый] #1 | Ann (@ann)"
    assert Texts().render(nameless) == "🟢 [Новый] #1 | Ann"


@pytest.mark.parametrize("value", ["other", "", "{ $x }", "<b>", "CLIENT"])
def test_a_selector_that_gets_an_unknown_value_falls_to_its_default(value: str) -> None:
    text = Text(key="undelivered", args={"place": value, "reason": value, "detail": ""})
    for language, words in (("ru", "в эту тему: отказ"), ("en", "to this topic: Telegram refused")):
        assert words in Texts().render(text, language)


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 5, 11, 21, 1_000_000, 2**53])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_number_of_a_ticket_is_a_name_without_separators(number: int, language: str) -> None:
    for key, names in catalogue(BOT, language).items():
        for name in names & NUMBERS_OF_THINGS:
            assert str(number) in Texts().render(filled(key, **{name: number}), language), key


@pytest.mark.parametrize(
    ("key", "args", "wanted"),
    [
        ("desk-techs-title", {}, "Активные техники: {}"),
        ("desk-more", {}, "… и ещё {}"),
        ("desk-tech-line", {"technician": "Иван", "numbers": "#1"}, "👷 Иван — открыто {}: #1"),
        ("desk-button-shelf", {"shelf": "NEW"}, "🟢 Новые ({})"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 5, 11, 21, 22, 112])
def test_russian_counts_stand_where_no_word_must_follow_them(
    key: str, args: Mapping[str, str | int], wanted: str, count: int
) -> None:
    """One заявка, two заявки, five заявок: the texts are made so that one form is right."""
    text = Text(key=key, args={**args, "count": count})
    assert Texts().render(text, "ru") == wanted.format(count)


def test_nothing_open_is_said_in_words() -> None:
    text = Text(key="desk-tech-line", args={"technician": "Иван", "numbers": "", "count": 0})
    assert Texts().render(text, "ru").endswith("свободен, открытых заявок нет")


# --- languages ------------------------------------------------------------------------------


@pytest.mark.parametrize("default", LANGUAGES)
@pytest.mark.parametrize("wanted", [None, "", "de", "pt-br", "xx-ru", "-", "r", "русский", "../en"])
def test_an_unknown_language_falls_back_to_the_desks(wanted: str | None, default: str) -> None:
    texts = Texts(default)
    assert texts.language(wanted) == default
    greeting = Text(key="start-greeting")
    assert texts.render(greeting, wanted) == texts.render(greeting, default)


@pytest.mark.parametrize("wanted", ["en", "EN", "en-US", "en-gb"])
def test_a_language_with_a_region_is_the_language(wanted: str) -> None:
    assert Texts("ru").language(wanted) == "en"


def test_the_desk_cannot_speak_a_language_without_a_catalogue() -> None:
    with pytest.raises(ValueError, match="no texts in 'de'"):
        Texts("de")


def test_a_missing_text_or_argument_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingText, match="no-such-text"):
        Texts().render(Text(key="no-such-text"))
    with pytest.raises(MissingText, match=r"assigned.*by"):
        Texts().render(Text(key="assigned", args={"technician": "alice"}))


@pytest.mark.parametrize(
    ("wishes", "chosen"),
    [
        (("", "en-US,ru;q=0.5"), "en"),
        ((None, "de,fr;q=0.5,ru;q=0.1"), "ru"),
        (("xx", "de"), "ru"),
        ((None, ";;,,=;q"), "ru"),
    ],
)
def test_the_operators_language_is_the_first_wish_that_there_is(
    wishes: tuple[str | None, ...], chosen: str
) -> None:
    assert choose(*wishes, default="ru") == chosen
