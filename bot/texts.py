"""Everything that a participant reads, in Russian and English."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fluent.runtime import FluentBundle, FluentResource

from actors.effects import Text

LOCALES = Path(__file__).parent / "locales"

LANGUAGES = ("ru", "en")
"""The catalogues that there are; the first is the default of the product."""


@cache
def catalogue(language: str) -> FluentBundle:
    """The texts of one language: all ``*.<language>.ftl`` files together.

    Isolating marks are off: topic titles must read exactly as designed, and names are made safe
    where they enter (``bot/people.py``) and isolated where they could turn a line (``titles.py``).
    """
    bundle = FluentBundle([language], use_isolating=False)
    for path in sorted(LOCALES.glob(f"*.{language}.ftl")):
        bundle.add_resource(FluentResource(path.read_text("utf-8")))
    return bundle


class MissingText(LookupError):
    """The catalogue lacks a text, or the text an argument."""


class Texts:
    """Renders texts in the reader's language, else in the desk's."""

    def __init__(self, default_language: str = LANGUAGES[0]) -> None:
        if default_language not in LANGUAGES:
            raise ValueError(f"no texts in {default_language!r}; there are {', '.join(LANGUAGES)}")
        self.default_language = default_language

    def language(self, wanted: str | None) -> str:
        """The language to use for somebody whose client says ``wanted`` (such as ``pt-br``)."""
        primary = (wanted or "").partition("-")[0].lower()
        return primary if primary in LANGUAGES else self.default_language

    def render(self, text: Text, language: str | None = None) -> str:
        """The text in the language, with its arguments.

        Raises:
            MissingText: No such text, or it wants an argument that was not given.
        """
        return self._format(text.key, text.args, self.language(language))

    def _format(self, key: str, args: Mapping[str, str | int], language: str) -> str:
        bundle = catalogue(language)
        pattern = bundle.get_message(key).value if bundle.has_message(key) else None
        if pattern is None:
            raise MissingText(f"{key} ({language})")
        plain = _plain(args)
        aside = _set_aside(plain)
        rendered, errors = bundle.format_pattern(pattern, plain)
        if errors:
            raise MissingText(f"{key} ({language}): {errors}")
        return _STAND_IN.sub(lambda found: aside[found[0]], str(rendered))


def _plain(args: Mapping[str, str | int]) -> dict[str, Any]:
    """The arguments as the catalogues expect them.

    Ticket numbers are names, not quantities: no thousands separators. Each text ``x`` comes with
    ``has-x`` (``yes`` or ``no``), since a selector cannot ask for an empty text itself.
    """
    plain: dict[str, Any] = {}
    for name, value in args.items():
        plain[name] = str(value) if name in NUMBERS_OF_THINGS else value
        if isinstance(value, str):
            plain[f"has-{name}"] = "yes" if value else "no"
    return plain


VALUE_LENGTH_MAX = 500
"""Fluent refuses parts of over 2,500 characters, and a variant with all that is in it is a part."""

_STAND_IN = re.compile("\0[0-9]+\0")


def _set_aside(plain: dict[str, Any]) -> dict[str, str]:
    """Puts stand-ins for long values into ``plain``; returns the values by their stand-ins.

    A value that could be taken for a stand-in gets one, too, so that nothing else looks like one.
    """
    aside: dict[str, str] = {}
    for name, value in plain.items():
        if isinstance(value, str) and (len(value) > VALUE_LENGTH_MAX or "\0" in value):
            stand_in = f"\0{len(aside)}\0"
            aside[stand_in] = value
            plain[name] = stand_in
    return aside


NUMBERS_OF_THINGS = frozenset({"ticket", "former", "seq", "id"})
