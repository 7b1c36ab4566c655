"""Telling what the staff say among themselves from what they say to the client."""

import re
from enum import StrEnum

_NOTE = re.compile(r"\s*(?://|/note(?:@\w+)?(?:\s|$))", re.IGNORECASE)
_CALL = re.compile(
    r"\s*@(?P<who>[a-z0-9_]{3,32})[\s,:!]+(?:помоги|помогите|нужна\s+помощь|help)\b", re.IGNORECASE
)


class Aside(StrEnum):
    """Why a message stays among the staff. The value is the event's action."""

    NOTE = "noted"
    """``/note …`` or a line that begins with ``//``."""
    CALL = "specialist_called"
    """``@someone помоги``."""


def aside(text: str) -> Aside | None:
    """What kind of aside a text or caption is, ``None`` when it is meant for the client.

    A message with one ``//`` line among others is an aside as a whole: sending a part of a message
    would be worse than asking for it again.
    """
    if _CALL.match(text):
        return Aside.CALL
    if any(_NOTE.match(line) for line in text.splitlines()):
        return Aside.NOTE
    return None


def called(text: str) -> str:
    """The user name, without ``@``, that a call for a specialist names; empty if none."""
    match = _CALL.match(text)
    return match["who"] if match else ""
