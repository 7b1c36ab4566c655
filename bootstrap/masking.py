"""Takes secrets and people's data out of what is about to be logged."""

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote

HIDDEN: Final = "***"

KNOWN_LENGTH_MIN: Final = 4
"""A secret shorter than this would blank out half of every line."""

DEPTH_MAX: Final = 12
"""Deeper nesting is cut: nobody reads it, and it may be a cycle."""

SECRET_KEYS: Final = re.compile(
    r"(?i)token|secret|password|passwd|authorization|private_key|cookie"
)


TELEGRAM_KEY: Final = r"\d{5,}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"
TELEGRAM_PATH: Final = r"(?<=/bot)\d+(?::|%3A)[^/\s\"'<>]+"
"""A token in the address of a Bot API call, whatever its shape."""
EMAIL: Final = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
PHONE: Final = r"\+\d[\d\s().-]{5,18}\d"
PHONE_RUSSIAN: Final = r"(?<![\w.+-])[78][\s(-]{0,3}9\d\d[\s)-]{0,3}\d{3}[\s-]?\d\d[\s-]?\d\d(?!\w)"
"""Numbers without a plus, but not ids of chats and users: those have another length or a minus."""


class Mask:
    """A structlog processor: hides known secrets, bot tokens, e-mail addresses and phone numbers.

    Runs after exceptions are formatted and before rendering. What is no plain data becomes its
    ``repr``, so that nothing is rendered unseen.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known: set[str] = set()
        for secret in secrets:
            if len(secret) >= KNOWN_LENGTH_MIN:
                known |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        words = [re.escape(secret) for secret in sorted(known, key=len, reverse=True)]
        shapes = [TELEGRAM_KEY, TELEGRAM_PATH, EMAIL, PHONE, PHONE_RUSSIAN]
        self._pattern = re.compile("|".join([*words, *shapes]))

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        del logger, method
        for key, value in event.items():
            event[key] = self.value(value, key, 0)
        return event

    def text(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text)

    def value(self, value: object, key: str, depth: int) -> object:
        """The value without what must not be seen; containers keep their kind."""
        if value is None or isinstance(value, bool | float):
            return value
        if SECRET_KEYS.search(key):
            return HIDDEN
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            return self.text(str(value))
        if depth >= DEPTH_MAX:
            return "…"
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): self.value(inner, str(name), depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, "", depth + 1) for inner in value]
        return self.text(repr(value))
