"""Texts of the local Telegram: mark-up, entities, lengths in UTF-16 units."""

from typing import Any

import pytest

from lab.telegram.entities import units, with_found
from lab.telegram.errors import ApiError
from lab.telegram.texts import marked_text


def _html(text: str) -> tuple[str, list[dict[str, Any]]]:
    return marked_text(text, "HTML", None, units_max=4096)


def test_html_tags_become_entities_counted_in_utf16_units() -> None:
    text, entities = _html("🟢 <b>жирный <i>и</i></b> &lt;&amp;&#33;&gt;")
    assert text == "🟢 жирный и <&!>"
    assert entities == [
        {"type": "bold", "offset": 3, "length": 8},
        {"type": "italic", "offset": 10, "length": 1},
    ]


def test_html_links_code_and_quotes_keep_what_they_carry() -> None:
    text, entities = _html(
        '<a href="https://a.example/?x=1&amp;y=2">там</a> '
        '<pre><code class="language-python">x = 1</code></pre>'
        "<blockquote expandable>q</blockquote>"
    )
    assert text == "там x = 1q"
    assert entities[0] == {
        "type": "text_link",
        "url": "https://a.example/?x=1&y=2",
        "offset": 0,
        "length": 3,
    }
    assert {"type": "pre", "language": "python", "offset": 4, "length": 5} in entities
    assert entities[-1]["type"] == "expandable_blockquote"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("ж <img>", 'Unsupported start tag "img" at byte offset 3'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
    ],
)
def test_bad_html_is_refused_in_telegrams_words(text: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        _html(text)
    assert refused.value.description == f"Bad Request: can't parse entities: {complaint}"


def test_impossible_characters_stay_as_they_were_written() -> None:
    assert _html("&#99999999999; &#xD800; &nbsp;")[0] == "&#99999999999; &#xD800; &nbsp;"


def test_markdown_marks_nest_and_escapes_are_taken_away() -> None:
    text, entities = marked_text(
        r"*bold _both_* `co\`de` [link](https://a.example) ||s|| 1\.",
        "MarkdownV2",
        None,
        units_max=99,
    )
    assert text == "bold both co`de link s 1."
    assert [entity["type"] for entity in entities] == [
        "bold",
        "italic",
        "code",
        "text_link",
        "spoiler",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("*open", "Can't find end of Bold entity at byte offset 0"),
    ],
)
def test_bad_markdown_is_refused_in_telegrams_words(text: str, complaint: str) -> None:
    with pytest.raises(ApiError, match="can't parse entities") as refused:
        marked_text(text, "MarkdownV2", None, units_max=99)
    assert refused.value.description.endswith(complaint)


def test_length_is_measured_in_utf16_units_after_parsing() -> None:
    assert units("🟢a") == 3
    assert marked_text("<b>" + "🟢" * 2048 + "</b>", "HTML", None, units_max=4096)
    with pytest.raises(ApiError, match="message is too long"):
        marked_text("🟢" * 2048 + "a", None, None, units_max=4096)
    with pytest.raises(ApiError, match="message caption is too long"):
        marked_text("a" * 1025, None, None, units_max=1024)


def test_white_space_is_cut_and_entities_move_along() -> None:
    given = [{"type": "bold", "offset": 0, "length": 5}]
    assert marked_text("  abc  ", None, given, units_max=99) == (
        "abc",
        [{"type": "bold", "offset": 0, "length": 3}],
    )


def test_entities_beyond_the_text_are_refused() -> None:
    with pytest.raises(ApiError, match="lies beyond the text"):
        marked_text("abc", None, [{"type": "bold", "offset": 1, "length": 3}], units_max=99)


def test_commands_mentions_and_links_are_found_without_being_marked() -> None:
    found = with_found("🟢 /close@desk_bot @maria https://a.example. #тег a@b.example 1/2", [])
    assert [(each["type"], each["offset"], each["length"]) for each in found] == [
        ("bot_command", 3, 15),
        ("mention", 19, 6),
        ("url", 26, 17),
        ("hashtag", 45, 4),
        ("email", 50, 11),
    ]
