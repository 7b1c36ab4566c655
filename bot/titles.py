"""Titles of topics: whatever the client is called, at most 128 characters and safe to show."""

import unicodedata

from actors.effects import Text
from bot.people import clean_name
from bot.texts import Texts

TITLE_LENGTH_MAX = 128
"""Telegram's limit, counted here in UTF-16 units to be on the safe side with emoji."""

TECHNICIAN_LENGTH_MAX = 64
"""In UTF-16 units: with status and number the rest of the title, so that these always fit."""

WORDS_LENGTH_MAX = 40
"""For what the staff wrote behind a title, in UTF-16 units."""

_NAME, _TECHNICIAN, _WORDS = "client", "technician", "words"
"""Titles that were stored before there were words have none."""
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def title(text: Text, texts: Texts) -> str:
    """The rendered title, in the desk's language.

    What is too long is taken from the names, never from status and number; a name with
    right-to-left letters is isolated, so that it cannot turn the rest of the line around.
    """
    name = clean_name(str(text.args.get(_NAME, "")))
    words = cut(clean_name(str(text.args.get(_WORDS, ""))), WORDS_LENGTH_MAX)
    behind = f" · {_isolated(words)}" if words else ""
    technician = cut(clean_name(str(text.args.get(_TECHNICIAN, ""))), TECHNICIAN_LENGTH_MAX)
    while True:
        args = {**text.args, _NAME: _isolated(name), _TECHNICIAN: _isolated(technician)}
        rendered = clean_title(texts.render(Text(key=text.key, args=args)) + behind)
        excess = utf16_length(rendered) - TITLE_LENGTH_MAX
        if excess <= 0 or not name:
            return cut(rendered, TITLE_LENGTH_MAX)
        name = cut(name, max(0, utf16_length(name) - excess - 1), ellipsis=True)


def utf16_length(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, units: int, *, ellipsis: bool = False) -> str:
    """At most so many UTF-16 units, never half a character: joined emoji stay whole or go."""
    if utf16_length(text) <= units:
        return text
    kept, used = "", 0
    for cluster in _clusters(text):
        used += utf16_length(cluster)
        if used > units:
            break
        kept += cluster
    kept = kept.rstrip()
    return f"{kept}…" if ellipsis and kept else kept


def clean_title(text: str) -> str:
    return " ".join(text.split())


def _clusters(text: str) -> list[str]:
    """The text in pieces that belong together: marks, joiners, skin tones and flags stay in one."""
    clusters: list[str] = []
    for character in text:
        if clusters and _joins(clusters[-1], character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _joins(cluster: str, character: str) -> bool:
    if _extends(character) or cluster.endswith("\u200d"):
        return True
    return _is_half_flag(cluster) and _is_flag_letter(character)


def _extends(character: str) -> bool:
    """Also marks without a combining class: vowels of Thai and Hindi, the frame of a keycap."""
    skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return character == "\u200d" or skin_tone or unicodedata.category(character).startswith("M")


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_half_flag(cluster: str) -> bool:
    return len(cluster) == 1 and _is_flag_letter(cluster)


def _isolated(name: str) -> str:
    turns = any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in name)
    return f"{_FIRST_STRONG_ISOLATE}{name}{_POP_ISOLATE}" if turns else name
