"""Takes secrets and people's data out of what is about to be logged."""

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from bootstrap.masking_shapes import HIDDEN, PEOPLE, SECRETS, WRITTEN, Shape

__all__ = ["DEPTH_MAX", "HIDDEN", "Mask"]

KNOWN_LENGTH_MIN: Final = 4
"""A secret shorter than this would blank out half of every line."""

DEPTH_MAX: Final = 12
"""Deeper nesting is cut: nobody reads it, and it may be a cycle."""

SECRET_KEYS: Final = re.compile(
    r"(?i)token|secret|password|passwd|authorization|private_key|cookie"
)


PERSON_KEYS: Final = re.compile(
    r"(?i)^(?:(?:client|author|user|sender)_?)?(?:full_?name|first_?name|last_?name|username|"
    r"phone(?:_?number)?|e_?mail|address|vcard|card_?number|caption|text|words)$|^(?:client|author|user|sender|person|from|by)_?name$"
)
"""Fields that hold what a person is called, or wrote."""


SHAPES: Final = (*SECRETS, *PEOPLE)

PASSES_MAX: Final = 8
"""What was hidden may uncover the beginning of something else, as with numbers that touch. A text
that is not at an end after so many is hidden whole.
"""

PLAIN: Final = re.compile(
    r"[A-Za-z_]{1,40}(?:[-.][A-Za-z_]{1,20}){0,3}(?:-?\d{1,4})?(?::[\w-]{1,20}){0,3}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
"""Most of what is logged are names, kinds, keys of rows and times: they look like nothing else."""


class Mask:
    """A structlog processor: hides secrets and people's data, known by field or by shape.

    Runs after exceptions are formatted and before rendering. What is no plain data becomes its
    ``repr``, so that nothing is rendered unseen.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known: set[str] = set()
        for secret in secrets:
            if len(secret) >= KNOWN_LENGTH_MIN:
                known |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        words = [re.escape(secret) for secret in sorted(known, key=len, reverse=True)]
        self._known = re.compile("|".join(words)) if words else None

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        del logger, method
        for key, value in event.items():
            event[key] = self.value(value, key, 0)
        return event

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if PLAIN.fullmatch(text):
            return text
        for _ in range(PASSES_MAX):
            before = text
            text = _hide(text, SHAPES)
            text = "\n".join(_hide(line, WRITTEN) for line in text.split("\n"))
            if text == before:
                return text
        return HIDDEN

    def value(self, value: object, key: str, depth: int) -> object:
        """The value without what must not be seen; containers keep their kind."""
        if value is None or isinstance(value, bool | float):
            return value
        if SECRET_KEYS.search(key):
            return HIDDEN
        if isinstance(value, int):
            return int(value)
        if PERSON_KEYS.search(key):
            return HIDDEN if value else value
        if isinstance(value, str):
            return self.text(str(value))
        if depth >= DEPTH_MAX:
            return "…"
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): self.value(inner, _inner(key, str(name)), depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, "", depth + 1) for inner in value]
        return self.text(repr(value))


def _inner(outer: str, key: str) -> str:
    """The name of somebody is known by whose it is: ``client: {name: …}``."""
    return f"{outer}_name" if key == "name" and outer else key


def _hide(text: str, shapes: Iterable[Shape]) -> str:
    small = text.lower()
    for shape in shapes:
        if any(hint in small for hint in shape.hints):
            text = shape.pattern.sub(shape.instead, text)
    return text
