"""What an operator reads, in Russian and English; numbers and times the browser writes."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from fluent.runtime import FluentBundle, FluentResource

LOCALES: Final = Path(__file__).parent / "locales"

LANGUAGES: Final = ("ru", "en")


@cache
def _bundle(language: str) -> FluentBundle:
    bundle = FluentBundle([language], use_isolating=False)
    source = (LOCALES / f"status.{language}.ftl").read_text("utf-8")
    bundle.add_resource(FluentResource(source))
    return bundle


_KEY: Final = re.compile(r"^([a-zA-Z][\w-]*) =", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$(\w+)")


@cache
def patterns(language: str) -> dict[str, str]:
    """Every text with ``{name}`` where an argument belongs: for the modules in the browser."""
    source = (LOCALES / f"status.{language}.ftl").read_text("utf-8")
    names = {name: f"{{{name}}}" for name in _VARIABLE.findall(source)}
    words = Words(language)
    keys = _KEY.findall(source)
    return {key: words(key, **names) for key in keys}


def choose(*wanted: str | None, default: str) -> str:
    """The first of the wishes that there are texts in; a wish may be a whole Accept-Language."""
    for wish in wanted:
        for part in (wish or "").split(","):
            primary = part.split(";")[0].strip().partition("-")[0].lower()
            if primary in LANGUAGES:
                return primary
    return default


class Words:
    """The texts of one language; called as ``words("key", name=value)`` by code and templates."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._bundle = _bundle(language)

    def __call__(self, key: str, **args: Any) -> str:
        """One text.

        Raises:
            LookupError: No such text, or it wants an argument that was not given.
        """
        pattern = self._bundle.get_message(key).value if self._bundle.has_message(key) else None
        if pattern is None:
            raise LookupError(f"{key} ({self.language})")
        text, errors = self._bundle.format_pattern(pattern, args)
        if errors:
            raise LookupError(f"{key} ({self.language}): {errors}")
        return str(text)
